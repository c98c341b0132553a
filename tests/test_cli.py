"The command `cuts`: exit statuses, what stays after faults, odd names. Its ordinary use is in nbs/59_cli.ipynb."

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cuts.cli import app
from cuts.datasets import fundus_phantom
from cuts.images import write_labels, write_picture

resource = pytest.importorskip("resource", reason="POSIX only")

TINY = ["--epochs", "1", "--device", "cpu"]
for setting in (
    "crop=24",
    "batch_size=4",
    "n_anchors=8",
    "min_batches=1",
    "precision=float32",
    "n_landmarks=60",
    "spectral_landmarks=40",
):
    TINY += ["--set", setting]
MAIN = [sys.executable, "-P", "-c", "from cuts.cli import main; main()"]


def cuts(*args):
    "Status and output of a command in this process; an exception that escapes is a failure."
    result = CliRunner().invoke(app, [str(a) for a in args], prog_name="cuts")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output or "--debug" in args
    return result.exit_code, result.output


def picture(path, seed=0, shape=(32, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, fundus_phantom(shape, seed)[0])


def tree(folder):
    "Every file's content, without the folder's locks."
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.endswith("lock")
    }


def snapshot(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name[0] != "."}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUTS_DATA", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    "Two pictures with truth."
    folder = tmp_path_factory.mktemp("images") / "two"
    for seed in range(2):
        x, y = fundus_phantom((32, 36), seed)
        (folder / "labels").mkdir(parents=True, exist_ok=True)
        write_picture(folder / f"{seed}.png", x)
        write_labels(folder / "labels" / f"{seed}.png", y)
    return folder


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "trained"
    status, said = cuts("train", images, "--out", out, *TINY)
    assert status == 0, said
    return out


def cpu_seconds(code, good):
    "The fewest CPU seconds of three runs: the machine may be busy, and children of other tests end meanwhile."
    best = np.inf
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0 and good(done), done.stdout + done.stderr
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


# Help --------------------------------------------------------------------------------------------------------------
def test_help_is_fast_and_imports_no_torch():
    code = "import sys; from cuts.cli import main\ntry: main(['--help'])\nfinally: print([m for m in ('torch', 'numpy', 'pandas', 'sklearn', 'matplotlib', 'rich') if m in sys.modules], file=sys.stderr)"
    assert cpu_seconds(code, lambda done: done.stderr.strip() == "[]" and "Commands:" in done.stdout) < 0.5


def test_short_help_is_whole():
    assert "..." not in cuts("-h")[1].split("Commands:")[1]


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "run",
        "train",
        "embed",
        "segment",
        "evaluate",
        "baselines",
        "supervised",
        "figure",
        "explore",
        "export",
        "phate",
        "ablate",
        "bench",
        "info",
        "download",
        "config",
    ],
)
def test_every_command_explains_itself(command):
    for flag in ("-h", "--help"):
        status, said = cuts(command, flag)
        assert status == 0
        assert "Examples:" in said
        assert f"cuts {command}" in said.split("Examples:")[1]


def test_run_has_the_options_of_its_steps():
    import re

    options = lambda command: set(
        re.findall(r"(?<![\w-])--[a-z-]+", cuts(command, "-h")[1].split("Options:")[1].split("Examples:")[0])
    )
    assert (options("train") | options("segment")) - {"--resume", "--anew", "--run", "--stored"} <= options(
        "run"
    )  # run always resumes, and has its own model


# Wrong usage: 2 ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["segmnet"], "segmnet"),
        (["run", "images"], "--out"),
        (["run", "images", "--out", "x", "--epohcs", "3"], "--epochs"),
        (["train", "--out", "x"], "say which images"),
        (["train", "demo", "--out", "x", "--set", "epohcs=3"], "Did you mean 'epochs'"),
        (["train", "demo", "--out", "x", "--set", "epochs"], "NAME=VALUE"),
        (["train", "demo", "--out", "x", "--epochs", "0"], "at least 1"),
        (["train", "demo", "--out", "x", "--epochs", "many"], "--epochs"),
        (["run", "demo", "--out", "x", "--preset", "retna"], "Did you mean 'retina'"),
        (["run", "demo", "--out", "x", "--preset", "retina", "--config", "a.yaml"], "exclude"),
        (["run", "demo", "--out", "x", "--seeds", "1,b"], "1,2,3"),
        (["run", "demo", "--out", "x", "--seed", "1", "--seeds", "1,2"], "exclude"),
        (["run", "demo", "--out", "x", "--n-jobs", "0"], "1 or more"),
        (["run", "demo", "--out", "x", "--method", "watershed"], "kmeans"),
        (["segment", "demo", "--out", "x", "--run", "r", "--epochs", "3"], "trained already"),
        (["segment", "demo", "--out", "x", "--together"], "needs a model"),
        (["config", "--set", "dataset.name=3"], "is no setting"),
    ],
)
def test_wrong_usage(here, args, said):
    status, text = cuts(*args)
    assert status == 2
    assert said in text
    assert list(here.iterdir()) == []


# Mistakes: 1, in one sentence ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["segment", "nowhere", "--out", "x"], "neither a file, a folder"),
        (["train", "retnia", "--out", "x"], "did you mean 'retina'"),
        (["train", "retina", "--root", "nowhere", "--out", "x"], "cuts download retina"),
        (["evaluate", "nowhere", "--out", "x.csv"], "no such folder"),
        (["embed", "demo", "--run", "nowhere", "--out", "x"], "nowhere"),
        (["segment", "demo", "--run", "nowhere", "--out", "x"], "nowhere"),
        (["train", "demo", "--config", "none.yaml", "--out", "x"], "none.yaml"),
        (["download", "demo"], "needs no download"),
        (["download", "retnia"], "retina"),
        (["train", "demo", "--device", "cuda:99", "--out", "x", "--epochs", "1"], "cuda:99"),
        (["download", "brain_tumor"], "by hand"),
    ],
)
def test_mistakes(here, args, said):
    status, text = cuts(*args)
    assert status == 1
    assert said in text
    assert text.splitlines()[0].startswith(("cuts: ", "warning: "))
    assert not [
        p for p in here.rglob("*") if p.is_file() and p.name[0] != "." and p.suffix in (".npz", ".csv", ".safetensors")
    ]


def test_debug_shows_the_traceback(here):
    status, text = cuts("segment", "nowhere", "--out", "x", "--debug")
    assert status == 1
    assert "Traceback" in text
    assert "FileNotFoundError" in text


def test_a_yaml_file_that_cannot_be(here):
    Path("bad.yaml").write_text("training:\n  epohcs: 3\n")
    status, text = cuts("train", "demo", "--config", "bad.yaml", "--out", "x")
    assert status == 1
    assert "bad.yaml" in text
    assert "Did you mean 'epochs'" in text
    Path("evil.yaml").write_text("training: !!python/object/apply:os.system ['touch pwned']\n")
    assert cuts("train", "demo", "--config", "evil.yaml", "--out", "x")[0] == 1
    assert not Path("pwned").exists()


def test_an_empty_folder_and_one_without_images(here):
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("a")
    for folder in ("empty", "texts"):
        status, text = cuts("segment", folder, "--out", "x")
        assert status == 1
        assert "no image" in text


def test_output_cannot_be_made(here, images):
    Path("file").write_text("taken")
    status, text = cuts("train", images, "--out", "file/run", *TINY)
    assert status == 1
    assert "file" in text
    assert Path("file").read_text() == "taken"


# Settings --------------------------------------------------------------------------------------------------------------
def test_config_prints_what_it_reads(here):
    from cuts.config import Config, preset

    status, text = cuts(
        "config", "--preset", "retina", "--set", "epochs=5", "--set", "crop=null", "--set", "train_val_ratio=4:1"
    )
    assert status == 0
    assert Config.from_yaml(text) == preset("retina").replace(epochs=5, crop=None, train_val_ratio=(4, 1))
    assert cuts("config", "--set", "labels=a: b #c", "--out", "own.yaml")[0] == 0
    assert Config.from_yaml(Path("own.yaml")) == Config().replace(labels="a: b #c")
    assert Config.from_yaml(cuts("config", "--config", "own.yaml")[1]) == Config().replace(labels="a: b #c")


def test_options_reach_the_run_folder(trained, images):
    from cuts.config import Config

    made = Config.from_yaml(trained / "config.yaml")
    assert (made.training.epochs, made.training.crop, made.training.precision, made.segmentation.n_landmarks) == (
        1,
        24,
        "float32",
        60,
    )
    assert made.data.dataset == str(images)


# Batches ---------------------------------------------------------------------------------------------------------------
def test_odd_names_a_bad_file_and_a_second_run(here):
    names = ["eye 1.png", "Ängström-眼.PNG", "-dash.png", "--help.png", "a/01.png", "b/01.png", "01.png", "#%&$.png"]
    for seed, name in enumerate(names):
        picture(Path("-odd folder") / name, seed, (32 + seed, 34))
    (Path("-odd folder") / ".hidden.png").write_bytes(b"no picture")
    (Path("-odd folder") / "cut.png").write_bytes((Path("-odd folder") / "01.png").read_bytes()[:200])
    args = ["run", "--out", "out", *TINY, "--", "-odd folder"]
    status, text = cuts(*args)
    assert status == 1
    assert "cut.png" in text.split("failed")[-1]
    assert ".hidden" not in text
    made = [p for p in Path("out/seed-1/segmentations").rglob("*.npz")]
    assert len(made) == len(names)
    assert len({p.name.lower() + str(p.parent) for p in made}) == len(names)
    assert len(list(Path("out/figures").rglob("*.png"))) == len(names)
    (Path("-odd folder") / "cut.png").unlink()
    before = snapshot(Path("out/seed-1/segmentations")) | snapshot(Path("out/figures"))
    status, text = cuts(*args)
    assert status == 0
    assert "Nothing to do" in text
    assert before == snapshot(Path("out/seed-1/segmentations")) | snapshot(Path("out/figures"))


def test_names_that_are_no_text(here):
    name = os.fsdecode(b"gr\xfc\xdfe.png")
    try:
        picture(Path("images") / name)
    except (OSError, ValueError):
        pytest.skip("this file system takes only valid names")
    (Path("images") / os.fsdecode(b"b\xf6se.png")).write_bytes(b"no picture")
    done = subprocess.run(
        [*MAIN, "segment", "images", "--out", "out", *TINY],
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"b\\udcf6se.png" in done.stderr
    assert len(list(Path("out").glob("*.npz"))) == 1


def test_many_names_as_a_shell_gives_them(here, images, trained):
    status, text = cuts("segment", images / "0.png", images / "1.png", "--run", trained, "--out", "out")
    assert status == 0
    assert sorted(p.name for p in Path("out").glob("*.npz")) == ["0.png.npz", "1.png.npz"]
    assert cuts("segment", str(images / "*.png"), "--run", trained, "--out", "globbed")[0] == 0
    assert sorted(p.name for p in Path("globbed").glob("*.npz")) == ["0.png.npz", "1.png.npz"]


def test_truncated_result_is_made_again(here, images, trained):
    args = ["segment", images, "--run", trained, "--out", "out"]
    assert cuts(*args)[0] == 0
    first, second = sorted(Path("out").glob("*.npz"))
    whole, stamp = first.read_bytes(), second.stat().st_mtime_ns
    first.write_bytes(whole[: len(whole) // 2])
    status, text = cuts(*args)
    assert status == 0
    assert "1 image done, 1 whole already" in text
    assert first.read_bytes() == whole
    assert second.stat().st_mtime_ns == stamp


def test_steps_and_scores(here, images, trained):
    import pandas as pd

    assert cuts("embed", images, "--run", trained, "--out", "embedded")[0] == 0
    with np.load("embedded/0.png.vectors.npz") as f:
        assert f["vectors"].shape == (32, 36, 128)
        assert set(f) == {"image", "reconstruction", "label", "vectors"}
    assert set(pd.read_csv("embedded/losses.csv").image) == {"0.png", "1.png"}
    assert cuts("segment", images, "--run", trained, "--out", "out")[0] == 0
    status, text = cuts("evaluate", "out", "--out", "deep/er/scores.csv")
    assert status == 0
    assert "spectral k-means" in text
    table = pd.read_csv("deep/er/scores.csv")
    assert list(table.columns[:8]) == ["seed", "method", "image", "level", "n_regions", "oracle", "dice", "hausdorff"]
    assert set(table.method) == {
        "spectral k-means",
        "diffusion (persistent)",
        "diffusion (best level)",
        "diffusion (best salient level)",
    }
    assert len(table) == 8


def test_two_workers_make_the_same_bytes(here, images, trained):
    for n in (1, 2):
        assert cuts("segment", images, "--run", trained, "--out", f"jobs-{n}", "-j", n)[0] == 0
    one, two = ({k: v for k, v in tree(Path(f"jobs-{n}")).items() if k.endswith(".npz")} for n in (1, 2))
    assert one == two
    assert len(one) == 2


def test_seeds_in_one_table(here, images):
    import pandas as pd

    status, text = cuts("run", images, "--out", "out", "--seeds", "1,3", *TINY, "--method", "condensation")
    assert status == 0
    assert "±" in text
    table = pd.read_csv("out/metrics.csv")
    assert set(table.seed) == {1, 3}
    assert "spectral k-means" not in set(table.method)
    assert Path("out/seed-3/model.safetensors").is_file()
    assert len(list(Path("out/figures").glob("*.png"))) == 2


def test_methods_side_by_side(here):
    import pandas as pd

    for i in range(4):
        x, y = fundus_phantom((40, 40), i)
        Path("eyes/labels").mkdir(parents=True, exist_ok=True)
        write_picture(f"eyes/{i}.png", x)
        np.save(Path("eyes/labels") / f"{i}.npy", y)
    tiny = [*TINY, "--set", "supervised_features=4", "--set", "supervised_epochs=1"]
    status, text = cuts("run", "eyes", "--out", "out", "--methods", "cuts,random,otsu,unet", *tiny)
    assert status == 0
    assert "Otsu's threshold" in text
    assert "U-Net (supervised)" in text
    assert Path("out/comparison.png").is_file()
    assert cuts("baselines", "eyes", "--out", "others", "--methods", "slic", "--seeds", "1,2")[0] == 0
    assert (
        cuts(
            "supervised",
            "eyes",
            "--out",
            "learned",
            "--network",
            "dynunet",
            "--epochs",
            "1",
            "--set",
            "supervised_features=4",
        )[0]
        == 0
    )
    status, text = cuts("evaluate", "others", "learned", "--out", "scores")
    assert status == 0
    assert set(pd.read_csv("scores/metrics.csv").method) == {"SLIC", "DynUNet (supervised)"}
    assert "toprule" in Path("scores/summary.tex").read_text()
    for flags in (
        [],
        ["--comparison"],
        ["--comparison", "--binary"],
        ["--comparison", "--binary", "--separate", "--grayscale"],
    ):
        assert cuts("figure", "out", "--images", "0,3.png", *flags, "--out", "deep/figure.pdf")[0] == 0
        assert Path("deep/figure.pdf").read_bytes().startswith(b"%PDF")
    status, text = cuts("figure", "out", "--images", "9", "--out", "x.png")
    assert status == 1
    assert "positions from 0 to 3" in text
    status, text = cuts("baselines", "eyes", "--out", "others", "--methods", "slick")
    assert status == 1
    assert "expected some of random, otsu" in text


def test_export_offers_what_there_is():
    from cuts.export import FORMATS, MAPS

    text = " ".join(cuts("export", "-h")[1].split())
    assert all(f" {f[1:]}" in text for f in FORMATS if f != ".tiff")
    assert all(m in text for m in MAPS)


def test_export_and_info_of_files(here, images):
    assert cuts("run", images, "--out", "out", *TINY)[0] == 0
    status, text = cuts(
        "export", "out", "--out", "maps", "--what", "persistent,4", "--to", "png,tif,geojson", "--tables", "--pictures"
    )
    assert status == 0
    assert "done" in text
    made = sorted(
        p.name for p in Path("maps").rglob("*") if p.is_file() and "manifest" not in p.parts and p.name[0] != "."
    )
    n = len([p for p in Path("out").rglob("*.npz")])
    assert n and len(made) == n * 2 * 6, made
    again = cuts(
        "export", "out", "--out", "maps", "--what", "persistent,4", "--to", "png,tif,geojson", "--tables", "--pictures"
    )
    assert again[0] == 0
    assert "Nothing to do" in again[1]
    status, text = cuts("export", "out", "--out", "x", "--to", "gif")
    assert status == 1
    assert "expected one of .png" in text
    assert not list(Path("x").rglob("*.gif"))
    status, text = cuts("export", "nothing", "--out", "x")
    assert status == 1
    assert "no segmentations" in text
    status, text = cuts("export", "out", "--out", "one", "--images", "0")
    assert status == 0
    assert len([p for p in Path("one").rglob("*.png")]) == 1
    status, text = cuts("export", "out", "--out", "one", "--images", "99")
    assert status == 1
    assert "expected names such as" in text
    picture = next(p for p in Path(images).rglob("*.png"))
    status, text = cuts("info", picture, "out/metrics.csv")
    assert status == 1
    assert "pixels" in text
    assert "unknown ending" in text
    assert [f["source"] for f in json.loads(cuts("info", picture, "--json")[1])] == [str(picture)]
    assert cuts("info", picture, "--window", "a,b")[0] == 2


def test_info_of_a_folder(here):
    for i in range(3):
        picture(Path(f"in/{i}.png"), shape=(32, 32 + i))
    picture(Path("in/labels/1.png"))
    status, text = cuts("info", "in")
    assert status == 0
    assert text.startswith(
        "in: 3 images, labels found for 1\n  3 images of 32 × 32–34 pixels, 3 channels; spacing 1 × 1 px: 0.png, …\n"
    )
    assert "2 without labels: 0.png, 2.png" in text
    np.save("in/9.npy", np.zeros((20, 30)) + np.arange(30))
    Path("in/broken.png").write_bytes(b"no picture")
    status, text = cuts("info", "in")
    assert (
        status == 1
        and "1 image of 20 × 30 pixels, 1 channel;" in text
        and "A model takes one number of channels" in text
        and text.count("broken.png: ") == 1
    ), text
    assert [f["name"] for f in json.JSONDecoder().raw_decode(cuts("info", "in", "in/9.npy", "--json")[1])[0]] == [
        "0.png",
        "1.png",
        "2.png",
        "9.npy",
        "9.npy",
    ]
    status, text = cuts("info", "nope")
    assert status == 1
    assert text.startswith("cuts: 1 failed")
    assert "neither a file, a folder or a glob nor a data set" in text
    assert cuts("info", "demo")[1].startswith("demo: 10 images, labels found for 8\n")
    picture(Path("demo/a.png"))
    assert "3 channels" in (text := cuts("info", "./demo")[1])
    assert "10 images" not in text
    assert "warning" not in text


def test_results_among_the_images_are_no_images(here):
    for i in range(2):
        picture(Path(f"in/{i}.png"), i)
    assert cuts("run", "in", "--out", "in/out", *TINY)[0] == 0
    before = tree(Path("in/out"))
    assert "Nothing to do" in cuts("run", "in", "--out", "in/out", *TINY)[1]
    assert tree(Path("in/out")) == before
    assert cuts("info", "in")[1].startswith("in: 2 images")
    assert "in/out: results, not images" in cuts("info", "in/out")[1]
    status, text = cuts("evaluate", "in/out", "--out", "scores")
    assert status == 0
    assert "--labels" in text
    assert (
        cuts("figure", "in/out", "--out", "a.png", "--images", "1")[0]
        == cuts("figure", "in/out", "--out", "b.png", "--images", "1.png")[0]
        == 0
    )


@pytest.mark.parametrize("place", [".", "in", "in/scores"])
def test_scores_among_images_are_no_images(here, images, place):
    shutil.copytree(images, "in")
    assert (
        cuts("run", "in", "--out", "res", "--methods", "otsu", *TINY)[0]
        == cuts("evaluate", "res", "--out", place)[0]
        == 0
    )
    assert Path(place, "boxes.png").is_file()
    assert cuts("info", "in")[1].startswith("in: 2 images")
    assert cuts("run", "in", "--out", place, "--methods", "otsu", *TINY)[0] == 0
    assert cuts("info", "in")[1].startswith("in: 2 images")


def test_figure_leaves_what_is_no_structure_unpainted():
    from cuts.figures import comparison_figure

    labels = np.zeros((8, 8), int)
    labels[:4], labels[4:, :4] = 5, 9
    for row in (dict(like=None), dict(like=labels), dict(true=labels == 5)):
        fig = comparison_figure([dict(image=np.ones((8, 8)), results={"persistent": labels}) | row], binary=False)
        painted = np.asarray(fig.axes[-1].images[0].get_array())
        assert not painted[labels == 0].any()
        assert painted[labels == 5].any()
        assert painted[labels == 9].any()


def test_phate_of_an_image(here, images):
    pytest.importorskip("phate")
    assert cuts("run", images, "--out", "out", *TINY)[0] == 0
    assert cuts("phate", "out/seed-1", "--out", "phate.png")[0] == 0
    assert Path("phate.png").stat().st_size > 10_000


def test_without_truth(here):
    picture(Path("plain/a.png"))
    assert cuts("segment", "plain", "--out", "out", *TINY)[0] == 0
    status, text = cuts("evaluate", "out", "--out", "scores.csv")
    assert status == 0
    assert "no scores" in text
    assert "nan" not in Path("scores.csv").read_text().lower()


# Streams and signals -----------------------------------------------------------------------------------------------------
def test_quiet_says_nothing_on_the_error_stream(here, images, trained):
    done = subprocess.run(
        [*MAIN, "segment", str(images), "--run", str(trained), "--out", "out", "-q"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_info_is_json(here):
    status, text = cuts("info", "--json", "--root", "elsewhere")
    facts = json.loads(text)
    assert status == 0
    assert facts["root"] == "elsewhere"
    assert {"phate", "medical", "explore", "examples"} <= set(facts["extras"])
    assert facts["machine"]["cores"] >= 1
    assert {d["name"] for d in facts["datasets"]} >= {"retina", "demo"}
    assert "Extras" in cuts("info")[1]


def test_interrupt(here, images):
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    args = [*MAIN, "train", str(images), "--out", "run", *TINY, "--epochs", "100000"]
    process = subprocess.Popen(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until = time.time() + 60
        while not Path("run/checkpoint.safetensors").exists() and process.poll() is None and time.time() < until:
            time.sleep(0.1)
        time.sleep(0.5)  # some epochs of milliseconds
        process.send_signal(signal.SIGINT)
        start = time.time()
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()  # nothing trains on behind a failed test
    assert process.returncode == 130
    assert time.time() - start < 15
    assert "stopped" in said
    assert "in run" in said
    assert "Traceback" not in said
    assert Path("run/checkpoint.safetensors").is_file()
    assert not Path("run/model.safetensors").exists()


# Measurements ------------------------------------------------------------------------------------------------------------
def test_bench_as_json(here, monkeypatch):
    from cuts import bench

    monkeypatch.setattr(bench, "ROWS", ("embedding", "stage1", "plain_steps"))
    fake = dict(embedding=None, stage1=dict(seconds_per_epoch=1.0), plain_steps=dict(seconds_per_five=4.0))
    measure = bench.measure
    monkeypatch.setattr(bench, "measure", lambda row: fake[row] or measure(row))
    status, text = cuts("bench", "--json", "--out", "bench.json")
    result = json.loads(text[: text.rindex("}") + 1])
    assert status == 0
    assert result["stage1"]["ratio_to_plain_steps"] == 0.25
    assert result == json.loads(Path("bench.json").read_text())
    assert result["embedding"]["seconds_per_image"] > 0
    assert 100 < result["embedding"]["peak_rss_mb"] < 1200
    assert "embed an image" in cuts("bench")[1]


def test_bench_records_a_row_that_fails(here, monkeypatch):
    from cuts import bench

    monkeypatch.setattr(bench, "ROWS", ("stage1", "plain_steps"))
    monkeypatch.setattr(bench, "measure", lambda row: bench.in_fresh_process("raise MemoryError('too large')"))
    status, text = cuts("bench", "--json")
    assert status == 1
    assert "too large" in text


# A first day ---------------------------------------------------------------------------------------------------------
def test_seed_and_seeds_make_the_same(here, images):
    for flag, out in (("--seed", "one"), ("--seeds", "many")):
        assert cuts("run", images, "--out", out, flag, "3", *TINY)[0] == 0
    one, many = (tree(Path(out) / "seed-3" / "segmentations") for out in ("one", "many"))
    assert {k: v for k, v in one.items() if k.endswith(".npz")} == {k: v for k, v in many.items() if k.endswith(".npz")}
    assert len(one) >= 2
    assert Path("one/metrics.csv").read_bytes() == Path("many/metrics.csv").read_bytes()
    assert cuts("train", images, "--out", "alone", "--seed", "3", *TINY)[0] == 0
    assert cuts("segment", images, "--run", "alone", "--out", "steps")[0] == 0
    assert {k: v for k, v in tree(Path("steps")).items() if k.endswith(".npz")} == {
        k: v for k, v in one.items() if k.endswith(".npz")
    }


def test_remedies_are_options(here, images):
    picture(Path("mixed/colour.png"))
    write_picture("mixed/grey.png", np.random.default_rng(0).random((32, 32)))
    status, text = cuts("train", "mixed", "--out", "x", *TINY)
    assert status == 1
    assert "Pass --channels gray or rgb" in text
    assert "channels=" not in text
    assert cuts("train", "mixed", "--out", "x", "--channels", "gray", *TINY)[0] == 0
    status, text = cuts("train", images, "--out", "y", *TINY, "--set", "max_pixels=10")
    assert status == 1
    assert "Pass --set max_pixels=" in text
    status, text = cuts("run", images, "--out", "z", "--methods", "slick", *TINY)
    assert status == 1
    assert "--methods: 'slick'" in text


def test_other_methods_stay_in_the_table(here, images, caplog):
    import pandas as pd

    assert cuts("run", images, "--out", "out", "--methods", "cuts,otsu", *TINY)[0] == 0
    before, picture_then = pd.read_csv("out/metrics.csv"), Path("out/comparison.png").read_bytes()
    assert cuts("run", images, "--out", "out", *TINY)[0] == 0
    assert pd.read_csv("out/metrics.csv").equals(before)
    assert Path("out/comparison.png").read_bytes() == picture_then
    assert cuts("run", images, "--out", "out", "--methods", "slic", *TINY)[0] == 0
    assert set(pd.read_csv("out/metrics.csv").method) == set(before.method) | {"SLIC"}
    x, y = fundus_phantom((32, 36), 9)
    copy = Path("copy")
    (copy / "labels").mkdir(parents=True)
    for i in range(2):
        write_picture(copy / f"{i}.png", x)
        write_labels(copy / "labels" / f"{i}.png", y)
    status, text = cuts("run", copy, "--out", "out", *TINY)  # other images under the same names
    assert status == 0
    assert set(pd.read_csv("out/metrics.csv").method) == set(before.method) - {"Otsu's threshold"}
    assert "made of other images" in text


def test_a_broken_file_is_explained_once(here):
    picture(Path("in/a.png"))
    Path("in/broken.png").write_bytes(b"no picture")
    for flags in ([], ["-q"]):
        status, text = cuts("run", "in", "--out", "out", *TINY, *flags)
        assert status == 1
        assert text.count("neither PNG, JPEG nor BMP") == 1
        assert "1 failed, the others are done" in text
        assert "broken.png" in text.splitlines()[-1]


def test_tables_fit_and_say_what_they_mean(here, images, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, text = cuts("run", images, "--out", "out", *TINY)
    assert status == 0
    assert "oracle: what a method is told" in text
    assert max(map(len, text.split("oracle:")[0].splitlines())) <= 80
    assert "1 segmentations" not in text
    assert "2 segmentations" in text


def test_nothing_is_said_of_scores_that_are_not_there(here):
    picture(Path("plain/a.png"))
    status, text = cuts("run", "plain", "--out", "out", *TINY)
    assert status == 0
    assert "metrics.csv" not in text
    assert "1 segmentation," in text
    assert "1 picture:" in text
    assert [p.name for p in Path("out/figures").glob("*.png")] == ["a.png"]


def test_figures_keep_names_apart(here):
    for name in ("a.png", "a.tif.png", "b.PNG"):
        picture(Path("in") / name)
    import tifffile

    tifffile.imwrite(
        "in/a.tif",
        np.zeros((32, 32, 3), np.uint8) + np.random.default_rng(0).integers(0, 99, (32, 32, 3), dtype=np.uint8),
    )
    assert cuts("run", "in", "--out", "out", *TINY)[0] == 0
    assert len({p.name.lower() for p in Path("out/figures").glob("*.png")}) == 4


def test_a_glob_without_a_match_and_a_missing_file(here):
    picture(Path("in/a.png"))
    status, text = cuts("run", "in/*.gif", "--out", "out", *TINY)
    assert status == 1
    assert "in/*.gif: no file matches this pattern" in text
    from cuts.experiment import load

    with pytest.raises(FileNotFoundError, match="none.npz: no such file"):
        load("none.npz")


def test_info_of_a_picture_is_quick(here):
    picture(Path("a.png"))
    code = "import sys; from cuts.cli import main\ntry: main(['info', 'a.png'])\nfinally: print([m for m in ('torch', 'scipy', 'pandas', 'sklearn', 'matplotlib') if m in sys.modules], file=sys.stderr)"
    assert cpu_seconds(code, lambda done: done.stderr.strip() == "[]" and "32 × 32 pixels" in done.stdout) < 1.5


def test_volumes_as_channels(here):
    nibabel = pytest.importorskip("nibabel")
    Path("in").mkdir()
    nibabel.save(
        nibabel.Nifti1Image(np.random.default_rng(0).normal(size=(20, 21, 2, 5)).astype(np.float32), np.eye(4)),
        "in/series.nii.gz",
    )
    status, text = cuts("info", "in/series.nii.gz")
    assert status == 1
    assert "--channel-axis 3" in text
    status, text = cuts("info", "in/series.nii.gz", "--channel-axis", "3")
    assert status == 0
    assert "5 channels" in text
    status, text = cuts("segment", "in", "--out", "out", *TINY)
    assert status == 1
    assert "pass --channel-axis 3" in text
    assert cuts("segment", "in", "--out", "out", "--channel-axis", "-1", *TINY)[0] == 0
