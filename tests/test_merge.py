"Two people change one notebook: git lays their cells side by side, loses none, and the clone stays as clean as it was."

import json
import os
import shutil
import subprocess

import merge as driver
import pytest
from repository import root

NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"} | {
    f"GIT_{who}_{what}": "nobody@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def git(folder, *words, status=0) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, env=os.environ | NOBODY)
    assert done.returncode == status, done.stderr + done.stdout
    return done.stdout


def write(folder, *sources):
    cells = [
        dict(cell_type="code", execution_count=None, id=f"{i:08x}", metadata={}, outputs=[], source=[source])
        for i, source in enumerate(sources)
    ]
    notebook = dict(cells=cells, metadata={}, nbformat=4, nbformat_minor=5)
    (folder / "a.ipynb").write_text(json.dumps(notebook, indent=1) + "\n")


def sources(folder) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads((folder / "a.ipynb").read_text())["cells"]]


@pytest.fixture
def clone(tmp_path):
    "A repository with the driver, a notebook of three cells, and a branch `side` that changed the second."
    folder = tmp_path / "a clone"
    (folder / "scripts").mkdir(parents=True)
    for name in (".gitattributes", "scripts/merge.py"):
        shutil.copy(root / name, folder / name)
    git(folder, "init", "-q", "-b", "main")
    write(folder, "a = 1", "b = 1", "c = 1")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "three cells")
    assert driver.install(folder) == "git merges notebooks cell by cell in this clone"
    git(folder, "switch", "-qc", "side")
    write(folder, "a = 1", "b = 2", "c = 1")
    git(folder, "commit", "-qam", "the user's second cell")
    git(folder, "switch", "-q", "main")
    return folder


def test_installing_leaves_the_clone_clean(clone):
    driver.install(clone)
    assert git(clone, "status", "--porcelain", "--ignored") == ""
    assert (clone / ".gitattributes").read_bytes() == (root / ".gitattributes").read_bytes()
    assert git(clone, "check-attr", "merge", "nbs/a.ipynb").rstrip().endswith(driver.DRIVER.removeprefix("merge."))


def test_different_cells_are_merged(clone):
    write(clone, "a = 3", "b = 1", "c = 1")
    git(clone, "commit", "-qam", "the first cell")
    git(clone, "merge", "-q", "side")
    assert sources(clone) == ["a = 3", "b = 2", "c = 1"]


@pytest.mark.parametrize("way", ["merge", "rebase"])  # the subject of `side` has an apostrophe
def test_both_versions_of_a_cell_are_kept_and_it_is_a_conflict(clone, way):
    write(clone, "a = 1", "b = 3", "c = 1")
    git(clone, "commit", "-qam", "another second cell")
    if way == "rebase":
        git(clone, "switch", "-q", "side")
    git(clone, way, "main" if way == "rebase" else "side", status=1)
    assert git(clone, "status", "--porcelain") in ("UU a.ipynb\n", "AA a.ipynb\n")
    ours_theirs = [source for source in sources(clone) if source.startswith("b")]
    assert ours_theirs == ["b = 3", "b = 2"]
    assert sources(clone)[1] == "`<<<<<<< HEAD`"


def test_without_its_environment_git_merges_lines(clone):
    git(clone, "config", f"{driver.DRIVER}.driver", driver.command(str(clone / "gone/bin/python")))
    write(clone, "a = 1", "b = 3", "c = 1")
    git(clone, "commit", "-qam", "another second cell")
    git(clone, "merge", "side", status=1)
    text = (clone / "a.ipynb").read_text()
    assert "b = 2" in text
    assert "b = 3" in text
    assert "\n<<<<<<<" in text


def test_an_unpacked_archive_is_left_alone(clone, tmp_path):
    for folder in (tmp_path, clone / "scripts"):  # outside of any repository, and inside of another's
        assert "is not a git checkout" in driver.install(folder)
