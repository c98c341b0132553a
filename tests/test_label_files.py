"Writing labels and pictures: they come back as they were, and a failed write leaves the old file."

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from image_files import GREY, RGB
from PIL import Image as Picture

from cuts.io.writing import WRITERS, write_labels
from cuts.io.reading import as_image, check_labels_match, is_image_file, read_image, read_labels
from cuts.io.rasters import write_picture

rng = np.random.default_rng(1)


# Labels --------------------------------------------------------------------------------------------------------------
# DICOM-SEG belongs to a DICOM image: tests/test_dicom.py
@pytest.mark.parametrize("ending", sorted(set(WRITERS) - {".dcm"}))
@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 60000])
def test_labels_come_back(tmp_path, ending, n):
    if ending == ".seg.nrrd" and n > 1000:
        pytest.skip("a segmentation of 3D Slicer has up to a thousand regions")
    plane = (np.arange(250 * 260) % n).reshape(250, 260)
    write_labels(tmp_path / f"a{ending}", plane)
    back = read_labels(tmp_path / f"a{ending}")
    assert np.array_equal(back, plane)
    assert back.dtype == np.int32
    image = as_image(rng.random((250, 260)), spacing=(0.5, 0.25))
    write_labels(tmp_path / f"b{ending}", plane, like=image)
    assert np.array_equal(read_labels(tmp_path / f"b{ending}"), plane)
    if ending == ".npz" or "nii" in ending:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one region is a constant image
            again = read_image(tmp_path / f"b{ending}")
        assert np.allclose(again.spacing, (0.5, 0.25))
        assert again.unit == "mm"
    for volume in (rng.integers(0, n, (5, 30, 40)), rng.integers(0, n, (3, 30, 40))):
        if ending == ".png":
            with pytest.raises(ValueError, match="one plane"):
                write_labels(tmp_path / f"c{ending}", volume)
        else:
            write_labels(tmp_path / f"c{ending}", volume)
            assert np.array_equal(read_labels(tmp_path / f"c{ending}"), volume)
    first = (tmp_path / f"b{ending}").read_bytes()
    write_labels(tmp_path / f"b{ending}", plane, like=image)
    assert (tmp_path / f"b{ending}").read_bytes() == first  # the same bytes, always
    written = ["a", "b"] if ending == ".png" else ["a", "b", "c"]
    assert sorted(p.name[0] for p in tmp_path.iterdir()) == written  # nothing left behind


def test_labels_with_odd_values(tmp_path):
    def read(x):
        np.save(tmp_path / "a.npy", x)
        return read_labels(tmp_path / "a.npy")

    assert np.array_equal(read(GREY.astype(float)), GREY)
    assert np.array_equal(read(GREY > 9), GREY > 9)
    assert read(np.array([[2**40, 0]])).dtype == np.int64
    assert read(-GREY.astype(int)).min() < 0
    assert read(GREY[..., None]).shape == GREY.shape
    assert read(GREY[None]).shape == GREY.shape
    with pytest.raises(ValueError, match="whole numbers, found"):
        read(GREY / 2)
    with pytest.raises(ValueError, match="NaN"):
        read(np.array([[np.nan, 1]]))
    with pytest.raises(TypeError, match="expected whole numbers"):
        read(GREY.astype(complex))


def test_labels_that_a_format_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="a PNG holds"):
        write_labels(tmp_path / "b.png", np.array([[-1, 2]]))
    with pytest.raises(ValueError, match="a PNG holds"):
        write_labels(tmp_path / "b.png", np.array([[0, 70000]]))
    for ending in (".tif", ".npy", ".npz", ".nii.gz"):
        write_labels(tmp_path / f"b{ending}", np.array([[-1, 70000], [3, 4]]))
        assert np.array_equal(read_labels(tmp_path / f"b{ending}"), [[-1, 70000], [3, 4]])
    with pytest.raises(ValueError, match="cannot be written as '.jpg'"):
        write_labels(tmp_path / "b.jpg", GREY)
    with pytest.raises(ValueError, match="not empty"):
        write_labels(tmp_path / "b.png", np.zeros((0, 3), int))
    with pytest.raises(ValueError, match="same pixels"):
        write_labels(tmp_path / "b.png", GREY, like=as_image(RGB[1:]))
    with pytest.raises(ValueError, match="07.png: labels"):
        check_labels_match(GREY[1:], as_image(RGB), "07.png")


# Writing -------------------------------------------------------------------------------------------------------------
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_labels(path, GREY % 3)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk is full"):
        write_labels(path, GREY % 4)
    with pytest.raises(OSError, match="disk is full"):
        write_picture(tmp_path / "b.png", RGB)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_labels(tmp_path / "no" / "a.png", GREY)


KILLED_WRITER = """
import os, signal, sys
import numpy as np
from cuts.io.writing import write_labels
os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)
write_labels(sys.argv[1], np.ones((500, 500), int))
"""


def test_a_killed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.npy"
    write_labels(path, GREY)
    assert subprocess.run([sys.executable, "-c", KILLED_WRITER, str(path)], timeout=60).returncode == -9
    assert np.array_equal(read_labels(path), GREY)
    assert not [p for p in tmp_path.iterdir() if is_image_file(p) and p != path]


def test_pictures(tmp_path):
    for picture, expected in ((RGB, RGB), (GREY, GREY), (RGB / 255, RGB), (as_image(RGB).display(), RGB)):
        write_picture(tmp_path / "a.png", picture)
        assert np.array_equal(np.asarray(Picture.open(tmp_path / "a.png")), expected)
    for bad in (RGB / 200, RGB.astype(int), np.zeros((4, 4, 2)), np.full((4, 4), np.nan), np.zeros((0, 4))):
        with pytest.raises(ValueError, match="a picture is"):
            write_picture(tmp_path / "a.png", bad)
    with pytest.raises(ValueError, match=".png"):
        write_picture(tmp_path / "a.tif", RGB)
