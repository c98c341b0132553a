"The command `cuts` does what people expect of any: it completes, fits the terminal, says how long, and stops at once."

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import MAIN, TINY, cuts, picture, write_example
from run_writers import posix

from cuts.cli.inspecting import describe_images
from cuts.config.settings import Config
from cuts.data.phantoms import nested_phantom
from cuts.io.reading import read_labels
from cuts.segmentation.large import OVERVIEW_FILE, LargeSegmentation


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    "Two pictures in a folder; the test works beside it."
    monkeypatch.chdir(tmp_path)
    for i in range(2):
        picture(Path(f"in/größe {i}.png"), i)
    return tmp_path


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    "The segmentation of an image that is gone through in pieces."
    pytest.importorskip("zarr", reason="needs zarr")
    from cuts.runs.in_pieces import segment_large

    folder = tmp_path_factory.mktemp("large")
    np.save(folder / "slide.npy", (nested_phantom((150, 130), 1)[0] * 255).astype(np.uint8))
    config = Config().replace(n_landmarks=40, epochs=0)
    segment_large(folder / "slide.npy", folder / "slide.zarr", None, config, chunk=128, progress=False)
    return folder / "slide.zarr"


# Sources and options that cannot be ----------------------------------------------------------------------------------
@pytest.mark.parametrize("command", ["segment", "explore", "train", "run", "baselines"])
def test_one_missing_file_among_many_stops_before_anything_is_made(pictures, command):
    status, text = cuts(command, "in/größe 0.png", "nope.png", "--out", "x")
    assert status == 2
    assert "nope.png: no such file" in text
    assert not Path("x").exists()


@pytest.mark.parametrize("command", ["segment", "explore", "train", "run", "baselines", "embed"])
def test_channels_that_cannot_be_are_told_once(pictures, command):
    run = ["--run", "x"] if command == "embed" else []
    status, text = cuts(command, "in", "--out", "x", "--channels", "grey", *run)
    assert status == 2
    assert text.count("expected gray or rgb") == 1
    assert "Did you mean gray?" in text
    assert not Path("x").exists()


def test_a_model_of_other_channels_leaves_no_stub_of_a_large_image(pictures, large):
    from cuts.runs.in_pieces import segment_large

    assert cuts("train", "in", "--out", "run", "--channels", "gray", *TINY)[0] == 0
    np.save("deep.npy", np.zeros((4, 90, 80), np.float32) + np.arange(80))
    from cuts.runs.loading import load_model

    with pytest.raises(ValueError, match="channel"):
        segment_large("deep.npy", "out/deep.zarr", load_model("run"), Config().replace(channel_axis=0), progress=False)
    assert not Path("out").exists()


# Large images --------------------------------------------------------------------------------------------------------
def test_an_unfinished_large_segmentation_is_not_explored(pictures, large):
    import shutil

    shutil.copytree(large, "begun.zarr")
    Path("begun.zarr", OVERVIEW_FILE).unlink()
    status, text = cuts("explore", "begun.zarr", "--no-browser")
    assert status == 1
    assert "not finished yet" in text
    assert "to explore" not in text


def test_a_large_segmentation_is_exported_tile_by_tile(pictures, large):
    status, text = cuts("export", large, "--out", "maps", "--what", "persistent,3")
    assert status == 0, text
    seg = LargeSegmentation(large)
    assert np.array_equal(read_labels("maps/slide/slide_3-regions.tif"), seg.read(3))
    assert np.array_equal(read_labels("maps/slide/slide_persistent.tif"), seg.read("persistent"))
    assert "whole already" in cuts("export", large, "--out", "maps", "--what", "persistent,3")[1]
    status, text = cuts("export", large.parent, "--out", "png", "--to", "png")
    assert status == 1
    assert "only .tif is written" in text
    assert "open the folder as it is" in text


def test_an_image_with_several_files_gets_a_folder(pictures):
    assert cuts("segment", "in", "--out", "seg")[0] == 0
    assert cuts("export", "seg", "--out", "one")[0] == 0
    assert sorted(p.name for p in Path("one").glob("*.png")) == ["größe 0_persistent.png", "größe 1_persistent.png"]
    assert cuts("export", "seg", "--out", "two", "--what", "persistent,2")[0] == 0
    names = sorted(p.relative_to("two").as_posix() for p in Path("two").glob("*/*.png"))
    assert names[:2] == ["größe 0/größe 0_2-regions.png", "größe 0/größe 0_persistent.png"]
    assert len(names) == 4


# Eighty columns ------------------------------------------------------------------------------------------------------
def test_what_is_said_of_many_images_fits_eighty_columns():
    one = dict(channels=3, spacing=[0.00025, 0.00025], unit="mm", orientation=None, labels=True)
    for n in (3, 3000):
        images = [one | dict(name=f"patients/{i:05}/{'long' * 20}.nii.gz", size=[40_000, 512 + i]) for i in range(n)]
        lines = describe_images("in", images).splitlines()
        assert max(map(len, lines)) <= 80
        assert len(lines) <= 8


def test_scores_fit_eighty_columns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    for i in range(2):
        write_example(Path("in"), f"{i}", i)
    assert cuts("baselines", "in", "--out", "others", "--methods", "otsu,slic")[0] == 0
    status, text = cuts("evaluate", "others", "--out", "scores")
    assert status == 0
    assert "Dice" in text
    assert max(map(len, text.splitlines())) <= 100, text
    assert max(len(line) for line in text.split("\n\n")[0].splitlines()) <= 80, text


# How long ------------------------------------------------------------------------------------------------------------
def test_a_first_training_says_how_long_it_takes(pictures):
    settings = [*TINY, "--epochs", "120"]
    said = "training for 120 epochs on 2 images takes about "
    assert said in cuts("train", "in", "--out", "run", *settings)[1]
    assert said not in cuts("train", "in", "--out", "run", *settings)[1]  # it is whole
    assert said not in cuts("train", "in", "--out", "quiet", "-q", *settings)[1]


# Completion ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("cuts ru", "run"),
        ("cuts run ret", "retina"),
        ("cuts run in --preset brain_v", "brain_ventricles"),
        ("cuts segment in --set n_clus", "n_clusters="),
        ("cuts run in --methods otsu,sl", "otsu,slic"),
        ("cuts segment in --together --channels g", "gray"),
    ],
)
def test_the_shell_completes(line, word):
    asked = dict(_CUTS_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split()) - 1))
    done = subprocess.run(MAIN, env=os.environ | asked, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == [word], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_is_shown(shell):
    status, text = cuts("--show-completion", shell)
    assert status == 0
    assert "_CUTS_COMPLETE=complete_" in text


# Workers -------------------------------------------------------------------------------------------------------------
@posix
def test_ctrl_c_ends_workers_in_one_line(pictures):
    pytest.importorskip("distributed", reason="needs dask.distributed")
    for i in range(2, 16):
        picture(Path(f"in/{i}.png"), i, (64, 64))
    command = [*MAIN, "segment", "in", "--out", "out", "--n-workers", "2"]
    streams = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process = subprocess.Popen(command, start_new_session=True, **streams)
    end = time.monotonic() + 120
    while not list(Path("out").glob("*.npz")) and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of them hear it
    text, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert text.startswith("2 workers are started")
    assert re.fullmatch(r"cuts: stopped\. What was finished stays in out; .*\n", errors), errors


def test_a_scheduler_that_is_not_there_is_told(pictures):
    pytest.importorskip("distributed", reason="needs dask.distributed")
    start = time.monotonic()
    status, text = cuts("segment", "in", "--out", "out", "--scheduler", "tcp://127.0.0.1:9")
    assert status == 1
    assert text.startswith("tcp://127.0.0.1:9: asked for its workers")
    assert "no scheduler answered within 10 s" in text
    assert "--debug" not in text
    assert time.monotonic() - start > 5, "it was given up too early"
    assert not Path("out").exists()
