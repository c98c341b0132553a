"""DICOM files as scanners, archives and accidents leave them: what `cuts.dicom` makes of them, and how it says no."""

import io, logging, os, random, subprocess, sys, time, tracemalloc, warnings, zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    generate_uid,
)

from cuts.dicom import encode_segmentation, find_series, is_dicom, read_dicom
from cuts.pixels import ImageError, ImageTypeError, Pixels

SAMPLES = sorted(f for f in get_testdata_files() if os.path.isfile(f) and "TINY_ALPHA" not in f)
ROOT = os.path.commonpath(SAMPLES)
rng = np.random.default_rng(0)
CT, MR, SC, US = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "4", "7", "6.1"))
AXIAL, CORONAL, SAGITTAL = ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])


def sample(name):
    found = [f for f in SAMPLES if Path(f).name == name]
    if not found:
        pytest.skip(f"{name} does not come with this pydicom")
    return found[0]


def uid(*what):
    return generate_uid(entropy_srcs=[str(w) for w in what])


def make(path, stored, *, syntax=ExplicitVRLittleEndian, **fields):
    "A DICOM file with these stored numbers; fields that are None are left out."
    stored = np.asarray(stored)
    ds = Dataset()
    colour = stored.ndim >= 3 and stored.shape[-1] == 3
    bits = 8 * stored.dtype.itemsize
    every = dict(
        SOPClassUID=MR,
        SOPInstanceUID=uid(path),
        StudyInstanceUID=uid("study"),
        SeriesInstanceUID=uid("series"),
        FrameOfReferenceUID=uid("frame"),
        Modality="MR",
        PatientName="Test^A",
        PatientID="1",
        StudyDate="20240101",
        StudyTime="120000",
        SeriesNumber=1,
        Rows=stored.shape[-3 if colour else -2],
        Columns=stored.shape[-2 if colour else -1],
        SamplesPerPixel=3 if colour else 1,
        PhotometricInterpretation="RGB" if colour else "MONOCHROME2",
        PlanarConfiguration=0 if colour else None,
        NumberOfFrames=stored.shape[0] if stored.ndim - colour == 3 else None,
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=int(stored.dtype.kind == "i"),
    )
    for k, v in {**every, **fields}.items():
        if v is not None and k not in ("pixels",):
            setattr(ds, k, v)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    if stored.dtype.kind == "f":
        del ds.PixelRepresentation, ds.BitsStored, ds.HighBit
        ds.FloatPixelData = stored.astype("<f4").tobytes()
    elif syntax.is_encapsulated:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.PixelData = stored.tobytes()
        ds["PixelData"].VR = "OW"
        ds.compress(syntax, generate_instance_uid=False)
    else:
        ds.PixelData = stored.astype(stored.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes()
    if not syntax.is_encapsulated and stored.dtype.kind != "f":
        ds["PixelData"].VR = "OB" if bits == 8 else "OW"
    ds.save_as(path, enforce_file_format=True)
    return str(path)


def directions(orientation):
    return np.array(orientation, float).reshape(2, 3)


def make_series(
    folder,
    volume,
    *,
    orientation=AXIAL,
    origin=(-10, -20, 30),
    distance=3.0,
    spacing=(0.5, 0.7),
    names=None,
    prefix="",
    **fields,
):
    "One file for each plane of `volume`, whose planes follow each other along the normal."
    folder.mkdir(exist_ok=True)
    normal = np.cross(*directions(orientation))
    names = names or [f"{prefix}IM{i:04}" for i in random.Random(1).sample(range(1000), len(volume))]
    return [
        make(
            folder / n,
            plane,
            ImageOrientationPatient=list(map(float, orientation)),
            PixelSpacing=list(spacing),
            SliceThickness=1.0,
            ImagePositionPatient=[round(float(c), 6) for c in np.add(origin, k * distance * normal)],
            **fields,
        )
        for k, (n, plane) in enumerate(zip(names, volume))
    ]


def volume(d=5, h=6, w=7, dtype=np.int16):
    return rng.integers(0, 1000, (d, h, w)).astype(dtype)


def ct(axis=None, **more):
    return dict(SOPClassUID=CT, Modality="CT", **more)


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
    assert is_dicom("a.IMA") and is_dicom("b.DICOM") and not is_dicom("") and not is_dicom("a\0b")


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
    try:
        pixels = read_dicom(file, as_labels=as_labels)
    except (ImageError, ImageTypeError, ImportError) as e:
        assert Path(file).name in str(e)
    else:
        assert isinstance(pixels, Pixels) and pixels.data.dtype.kind in "iuf" and pixels.data.dtype.isnative
        assert pixels.files == (file,) and pixels.file_axes is None
        assert pixels.channel_axis in ("none", -1) and pixels.data.ndim - (pixels.channel_axis == -1) in (2, 3)
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
        found = [f for f in SAMPLES if Path(f).name == name]
        if not found:
            continue
        theirs, ours = sitk.ReadImage(found[0]), read_dicom(found[0])
        array = sitk.GetArrayFromImage(theirs)
        array = array.reshape(ours.data.shape)
        ds = pydicom.dcmread(found[0])
        padding = ds.pixel_array == ds.PixelPaddingValue if "PixelPaddingValue" in ds else np.zeros(array.shape, bool)
        array = array * float(ds.get("DoseGridScaling", 1))  # which they leave to their users
        assert (
            np.allclose(array[~padding], ours.data[~padding], rtol=1e-5)
            and (ours.data[padding] == ours.data.min()).all()
        ), name
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
    assert (
        (pixels.data == stored).all()
        and pixels.data.dtype == dtype
        and pixels.channel_axis == "none"
        and pixels.window is None
    )


def test_float_pixels(tmp_path):
    stored = rng.normal(size=(5, 6)).astype(np.float32)
    assert (read_dicom(make(tmp_path / "a.dcm", stored)).data == stored).all()


@pytest.mark.parametrize(
    "slope, intercept, dtype",
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
    assert got.dtype == dtype and np.allclose(got, stored * float(slope) + intercept, rtol=1e-6)


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
    "function, window",
    [(None, (-160, 239)), ("LINEAR", (-160, 239)), ("LINEAR_EXACT", (-160, 240)), ("SIGMOID", (-160, 240))],
)
def test_window(tmp_path, function, window):
    stored = rng.integers(-1000, 1000, (9, 9)).astype(np.int16)
    path = make(tmp_path / "a.dcm", stored, WindowCenter=[40, 300], WindowWidth=[400, 1500], VOILUTFunction=function)
    assert read_dicom(path).window == window
    assert read_dicom(path, as_labels=True).window is None


@pytest.mark.parametrize(
    "center, width", [(40, 0), (40, -5), (40, 1), (9000, 10), (-9000, 10), (40, None), (None, 400)]
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
    assert turned.data[0, 0] == plain.data[0, 1] and turned.data[0, 1] == plain.data[0, 0]  # the ends change places
    assert np.allclose(turned.data, plain.data.max() + plain.data.min() - plain.data)
    scaled = lambda p: np.clip((p.data - p.window[0]) / (p.window[1] - p.window[0]), 0, 1)
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
    assert (pixels.data == rgb).all() and pixels.channel_axis == -1 and pixels.alpha is False
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
    assert (pixels.data == film).all() and pixels.channel_axis == -1 and (pixels.spacing, pixels.unit) == ((), "px")


def test_palette(tmp_path):
    stored = np.array([[0, 1], [2, 3]], np.uint8)
    for bits, factor in ((16, 257), (8, 1)):
        fields = dict(PhotometricInterpretation="PALETTE COLOR")
        table = np.array([0, 10, 100, 255])
        for k, c in enumerate(("Red", "Green", "Blue")):
            fields[f"{c}PaletteColorLookupTableDescriptor"] = [4, 0, bits]
            fields[f"{c}PaletteColorLookupTableData"] = (np.roll(table, k) * factor).astype(f"<u{bits // 8}").tobytes()
        pixels = read_dicom(make(tmp_path / f"{bits}.dcm", stored, **fields))
        assert (
            pixels.data.dtype == np.uint8 and pixels.data[0, 1].tolist() == [10, 0, 255] and pixels.channel_axis == -1
        )
        assert (read_dicom(tmp_path / f"{bits}.dcm", as_labels=True).data == stored).all()


def test_colours_that_cannot_be_read(tmp_path):
    with pytest.raises(ImageError, match="a.dcm"):
        read_dicom(make(tmp_path / "a.dcm", volume(1)[0], PhotometricInterpretation="HSV"))
    with pytest.raises(ImageError, match="b.dcm: 4 samples"):
        read_dicom(make(tmp_path / "b.dcm", volume(1)[0], SamplesPerPixel=4))


# ---------- one plane


@pytest.mark.parametrize(
    "field, expected",
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
    try:
        assert read_dicom(path).spacing == ()
    except ImageError as e:
        assert "x" in text and "a.dcm" in str(e)  # no number at all: damaged


@pytest.mark.parametrize(
    "fields, across",
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
    assert pixels.affine is None and pixels.spacing == (1, 1)


# ---------- series


def oblique():
    from math import cos, sin

    a, b = 0.3, -0.5
    x = np.array([cos(a), sin(a), 0])
    y = np.array([-sin(a) * cos(b), cos(a) * cos(b), sin(b)])
    return [round(float(v), 8) for v in (*x, *y)]


@pytest.mark.parametrize(
    "orientation",
    [AXIAL, CORONAL, SAGITTAL, [-1, 0, 0, 0, 1, 0], oblique()],
    ids=["axial", "coronal", "sagittal", "turned", "oblique"],
)
def test_series_agrees_with_simpleitk(tmp_path, orientation):
    sitk = pytest.importorskip("SimpleITK")
    planes = volume()
    files = make_series(tmp_path / "s", planes, orientation=orientation, **ct(RescaleSlope=1, RescaleIntercept=-1000))
    pixels = read_dicom(tmp_path / "s")
    assert (pixels.data == planes - 1000).all() and pixels.data.dtype == np.int16
    assert pixels.files == tuple(files) and np.allclose(pixels.spacing, (3, 0.5, 0.7)) and pixels.unit == "mm"
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    theirs = reader.Execute()
    assert (sitk.GetArrayFromImage(theirs) == pixels.data).all()
    assert np.allclose(theirs.GetSpacing()[::-1], pixels.spacing)
    for k, i, j in ((0, 0, 0), (4, 5, 6), (2, 1, 3)):
        assert np.allclose(
            pixels.affine[:3] @ [k, i, j, 1] * [-1, -1, 1], theirs.TransformIndexToPhysicalPoint((j, i, k)), atol=1e-4
        )


def test_order_and_names_of_files_do_not_matter(tmp_path):
    planes = volume(12, 4, 5)
    files = make_series(tmp_path / "s", planes)
    shuffled = random.Random(3).sample(files, len(files))
    assert find_series(shuffled) == find_series(files) == [(str(tmp_path / "s"), tuple(files))]
    assert (read_dicom(shuffled).data == planes).all()
    assert (read_dicom(Path(f) for f in files).data == planes).all()


def test_planes_are_sorted_by_position_though_numbers_say_otherwise(tmp_path):
    planes = volume(4)
    for k, p in enumerate(planes):
        make(
            tmp_path / f"{k}.dcm",
            p,
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, 5.0 * k],
            PixelSpacing=[1, 1],
            SliceThickness=9,
            InstanceNumber=4 - k,
        )
    pixels = read_dicom(tmp_path)
    assert (pixels.data == planes).all() and pixels.spacing == (5, 1, 1)


def test_tilted_planes_keep_their_shift(tmp_path):
    for k in range(4):
        make(
            tmp_path / f"{k}.dcm",
            volume(1)[0],
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 2.0 * k, 5.0 * k],
            PixelSpacing=[1, 1],
        )
    pixels = read_dicom(tmp_path)
    assert np.allclose(pixels.spacing, (5, 1, 1)) and np.allclose(pixels.affine[:3, 0], [0, -2, 5])
    assert np.allclose(pixels.affine @ [3, 0, 0, 1], [0, -6, 15, 1])


def test_missing_plane_is_said(tmp_path):
    files = make_series(tmp_path / "s", volume(8))
    os.remove(files[3])
    with pytest.warns(UserWarning, match="distances are 3 to 6 mm"):
        pixels = read_dicom(tmp_path / "s")
    assert pixels.data.shape == (7, 6, 7) and np.isclose(pixels.spacing[0], 21 / 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_dicom(files[4:])


def test_window_of_a_series_is_that_of_its_middle(tmp_path):
    files = [
        make(
            tmp_path / f"{k}",
            volume(1)[0],
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, k],
            PixelSpacing=[1, 1],
            WindowCenter=100 + k,
            WindowWidth=51,
        )
        for k in range(5)
    ]
    assert read_dicom(files).window == (76.5, 126.5)


def test_slopes_may_differ_from_plane_to_plane(tmp_path):
    planes = volume(3, dtype=np.uint16)
    files = [
        make(
            tmp_path / f"{k}",
            p,
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, k],
            PixelSpacing=[1, 1],
            RescaleSlope=0.5 * (k + 1),
            RescaleIntercept=0,
        )
        for k, p in enumerate(planes)
    ]
    assert np.allclose(read_dicom(files).data, planes * np.array([0.5, 1, 1.5])[:, None, None])


def test_series_of_colours(tmp_path):
    planes = rng.integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    pixels = read_dicom(make_series(tmp_path / "s", planes))
    assert (pixels.data == planes).all() and pixels.channel_axis == -1 and len(pixels.spacing) == 3


def test_planes_as_channels(tmp_path):
    planes = volume(3)
    files = make_series(tmp_path / "s", planes)
    pixels = read_dicom(files, channel_axis=0)
    assert pixels.channel_axis == 0 and pixels.spacing == (0.5, 0.7) and pixels.data.shape == planes.shape
    assert np.allclose(pixels.affine @ [1, 2, 0, 1], read_dicom(files).affine @ [0, 1, 2, 1])
    assert read_dicom(files, channel_axis="none").channel_axis == "none"
    for axis in (1, -1, "first"):
        with pytest.raises(ImageError, match="channel_axis"):
            read_dicom(files, channel_axis=axis)


def test_two_series_in_a_folder(tmp_path):
    one = make_series(tmp_path / "s", volume(), prefix="a", SeriesDescription="T1 / axial", SeriesNumber=3)
    two = make_series(
        tmp_path / "s", volume(4), prefix="b", SeriesInstanceUID=uid("other"), SeriesDescription="T2", SeriesNumber=4
    )
    assert find_series(two + one) == [
        (str(tmp_path / "s" / "T1-axial-3"), tuple(one)),
        (str(tmp_path / "s" / "T2-4"), tuple(two)),
    ]
    with pytest.raises(ImageError, match=r"s: 2 series(.|\n)*T1-axial-3: 5 files\n.*T2-4: 4 files"):
        read_dicom(tmp_path / "s")
    with pytest.raises(ImageError, match="of another series, size or orientation"):
        read_dicom(one + two)


def test_names_are_unique(tmp_path):
    files = []
    for k in range(3):
        files += make_series(
            tmp_path / "s",
            volume(3),
            prefix=f"{k}-",
            SeriesInstanceUID=uid(k),
            SeriesDescription="T1",
            SeriesNumber=None,
        )
    (tmp_path / "s" / "T1").mkdir()
    files += make_series(tmp_path / "s" / "T1", volume(2))
    names = [n for n, _ in find_series(files)]
    assert len(set(names)) == 4 and str(tmp_path / "s" / "T1") in names


def test_names_stay_relative(tmp_path, monkeypatch):
    make_series(tmp_path / "a", volume(3))
    make_series(tmp_path / "b", volume(3), SeriesInstanceUID=uid(2))
    make(tmp_path / "b" / "scout", volume(1)[0])
    monkeypatch.chdir(tmp_path)
    names = [n for n, _ in find_series(sorted(p for p in Path().rglob("*") if p.is_file()))]
    assert names == ["a", os.path.join("b", "MR-1"), os.path.join("b", "scout")]
    monkeypatch.chdir(tmp_path / "a")
    assert [n for n, _ in find_series(os.listdir())] == ["MR-1"]


def test_series_are_not_joined_across_folders(tmp_path):
    one, two = make_series(tmp_path / "a", volume(3)), make_series(tmp_path / "b", volume(3), origin=(-10, -20, 90))
    assert [n for n, _ in find_series(one + two)] == [str(tmp_path / "a"), str(tmp_path / "b")]


def test_sizes_orientations_and_spacings_are_kept_apart(tmp_path):
    make_series(tmp_path / "s", volume(3), prefix="a")
    make_series(tmp_path / "s", volume(3, 8, 9), prefix="b")
    make_series(tmp_path / "s", volume(3), prefix="c", orientation=CORONAL)
    make_series(tmp_path / "s", volume(3), prefix="d", orientation=SAGITTAL)
    make_series(tmp_path / "s", volume(3), prefix="e", spacing=(1, 1))
    make_series(tmp_path / "s", volume(1), prefix="f", orientation=oblique())  # alone
    items = find_series((tmp_path / "s").iterdir())
    assert sorted(len(f) for _, f in items) == [1, 3, 3, 3, 3, 3]
    for _, files in items:
        assert len({Path(f).name[0] for f in files}) == 1
    assert len({n for n, _ in items}) == 6


@pytest.mark.parametrize("field", ["EchoNumbers", "TemporalPositionIdentifier", "AcquisitionNumber"])
def test_two_planes_at_each_position_are_told_apart(tmp_path, field, caplog):
    first, second = volume(), volume()
    make_series(tmp_path / "s", first, prefix="a", **{field: 1})
    make_series(tmp_path / "s", second, prefix="b", **{field: 2})
    items = find_series((tmp_path / "s").iterdir())
    assert len(items) == 2 and all(n.endswith(f"-{k}") for k, (n, _) in enumerate(items, 1)) and not caplog.records
    for (_, files), planes in zip(items, (first, second)):
        assert (read_dicom(files).data == planes).all()


def test_echoes_and_times_together(tmp_path):
    for e in (1, 2):
        for t in (1, 2, 3):
            make_series(tmp_path / "s", volume(3), prefix=f"{e}{t}", EchoNumbers=e, TemporalPositionIdentifier=t)
    items = find_series((tmp_path / "s").iterdir())
    assert len(items) == 6 and all(
        len({Path(f).name[:2] for f in files}) == 1 and len(files) == 3 for _, files in items
    )


def test_what_cannot_be_told_apart_is_no_volume(tmp_path, caplog):
    make_series(tmp_path / "s", volume(3), prefix="a")
    make_series(tmp_path / "s", volume(3), prefix="b")
    with caplog.at_level(logging.WARNING):
        items = find_series((tmp_path / "s").iterdir())
    assert len(items) == 6 and all(n == f for n, (f,) in items) and "several planes at one position" in caplog.text
    with pytest.raises(ImageError, match="several planes at one position"):
        read_dicom((tmp_path / "s").iterdir())


def test_numbers_of_their_own_do_not_tell_planes_apart(tmp_path, caplog):
    for k in range(6):
        make(
            tmp_path / f"{k}",
            volume(1)[0],
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, k // 2],
            PixelSpacing=[1, 1],
            AcquisitionNumber=k,
        )
    with caplog.at_level(logging.WARNING):
        assert len(find_series(tmp_path.iterdir())) == 6
    assert "several planes" in caplog.text


def test_one_plane_in_two_echoes_is_two_images(tmp_path, caplog):
    for k in (1, 2):
        make(
            tmp_path / f"{k}",
            volume(1)[0],
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, 0],
            PixelSpacing=[1, 1],
            EchoNumbers=k,
        )
    assert len(find_series(tmp_path.iterdir())) == 2 and not caplog.records


def test_a_copied_file_is_set_aside(tmp_path, caplog):
    files = make_series(tmp_path / "s", volume(), names=list("abcde"))
    copy = tmp_path / "s" / "copy of b"
    copy.write_bytes(Path(files[1]).read_bytes())
    with caplog.at_level(logging.WARNING):
        items = find_series((tmp_path / "s").iterdir())
    assert sorted(f for _, f in items) == sorted([tuple(files), (str(copy),)]) and "a copy of" in caplog.text


def test_files_that_cannot_be_read_are_items(tmp_path):
    files = make_series(tmp_path / "s", volume(3))
    (tmp_path / "s" / "bad.dcm").write_bytes(b"nothing")
    (tmp_path / "s" / "report.dcm").write_bytes(Path(sample("rtplan.dcm")).read_bytes())
    items = dict(find_series([*(tmp_path / "s").iterdir(), tmp_path / "gone.dcm"]))
    assert set(items.values()) == {
        tuple(files),
        *((str(p),) for p in (tmp_path / "s" / "bad.dcm", tmp_path / "s" / "report.dcm", tmp_path / "gone.dcm")),
    }
    assert find_series([]) == []


def test_series_of_the_sample_disk():
    files = [f for f in SAMPLES if "98892003" in f or "98892001" in f]
    if not files:
        pytest.skip("no DICOMDIR samples")
    items = find_series(files)
    assert sorted(f for _, fs in items for f in fs) == sorted(files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _, fs in items:
            assert read_dicom(fs).data.shape[-2:] == (16, 16)


def test_only_headers_are_read_to_find_series(tmp_path):
    files = make_series(tmp_path / "s", volume(3))
    for f in files:
        Path(f).write_bytes(Path(f).read_bytes()[:-20])  # pixels cut short
    assert find_series(files) == [(str(tmp_path / "s"), tuple(files))]
    with pytest.raises(ImageError, match="IM.*less than expected"):
        read_dicom(files)


def test_folders_and_lists(tmp_path):
    with pytest.raises(ImageError, match="0 series.*Give a folder that holds DICOM"):
        read_dicom(tmp_path)
    with pytest.raises(ImageError, match="no files were given"):
        read_dicom([])
    with pytest.raises(FileNotFoundError, match="gone.dcm: no such file"):
        read_dicom(tmp_path / "gone.dcm")
    plane = volume(1)[0]
    one = make(tmp_path / "only", plane)
    (tmp_path / ".hidden.dcm").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    assert (read_dicom(tmp_path).data == plane).all() and (read_dicom([one]).data == plane).all()
    with pytest.raises(ImageError, match="no plane with a position"):
        read_dicom([one, make(tmp_path / "two", plane)])


@pytest.mark.parametrize("name", ["a b.dcm", "Größe.DCM", "-rf.dcm", "IM'1"])
def test_names(tmp_path, name):
    plane = volume(1)[0]
    path = make(tmp_path / name, plane)
    assert (read_dicom(path).data == plane).all() and is_dicom(path)
    link = tmp_path / "link.dcm"
    link.symlink_to(path)
    assert (read_dicom(link).data == plane).all()


# ---------- frames of one file


def enhanced(
    path, planes, positions, *, orientation=AXIAL, spacing=(0.5, 0.7), slopes=None, shared=None, own=None, **fields
):
    "An enhanced MR: geometry in functional groups."

    def item(**k):
        d = Dataset()
        for a, b in k.items():
            setattr(d, a, b)
        return d

    common = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(map(float, orientation)))],
        PixelMeasuresSequence=[item(PixelSpacing=list(spacing), SliceThickness=2)],
        **(shared or {}),
    )
    frames = []
    for k, p in enumerate(positions):
        group = {} if p is None else dict(PlanePositionSequence=[item(ImagePositionPatient=list(map(float, p)))])
        if slopes:
            group["PixelValueTransformationSequence"] = [
                item(RescaleSlope=slopes[k], RescaleIntercept=k, RescaleType="US")
            ]
        frames.append(
            item(
                **group,
                FrameVOILUTSequence=[item(WindowCenter=100 + k, WindowWidth=51)],
                FrameContentSequence=[item(DimensionIndexValues=[1, k + 1])],
            )
        )
    return make(
        path,
        planes,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1",
        SharedFunctionalGroupsSequence=[common],
        PerFrameFunctionalGroupsSequence=frames,
        **fields,
    )


def test_enhanced_frames_are_a_volume(tmp_path):
    planes = volume(4)
    pixels = read_dicom(enhanced(tmp_path / "a.dcm", planes, [(1, 2, 3 + 4 * k) for k in range(4)]))
    assert (
        (pixels.data == planes).all()
        and pixels.spacing == (4, 0.5, 0.7)
        and pixels.unit == "mm"
        and pixels.window == (76.5, 126.5)
        and pixels.channel_axis == "none"
    )
    assert np.allclose(pixels.affine @ [2, 4, 5, 1], [-(1 + 3.5), -(2 + 2), 11, 1])


def test_enhanced_frames_are_sorted(tmp_path):
    planes = volume(4)
    pixels = read_dicom(enhanced(tmp_path / "a.dcm", planes, [(0, 0, z) for z in (6, 2, 0, 4)]))
    assert (pixels.data == planes[[2, 1, 3, 0]]).all() and np.allclose(pixels.affine @ [3, 0, 0, 1], [0, 0, 6, 1])


def test_slopes_of_frames(tmp_path):
    planes = volume(3, dtype=np.uint16)
    pixels = read_dicom(enhanced(tmp_path / "a.dcm", planes, [(0, 0, k) for k in range(3)], slopes=[1, 2, 0.5]))
    assert np.allclose(pixels.data, planes * np.array([1, 2, 0.5])[:, None, None] + np.arange(3)[:, None, None])
    whole = read_dicom(enhanced(tmp_path / "b.dcm", planes, [(0, 0, k) for k in range(3)], slopes=[1, 1, 1]))
    assert whole.data.dtype.kind == "i" and (whole.data == planes.astype(int) + np.arange(3)[:, None, None]).all()


@pytest.mark.parametrize("positions", [[(0, 0, 0)] * 4, [(0, 0, 0), (0, 0, 0), (0, 0, 1), (0, 0, 1)], [None] * 4])
def test_frames_that_are_no_stack(tmp_path, positions):
    planes = volume(4)
    with pytest.warns(UserWarning, match="a.dcm: its 4 frames have no positions"):
        pixels = read_dicom(enhanced(tmp_path / "a.dcm", planes, positions))
    assert (pixels.data == planes).all() and pixels.spacing == () and pixels.unit == "px" and pixels.affine is None


def test_uneven_frames_warn(tmp_path):
    with pytest.warns(UserWarning, match="1 to 3 mm"):
        read_dicom(enhanced(tmp_path / "a.dcm", volume(3), [(0, 0, 0), (0, 0, 1), (0, 0, 4)]))


def test_a_file_of_one_frame_is_a_plane(tmp_path):
    pixels = read_dicom(enhanced(tmp_path / "a.dcm", volume(1), [(1, 2, 3)]))
    assert (
        pixels.data.shape == (6, 7)
        and pixels.spacing == (0.5, 0.7)
        and np.allclose(pixels.affine @ [0, 0, 1, 1], [-1, -2, 5, 1])
    )


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


# ---------- sizes, before anything is decoded


def test_the_cap_is_checked_first(tmp_path, monkeypatch):
    import cuts.dicom

    files = make_series(tmp_path / "s", volume(8, 20, 30))
    frames = make(tmp_path / "f.dcm", volume(8, 20, 30))
    monkeypatch.setattr(cuts.dicom, "_decode", lambda *a: pytest.fail("decoded"))
    for path, shape in (
        (files, "8 × 20 × 30"),
        (tmp_path / "s", "8 × 20 × 30"),
        (files[0], "20 × 30"),
        (frames, "8 × 20 × 30"),
    ):
        with pytest.raises(ImageError, match=f"{shape} is .* more than the cap of 500. Pass max_pixels="):
            read_dicom(path, max_pixels=500)


def test_a_header_that_claims_much(tmp_path):
    tracemalloc.start()
    try:
        for n, fields in enumerate(
            (dict(Rows=60000, Columns=4000), dict(NumberOfFrames=5_000_000), dict(Rows=0), dict(NumberOfFrames=-3))
        ):
            path = make(tmp_path / f"{n}.dcm", volume(1)[0], **fields)
            with pytest.raises(ImageError, match=f"{n}.dcm"):
                read_dicom(path)
        path = make(tmp_path / "rle.dcm", volume(1)[0].astype(np.uint16), syntax=RLELossless)
        ds = pydicom.dcmread(path)
        ds.Rows = ds.Columns = 60
        ds.save_as(path)
        with pytest.raises(ImageError, match="rle.dcm"):
            read_dicom(path)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


def test_a_field_that_claims_gigabytes(tmp_path):
    path = Path(make(tmp_path / "a.dcm", volume(1)[0], SeriesDescription="x"))
    raw = path.read_bytes()
    at = raw.index(b"\xe0\x7f\x10\x00OW") + 8
    for where in (raw[:at] + (2**32 - 4).to_bytes(4, "little") + raw[at + 4 :],):
        path.write_bytes(where)
        tracemalloc.start()
        try:
            read_dicom(path)
        except ImageError as e:
            assert "a.dcm" in str(e)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 30e6


def deflated(path, header, pixels):
    "A deflated file with whatever pixels."
    make(path, volume(1)[0], syntax=DeflatedExplicitVRLittleEndian, **header)
    raw = Path(path).read_bytes()
    start = 144 + int.from_bytes(raw[140:144], "little")
    body = zlib.decompressobj(-15).decompress(raw[start:])
    body = body[: body.index(b"\xe0\x7f\x10\x00OW") + 8] + len(pixels).to_bytes(4, "little") + pixels
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    Path(path).write_bytes(raw[:start] + pack.compress(body) + pack.flush())
    return path


def test_deflated_bombs(tmp_path):
    bomb = deflated(tmp_path / "bomb.dcm", dict(Rows=16, Columns=16), bytes(400_000_000))
    assert bomb.stat().st_size < 1e6
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_dicom(bomb)  # only what the header needs is unpacked
        find_series([bomb])
        assert tracemalloc.get_traced_memory()[1] < 120e6
    finally:
        tracemalloc.stop()


def compressed(path, frame, syntax, **fields):
    "A file with this compressed frame."
    make(path, np.zeros((8, 8), np.uint8), **fields)
    ds = pydicom.dcmread(path)
    ds.PixelData = pydicom.encaps.encapsulate([frame])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(path)
    return path


@pytest.mark.parametrize(
    "form, syntax",
    [("JPEG", pydicom.uid.JPEGBaseline8Bit), ("JPEG2000", JPEG2000Lossless), ("JPEG2000 boxed", JPEG2000Lossless)],
)
def test_compressed_frames_larger_than_the_header_says(tmp_path, form, syntax):
    from PIL import Image as Picture

    out = io.BytesIO()
    Picture.new("L", (3000, 2000)).save(out, form.split()[0], **({"no_jp2": " " not in form} if "2000" in form else {}))
    path = compressed(tmp_path / "a.dcm", out.getvalue(), syntax)
    with pytest.raises(
        ImageError, match="a.dcm: a compressed frame of 2000 × 3000 × 1 numbers, but the header says 8 × 8 × 1"
    ):
        read_dicom(path)


def test_jpeg_ls_frames_larger_than_the_header_says(tmp_path):
    jpeg_ls = pytest.importorskip("jpeg_ls")
    frame = bytearray(jpeg_ls.encode_array(np.zeros((8, 8), np.uint8)))
    path = compressed(tmp_path / "a.dcm", bytes(frame), pydicom.uid.JPEGLSLossless)
    assert (read_dicom(path).data == 0).all()
    at = frame.index(b"\xff\xf7")
    frame[at + 5 : at + 9] = b"\xea\x60\xea\x60"
    compressed(path, bytes(frame), pydicom.uid.JPEGLSLossless)
    begun = time.time()
    with pytest.raises(ImageError, match="60000 × 60000 × 1 numbers"):
        read_dicom(path)
    assert time.time() - begun < 2


def test_a_box_without_length_is_no_endless_loop(tmp_path):
    "pydicom 3.0.2 would look at it for ever."
    whole = Path(sample("GDCMJ2K_TextGBR.dcm")).read_bytes()
    at = whole.index(b"ftyp") - 4
    (tmp_path / "a.dcm").write_bytes(whole[:at] + bytes(4) + whole[at + 4 :])
    with pytest.raises(ImageError, match="a.dcm: a compressed frame of unknown numbers"):
        read_dicom(tmp_path / "a.dcm")


# ---------- files that cannot be read


@pytest.mark.parametrize(
    "name, kind",
    [
        ("rtplan.dcm", "RT Plan Storage"),
        ("rtstruct.dcm", "RT Structure Set Storage"),
        ("test-SR.dcm", "Comprehensive SR Storage"),
        ("waveform_ecg.dcm", "12-lead ECG Waveform Storage"),
        ("DICOMDIR", "Media Storage Directory"),
    ],
)
def test_what_is_no_image_is_named(name, kind):
    with pytest.raises(ImageError, match=f"{name}: {kind}"):
        read_dicom(sample(name))


def test_missing_decoder_is_named(tmp_path):
    from pydicom.pixels import get_decoder

    if get_decoder(pydicom.uid.JPEGLosslessSV1).is_available:
        pytest.skip("a decoder is installed")
    with pytest.raises(ImportError, match=r"SC_rgb_jpeg_gdcm.dcm: .*JPEG Lossless.*pip install python-gdcm"):
        read_dicom(sample("SC_rgb_jpeg_gdcm.dcm"))
    with pytest.raises(ImportError, match="JPGExtended.dcm: .*JPEG Extended.*12 bits.*pip install"):
        read_dicom(sample("JPGExtended.dcm"))


def test_films_compressed_as_video(tmp_path):
    path = make(tmp_path / "a.dcm", np.zeros((8, 8), np.uint8))
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    ds.PixelData = pydicom.encaps.encapsulate([b"1234"])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path)
    with pytest.raises(ImageError, match="a.dcm: pixels stored as MPEG2"):
        read_dicom(path)


def test_no_trace_in_the_log(caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(ImageError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read_dicom(sample("GDCMJ2K_TextGBR.dcm"))
    assert not any(r.exc_info for r in caplog.records)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "image_dfl.dcm",
        "examples_palette.dcm",
        "liver_1frame.dcm",
    ],
)
@pytest.mark.parametrize("keep", [0, 1, 100, 131, 132, 140, 200, 400, 0.2, 0.5, 0.8, 0.97])
@pytest.mark.filterwarnings("ignore")
def test_cut_short(tmp_path, name, keep):
    whole = Path(sample(name)).read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(ImageError, match="cut.dcm"):
        read_dicom(path)
    assert find_series([path]) == [(str(path), (str(path),))] and is_dicom(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 600,
        b"\xff" * 600,
        b"GIF89a" + bytes(600),
        b"\x1f\x8b" + bytes(600),
        bytes(128) + b"DICM",
        bytes(128) + b"DICM" + b"\xff" * 900,
        bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00\xff\xff\xff\xff",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_garbage(tmp_path, content):
    path = tmp_path / "odd.dcm"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="odd.dcm"):
        read_dicom(path)


@pytest.mark.parametrize(
    "name", ["MR_small_implicit.dcm", "CT_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "enhanced"]
)
@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes(tmp_path, name):
    "Two hundred damaged files, forty of each kind: an image or one sentence, and never much memory."
    path = tmp_path / "x.dcm"
    whole = Path(
        enhanced(path, volume(3), [(0, 0, k) for k in range(3)]) if name == "enhanced" else sample(name)
    ).read_bytes()
    dice = random.Random(name)
    tracemalloc.start()
    try:
        for _ in range(40):
            raw = bytearray(whole)
            for _ in range(dice.choice((1, 3, 20))):
                raw[dice.randrange(128, min(len(raw), 4000))] = dice.randrange(256)
            path.write_bytes(raw)
            find_series([path])
            try:
                read_dicom(path, max_pixels=40_000)
            except (ImageError, ImageTypeError, ImportError) as e:
                assert "x.dcm" in str(e)
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


# ---------- segmentations


def regions(shape, n=4):
    "Blobs with gaps in their numbers; the first and the last plane are empty."
    labels = np.zeros(shape, int)
    inner = labels[1:-1] if len(shape) == 3 else labels
    for k in range(n):
        inner[..., 1 + k % 2 : 4, k : k + 2] = 3 * k + 1
    return labels


@pytest.fixture
def scan(tmp_path):
    pytest.importorskip("highdicom")
    return read_dicom(make_series(tmp_path / "scan", volume(6, 8, 9), orientation=oblique(), **ct()))


def save(tmp_path, data, name="seg.dcm"):
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def test_segmentation_round_trip(tmp_path, scan):
    labels = regions((6, 8, 9))
    path = save(tmp_path, encode_segmentation(labels, scan, tmp_path / "seg.dcm"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = read_dicom(path, as_labels=True)
    assert (back.data == labels).all() and back.data.dtype.kind == "i" and back.channel_axis == "none"
    assert is_dicom(path)


def test_segmentation_as_others_read_it(tmp_path, scan):
    import highdicom

    labels = regions((6, 8, 9))
    path = save(
        tmp_path,
        encode_segmentation(
            labels, scan, "seg.dcm", names={4: "Läsion"}, colors=np.array([[0, 114, 178], [230, 159, 0], [0, 158, 115]])
        ),
    )
    ds = pydicom.dcmread(path)
    assert (
        ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
        and ds.SegmentationType == "BINARY"
        and ds.Modality == "SEG"
        and ds.Manufacturer == "CUTS"
    )
    assert [
        (s.SegmentNumber, s.SegmentLabel, s.SegmentAlgorithmType, s.SegmentAlgorithmName) for s in ds.SegmentSequence
    ] == [(k, name, "AUTOMATIC", "CUTS") for k, name in enumerate(("region 1", "Läsion", "region 7", "region 10"), 1)]
    source = pydicom.dcmread(scan.files[0])
    for k in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID", "StudyDate"):
        assert ds[k].value == source[k].value
    color = highdicom.color.CIELabColor.from_dicom_value(
        tuple(ds.SegmentSequence[0].RecommendedDisplayCIELabValue)
    ).to_rgb()
    assert np.abs(np.subtract(color, (230, 159, 0))).max() <= 2
    seg = highdicom.seg.segread(path)
    uids = [pydicom.dcmread(f, stop_before_pixels=True).SOPInstanceUID for f in scan.files]
    theirs = seg.get_pixels_by_source_instance(
        source_sop_instance_uids=uids,
        combine_segments=True,
        ignore_spatial_locations=False,
        assert_missing_frames_are_empty=True,
    )
    assert (np.array([0, 1, 4, 7, 10])[theirs] == labels).all()
    frame = ds.PerFrameFunctionalGroupsSequence[0]
    at = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float) * [-1, -1, 1]
    assert min(np.abs((scan.affine @ [k, 0, 0, 1])[:3] - at).max() for k in range(6)) < 1e-3


def test_segmentation_is_the_same_every_time(tmp_path, scan):
    labels = regions((6, 8, 9))
    first = encode_segmentation(labels, scan, "a.dcm")
    time.sleep(1.1)
    assert encode_segmentation(labels.astype(np.uint8), scan, "b.dcm") == first
    assert encode_segmentation(labels + (labels == 4), scan, "b.dcm") != first
    other = pydicom.dcmread(io.BytesIO(encode_segmentation(labels[:, ::-1], scan, "b.dcm")))
    assert other.SOPInstanceUID != pydicom.dcmread(io.BytesIO(first)).SOPInstanceUID


def strip(path):
    "Without the private field, as an archive may return it."
    ds = pydicom.dcmread(path)
    ds.remove_private_tags()
    ds.save_as(path)
    return path


def test_segmentation_without_the_private_field(tmp_path, scan):
    labels = regions((6, 8, 9))
    path = strip(save(tmp_path, encode_segmentation(labels, scan, "seg.dcm")))
    assert (read_dicom(path, as_labels=True).data == labels).all()  # from the list of source images
    ds = pydicom.dcmread(path)
    for s in ds.SegmentSequence:
        del s.TrackingID, s.TrackingUID
    ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence.reverse()
    ds.save_as(path)
    _, numbers = np.unique(labels, return_inverse=True)
    assert (
        read_dicom(path, as_labels=True).data == numbers.reshape(labels.shape)
    ).all()  # numbers of segments; a list from the other end
    del ds.ReferencedSeriesSequence
    ds.save_as(path)
    assert (
        read_dicom(path, as_labels=True).data == numbers.reshape(labels.shape)[1:-1]
    ).all()  # only the planes between the first and the last mark


def test_an_empty_plane_between_marks_is_kept(tmp_path, scan):
    labels = regions((6, 8, 9))
    labels[3] = 0
    path = strip(save(tmp_path, encode_segmentation(labels, scan, "seg.dcm")))
    ds = pydicom.dcmread(path)
    del ds.ReferencedSeriesSequence
    ds.save_as(path)
    assert (read_dicom(path, as_labels=True).data[2] == 0).all() and read_dicom(path, as_labels=True).data.shape[0] == 4


def test_unevenly_spaced_source(tmp_path):
    pytest.importorskip("highdicom")
    files = make_series(tmp_path / "scan", volume(7, 8, 9))
    os.remove(files[4])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scan = read_dicom(tmp_path / "scan")
        labels = regions((6, 8, 9))
        path = save(tmp_path, encode_segmentation(labels, scan, "seg.dcm"))
    assert (read_dicom(path, as_labels=True).data == labels).all() and (
        read_dicom(strip(path), as_labels=True).data == labels
    ).all()


def test_segmentation_of_one_plane(tmp_path):
    pytest.importorskip("highdicom")
    for name in (
        "CT_small.dcm",
        "MR_small.dcm",
        "examples_overlay.dcm",
        "examples_rgb_color.dcm",
        "examples_palette.dcm",
        "SC_rgb_rle.dcm",
    ):
        scan = read_dicom(sample(name))
        labels = regions(scan.data.shape[:2])
        path = save(tmp_path, encode_segmentation(labels, scan, "seg.dcm"))
        assert (read_dicom(path, as_labels=True).data == labels).all(), name
        assert (read_dicom(strip(path), as_labels=True).data == labels).all(), name


def test_one_plane_of_a_series_finds_its_file(tmp_path, scan):
    from cuts.pixels import plane_affine

    labels = regions((8, 9))
    plane = SimpleNamespace(files=scan.files, affine=plane_affine(scan.affine, 0, 3))
    ds = pydicom.dcmread(io.BytesIO(encode_segmentation(labels, plane, "seg.dcm")))
    refers = ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert [r.ReferencedSOPInstanceUID for r in refers] == [pydicom.dcmread(scan.files[3]).SOPInstanceUID]
    for affine in (None, plane_affine(scan.affine, 1, 3)):
        with pytest.raises(ImageError, match="none of the 6 DICOM files"):
            encode_segmentation(labels, SimpleNamespace(files=scan.files, affine=affine), "seg.dcm")


def test_segmentation_of_an_enhanced_file(tmp_path):
    pytest.importorskip("highdicom")
    path = enhanced(tmp_path / "a.dcm", volume(5), [(0, 0, z) for z in (6, 2, 0, 4, 8)])
    scan, labels = read_dicom(path), regions((5, 6, 7))
    seg = save(tmp_path, encode_segmentation(labels, scan, "seg.dcm"))
    assert (read_dicom(seg, as_labels=True).data == labels).all()
    ds = pydicom.dcmread(seg)
    for f in ds.PerFrameFunctionalGroupsSequence:
        z = float(f.PlanePositionSequence[0].ImagePositionPatient[2])
        number = int(f.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
        assert (6, 2, 0, 4, 8)[number - 1] == z


def test_many_regions(tmp_path):
    pytest.importorskip("highdicom")
    scan = read_dicom(make_series(tmp_path / "scan", volume(2, 24, 24)))
    labels = np.arange(2 * 24 * 24).reshape(2, 24, 24) // 2
    assert (
        read_dicom(save(tmp_path, encode_segmentation(labels, scan, "seg.dcm")), as_labels=True).data == labels
    ).all()


def test_what_no_segmentation_can_be_made_of(tmp_path, scan):
    labels = regions((6, 8, 9))
    for like in (None, SimpleNamespace(), SimpleNamespace(files=()), Pixels(labels)):
        with pytest.raises(
            ImageError, match="out.dcm: a DICOM-SEG refers to the DICOM files .* none. Write .nii.gz or .tif"
        ):
            encode_segmentation(labels, like, "out.dcm")
    with pytest.raises(ImageError, match="gone.dcm is no longer there"):
        encode_segmentation(labels, SimpleNamespace(files=("gone.dcm",)), "out.dcm")
    for bad, why in (
        (labels - 1, "labels from -1"),
        (labels * 0, "every label is 0"),
        (labels * 1.0, "float64"),
        (labels[1:], r"\[5, 8, 9\]"),
        (labels[..., 1:], r"\[6, 8, 8\]"),
        (labels[0, 0], r"\[9\]"),
        (np.zeros((0, 8, 9), int), "not empty"),
        (labels * 2**40, "999 999 999"),
    ):
        with pytest.raises(ImageError, match=f"out.dcm: .*{why}"):
            encode_segmentation(bad, scan, "out.dcm")
    big = np.zeros((300, 300), np.int64) + np.arange(90000).reshape(300, 300)
    with pytest.raises(ImageError, match="89999 regions"):
        encode_segmentation(big, scan, "out.dcm")


def test_films_have_no_segmentation(tmp_path):
    pytest.importorskip("highdicom")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        film = read_dicom(sample("examples_ybr_color.dcm"))
        with pytest.raises(
            ImageError,
            match="seg.dcm: no DICOM-SEG can be made for this Ultrasound Multi-frame.*Write .nii.gz or .tif instead",
        ):
            encode_segmentation(regions(film.data.shape[:3]), film, "seg.dcm")
        bare = read_dicom(sample("693_J2KI.dcm"))
        with pytest.raises(ImageError, match="CT Image Storage.*Frame Of Reference UID"):
            encode_segmentation(regions(bare.data.shape), bare, "seg.dcm")
        dose = read_dicom(sample("rtdose.dcm"))
        with pytest.raises(ImageError, match="seg.dcm: no DICOM-SEG can be made for this RT Dose"):
            encode_segmentation(regions(dose.data.shape), dose, "seg.dcm")


@pytest.mark.parametrize(
    "charset, name",
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (None, "Plain^A"),
    ],
)
def test_names_of_patients_survive(tmp_path, charset, name):
    pytest.importorskip("highdicom")
    fields = dict(
        ImageOrientationPatient=AXIAL,
        ImagePositionPatient=[0, 0, 0],
        PixelSpacing=[1, 1],
        SliceThickness=1,
        PatientName=name,
        SpecificCharacterSet=charset,
    )
    scan = read_dicom(make(tmp_path / "a.dcm", volume(1)[0], **fields))
    ds = pydicom.dcmread(io.BytesIO(encode_segmentation(regions((6, 7)), scan, "seg.dcm", names={1: "Größe 大"})))
    assert str(ds.PatientName) == name and ds.SegmentSequence[0].SegmentLabel == "Größe 大"


def test_anonymous_files_can_be_segmented(tmp_path):
    pytest.importorskip("highdicom")
    path = make(
        tmp_path / "a.dcm",
        volume(1)[0],
        ImageOrientationPatient=AXIAL,
        ImagePositionPatient=[0, 0, 0],
        PixelSpacing=[1, 1],
        SliceThickness=1,
        PatientName=None,
        PatientID=None,
        StudyDate=None,
        StudyTime=None,
        SeriesNumber=None,
        Modality=None,
        PatientSex="X",
    )
    labels = regions((6, 7))
    assert (
        read_dicom(save(tmp_path, encode_segmentation(labels, read_dicom(path), "seg.dcm")), as_labels=True).data
        == labels
    ).all()


def test_overlap_and_fractions(tmp_path):
    hd = pytest.importorskip("highdicom")
    from pydicom.sr.codedict import codes

    scan = read_dicom(make_series(tmp_path / "scan", volume(3, 6, 7)))
    method = hd.AlgorithmIdentificationSequence("other", codes.cid7162.ArtificialIntelligence, "1")
    about = [
        hd.seg.SegmentDescription(k, f"s{k}", codes.SCT.Tissue, codes.SCT.Bone, "AUTOMATIC", method) for k in (1, 2)
    ]
    sources = [pydicom.dcmread(f) for f in scan.files]
    for s in sources:
        for k in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
            setattr(s, k, "")
    common = dict(
        series_instance_uid=uid("s"),
        series_number=1,
        sop_instance_uid=uid("i"),
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="1",
        device_serial_number="1",
    )
    masks = np.zeros((3, 6, 7, 2))
    masks[1, 1:4, 1:4, 0] = 1
    masks[1, 3:5, 3:5, 1] = 1
    expected = np.zeros((3, 6, 7), int)
    expected[1, 1:4, 1:4] = 1
    expected[1, 3:5, 3:5] = 2
    hd.seg.Segmentation(sources, masks.astype(np.uint8), "BINARY", about, omit_empty_frames=False, **common).save_as(
        tmp_path / "b.dcm"
    )
    with pytest.warns(UserWarning, match="segments overlap"):
        assert (read_dicom(tmp_path / "b.dcm", as_labels=True).data == expected).all()
    soft = masks * 0.9
    soft[1, 0, 0, 0] = 0.2
    hd.seg.Segmentation(sources, soft, "FRACTIONAL", about, omit_empty_frames=False, **common).save_as(
        tmp_path / "f.dcm"
    )
    with pytest.warns(UserWarning, match="segments overlap"):
        assert (read_dicom(tmp_path / "f.dcm", as_labels=True).data == expected).all()
    hd.seg.Segmentation(
        sources, expected.astype(np.uint8), "LABELMAP", about, omit_empty_frames=False, **common
    ).save_as(tmp_path / "l.dcm")
    assert (read_dicom(tmp_path / "l.dcm", as_labels=True).data == expected).all()


@pytest.mark.filterwarnings("ignore")
def test_damaged_segmentations(tmp_path, scan):
    whole = encode_segmentation(regions((6, 8, 9)), scan, "seg.dcm")
    dice, path = random.Random(0), tmp_path / "x.dcm"
    for k in range(60):
        raw = bytearray(whole[: dice.randrange(200, len(whole))] if k % 3 == 0 else whole)
        for _ in range(dice.choice((0, 1, 5)) if k % 3 == 0 else dice.choice((1, 5, 20))):
            raw[dice.randrange(132, len(raw))] = dice.randrange(256)
        path.write_bytes(raw)
        try:
            read_dicom(path, as_labels=True, max_pixels=40_000)
        except (ImageError, ImageTypeError, ImportError) as e:
            assert "x.dcm" in str(e)


def test_labels_of_other_files_are_their_numbers(tmp_path):
    stored = rng.integers(0, 9, (4, 6, 7)).astype(np.uint16)
    fields = dict(RescaleSlope=2, RescaleIntercept=-5, WindowCenter=3, WindowWidth=4)
    assert (read_dicom(make(tmp_path / "a.dcm", stored[0], **fields), as_labels=True).data == stored[0]).all()
    assert (read_dicom(make_series(tmp_path / "s", stored, **fields), as_labels=True).data == stored).all()
    assert (read_dicom(make(tmp_path / "f.dcm", stored, **fields), as_labels=True).data == stored).all()


# ---------- imports


def test_import_stays_light():
    code = "import sys, cuts.dicom; assert not {'pydicom', 'highdicom', 'nibabel', 'torch', 'PIL', 'scipy'} & set(sys.modules), sorted(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", ["pydicom", "highdicom"])
def test_missing_libraries_are_named(tmp_path, name, monkeypatch):
    path = make(tmp_path / "a.dcm", volume(1)[0])
    pixels = read_dicom(path)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[medical\]"'):
        if name == "pydicom":
            read_dicom(path)
        else:
            encode_segmentation(regions((6, 7)), pixels, "a.dcm")
    assert is_dicom(path)
