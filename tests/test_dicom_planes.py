"""Where DICOM planes lie: one plane, and the frames of one file."""

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom")
from dicom_files import AXIAL, SAGITTAL, enhanced, make, read_or_refusal, volume

from cuts.io.series import read_dicom
from cuts.io.pixels import ImageError


# ---------- one plane


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("PixelSpacing", (0.5, 0.7)),
        ("ImagerPixelSpacing", (0.5, 0.7)),
        ("NominalScannedPixelSpacing", (0.5, 0.7)),
        (None, ()),
    ],
)
def test_spacing_is_that_of_rows_then_of_columns(tmp_path, field, expected):
    pixels = read_dicom(make(tmp_path / "a.dcm", volume(1)[0], **({field: [0.5, 0.7]} if field else {})))
    assert (pixels.spacing, pixels.unit, pixels.affine) == (expected, "mm" if field else "px", None)


@pytest.mark.parametrize("bad", [[0, 1], [-1, 1], [1], "1\\x"])
def test_impossible_spacing_is_no_spacing(tmp_path, bad):
    path = make(tmp_path / "a.dcm", volume(1)[0], PixelSpacing=[1, 1])
    raw = Path(path).read_bytes()
    text = "\\".join(map(str, bad)) if isinstance(bad, list) else bad
    at = raw.index(b"\x28\x00\x30\x00DS")
    new = text.encode() + b" " * (len(text) % 2)
    Path(path).write_bytes(
        raw[: at + 6]
        + len(new).to_bytes(2, "little")
        + new
        + raw[at + 8 + int.from_bytes(raw[at + 6 : at + 8], "little") :]
    )
    pixels, refusal = read_or_refusal(path)
    if refusal is None:
        assert pixels.spacing == ()
    else:  # no number at all: damaged
        assert "x" in text
        assert "a.dcm" in refusal


@pytest.mark.parametrize(
    ("fields", "across"),
    [
        (dict(SliceThickness=2.5), 2.5),
        (dict(SliceThickness=2.5, SpacingBetweenSlices=3), 3),
        ({}, 0.5),
        (dict(SliceThickness=0), 0.5),
    ],
)
def test_affine_of_a_plane(tmp_path, fields, across):
    pixels = read_dicom(
        make(
            tmp_path / "a.dcm",
            volume(1)[0],
            ImageOrientationPatient=SAGITTAL,
            ImagePositionPatient=[10, 20, 30],
            PixelSpacing=[0.5, 0.7],
            **fields,
        )
    )
    assert np.allclose(pixels.affine @ [0, 0, 0, 1], [-10, -20, 30, 1])
    assert np.allclose(pixels.affine @ [2, 0, 0, 1], [-10, -20, 29, 1])  # rows follow each other downwards
    assert np.allclose(pixels.affine @ [0, 2, 0, 1], [-10, -21.4, 30, 1])  # columns to the back
    assert np.allclose(pixels.affine @ [0, 0, 1, 1], [-10 + across, -20, 30, 1])


@pytest.mark.parametrize("orientation", [[0] * 6, [1, 0, 0, 1, 0, 0], [2, 0, 0, 0, 2, 0]])
def test_impossible_orientation_is_no_orientation(tmp_path, orientation):
    pixels = read_dicom(
        make(
            tmp_path / "a.dcm",
            volume(1)[0],
            ImageOrientationPatient=orientation,
            ImagePositionPatient=[1, 2, 3],
            PixelSpacing=[1, 1],
        )
    )
    assert pixels.affine is None
    assert pixels.spacing == (1, 1)


# ---------- frames of one file


def test_enhanced_frames_are_a_volume(tmp_path):
    planes = volume(4)
    pixels = read_dicom(enhanced(tmp_path / "a.dcm", planes, [(1, 2, 3 + 4 * k) for k in range(4)]))
    assert (pixels.data == planes).all()
    assert pixels.spacing == (4, 0.5, 0.7)
    assert pixels.unit == "mm"
    assert pixels.window == (76.5, 126.5)
    assert pixels.channel_axis == "none"
    assert np.allclose(pixels.affine @ [2, 4, 5, 1], [-(1 + 3.5), -(2 + 2), 11, 1])


def test_enhanced_frames_are_sorted(tmp_path):
    planes = volume(4)
    pixels = read_dicom(enhanced(tmp_path / "a.dcm", planes, [(0, 0, z) for z in (6, 2, 0, 4)]))
    assert (pixels.data == planes[[2, 1, 3, 0]]).all()
    assert np.allclose(pixels.affine @ [3, 0, 0, 1], [0, 0, 6, 1])


def test_slopes_of_frames(tmp_path):
    planes = volume(3, dtype=np.uint16)
    pixels = read_dicom(enhanced(tmp_path / "a.dcm", planes, [(0, 0, k) for k in range(3)], slopes=[1, 2, 0.5]))
    assert np.allclose(pixels.data, planes * np.array([1, 2, 0.5])[:, None, None] + np.arange(3)[:, None, None])
    whole = read_dicom(enhanced(tmp_path / "b.dcm", planes, [(0, 0, k) for k in range(3)], slopes=[1, 1, 1]))
    assert whole.data.dtype.kind == "i"
    assert (whole.data == planes.astype(int) + np.arange(3)[:, None, None]).all()


@pytest.mark.parametrize("positions", [[(0, 0, 0)] * 4, [(0, 0, 0), (0, 0, 0), (0, 0, 1), (0, 0, 1)], [None] * 4])
def test_frames_that_are_no_stack(tmp_path, positions):
    planes = volume(4)
    with pytest.warns(UserWarning, match="a.dcm: its 4 frames have no positions"):
        pixels = read_dicom(enhanced(tmp_path / "a.dcm", planes, positions))
    assert (pixels.data == planes).all()
    assert pixels.spacing == ()
    assert pixels.unit == "px"
    assert pixels.affine is None


def test_uneven_frames_warn(tmp_path):
    with pytest.warns(UserWarning, match="1 to 3 mm"):
        read_dicom(enhanced(tmp_path / "a.dcm", volume(3), [(0, 0, 0), (0, 0, 1), (0, 0, 4)]))


def test_a_file_of_one_frame_is_a_plane(tmp_path):
    pixels = read_dicom(enhanced(tmp_path / "a.dcm", volume(1), [(1, 2, 3)]))
    assert pixels.data.shape == (6, 7)
    assert pixels.spacing == (0.5, 0.7)
    assert np.allclose(pixels.affine @ [0, 0, 1, 1], [-1, -2, 5, 1])


def test_tiles_of_a_slide_are_no_volume(tmp_path):
    with pytest.raises(ImageError, match="4 tiles"):
        read_dicom(make(tmp_path / "a.dcm", volume(4), TotalPixelMatrixColumns=14, TotalPixelMatrixRows=12))


def test_millions_of_tiny_frames_do_not_take_forever(tmp_path):
    frames = np.zeros((2_000_000, 1, 1), np.uint8)
    path = make(
        tmp_path / "a.dcm", frames, ImageOrientationPatient=AXIAL, ImagePositionPatient=[0, 0, 0], PixelSpacing=[1, 1]
    )
    begun = time.time()
    with pytest.warns(UserWarning, match="2000000 frames have no positions"):
        assert read_dicom(path).data.shape == frames.shape
    seg = make(tmp_path / "s.dcm", frames, SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4", SegmentSequence=[])
    with pytest.raises(ImageError, match="s.dcm: 2000000 frames, of which 0 are described"):
        read_dicom(seg, as_labels=True)
    assert time.time() - begun < 10
