"""Fixtures for every test: those of browser.py, and those of the command. The modules of scripts/ can be imported.

The files whose tests take longest come first, so that at the end nobody waits for a long one.
"""

import sys
from pathlib import Path

import pytest

pytest_plugins = ["browser"]
sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))
LONGEST_FIRST = [
    f"test_{name}" for name in ("cluster", "parallel", "in_pieces", "kill", "notebooks", "explorer", "sharing")
]
DEPRECATED = "pydantic.warnings.PydanticDeprecatedSince20"  # of what npe2 and napari are warned, which we cannot change
NOT_OURS = [
    f"ignore:`allow_mutation` is deprecated:{DEPRECATED}:npe2",
    f"ignore:Using extra keyword arguments on `Field`:{DEPRECATED}:npe2",
    f"ignore:`json_encoders` is deprecated:{DEPRECATED}:pydantic",
]


def pytest_configure(config):
    for line in NOT_OURS:
        config.addinivalue_line("filterwarnings", line)


def pytest_collection_modifyitems(items):
    place = {name: i for i, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


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
