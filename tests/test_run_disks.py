"Disks that are full, can only be read, or are not there: what `cuts.files` leaves behind, and how it says so."

import errno
import os
from pathlib import Path

import pytest
from run_writers import leftovers, posix, python

import cuts.files.atomic
from cuts.config.settings import Config
from cuts.runs.folder import Run
from cuts.files.atomic import FileError, write_atomic


FILLS_THE_DISK = """
    import resource, sys
    from cuts.runs.folder import Run
    from cuts.files.atomic import FileError, write_atomic

    run = Run(sys.argv[1])
    write_atomic(run.file("a.bin"), bytes(1000))
    run.record("a", "x", [run.file("a.bin")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        write_atomic(run.file("a.bin"), bytes(10**6))
    except FileError as e:
        sys.exit(str(e))
"""


@posix
def test_a_full_disk_in_the_middle_of_a_file(tmp_path):
    "A limit on the size of files stops a real write half-way."
    process = python(FILLS_THE_DISK, tmp_path)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert f"{tmp_path / 'a.bin'}: not written" in err
    assert "Earlier results" in err
    assert "Traceback" not in err
    assert Run(tmp_path).done("a", "x")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "can only be read"),
        (errno.EACCES, "not allowed"),
        (errno.EIO, "fault"),
    ],
)
@pytest.mark.parametrize("function", ["open", "replace", "fsync"])
def test_a_disk_that_refuses(tmp_path, monkeypatch, code, says, function):
    "Root may write anywhere, so the refusal is pretended: on opening, on flushing, on renaming."
    run = Run(tmp_path / "run")
    write_atomic(run.file("a.txt"), "old")
    run.record("a", "x", [run.file("a.txt")])

    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code), *([str(args[0])] if function != "fsync" else []))

    with monkeypatch.context() as patch:
        patch.setattr(cuts.files.atomic if function == "open" else os, function, refuse, raising=False)
        for work in (
            lambda: write_atomic(run.file("a.txt"), "new"),
            lambda: run.save_config(Config()),
            lambda: write_atomic(run.file("b.txt"), "new"),
        ):
            with pytest.raises(FileError) as e:
                work()
            assert says in str(e.value)
            assert str(tmp_path) in str(e.value)
            assert ".writing-" not in str(e.value)
            assert e.value.errno == code
    assert run.done("a", "x")
    assert sorted(p.name for p in run.path.iterdir()) == ["a.txt", "manifest"]


def test_folders_that_are_not_there(tmp_path, monkeypatch):
    with pytest.raises(FileError, match="does not exist"):
        write_atomic(tmp_path / "no" / "x", b"")
    with pytest.raises(FileError, match="no such run folder"):
        Run(tmp_path / "no", create=False)
    assert not (tmp_path / "no").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="a file, where a run folder"):
        Run(tmp_path / "file")
    with pytest.raises(FileError, match="is a file, not a folder"):
        Run(tmp_path / "file" / "run")
    run = Run(tmp_path / "a" / "b")
    with pytest.raises(FileError, match="no config.yaml"):
        run.load_config()
    run.path.rmdir()
    with pytest.raises(FileError, match="the folder is gone"):
        run.record("x", "y")

    def refuse(self, **_):
        raise PermissionError(errno.EACCES, "no", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(FileError, match="not allowed"):
        Run(tmp_path / "c")


def test_interruption_leaves_nothing_behind(tmp_path):
    def interrupted(p):
        p.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "x", interrupted)
    assert list(tmp_path.iterdir()) == []


@posix
def test_rights_of_a_new_file_are_those_of_any_new_file(tmp_path):
    (tmp_path / "usual").write_text("")
    write_atomic(tmp_path / "atomic", "")
    assert (tmp_path / "usual").stat().st_mode == (tmp_path / "atomic").stat().st_mode


def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomic(tmp_path / "link", "new")
    assert (tmp_path / "target").read_text() == "mine"
    assert (tmp_path / "link").read_text() == "new"
    assert not (tmp_path / "link").is_symlink()
