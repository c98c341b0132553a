"""DICOM files, one at a time: is it one, which numbers come out, and what colours."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom")
import pydicom
from dicom_files import ROOT, SAMPLES, make, make_series, read_or_refusal, regions, volume
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from cuts.io.dicom import is_dicom
from cuts.io.dicom_seg import encode_segmentation
from cuts.io.series import find_series, read_dicom
from cuts.io.pixels import ImageError, Pixels
from cuts.io.reading import read_image

rng = np.random.default_rng(0)


# ---------- is it DICOM?


def test_is_dicom_by_name_or_by_mark(tmp_path):
    (tmp_path / "IM1").write_bytes(bytes(128) + b"DICM" + bytes(9))
    (tmp_path / "x.dcm").write_bytes(b"")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(9))
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "folder.dcm").mkdir()
    assert [
        is_dicom(tmp_path / n) for n in ("IM1", "x.dcm", "DICOMDIR", "notes.txt", "folder.dcm", "gone.DCM", "gone")
    ] == [True, True, False, False, False, True, False]
    assert is_dicom("a.IMA")
    assert is_dicom("b.DICOM")
    assert not is_dicom("")
    assert not is_dicom("a\0b")


def test_is_dicom_does_not_wait_for_a_pipe(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(tmp_path / "pipe.dcm")
    assert not is_dicom(tmp_path / "pipe.dcm")
    with pytest.raises(ImageError, match="no file but a folder or a device"):
        read_dicom(tmp_path / "pipe.dcm")


def test_tables_of_contents_are_no_images():
    for f in SAMPLES:
        if "DICOMDIR" in Path(f).name:
            assert not is_dicom(f)


def test_unreadable_file_is_judged_by_its_name(tmp_path):
    path = tmp_path / "secret.dcm"
    path.write_bytes(b"x")
    path.chmod(0)
    assert is_dicom(path)


# ---------- every file that comes with pydicom


@pytest.mark.parametrize("file", SAMPLES, ids=lambda f: os.path.relpath(f, ROOT))
@pytest.mark.parametrize("as_labels", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_every_sample_reads_or_says_why(file, as_labels):
    is_dicom(file)
    pixels, refusal = read_or_refusal(file, as_labels=as_labels)
    if refusal is not None:
        assert Path(file).name in refusal
    else:
        assert isinstance(pixels, Pixels)
        assert pixels.data.dtype.kind in "iuf"
        assert pixels.data.dtype.isnative
        assert pixels.files == (file,)
        assert pixels.file_axes is None
        assert pixels.channel_axis in ("none", -1)
        assert pixels.data.ndim - (pixels.channel_axis == -1) in (2, 3)
        assert pixels.unit == ("mm" if pixels.spacing else "px")
        if pixels.window:
            assert pixels.window[0] < pixels.window[1]


@pytest.mark.filterwarnings("ignore")
def test_samples_agree_with_simpleitk():
    sitk = pytest.importorskip("SimpleITK")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    compared = 0
    for name in (
        "CT_small.dcm",
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "693_J2KI.dcm",
        "examples_overlay.dcm",
        "rtdose.dcm",
        "examples_rgb_color.dcm",
        "SC_rgb_rle.dcm",
    ):
        path = next((f for f in SAMPLES if Path(f).name == name), None)
        if path is None:
            continue
        theirs, ours = sitk.ReadImage(path), read_dicom(path)
        array = sitk.GetArrayFromImage(theirs)
        array = array.reshape(ours.data.shape)
        ds = pydicom.dcmread(path)
        padding = ds.pixel_array == ds.PixelPaddingValue if "PixelPaddingValue" in ds else np.zeros(array.shape, bool)
        array = array * float(ds.get("DoseGridScaling", 1))  # which they leave to their users
        assert np.allclose(array[~padding], ours.data[~padding], rtol=1e-5), name
        assert (ours.data[padding] == ours.data.min()).all(), name
        compared += 1
        if ours.affine is not None:
            for index in ([0, 0, 0], [3, 5, 0], [9, 1, 0]):  # i, j, k of ITK: column, row, plane
                theirs_lps = np.array(theirs.TransformContinuousIndexToPhysicalPoint([float(i) for i in index]))
                i = [index[1], index[0], 0, 1] if ours.data.ndim == 2 else [0, index[1], index[0], 1]
                assert np.allclose(ours.affine[:3] @ i * [-1, -1, 1], theirs_lps, atol=1e-3), name
    assert compared >= 8


# ---------- values


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32])
def test_stored_numbers_come_back(tmp_path, syntax, dtype):
    stored = rng.integers(0, 200, (6, 8)).astype(dtype)
    if stored.dtype.kind == "i":
        stored -= 100
    if syntax == RLELossless and dtype == np.uint32:
        pytest.skip("pydicom writes RLE of up to 16 bits")
    pixels = read_dicom(make(tmp_path / "a.dcm", stored, syntax=syntax))
    assert (pixels.data == stored).all()
    assert pixels.data.dtype == dtype
    assert pixels.channel_axis == "none"
    assert pixels.window is None


def test_float_pixels(tmp_path):
    stored = rng.normal(size=(5, 6)).astype(np.float32)
    assert (read_dicom(make(tmp_path / "a.dcm", stored)).data == stored).all()


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [
        (1, -1024, np.int16),
        (1, 0, np.uint16),
        (1, 70000, np.int32),
        (0.5, 0, np.float32),
        (1, 0.5, np.float32),
        (2, 0, np.float32),
    ],
)
def test_units(tmp_path, slope, intercept, dtype):
    stored = rng.integers(0, 4096, (5, 6)).astype(np.uint16)
    got = read_dicom(make(tmp_path / "a.dcm", stored, RescaleSlope=slope, RescaleIntercept=intercept)).data
    assert got.dtype == dtype
    assert np.allclose(got, stored * float(slope) + intercept, rtol=1e-6)


def test_a_slope_of_zero_is_not_believed(tmp_path):
    with pytest.warns(UserWarning, match="make no units"):
        got = read_dicom(make(tmp_path / "a.dcm", volume(1)[0], RescaleSlope=0, RescaleIntercept=5))
    assert got.data.max() > 5


def test_few_bits_of_many_ignore_what_lies_above(tmp_path):
    stored = rng.integers(0, 4096, (5, 6)).astype(np.uint16)
    got = read_dicom(make(tmp_path / "a.dcm", stored | 0x8000, BitsStored=12, HighBit=11))
    assert (got.data == stored).all()
    got = read_dicom(make(tmp_path / "b.dcm", np.array([[0x0FFF, 0x0001]], np.int16), BitsStored=12, HighBit=11))
    assert got.data.tolist() == [[-1, 1]]  # a sign in the twelfth bit


@pytest.mark.parametrize(
    ("function", "window"),
    [(None, (-160, 239)), ("LINEAR", (-160, 239)), ("LINEAR_EXACT", (-160, 240)), ("SIGMOID", (-160, 240))],
)
def test_window(tmp_path, function, window):
    stored = rng.integers(-1000, 1000, (9, 9)).astype(np.int16)
    path = make(tmp_path / "a.dcm", stored, WindowCenter=[40, 300], WindowWidth=[400, 1500], VOILUTFunction=function)
    assert read_dicom(path).window == window
    assert read_dicom(path, as_labels=True).window is None


@pytest.mark.parametrize(
    ("center", "width"), [(40, 0), (40, -5), (40, 1), (9000, 10), (-9000, 10), (40, None), (None, 400)]
)
def test_windows_that_make_no_sense(tmp_path, center, width):
    assert read_dicom(make(tmp_path / "a.dcm", volume(1)[0], WindowCenter=center, WindowWidth=width)).window is None


def test_monochrome1_is_turned_round(tmp_path):
    stored = rng.integers(0, 1024, (5, 6)).astype(np.uint16)
    stored[0, 0], stored[0, 1] = 0, 1023
    common = dict(BitsStored=10, HighBit=9, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=500, WindowWidth=201)
    plain, turned = (
        read_dicom(make(tmp_path / f"{p}.dcm", stored, PhotometricInterpretation=p, **common))
        for p in ("MONOCHROME2", "MONOCHROME1")
    )
    assert turned.data[0, 0] == plain.data[0, 1]
    assert turned.data[0, 1] == plain.data[0, 0]
    assert np.allclose(turned.data, plain.data.max() + plain.data.min() - plain.data)

    def scaled(p):
        return np.clip((p.data - p.window[0]) / (p.window[1] - p.window[0]), 0, 1)

    assert np.allclose(scaled(turned), 1 - scaled(plain), atol=1e-6)  # and what is shown is its negative
    assert (read_dicom(tmp_path / "MONOCHROME1.dcm", as_labels=True).data == stored).all()
    signed = make(tmp_path / "s.dcm", np.array([[-32768, 32767]], np.int16), PhotometricInterpretation="MONOCHROME1")
    assert read_dicom(signed).data.tolist() == [[32767, -32768]]


def test_modality_table(tmp_path):
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTData = [4, 0, 16], [10, 20, 40, 80]
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    path = make(tmp_path / "a.dcm", np.array([[0, 1, 2, 9]], np.uint8), ModalityLUTSequence=[lut])
    assert read_dicom(path).data.tolist() == [[10, 20, 40, 80]]
    path = make(
        tmp_path / "b.dcm",
        np.array([[0, 1, 2, 9]], np.uint8),
        ModalityLUTSequence=[lut],
        PhotometricInterpretation="MONOCHROME1",
    )
    assert read_dicom(path).data.tolist() == [[80, 70, 50, 10]]


@pytest.mark.parametrize("meaning", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_becomes_the_darkest_value(tmp_path, meaning):
    stored = rng.integers(0, 900, (8, 9)).astype(np.int16)
    stored[:2] = -2000
    got = read_dicom(make(tmp_path / "a.dcm", stored, PhotometricInterpretation=meaning, PixelPaddingValue=-2000)).data
    assert (got[:2] == got[2:].min()).all()
    stored[0] = -1990
    got = read_dicom(
        make(
            tmp_path / "b.dcm",
            stored,
            PhotometricInterpretation=meaning,
            PixelPaddingValue=-2000,
            PixelPaddingRangeLimit=-1950,
        )
    ).data
    assert (got[:2] == got[2:].min()).all()
    all_of_it = read_dicom(
        make(
            tmp_path / "c.dcm",
            np.full((4, 4), -2000, np.int16),
            PhotometricInterpretation=meaning,
            PixelPaddingValue=-2000,
        )
    ).data
    assert np.ptp(all_of_it) == 0
    assert (read_dicom(tmp_path / "b.dcm", as_labels=True).data == stored).all()


def test_padding_of_a_series_is_the_smallest_of_all_planes(tmp_path):
    planes = volume() + np.int16(1)
    planes[:, 0] = 5000
    planes[2, 3, 3] = 0
    files = make_series(tmp_path / "s", planes, PixelPaddingValue=5000)
    assert (read_dicom(files).data[:, 0] == 0).all()


# ---------- colours


def test_colours(tmp_path):
    rgb = rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)
    pixels = read_dicom(make(tmp_path / "a.dcm", rgb))
    assert (pixels.data == rgb).all()
    assert pixels.channel_axis == -1
    assert pixels.alpha is False
    path = make(tmp_path / "planar.dcm", rgb.transpose(2, 0, 1).copy().reshape(8, 6, 3), PlanarConfiguration=1)
    assert (read_dicom(path).data == rgb).all()
    ybr = pydicom.pixels.convert_color_space(rgb, "RGB", "YBR_FULL")
    assert (
        np.abs(
            read_dicom(make(tmp_path / "ybr.dcm", ybr, PhotometricInterpretation="YBR_FULL")).data.astype(int) - rgb
        ).max()
        <= 3
    )
    film = rng.integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)
    with pytest.warns(UserWarning, match="no positions in space"):
        pixels = read_dicom(make(tmp_path / "film.dcm", film))
    assert (pixels.data == film).all()
    assert pixels.channel_axis == -1
    assert (pixels.spacing, pixels.unit) == ((), "px")


def test_palette(tmp_path):
    stored = np.array([[0, 1], [2, 3]], np.uint8)
    for bits, factor in ((16, 257), (8, 1)):
        fields = dict(PhotometricInterpretation="PALETTE COLOR")
        table = np.array([0, 10, 100, 255])
        for k, c in enumerate(("Red", "Green", "Blue")):
            fields[f"{c}PaletteColorLookupTableDescriptor"] = [4, 0, bits]
            fields[f"{c}PaletteColorLookupTableData"] = (np.roll(table, k) * factor).astype(f"<u{bits // 8}").tobytes()
        pixels = read_dicom(make(tmp_path / f"{bits}.dcm", stored, **fields))
        assert pixels.data.dtype == np.uint8
        assert pixels.data[0, 1].tolist() == [10, 0, 255]
        assert pixels.channel_axis == -1
        assert (read_dicom(tmp_path / f"{bits}.dcm", as_labels=True).data == stored).all()


def test_colours_that_cannot_be_read(tmp_path):
    with pytest.raises(ImageError, match="a.dcm"):
        read_dicom(make(tmp_path / "a.dcm", volume(1)[0], PhotometricInterpretation="HSV"))
    with pytest.raises(ImageError, match="b.dcm: 4 samples"):
        read_dicom(make(tmp_path / "b.dcm", volume(1)[0], SamplesPerPixel=4))


def test_labels_of_other_files_are_their_numbers(tmp_path):
    stored = rng.integers(0, 9, (4, 6, 7)).astype(np.uint16)
    fields = dict(RescaleSlope=2, RescaleIntercept=-5, WindowCenter=3, WindowWidth=4)
    assert (read_dicom(make(tmp_path / "a.dcm", stored[0], **fields), as_labels=True).data == stored[0]).all()
    assert (read_dicom(make_series(tmp_path / "s", stored, **fields), as_labels=True).data == stored).all()
    assert (read_dicom(make(tmp_path / "f.dcm", stored, **fields), as_labels=True).data == stored).all()


# ---------- imports


def test_import_stays_light():
    heavy = {"pydicom", "highdicom", "nibabel", "torch", "PIL", "scipy"}
    code = f"import sys, cuts.io.series; assert not {heavy} & set(sys.modules), sorted(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", ["pydicom", "highdicom"])
def test_missing_libraries_are_named(tmp_path, name, monkeypatch):
    path = make(tmp_path / "a.dcm", volume(1)[0])
    pixels = read_dicom(path)
    monkeypatch.setitem(sys.modules, name, None)
    calls = dict(
        pydicom=lambda: read_dicom(path), highdicom=lambda: encode_segmentation(regions((6, 7)), pixels, "a.dcm")
    )
    with pytest.raises(ImportError, match=rf'need {name}: pip install "cuts-segmentation\[medical\]"'):
        calls[name]()
    assert is_dicom(path)


def test_a_place_in_space_needs_highdicom(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    files = make_series(tmp_path / "s", volume(3))
    assert find_series(files) == [(str(tmp_path / "s"), tuple(files))]
    with pytest.raises(ImportError, match=r'a place .* need highdicom: pip install "cuts-segmentation\[medical\]"'):
        read_dicom(files)


# ---------- what pydicom comes with


def test_every_sample_file_that_pydicom_decodes_opens():
    "Its own test files, those with pixels that it can decode here: big-endian, without a header, of all codecs."
    opened, refused = 0, []
    for path in sorted(p for p in (Path(pydicom.__file__).parent / "data/test_files").rglob("*") if p.is_file()):
        try:
            dataset = pydicom.dcmread(path, force=True)
            is_picture = dataset.pixel_array.ndim > 1
        except Exception:  # whatever pydicom does not decode
            continue
        try:
            opened += is_picture and read_image(path).data.size > 0
        except ImageError as e:
            refused.append(str(e))
    assert not refused
    assert opened > 80
