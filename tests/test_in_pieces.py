"""A large image whose process is killed, at each file that it makes, moves or removes: the end is the same bytes."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from run_writers import posix

pytest.importorskip("zarr", reason="needs zarr")

from cuts.config.settings import Config
from cuts.runs.in_pieces import is_large, segment_large
from cuts.segmentation.large import LargeSegmentation

WORK = """
    import os, signal, sys
    import skimage.measure, sklearn.cluster, zarr  # here, and not in each child
    from cuts.config.settings import Config
    from cuts.runs.in_pieces import segment_large

    source, out, first, step = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    changes, left = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link"), [0]

    def count(event, arguments):  # each change of what is on the disk, before it is made
        opened = isinstance(arguments[1], str) and set("wxa") & set(arguments[1]) if event == "open" else False
        if left[0] and (opened or event in changes) and out in str(arguments[0]):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    config = Config().replace(n_landmarks=40, epochs=0)

    def segment(folder, kill_at):  # in a child, which may be killed: its status
        if not (child := os.fork()):
            left[0] = kill_at
            segment_large(source, folder, None, config, chunk=128, progress=False)
            os._exit(0)
        return os.waitpid(child, 0)[1]

    kill_at, status = first, signal.SIGKILL
    while status == signal.SIGKILL:
        folder = os.path.join(out, f"{kill_at}.zarr")
        status = segment(folder, kill_at)
        assert status in (0, signal.SIGKILL) and segment(folder, 0) == 0, (kill_at, status)
        kill_at += step
"""


def files(folder) -> dict[str, bytes]:
    "Every file and what is in it."
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    "A picture of 150 × 270 pixels, which is six chunks, and its segmentation when nothing happens."
    folder = tmp_path_factory.mktemp("picture")
    y, x = np.mgrid[:150, :270]
    image = (np.hypot(y - 70, x - 80) < 45) * 90 + (np.hypot(y - 90, x - 190) < 40) * 150 + 40
    np.save(
        folder / "image.npy", (image + np.random.default_rng(0).normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8)
    )
    config = Config().replace(n_landmarks=40, epochs=0)
    segment_large(folder / "image.npy", folder / "whole.zarr", None, config, chunk=128, progress=False)
    return folder


@posix
@pytest.mark.parametrize("first", [1, 5])  # with range(1, 9) no change is left out
def test_killed_before_a_change_on_the_disk(picture, tmp_path, first):
    "One process is killed before its first change, one before its ninth, and so on; another takes up what it left."
    command = [sys.executable, "-c", textwrap.dedent(WORK), picture / "image.npy", tmp_path, first, 8]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    made = sorted(tmp_path.glob("*.zarr"))
    assert len(made) > 5
    for folder in made:
        assert files(folder) == files(picture / "whole.zarr"), folder.name


@pytest.mark.parametrize(("packer", "left"), [("blosc", 500), ("blosc", 0), ("zstd", 5), ("zlib", 500)])
def test_one_damaged_chunk_costs_its_own_pixels(picture, tmp_path, packer, left):
    "Of a chunk that was cut short the pixels are not known and the message names it; all others are looked at."
    import zarr

    image = np.load(picture / "image.npy")
    how = dict(zarr_format=2, compressor={"id": packer})
    store = zarr.create(store=str(tmp_path / "a.zarr"), shape=image.shape, chunks=(128, 128), dtype="u1", **how)
    store[:] = image
    (tmp_path / "a.zarr/1.0").write_bytes((tmp_path / "a.zarr/1.0").read_bytes()[:left])
    config = Config().replace(n_landmarks=40, epochs=0)
    seg, report = segment_large(tmp_path / "a.zarr", tmp_path / "out.zarr", None, config, chunk=128, progress=False)
    unknown = np.zeros(image.shape, bool)
    unknown[128:256, :128] = True
    assert ((seg.read() == 0) == unknown).all()
    assert "1.0: " in str(report.failures)


def test_a_fault_that_goes_again_leaves_nothing_behind(picture, tmp_path, monkeypatch):
    "A piece that cannot be read while it is labelled is left for the next time, and not written as empty."
    from cuts.io import chunked

    read, broken = chunked.ChunkedImage.read, []

    def read_once_badly(self, rows, columns, level=0):
        if (rows.start, columns.start) == (128, 128) and len(broken) < 2:
            broken.append(True)
            raise chunked.ImageError("the network was away")
        return read(self, rows, columns, level)

    monkeypatch.setattr(chunked.ChunkedImage, "read", read_once_badly)
    work = dict(model=None, config=Config().replace(n_landmarks=40, epochs=0), chunk=128, progress=False)
    seg, report = segment_large(picture / "image.npy", tmp_path / "out.zarr", **work)
    assert seg is None
    assert list(report.failures.values()) == ["the network was away"]
    seg, report = segment_large(picture / "image.npy", tmp_path / "out.zarr", **work)
    assert isinstance(seg, LargeSegmentation)
    assert files(tmp_path / "out.zarr") == files(picture / "whole.zarr")


def test_landmarks_of_another_machine_begin_the_labels_anew(picture, tmp_path, caplog):
    work = dict(model=None, config=Config().replace(n_landmarks=40, epochs=0), chunk=128, progress=False)
    segment_large(picture / "image.npy", tmp_path / "out.zarr", **work)
    about = json.loads((tmp_path / "out.zarr/cuts.json").read_text())
    (tmp_path / "out.zarr/cuts.json").write_text(json.dumps(about | {"fit": "of another machine"}))
    (tmp_path / "out.zarr/overview.npz").unlink()
    chunk = tmp_path / "out.zarr/labels/leaves/0/c/0/0"
    chunk.write_bytes((tmp_path / "out.zarr/labels/leaves/0/c/1/1").read_bytes())
    segment_large(picture / "image.npy", tmp_path / "out.zarr", **work)
    assert "landmarks come out otherwise" in caplog.text
    assert files(tmp_path / "out.zarr") == files(picture / "whole.zarr")


def test_a_locked_folder_stays_locked(picture, tmp_path):
    "Whoever is refused does not take the lock away."
    import filelock

    lock = tmp_path / ".out.zarr.lock"
    with filelock.FileLock(lock):
        for _ in range(2):
            with pytest.raises(OSError, match="another process works in it"):
                segment_large(picture / "image.npy", tmp_path / "out.zarr", progress=False)
        assert lock.exists()


def test_without_zarr_a_picture_is_read_as_before(tmp_path, monkeypatch):
    import tifffile

    tifffile.imwrite(tmp_path / "photo.tif", np.zeros((300, 400, 3), np.uint8), tile=(128, 128))
    monkeypatch.setitem(sys.modules, "zarr", None)
    assert not is_large(tmp_path / "photo.tif", 100)
