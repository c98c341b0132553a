"The command `cuts`: its help, wrong usage, mistakes and settings. Its ordinary use is in nbs/59_app.ipynb."

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import TINY, cpu_seconds, cuts, naming_imports, picture
from repository import root

from cuts.config.settings import Config, preset
from cuts.runs.loading import load
from cuts.io.rasters import write_picture


# Help ----------------------------------------------------------------------------------------------------------------
def test_help_is_fast_and_imports_no_torch():
    code = naming_imports(["--help"], ["torch", "numpy", "pandas", "sklearn", "matplotlib", "rich"])
    assert cpu_seconds(code, lambda done: done.stderr.strip() == "[]" and "Commands:" in done.stdout) < 0.5


def test_python_m_cuts_is_the_command():
    done = subprocess.run([sys.executable, "-m", "cuts", "segmnet"], capture_output=True, text=True, cwd=root)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: cuts [OPTIONS] COMMAND")
    assert "segmnet" in done.stderr


def test_short_help_is_whole():
    assert "..." not in cuts("-h")[1].split("Commands:")[1]


COMMANDS = (
    "demo run train embed segment evaluate baselines supervised figure explore serve export phate ablate bench info"
)


@pytest.mark.parametrize("command", [*COMMANDS.split(), "download", "config"])
def test_every_command_explains_itself(command):
    for flag in ("-h", "--help"):
        status, text = cuts(command, flag)
        assert status == 0
        assert "Examples:" in text
        assert f"cuts {command}" in text.split("Examples:")[1]


def options_of(command):
    text = cuts(command, "-h")[1].split("Options:")[1].split("Examples:")[0]
    return set(re.findall(r"(?<![\w-])--[a-z-]+", text))


def test_run_has_the_options_of_its_steps():
    of_steps = options_of("train") | options_of("segment")
    # run always resumes, and has its own model
    assert of_steps - {"--resume", "--anew", "--run", "--stored"} <= options_of("run")


# Wrong usage: 2 ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "message"),
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
        (["config", "--set", "dataset.name=3"], "is no setting"),
    ],
)
def test_wrong_usage(empty_folder, args, message):
    status, text = cuts(*args)
    assert status == 2
    assert message in text
    assert list(empty_folder.iterdir()) == []


# Mistakes: 1, in one sentence ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "message"),
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
def test_mistakes(empty_folder, args, message):
    status, text = cuts(*args)
    assert status == 1
    assert message in text
    assert text.splitlines()[0].startswith(("cuts: ", "warning: "))
    files = [p for p in empty_folder.rglob("*") if p.is_file() and p.name[0] != "."]
    assert not [p for p in files if p.suffix in (".npz", ".csv", ".safetensors")]


def test_debug_shows_the_traceback(empty_folder):
    status, text = cuts("segment", "nowhere", "--out", "x", "--debug")
    assert status == 1
    assert "Traceback" in text
    assert "FileNotFoundError" in text


def test_a_yaml_file_that_cannot_be(empty_folder):
    Path("bad.yaml").write_text("training:\n  epohcs: 3\n")
    status, text = cuts("train", "demo", "--config", "bad.yaml", "--out", "x")
    assert status == 1
    assert "bad.yaml" in text
    assert "Did you mean 'epochs'" in text
    Path("evil.yaml").write_text("training: !!python/object/apply:os.system ['touch pwned']\n")
    assert cuts("train", "demo", "--config", "evil.yaml", "--out", "x")[0] == 1
    assert not Path("pwned").exists()


def test_an_empty_folder_and_one_without_images(empty_folder):
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("a")
    for folder in ("empty", "texts"):
        status, text = cuts("segment", folder, "--out", "x")
        assert status == 1
        assert "no image" in text


def test_a_glob_without_a_match_and_a_missing_file(empty_folder):
    picture(Path("in/a.png"))
    status, text = cuts("run", "in/*.gif", "--out", "out", *TINY)
    assert status == 1
    assert "in/*.gif: no file matches this pattern" in text
    with pytest.raises(FileNotFoundError, match="none.npz: no such file"):
        load("none.npz")


def test_output_cannot_be_made(empty_folder, two_images):
    Path("file").write_text("taken")
    status, text = cuts("train", two_images, "--out", "file/run", *TINY)
    assert status == 1
    assert "a part of this path is a file, not a folder" in text
    assert Path("file").read_text() == "taken"


def test_results_do_not_go_among_the_images(two_images):
    "They would be read as images by the next run."
    before = sorted(two_images.iterdir())
    status, text = cuts("segment", two_images, "--out", two_images.parent / "." / two_images.name)
    assert status == 1
    assert "the folder of the images" in text
    assert sorted(two_images.iterdir()) == before


def test_remedies_are_told_as_options(empty_folder, two_images):
    picture(Path("mixed/colour.png"))
    write_picture("mixed/grey.png", np.random.default_rng(0).random((32, 32)))
    status, text = cuts("train", "mixed", "--out", "x", *TINY)
    assert status == 1
    assert 'Pass channels="gray" or "rgb"' in text
    assert "On the command line: --channels\n" in text
    assert cuts("train", "mixed", "--out", "x", "--channels", "gray", *TINY)[0] == 0
    status, text = cuts("train", two_images, "--out", "y", *TINY, "--set", "max_pixels=10")
    assert status == 1
    assert "Pass max_pixels=" in text
    assert "On the command line: --set max_pixels=VALUE\n" in text
    status, text = cuts("run", two_images, "--out", "z", "--methods", "slick", *TINY)
    assert status == 1
    assert "methods: 'slick'" in text


# Settings ------------------------------------------------------------------------------------------------------------
def test_config_prints_what_it_reads(empty_folder):
    settings = ["--set", "epochs=5", "--set", "crop=null", "--set", "train_val_ratio=4:1"]
    status, text = cuts("config", "--preset", "retina", *settings)
    assert status == 0
    assert Config.from_yaml(text) == preset("retina").replace(epochs=5, crop=None, train_val_ratio=(4, 1))
    assert cuts("config", "--set", "labels=a: b #c", "--out", "own.yaml")[0] == 0
    assert Config.from_yaml(Path("own.yaml")) == Config().replace(labels="a: b #c")
    assert Config.from_yaml(cuts("config", "--config", "own.yaml")[1]) == Config().replace(labels="a: b #c")


def test_options_reach_the_run_folder(trained_run, two_images):
    config = Config.from_yaml(trained_run / "config.yaml")
    training = config.training
    assert (training.epochs, training.crop, training.precision) == (1, 24, "float32")
    assert config.segmentation.n_landmarks == 60
    assert config.data.dataset == str(two_images)
