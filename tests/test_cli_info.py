"The command `cuts`: exports, what it says of files and of itself, and measurements."

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import TINY, cpu_seconds, cuts, naming_imports, picture

from cuts.io.rasters import write_picture
from cuts.runs import bench
from cuts.runs import stopwatch
from cuts.runs.export import FORMATS, MAPS


# Exports and information ---------------------------------------------------------------------------------------------
def test_export_offers_what_there_is():
    text = " ".join(cuts("export", "-h")[1].split())
    assert all(f" {f[1:]}" in text for f in FORMATS if f != ".tiff")
    assert all(m in text for m in MAPS)


@pytest.fixture(scope="module")
def finished_run(two_images, tmp_path_factory):
    "A whole run of the two images."
    out = tmp_path_factory.mktemp("runs") / "finished"
    assert cuts("run", two_images, "--out", out, *TINY)[0] == 0
    return out


def test_export(empty_folder, finished_run):
    options = ["--what", "persistent,4", "--to", "png,tif,geojson", "--tables", "--pictures"]
    status, text = cuts("export", finished_run, "--out", "maps", *options)
    assert status == 0
    assert "done" in text
    files = [p for p in Path("maps").rglob("*") if p.is_file() and "manifest" not in p.parts and p.name[0] != "."]
    n = len(list(finished_run.rglob("*.npz")))
    assert n
    assert len(files) == n * 2 * 6, sorted(p.name for p in files)
    status, text = cuts("export", finished_run, "--out", "maps", *options)
    assert status == 0
    assert "Nothing to do" in text
    assert cuts("export", finished_run, "--out", "one", "--images", "0")[0] == 0
    assert len(list(Path("one").rglob("*.png"))) == 1


def test_what_cannot_be_exported(empty_folder, two_images, finished_run):
    status, text = cuts("export", finished_run, "--out", "x", "--to", "gif")
    assert status == 1
    assert "expected one of .png" in text
    assert not list(Path("x").rglob("*.gif"))
    status, text = cuts("export", "nothing", "--out", "x")
    assert status == 1
    assert "no segmentations" in text
    status, text = cuts("export", finished_run, "--out", "one", "--images", "99")
    assert status == 1
    assert "expected names such as" in text
    assert cuts("baselines", two_images, "--out", "others", "--methods", "otsu")[0] == 0
    status, text = cuts("export", "others", "--out", "two")
    assert status == 1
    assert "makes no tree of regions" in text
    assert "--what kmeans" in text


def test_info_of_files(empty_folder, two_images, finished_run):
    path = next(two_images.rglob("*.png"))
    status, text = cuts("info", path, finished_run / "metrics.csv")
    assert status == 1
    assert "pixels" in text
    assert "unknown ending" in text
    assert [f["source"] for f in json.loads(cuts("info", path, "--json")[1])] == [str(path)]
    assert cuts("info", path, "--window", "a,b")[0] == 2


def test_info_of_a_folder(empty_folder):
    for i in range(3):
        picture(Path(f"in/{i}.png"), shape=(32, 32 + i))
    picture(Path("in/labels/1.png"))
    status, text = cuts("info", "in")
    assert status == 0
    lines = text.splitlines()
    assert lines[0] == "in: 3 images, labels found for 1"
    assert lines[2].split() == ["image", "size", "channels", "spacing", "type", "label"]
    assert re.split(" {2,}", lines[4]) == ["0.png", "32 × 32", "3", "1 × 1 px", "png", "no"]
    assert lines[5].endswith("yes")
    assert "2 without labels: 0.png, 2.png" in text
    np.save("in/9.npy", np.zeros((20, 30)) + np.arange(30))
    Path("in/broken.png").write_bytes(b"no picture")
    status, text = cuts("info", "in")
    assert status == 1, text
    assert ["9.npy", "20 × 30", "1", "1 × 1 px", "npy", "no"] in [re.split(" {2,}", x) for x in text.splitlines()]
    assert "A model takes one number of channels" in text
    assert text.count("broken.png: ") == 1, text
    facts, _ = json.JSONDecoder().raw_decode(cuts("info", "in", "in/9.npy", "--json")[1])
    assert [f["name"] for f in facts] == ["0.png", "1.png", "2.png", "9.npy", "9.npy"]


def test_info_of_names(empty_folder):
    status, text = cuts("info", "nope")
    assert status == 1
    assert text.startswith("cuts: 1 failed")
    assert "neither a file, a folder or a glob nor a data set" in text
    assert cuts("info", "demo")[1].startswith("demo: 10 images, labels found for 8\n")
    picture(Path("demo/a.png"))
    text = cuts("info", "./demo")[1]
    assert "3 channels" in text
    assert "10 images" not in text
    assert "warning" not in text


def test_info_of_a_picture_is_quick(empty_folder):
    picture(Path("a.png"))
    code = naming_imports(["info", "a.png"], ["torch", "scipy", "pandas", "sklearn", "matplotlib"])
    assert cpu_seconds(code, lambda done: done.stderr.strip() == "[]" and "32 × 32 pixels" in done.stdout) < 1.5


def test_info_is_json(empty_folder):
    status, text = cuts("info", "--json", "--root", "elsewhere")
    facts = json.loads(text)
    assert status == 0
    assert facts["root"] == "elsewhere"
    assert {"phate", "medical", "explore", "examples"} <= set(facts["extras"])
    assert facts["machine"]["cores"] >= 1
    assert {d["name"] for d in facts["datasets"]} >= {"retina", "demo"}
    assert "Extras" in cuts("info")[1]


# Measurements --------------------------------------------------------------------------------------------------------
def test_bench_as_json(empty_folder, monkeypatch):
    monkeypatch.setattr(bench, "ROWS", ("embedding", "stage1", "plain_steps"))
    fake = dict(embedding=None, stage1=dict(seconds_per_epoch=1.0), plain_steps=dict(seconds_per_five=4.0))
    measure = bench.measure
    monkeypatch.setattr(bench, "measure", lambda row: fake[row] or measure(row))
    status, text = cuts("bench", "--json", "--out", "new/bench.json")
    result = json.loads(text[: text.rindex("}") + 1])
    assert status == 0
    assert result["stage1"]["ratio_to_plain_steps"] == 0.25
    assert result == json.loads(Path("new/bench.json").read_text())
    assert result["embedding"]["seconds_per_image"] > 0
    assert 100 < result["embedding"]["peak_rss_mb"] < 1200
    assert "embed an image" in cuts("bench")[1]


def test_bench_that_is_stopped(empty_folder, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "benchmark", stop)
    assert cuts("bench", "--out", ".")[0] == 2  # before anything is measured
    status, text = cuts("bench", "--out", "new/bench.json")
    assert status == 130
    assert text == "cuts: stopped.\n"  # it does not go on from anywhere


def test_bench_records_a_row_that_fails(empty_folder, monkeypatch):
    monkeypatch.setattr(bench, "ROWS", ("stage1", "plain_steps"))
    monkeypatch.setattr(bench, "measure", lambda row: stopwatch.in_fresh_process("raise MemoryError('too large')"))
    status, text = cuts("bench", "--json")
    assert status == 1
    assert "too large" in text


def test_bench_of_quality(empty_folder):
    for name, side in (("eyes", 40), ("hands", 36)):
        for i in range(2):
            picture(Path("sets", name, "images", f"{i}.png"), i, (side, side + 2 * i))
            label = np.zeros((side, side + 2 * i), np.uint8)
            label[8:20, 8:20] = 1
            Path("sets", name, "labels").mkdir(exist_ok=True)
            write_picture(Path("sets", name, "labels", f"{i}.png"), label)
    options = ["--quality", "sets", "--out", "scores", "--methods", "colours, slic", "--seeds", "1,2"]
    status, text = cuts("bench", *options)
    assert status == 0, text
    assert "colours" in text
    assert "quality.csv" in text
    table = Path("scores/quality.csv").read_text()
    assert len(table.splitlines()) == 1 + 2 * (2 + 1)  # two seeds where something is drawn, else one
    written = {path: path.stat().st_mtime_ns for path in Path("scores/tasks").iterdir()}
    assert cuts("bench", *options)[0] == 0
    assert Path("scores/quality.csv").read_text() == table
    assert written == {
        path: path.stat().st_mtime_ns for path in Path("scores/tasks").iterdir()
    }  # nothing was done twice
    status, text = cuts("bench", "--quality", "sets", "--out", "more", "--methods", "colors")
    assert status == 1
    assert "Did you mean 'colours'" in text
    assert not Path("more").exists()
    status, text = cuts("bench", "--quality", "scores", "--out", "more")
    assert status == 1
    assert "no set of images in it" in text
    assert cuts("bench", "--quality", "sets", "--json")[0] == 2
    assert cuts("bench", "--methods", "colours")[0] == 2
