"Fixtures for every test: those of browser.py, and those of the command. The modules of scripts/ can be imported."

import sys
from pathlib import Path

import pytest

pytest_plugins = ["browser"]
sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    "The test works in an empty folder, and knows of no data sets elsewhere."
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUTS_DATA", raising=False)
    return tmp_path


@pytest.fixture
def no_trials(monkeypatch):
    "Files are read without a trial in a forked process, which takes longer than reading a small one."
    from cuts.io import guard

    monkeypatch.setattr(guard, "_in_trial", True)


@pytest.fixture(scope="module")
def two_images(tmp_path_factory):
    "A folder of two pictures with truth."
    from command_line import write_example

    folder = tmp_path_factory.mktemp("images") / "two"
    for seed in range(2):
        write_example(folder, str(seed), seed)
    return folder


@pytest.fixture(scope="module")
def trained_run(two_images, tmp_path_factory):
    "A model of these two images, trained for a moment."
    from command_line import TINY, cuts

    out = tmp_path_factory.mktemp("runs") / "trained"
    status, text = cuts("train", two_images, "--out", out, *TINY)
    assert status == 0, text
    return out
