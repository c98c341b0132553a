"""NRRD, MetaImage and OME-Zarr as programs, hands and accidents leave them. ITK and zarr are the judges of what is in a good file."""

import gzip, io, itertools, json, os, random, shutil, subprocess, sys, time, tracemalloc, warnings, zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

nibabel = pytest.importorskip("nibabel")
sitk = pytest.importorskip("SimpleITK")
zarr = pytest.importorskip("zarr")
import numcodecs

from cuts.images import read_image, read_labels
from cuts.pixels import VOLUME_AXES, ImageError, ImageTypeError, Pixels
from cuts.volumes import ITK_SUFFIXES, encode_itk, is_zarr, read_itk, read_zarr

rng = np.random.default_rng(0)
TURNS = [(p, s) for p in itertools.permutations(range(3)) for s in itertools.product((1, -1), repeat=3)]
REFUSED = (ImageError, ImageTypeError, ImportError)
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def turned(p, s):
    return (np.eye(3)[list(p)] * np.array(s)[:, None]).T  # columns are the directions of x, y, z


def itk_image(array, spacing=None, origin=None, direction=None, vector=False):
    im = sitk.GetImageFromArray(np.ascontiguousarray(array), isVector=vector)
    if spacing is not None:
        im.SetSpacing([float(s) for s in spacing])
    if origin is not None:
        im.SetOrigin([float(o) for o in origin])
    if direction is not None:
        im.SetDirection([float(d) for d in np.ravel(direction)])
    return im


def save(path, *args, packed=True, **kwargs):
    sitk.WriteImage(itk_image(*args, **kwargs), str(path), packed)
    return path


def agrees(pixels, im, n=40):
    "Whether the same values lie at the same places as in an ITK image, for some voxels."
    theirs, size = sitk.GetArrayFromImage(im), im.GetSize()
    inverse = np.linalg.inv(pixels.affine)
    for _ in range(n):
        index = [int(rng.integers(0, k)) for k in size]
        point = np.array(im.TransformIndexToPhysicalPoint(index))
        point = np.r_[point, [0.0] * (3 - len(point))]
        ours = inverse @ [-point[0], -point[1], point[2], 1]
        near = np.rint(ours[:3]).astype(int)
        assert np.allclose(ours[:3], near, atol=1e-3)
        spatial = pixels.data.ndim - (pixels.channel_axis == -1)
        if spatial == 2:
            assert near[2] == 0
        assert np.array_equal(pixels.data[tuple(near[:spatial])], theirs[tuple(index[::-1])], equal_nan=True)


def nrrd(path, lines, data=b"", end="\n"):
    path.write_bytes(end.join(["NRRD0004", *lines, "", ""]).encode() + data)
    return path


def meta(path, lines, data=b"", end="\n", file="LOCAL"):
    path.write_bytes((end.join(["ObjectType = Image", *lines, f"ElementDataFile = {file}"]) + end).encode() + data)
    return path


# ---------- directions


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_every_order_of_axes_goes_there_and_back(tmp_path, ending):
    for k, (p, s) in enumerate(TURNS):
        array = rng.integers(0, 1000, (4, 5, 6)).astype(np.int16)
        source = save(
            tmp_path / f"a{ending}", array, (0.5, 0.75, 2), (-10.25, 20.5, 30.125), turned(p, s), packed=k % 2 == 0
        )
        im, got = sitk.ReadImage(str(source)), read_itk(source)
        assert (
            nibabel.aff2axcodes(got.affine) == VOLUME_AXES
            and got.unit == "mm"
            and got.channel_axis == "none"
            and got.data.dtype == np.int16
        )
        assert got.spacing == tuple(np.linalg.norm(got.affine[:3, :3], axis=0))
        agrees(got, im)
        for other in (".nrrd", ".mha"):
            labels = rng.integers(0, 300, got.data.shape)
            (tmp_path / f"l{other}").write_bytes(encode_itk(labels, got, tmp_path / f"l{other}"))
            again, theirs = (
                read_itk(tmp_path / f"l{other}", as_labels=True),
                sitk.ReadImage(str(tmp_path / f"l{other}")),
            )
            assert (again.data == labels).all() and again.data.dtype == np.uint16
            assert (
                (again.affine == got.affine).all() and again.file_axes == got.file_axes and again.spacing == got.spacing
            )
            assert (
                theirs.GetSize() == im.GetSize()
                and theirs.GetSpacing() == im.GetSpacing()
                and theirs.GetOrigin() == im.GetOrigin()
                and theirs.GetDirection() == im.GetDirection()
            )
            agrees(again, theirs)


def test_the_affine_is_that_of_nibabel(tmp_path):
    for p, s in TURNS:
        array = rng.integers(0, 1000, (4, 5, 6)).astype(np.int16)
        im = itk_image(array, (0.5, 0.75, 2), (-10.25, 20.5, 30.125), turned(p, s))
        for name in ("a.nrrd", "a.mha", "a.nii"):
            sitk.WriteImage(im, str(tmp_path / name))
        theirs = read_image(tmp_path / "a.nii", window=(0, 1000))
        for name in ("a.nrrd", "a.mha"):
            ours = read_itk(tmp_path / name)
            assert (
                np.allclose(ours.affine, theirs.affine, atol=1e-4)
                and ours.file_axes == theirs.file_axes
                and np.allclose(theirs.values()[0], ours.data, atol=1e-3)
            )


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_oblique_and_sheared(tmp_path, ending):
    a, b = 0.3, -0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    sheared = turn.copy()
    sheared[:, 2] = (turn[:, 2] + 0.2 * turn[:, 1]) / np.linalg.norm(turn[:, 2] + 0.2 * turn[:, 1])
    for direction in (turn, sheared, -turn[:, [2, 0, 1]]):
        source = save(
            tmp_path / f"a{ending}",
            rng.normal(size=(4, 5, 6)).astype(np.float32),
            (0.3, 1.7, 2.9),
            (-100.5, 20.25, 3),
            direction,
        )
        got = read_itk(source)
        agrees(got, sitk.ReadImage(str(source)))
        (tmp_path / f"l{ending}").write_bytes(
            encode_itk(np.arange(got.data.size).reshape(got.data.shape), got, f"l{ending}")
        )
        again = read_itk(tmp_path / f"l{ending}")
        assert np.allclose(again.affine, got.affine, atol=1e-9) and again.file_axes == got.file_axes
        agrees(again, sitk.ReadImage(str(tmp_path / f"l{ending}")))


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_planes_have_rows_and_columns(tmp_path, ending):
    for direction in ([1, 0, 0, 1], [0, 1, 1, 0], [-1, 0, 0, 1], [0.6, -0.8, 0.8, 0.6]):
        source = save(
            tmp_path / f"a{ending}", rng.integers(0, 9, (5, 6)).astype(np.uint8), (0.5, 2), (10, -3.5), direction
        )
        got, im = read_itk(source), sitk.ReadImage(str(source))
        assert (
            (got.data == sitk.GetArrayFromImage(im)).all()
            and np.allclose(got.spacing, (2, 0.5))
            and got.unit == "mm"
            and got.file_axes is None
        )
        agrees(got, im)
        (tmp_path / f"l{ending}").write_bytes(encode_itk(got.data, got, f"l{ending}"))
        again, theirs = read_itk(tmp_path / f"l{ending}"), sitk.ReadImage(str(tmp_path / f"l{ending}"))
        assert (again.data == got.data).all() and np.allclose(again.affine, got.affine)
        assert (
            theirs.GetDimension() == 2
            and np.allclose(theirs.GetOrigin(), im.GetOrigin())
            and np.allclose(theirs.GetDirection(), im.GetDirection())
        )


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
@pytest.mark.parametrize("thin", [0, 1, 2])
def test_a_volume_one_plane_thick_is_a_plane(tmp_path, ending, thin):
    shape = [4, 5, 6]
    shape[thin] = 1
    for p, s in TURNS[::5]:
        source = save(
            tmp_path / f"a{ending}",
            rng.integers(0, 99, shape).astype(np.uint8),
            (0.5, 0.75, 2),
            (-10, 20, 30),
            turned(p, s),
        )
        got, im = read_itk(source), sitk.ReadImage(str(source))
        assert got.data.ndim == 2 and len(got.spacing) == 2
        agrees(got, im)
        (tmp_path / f"l{ending}").write_bytes(encode_itk(got.data, got, f"l{ending}"))
        again, theirs = read_itk(tmp_path / f"l{ending}"), sitk.ReadImage(str(tmp_path / f"l{ending}"))
        assert (
            (again.data == got.data).all()
            and np.allclose(again.affine, got.affine)
            and again.file_axes == got.file_axes
        )
        assert (
            theirs.GetSize() == im.GetSize()
            and np.allclose(theirs.GetSpacing(), im.GetSpacing())
            and np.allclose(theirs.GetOrigin(), im.GetOrigin())
        )


def test_singular_directions(tmp_path):
    for said in ("(1,0,0) (0,0,0) (0,0,2)", "(1,0,0) (1,0,0) (0,0,2)", "(1,0,0) (0,nan,0) (0,0,2)"):
        path = nrrd(
            tmp_path / "a.nrrd",
            ["type: uint8", "dimension: 3", "space: LPS", "sizes: 4 3 2", f"space directions: {said}", "encoding: raw"],
            bytes(24),
        )
        with pytest.warns(UserWarning, match="a.nrrd: its directions are singular"):
            got = read_itk(path)
        assert got.spacing == (2, 1, 1) and got.unit == "mm" and got.file_axes == "LPS"
    path = meta(
        tmp_path / "a.mha", ["NDims = 2", "DimSize = 4 3", "ElementSpacing = 0 2", "ElementType = MET_UCHAR"], bytes(12)
    )
    with pytest.warns(UserWarning, match="singular"):
        assert read_itk(path).spacing == (2, 1)


def test_nanometres_are_not_singular(tmp_path):
    got = read_itk(save(tmp_path / "a.nrrd", np.zeros((3, 4, 5), np.uint8), [8e-6] * 3))
    assert np.allclose(got.spacing, 8e-6, rtol=1e-9) and got.file_axes == "LPS"


# ---------- numbers


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nhdr", ".mhd"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_of_pixels(tmp_path, ending, packed):
    for code in TYPES:
        for shape in ((5, 6), (4, 5, 6)):
            low, high = (-1e6, 1e6) if code[0] == "f" else (np.iinfo(code).min, np.iinfo(code).max)
            array = rng.uniform(low, high, shape).astype(code)
            source = save(tmp_path / f"a{ending}", array, packed=packed)
            got = read_itk(source)
            assert (
                (got.data == array).all()
                and got.data.dtype == array.dtype
                and got.data.dtype.isnative
                and got.unit == "mm"
            )
        for c in (2, 3, 4, 7):
            for shape in ((5, 6), (4, 5, 6)):
                array = rng.uniform(0, 100, (*shape, c)).astype(code)
                got = read_itk(save(tmp_path / f"v{ending}", array, vector=True, packed=packed))
                assert (
                    (got.data == array).all()
                    and got.channel_axis == -1
                    and got.alpha is False
                    and len(got.spacing) == len(shape)
                )


def test_complex_and_other_types_are_refused(tmp_path):
    save(tmp_path / "c.nrrd", np.ones((4, 5), np.complex64))
    assert read_itk(tmp_path / "c.nrrd").data.shape == (4, 5, 2)  # real and imaginary part, as channels
    with pytest.raises(ImageTypeError, match="a.nrrd: values of type 'block'"):
        read_itk(
            nrrd(
                tmp_path / "a.nrrd",
                ["type: block", "block size: 4", "dimension: 2", "sizes: 2 2", "encoding: raw"],
                bytes(16),
            )
        )
    with pytest.raises(ImageTypeError, match="a.mha: values of type 'MET_STRING'"):
        read_itk(meta(tmp_path / "a.mha", ["NDims = 2", "DimSize = 2 2", "ElementType = MET_STRING"], bytes(16)))


HAND_NRRD = [
    ["space: right-anterior-superior", "space directions: (0.5,0,0) (0,2,0) (0,0,3)", "space origin: (1,2,3)"],
    ["space: LAS", "space directions: (0,0.5,0) (2,0,0) (0,0,-3)", "space origin: (1,2,3)"],
    ["space: left-posterior-superior", "space directions: (0.5,0.1,0) (0,2,0.2) (0,0,3)"],
    ["space: 3D-right-handed", "space directions: (0.5,0,0) (0,2,0) (0,0,3)", "space origin: (1,2,3)"],
    ["space: scanner-xyz", "space directions: (0.5,0,0) (0,2,0) (0,0,3)", "space origin: (1,2,3)"],
    ["space dimension: 3", "space directions: (0.5,0,0) (0,2,0) (0,0,3)", "space origin: (1,2,3)"],
    [
        "space: LPS",
        "space directions: (0.5,0,0) (0,2,0) (0,0,3)",
        "space origin: (1,2,3)",
        "kinds: domain domain domain",
        "# note",
        "key:=value: more",
        "measurement frame: (1,0,0) (0,1,0) (0,0,1)",
    ],
    ["spacings: 0.5 2 3"],
    ["spacings: 0.5 2 3", "kinds: space space domain", 'units: "mm" "mm" "mm"'],
]


@pytest.mark.parametrize("lines", HAND_NRRD, ids=lambda v: v[0])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_nrrd_by_hand_is_as_itk_reads_it(tmp_path, lines, end):
    array = rng.integers(0, 999, (4, 5, 6)).astype(">i2")
    for packing, data in (
        ("raw", array.tobytes()),
        ("gzip", gzip.compress(array.tobytes())),
        ("ascii", " ".join(map(str, array.ravel())).encode()),
    ):
        space = [line for line in lines if line.startswith("space:") or line.startswith("space dim")]
        path = nrrd(
            tmp_path / "a.nrrd",
            [
                "type: short",
                "dimension: 3",
                *space,
                "sizes: 6 5 4",
                "endian: big",
                f"encoding: {packing}",
                *[line for line in lines if line not in space],
            ],
            data,
            end,
        )
        got = read_itk(path)
        assert got.unit == "mm" and got.data.dtype == np.int16
        agrees(got, sitk.ReadImage(str(path)))


@pytest.mark.parametrize(
    "kinds, sizes, said",
    [
        ("3-color domain domain", "3 6 5", "none (1,0) (0,2)"),
        ("domain RGB-color domain", "6 3 5", "(1,0) none (0,2)"),
        ("domain domain vector", "6 5 3", "(1,0) (0,2) none"),
    ],
)
def test_channels_of_nrrd_go_last(tmp_path, kinds, sizes, said):
    array = rng.integers(0, 256, [int(n) for n in sizes.split()][::-1]).astype(np.uint8)
    path = nrrd(
        tmp_path / "a.nrrd",
        [
            "type: uint8",
            "dimension: 3",
            "space dimension: 2",
            f"sizes: {sizes}",
            f"space directions: {said}",
            f"kinds: {kinds}",
            "encoding: raw",
        ],
        array.tobytes(),
    )
    got, theirs = read_itk(path), sitk.ReadImage(str(path))
    assert got.data.shape == (5, 6, 3) and got.spacing == (2, 1) and (got.data == sitk.GetArrayFromImage(theirs)).all()


def test_transparency_is_known(tmp_path):
    for kind, alpha in (("RGBA-color", True), ("4-color", False), ("vector", False)):
        path = nrrd(
            tmp_path / "a.nrrd",
            ["type: uint8", "dimension: 3", "sizes: 4 6 5", f"kinds: {kind} domain domain", "encoding: raw"],
            bytes(range(120)),
        )
        got = read_itk(path)
        assert got.alpha is alpha and got.channel_axis == -1 and got.data.shape == (5, 6, 4)


def test_byte_skip(tmp_path):
    data = bytes(range(24))
    common = ["type: uint8", "dimension: 3", "sizes: 4 3 2", "kinds: domain domain domain"]
    for skip, encoding, content in (
        (5, "raw", b"12345" + data),
        (-1, "raw", b"junk" + data),
        (5, "gzip", gzip.compress(b"12345" + data)),
        (0, "raw", data + b"more"),
    ):
        got = read_itk(nrrd(tmp_path / "a.nrrd", [*common, f"encoding: {encoding}", f"byte skip: {skip}"], content))
        assert (got.data.ravel() == np.arange(24)).all()
        (tmp_path / "d.raw").write_bytes(content)
        assert (
            read_itk(
                nrrd(tmp_path / "d.nhdr", [*common, f"encoding: {encoding}", f"byte skip: {skip}", "data file: d.raw"])
            ).data.ravel()
            == np.arange(24)
        ).all()
    for skip, encoding in ((-2, "raw"), (-1, "gzip"), (10**15, "gzip"), (10**17, "raw"), (5, "raw")):
        with pytest.raises(ImageError, match="a.nrrd"):
            read_itk(
                nrrd(
                    tmp_path / "a.nrrd",
                    [*common, f"encoding: {encoding}", f"byte skip: {skip}"],
                    gzip.compress(data) if encoding == "gzip" else data,
                )
            )
    with pytest.raises(ImageError, match="line skip"):
        read_itk(nrrd(tmp_path / "a.nrrd", [*common, "encoding: raw", "line skip: 2"], data))


def test_nrrd_units(tmp_path):
    common = [
        "type: uint8",
        "dimension: 3",
        "space: LPS",
        "sizes: 4 3 2",
        "space directions: (1,0,0) (0,2,0) (0,0,3)",
        "encoding: raw",
    ]
    for unit, mm in (
        ("mm", 1),
        ("microns", 1e-3),
        ("µm", 1e-3),
        ("um", 1e-3),
        ("nm", 1e-6),
        ("cm", 10),
        ("furlong", 1),
        ("", 1),
    ):
        got = read_itk(nrrd(tmp_path / "a.nrrd", [*common, f'space units: "{unit}" "{unit}" "{unit}"'], bytes(24)))
        assert np.allclose(got.spacing, np.array([3, 2, 1]) * mm) and got.unit == "mm"
    got = read_itk(
        nrrd(
            tmp_path / "a.nrrd",
            ["type: uint8", "dimension: 2", "sizes: 4 3", "spacings: 2 3", 'units: "um" "um"', "encoding: raw"],
            bytes(12),
        )
    )
    assert np.allclose(got.spacing, (3e-3, 2e-3))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "lines, data",
    [
        (["ElementSpacing = 0.5 2 3", "Offset = 1 2 3", "TransformMatrix = 0 1 0 1 0 0 0 0 -1"], "<i2"),
        (["ElementSize = 0.5 2 3", "Position = 1 2 3", "Rotation = 0 1 0 0 0 1 1 0 0"], "<i2"),
        (
            [
                "ElementSpacing = 0.5 2 3",
                "Origin = 1 2 3",
                "Orientation = -1 0 0 0 1 0 0 0 1",
                "BinaryDataByteOrderMSB = True",
            ],
            ">i2",
        ),
        (["Comment = x: y", "ElementSpacing : 0.5 2 3", "ElementByteOrderMSB = True"], ">i2"),
        (["ElementSpacing = 0.5 2 3", "BinaryData = False"], "text"),
        (["ElementSpacing = 0.5 2 3", "CompressedData = True"], "zlib"),
        (["ElementSpacing = 0.5 2 3", "HeaderSize = -1"], "end"),
        (["Offset = 1 2 3"], "<i2"),
    ],
)
def test_meta_by_hand_is_as_itk_reads_it(tmp_path, lines, data, end):
    array = rng.integers(0, 999, (4, 5, 6))
    content = {
        "text": " ".join(map(str, array.ravel())).encode() + b"\n",
        "zlib": zlib.compress(array.astype("<i2").tobytes()),
        "end": b"junk" + array.astype("<i2").tobytes(),
    }.get(data) or array.astype(data).tobytes()
    if data == "zlib":
        lines = [*lines, f"CompressedDataSize = {len(content)}"]
    path = meta(tmp_path / "a.mha", ["NDims = 3", "DimSize = 6 5 4", *lines, "ElementType = MET_SHORT"], content, end)
    got = read_itk(path)
    assert got.unit == "mm" and got.data.dtype == np.int16
    if end == "\n":
        agrees(got, sitk.ReadImage(str(path)))
    else:
        assert sorted(got.data.ravel()) == sorted(array.ravel())


def test_every_type_of_meta_is_that_of_itk(tmp_path):
    for kind in (
        "CHAR",
        "UCHAR",
        "SHORT",
        "USHORT",
        "INT",
        "UINT",
        "LONG",
        "ULONG",
        "LONG_LONG",
        "ULONG_LONG",
        "FLOAT",
        "DOUBLE",
    ):
        path = meta(
            tmp_path / "a.mha",
            ["NDims = 2", "DimSize = 5 4", "ElementSpacing = 1 1", f"ElementType = MET_{kind}"],
            bytes(rng.integers(0, 60, 160).astype(np.uint8)),
        )
        theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        assert (read_itk(path).data == theirs).all() and read_itk(path).data.dtype == theirs.dtype, kind


def test_header_size_of_a_detached_file(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"12345" + bytes(range(12)))
    for skip in (5, -1):
        got = read_itk(
            meta(
                tmp_path / "a.mhd",
                ["NDims = 2", "DimSize = 4 3", f"HeaderSize = {skip}", "ElementType = MET_UCHAR"],
                file="a.raw",
            )
        )
        assert (got.data.ravel() == np.arange(12)).all() and (got.unit, got.spacing, got.affine) == ("px", (), None)


def test_what_says_nothing_is_in_pixels(tmp_path):
    data = bytes(range(24))
    for path in (
        nrrd(tmp_path / "a.nrrd", ["type: uint8", "dimension: 3", "sizes: 4 3 2", "encoding: raw"], data),
        nrrd(
            tmp_path / "b.nrrd",
            ["type: uint8", "dimension: 3", "sizes: 4 3 2", "kinds: domain domain domain", "encoding: raw"],
            data,
        ),
        meta(tmp_path / "a.mha", ["NDims = 3", "DimSize = 4 3 2", "ElementType = MET_UCHAR"], data),
        meta(
            tmp_path / "b.mha",
            [
                "NDims = 3",
                "DimSize = 4 3 2",
                "TransformMatrix = 1 0 0 0 1 0 0 0 1",
                "Offset = 0 0 0",
                "ElementType = MET_UCHAR",
            ],
            data,
        ),
    ):
        got = read_itk(path)
        assert (got.spacing, got.unit, got.affine, got.file_axes) == ((), "px", None, None) and (
            got.data == np.arange(24).reshape(2, 3, 4)
        ).all()
        assert got.channel_axis == (None if path.name == "a.nrrd" else "none")
    assert read_itk(tmp_path / "a.nrrd", channel_axis=0).channel_axis == 0
    assert read_itk(
        meta(tmp_path / "a.mha", ["NDims = 3", "DimSize = 4 3 1", "ElementType = MET_UCHAR"], data)
    ).data.shape == (3, 4)


# ---------- series


def test_series_are_refused_unless_they_are_channels(tmp_path):
    for n in (2, 4, 5, 9):
        array = rng.integers(0, 99, (n, 3, 4, 5)).astype(np.int16)
        for ending in (".nrrd", ".mha"):
            path = save(tmp_path / f"a{ending}", array, (1, 2, 3, 4))
            if n > 4:
                with pytest.raises(
                    ImageError,
                    match=rf"a{ending}: sizes \[5, 4, 3, {n}\], a series of {n} images. Take one of them, or pass channel_axis=3",
                ):
                    read_itk(path)
            for axis in (3, -1) if n > 4 else (None, 3):
                got = read_itk(path, channel_axis=axis)
                assert (
                    (got.data == np.moveaxis(array, 0, -1)).all()
                    and got.channel_axis == -1
                    and got.spacing == (3, 2, 1)
                    and got.file_axes == "LPS"
                )
    for ending in (".nrrd", ".mha"):
        assert (read_itk(save(tmp_path / f"a{ending}", array[:1], (1, 2, 3, 4))).data == array[0]).all()
        with pytest.raises(ImageError, match="series of 9 images"):
            read_itk(save(tmp_path / f"a{ending}", array), channel_axis=2)


def test_lists_of_nrrd(tmp_path):
    for n, kind in ((3, "list"), (9, "list"), (9, "time"), (9, "vector"), (9, "3D-matrix")):
        array = rng.integers(0, 99, (4, 5, 6, n)).astype(np.uint8)
        path = nrrd(
            tmp_path / "a.nrrd",
            [
                "type: uint8",
                "dimension: 4",
                "space: RAS",
                f"sizes: {n} 6 5 4",
                "space directions: none (1,0,0) (0,1,0) (0,0,1)",
                f"kinds: {kind} domain domain domain",
                "encoding: gzip",
            ],
            gzip.compress(array.tobytes()),
        )
        if n > 4 and kind in ("list", "time"):
            with pytest.raises(ImageError, match="series of 9 images.*pass channel_axis=0"):
                read_itk(path)
        assert (read_itk(path, channel_axis=0).data == array[:, ::-1, ::-1]).all()
    path = nrrd(
        tmp_path / "a.nrrd",
        ["type: uint8", "dimension: 5", "sizes: 2 6 5 4 2", "kinds: vector domain domain domain list", "encoding: raw"],
        bytes(480),
    )
    with pytest.raises(ImageError, match=r"sizes \[2, 6, 5, 4, 2\], a series of 4 images. Take one of them.$"):
        read_itk(path, channel_axis=0)
    for sizes, n in (("7", 1), ("7 1 1", 3)):
        path = nrrd(
            tmp_path / "a.nrrd",
            ["type: uint8", f"dimension: {n}", f"sizes: {sizes}", "kinds: domain" + " list" * (n - 1), "encoding: raw"],
            bytes(7),
        )
        with pytest.raises(ImageError, match="of which 1 lie in space"):
            read_itk(path)


# ---------- data beside the header


@pytest.mark.parametrize(
    "name",
    [
        "../secret.raw",
        "/etc/hostname",
        "{folder}/secret.raw",
        "sub/secret.raw",
        "..",
        ".",
        "LIST",
        "LIST 2",
        "s%03d.raw 1 4 1",
        "s%d.raw",
        "C:\\secret.raw",
        "C:secret.raw",
        "sub\\secret.raw",
        "",
    ],
)
def test_data_outside_the_folder_are_refused(tmp_path, name):
    (tmp_path / "sub").mkdir()
    (tmp_path / "in").mkdir()
    for f in ("secret.raw", "sub/secret.raw", "in/s1.raw"):
        (tmp_path / f).write_bytes(bytes(24))
    name = name.format(folder=tmp_path)
    for path in (
        nrrd(
            tmp_path / "in" / "a.nhdr",
            ["type: uint8", "dimension: 2", "sizes: 4 3", "encoding: raw", f"data file: {name}"],
        ),
        nrrd(
            tmp_path / "in" / "b.nhdr",
            ["type: uint8", "dimension: 2", "sizes: 4 3", "encoding: raw", f"DataFile: {name}"],
        ),
        meta(tmp_path / "in" / "a.mhd", ["NDims = 2", "DimSize = 4 3", "ElementType = MET_UCHAR"], file=name),
    ):
        with pytest.raises(
            ImageError, match=f"{path.name}: its numbers are in .*, expected one file in the same folder"
        ):
            read_itk(path)


def test_data_beside_the_header(tmp_path, monkeypatch):
    for name in ("a.raw", "name with spaces.raw", "größe.raw", "-x.raw"):
        (tmp_path / name).write_bytes(bytes(range(12)))
        for path in (
            nrrd(
                tmp_path / "a.nhdr",
                ["type: uint8", "dimension: 2", "sizes: 4 3", "encoding: raw", f"data file: {name}"],
            ),
            meta(tmp_path / "a.mhd", ["NDims = 2", "DimSize = 4 3", "ElementType = MET_UCHAR"], file=name),
        ):
            assert (read_itk(path).data.ravel() == np.arange(12)).all()
            monkeypatch.chdir(tmp_path)
            assert (read_itk(path.name).data.ravel() == np.arange(12)).all()
    for path in (
        nrrd(
            tmp_path / "a.nhdr", ["type: uint8", "dimension: 2", "sizes: 4 3", "encoding: raw", "data file: gone.raw"]
        ),
        meta(tmp_path / "a.mhd", ["NDims = 2", "DimSize = 4 3", "ElementType = MET_UCHAR"], file="gone.raw"),
    ):
        with pytest.raises(ImageError, match=f"{path.name}: its numbers are in 'gone.raw', which is not there"):
            read_itk(path)
    path.write_bytes(path.read_bytes().replace(b"gone.raw", b"pipe"))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ImageError, match="'pipe', which is not there"):
            read_itk(path)


# ---------- files that are none


def test_the_first_bytes_decide(tmp_path):
    save(tmp_path / "a.nrrd", np.ones((4, 5), np.uint8))
    shutil.copy(tmp_path / "a.nrrd", tmp_path / "b.mha")
    assert read_itk(tmp_path / "b.mha").data.shape == (4, 5)
    for content in (
        b"",
        b"\x89PNG\r\n\x1a\n" + bytes(99),
        b"NRRD",
        b"hello: world\n",
        b"\0\0ObjectType = Image\nNDims = 2\n",
        bytes(5000),
    ):
        (tmp_path / "x.mha").write_bytes(content)
        with pytest.raises(ImageError, match="x.mha: neither NRRD nor MetaImage"):
            read_itk(tmp_path / "x.mha")
    with pytest.raises(FileNotFoundError, match="gone.nrrd"):
        read_itk(tmp_path / "gone.nrrd")
    with pytest.raises(ImageError, match="no file but a folder"):
        read_itk(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.mha")
        with pytest.raises(ImageError, match="no file but a folder or a device"):
            read_itk(tmp_path / "pipe.mha")
    (tmp_path / "x.mha").write_bytes(b"ObjectType = Mesh\nNDims = 3\nElementDataFile = LOCAL\n")
    with pytest.raises(ImageError, match="a MetaIO 'Mesh', which has no pixels"):
        read_itk(tmp_path / "x.mha")


@pytest.mark.parametrize(
    "size",
    [
        "1000000 1000000",
        "1000000 1000000 1000000",
        "99999999999 1",
        "0 5",
        "-3 5",
        "5",
        "5 5 5 5",
        "1e3 5",
        "5 x",
        "99999999999999999999999 5",
        "5 5 nan",
    ],
)
def test_absurd_sizes_are_refused_at_once(tmp_path, size):
    n = min(len(size.split()), 3)
    for path in (
        nrrd(
            tmp_path / "a.nrrd",
            ["type: double", f"dimension: {n}", f"sizes: {size}", "encoding: gzip", "kinds:" + " domain" * n],
            gzip.compress(bytes(1000)),
        ),
        meta(
            tmp_path / "a.mha",
            [f"NDims = {n}", f"DimSize = {size}", "CompressedData = True", "ElementType = MET_DOUBLE"],
            zlib.compress(bytes(1000)),
        ),
    ):
        tracemalloc.start()
        start = time.perf_counter()
        with pytest.raises(ImageError, match=path.name):
            read_itk(path)
        assert time.perf_counter() - start < 1 and tracemalloc.get_traced_memory()[1] < 5e6
        tracemalloc.stop()


def test_channels_beyond_four_count(tmp_path):
    for path in (
        nrrd(
            tmp_path / "a.nrrd",
            ["type: uint8", "dimension: 3", "sizes: 1000000 10 10", "kinds: vector domain domain", "encoding: raw"],
            bytes(9),
        ),
        meta(
            tmp_path / "a.mha",
            ["NDims = 2", "DimSize = 10 10", "ElementNumberOfChannels = 1000000", "ElementType = MET_UCHAR"],
            bytes(9),
        ),
    ):
        with pytest.raises(ImageError, match="100,000,000 pixels, more than the cap of 1,000,000"):
            read_itk(path, max_pixels=10**6)
    with pytest.raises(ImageError, match="a.nrrd: 5 × 6 is 30 pixels, more than the cap of 29. Pass max_pixels=30"):
        read_itk(save(tmp_path / "a.nrrd", np.zeros((5, 6), np.uint8)), max_pixels=29)
    assert read_itk(tmp_path / "a.nrrd", max_pixels=30).data.shape == (5, 6)


def test_bombs(tmp_path):
    bomb = zlib.compress(bytes(10**8), 9)
    few = [
        nrrd(
            tmp_path / "a.nrrd",
            ["type: uint8", "dimension: 2", "sizes: 30 20", "encoding: gzip", "kinds: domain domain"],
            gzip.compress(bytes(10**8)),
        ),
        meta(
            tmp_path / "a.mha",
            [
                "NDims = 2",
                "DimSize = 30 20",
                "CompressedData = True",
                f"CompressedDataSize = {10**15}",
                "ElementType = MET_UCHAR",
            ],
            bomb,
        ),
    ]
    many = [
        nrrd(
            tmp_path / "b.nrrd",
            ["type: uint8", "dimension: 2", "sizes: 30000 2000", "encoding: raw", "kinds: domain domain"],
            bytes(100),
        ),
        nrrd(
            tmp_path / "c.nrrd",
            ["type: uint8", "dimension: 2", "sizes: 30000 2000", "encoding: ascii", "kinds: domain domain"],
            b"1 " * 100,
        ),
        nrrd(
            tmp_path / "d.nrrd",
            ["type: uint8", "dimension: 2", "sizes: 30000 2000", "encoding: gzip", "kinds: domain domain"],
            gzip.compress(bytes(100)),
        ),
        meta(
            tmp_path / "b.mha",
            ["NDims = 2", "DimSize = 30000 2000", "CompressedData = True", "ElementType = MET_UCHAR"],
            zlib.compress(bytes(100)),
        ),
    ]
    tracemalloc.start()
    for path in few:
        assert read_itk(path).data.shape == (20, 30)
    for path in many:
        with pytest.raises(ImageError, match="cut short"):
            read_itk(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_endless_headers(tmp_path):
    for content, what in (
        (b"NRRD0004\n" + b"# x\n" * 300_000, "no end of the header"),
        (b"NRRD0004\n" + b"x" * 1_200_000, "no end of the header"),
        (b"ObjectType = Image\n" + b"x" * 1_200_000, "which is no field|no end"),
        (b"ObjectType = Image\n" + b"".join(b"x%d = 1\n" % i for i in range(120_000)), "no end of the header"),
        (b"ObjectType = Image\n" + b"a" + b" " * 1_200_000, "no end of the header"),
    ):
        (tmp_path / "a.mha").write_bytes(content)
        start = time.perf_counter()
        with pytest.raises(ImageError, match=what):
            read_itk(tmp_path / "a.mha")
        assert time.perf_counter() - start < 3


@pytest.mark.parametrize(
    "line, why",
    [
        ("sizes: 4 3", "twice"),
        ("nonsense", "no field"),
        ("kinds: domain", "for the kinds of 2 axes"),
        ("kinds: domain dominion", "for the kinds of 2 axes"),
        ("space: left-right-up", "the space .left-right-up"),
        ("spaze: LPS", "no field"),
        ("spacings: 1 2 3", "expected 2 numbers"),
        ("spacings: 1 x", "could not convert"),
        ("space origin: (1,2) (3)", "different length"),
        ("space directions: (1,0)", "1 directions of 2 axes"),
        ("space directions: (1,0) (0,1,2)", "different length"),
    ],
)
def test_damaged_lines_of_nrrd(tmp_path, line, why):
    path = nrrd(tmp_path / "a.nrrd", ["type: uint8", "dimension: 2", "sizes: 4 3", "encoding: raw", line], bytes(12))
    with pytest.raises(ImageError, match=f"a.nrrd.*{why}"):
        read_itk(path)
    for field in ("type", "dimension", "sizes", "encoding"):
        path.write_bytes(path.read_bytes().replace(field.encode() + b":", b"content%s:" % field.encode()))
        with pytest.raises(ImageError, match="a.nrrd"):
            read_itk(path)
    with pytest.raises(ImageError, match="encoding 'bzip2', expected raw, gzip or ascii"):
        read_itk(nrrd(tmp_path / "a.nrrd", ["type: uint8", "dimension: 2", "sizes: 4 3", "encoding: bzip2"], bytes(12)))


@pytest.mark.parametrize(
    "line, why",
    [
        ("DimSize = 4 3", "twice"),
        ("nonsense", "no field"),
        ("ElementSpacing = 1", "expected 2 numbers"),
        ("Offset = 1 2 3", "expected 2 numbers"),
        ("TransformMatrix = 1 0 0", "expected 4 numbers"),
        ("HeaderSize = 99999", "cut short"),
        ("ElementNumberOfChannels = -2", "impossible sizes"),
        ("ElementNumberOfChannels = 2 2", "expected 1 whole number"),
    ],
)
def test_damaged_lines_of_meta(tmp_path, line, why):
    with pytest.raises(ImageError, match=f"a.mha.*{why}"):
        read_itk(meta(tmp_path / "a.mha", ["NDims = 2", "DimSize = 4 3", line, "ElementType = MET_UCHAR"], bytes(12)))
    for n in ("0", "255", "-1", "1e99", "65536", "99999999999999999999"):  # some of which end the process in ITK
        with pytest.raises(ImageError, match="a.mha"):
            read_itk(meta(tmp_path / "a.mha", [f"NDims = {n}", "DimSize = 4 3", "ElementType = MET_UCHAR"], bytes(12)))


def good_files(tmp_path):
    array = rng.integers(0, 99, (4, 5, 6)).astype(np.int16)
    return [
        save(tmp_path / f"{packed}{ending}", array, (1, 2, 3), (4, 5, 6), packed=packed)
        for ending in (".nrrd", ".mha")
        for packed in (False, True)
    ]


def test_cut_short(tmp_path, capfd):
    for path in good_files(tmp_path):
        whole = path.read_bytes()
        for n in {*range(0, len(whole), 7), len(whole) - 1, len(whole) - 4, len(whole) - 5, len(whole) - 9}:
            (tmp_path / f"cut{path.suffix}").write_bytes(whole[:n])
            with pytest.raises(ImageError, match=f"cut{path.suffix}"):
                read_itk(tmp_path / f"cut{path.suffix}")
    assert capfd.readouterr() == ("", "")  # nothing is said beside the error


@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes(tmp_path):
    dice, counts = random.Random(0), dict(read=0, refused=0)
    tracemalloc.start()
    for path in good_files(tmp_path):
        whole = path.read_bytes()
        for k in range(200):
            raw, target = bytearray(whole), tmp_path / f"bad{path.suffix}"
            for _ in range(dice.choice((1, 1, 3))):
                raw[dice.randrange(len(raw) if k % 4 == 0 else 350)] = dice.choice(
                    (dice.randrange(256), dice.choice(b"0123456789 \n-.:="))
                )
            target.write_bytes(raw)
            try:
                got = read_itk(target, max_pixels=10**5)
                counts["read"] += 1
            except REFUSED as e:
                assert target.name in str(e)
                counts["refused"] += 1
            else:
                assert (
                    isinstance(got, Pixels)
                    and got.data.dtype.kind in "iuf"
                    and all(np.isfinite(got.spacing))
                    and all(s > 0 for s in got.spacing)
                )
    assert tracemalloc.get_traced_memory()[1] < 2e7 and min(counts.values()) > 50
    tracemalloc.stop()


# ---------- labels


def test_labels_take_the_smallest_type_and_the_same_bytes(tmp_path):
    for low, high, dtype in (
        (0, 1, np.uint8),
        (0, 255, np.uint8),
        (0, 256, np.uint16),
        (-1, 9, np.int16),
        (0, 70000, np.int32),
        (-2, 40000, np.int32),
        (0, 2**40, np.int64),
        (-(2**63), 2**63 - 1, np.int64),
    ):
        labels = np.full((4, 5, 6), low, np.int64)
        labels[1, 2, 3] = high
        for ending in (".nrrd", ".mha"):
            data = encode_itk(labels, None, f"a{ending}")
            (tmp_path / f"a{ending}").write_bytes(data)
            got, theirs = (
                read_itk(tmp_path / f"a{ending}"),
                sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"a{ending}"))),
            )
            assert (
                (got.data == labels).all()
                and got.data.dtype == dtype
                and (theirs == labels).all()
                and theirs.dtype == dtype
            )
            assert (got.unit, got.spacing, got.affine) == ("px", (), None) and encode_itk(
                labels.astype(object).astype(np.int64), None, f"b{ending}"
            ) == data
    assert (read_itk(tmp_path / "a.nrrd").data == labels).all()
    (tmp_path / "b.mha").write_bytes(encode_itk(np.eye(5, dtype=bool), None, "b.mha"))
    assert (read_itk(tmp_path / "b.mha").data == np.eye(5)).all()


def test_labels_of_images_without_an_affine(tmp_path):
    for shape, spacing in (((5, 6), (0.5, 2)), ((4, 5, 6), (3, 0.5, 2))):
        labels = rng.integers(0, 9, shape)
        for ending in (".nrrd", ".mha"):
            for unit in ("mm", "px"):
                (tmp_path / f"a{ending}").write_bytes(
                    encode_itk(labels, Pixels(labels, spacing=spacing, unit=unit), f"a{ending}")
                )
                got, theirs = read_itk(tmp_path / f"a{ending}"), sitk.ReadImage(str(tmp_path / f"a{ending}"))
                assert (
                    (got.data == labels).all()
                    and (sitk.GetArrayFromImage(theirs) == labels).all()
                    and (got.spacing, got.unit) == ((spacing, "mm") if unit == "mm" else ((), "px"))
                )
                assert theirs.GetSpacing() == (
                    spacing[::-1] if unit == "mm" else (1.0,) * len(shape)
                ) and np.array_equal(np.reshape(theirs.GetDirection(), (len(shape),) * 2), np.eye(len(shape)))


def test_labels_of_images_from_elsewhere(tmp_path):
    affine = np.array([[0, 0, -0.5, 10], [0, -2, 0.0, 20], [3, 0, 0, 30], [0, 0, 0, 1]])
    labels = rng.integers(0, 9, (4, 5, 6))
    for like, labels in (
        (Pixels(labels, affine=affine), labels),
        (Pixels(labels[0], affine=affine[:, [1, 2, 0, 3]]), labels[0]),
        (SimpleNamespace(affine=affine.tolist(), file_axes=None), labels),
    ):
        for ending in (".nrrd", ".mha"):
            (tmp_path / f"a{ending}").write_bytes(encode_itk(labels, like, f"a{ending}"))
            got = read_itk(tmp_path / f"a{ending}")
            assert (got.data == labels).all() and np.allclose(got.affine, like.affine)
            agrees(got, sitk.ReadImage(str(tmp_path / f"a{ending}")))
    nibabel.save(
        nibabel.Nifti1Image(
            rng.integers(0, 9, (6, 5, 4)).astype(np.int16),
            np.array([[0, 2.0, 0, 1], [-1, 0, 0, 2], [0, 0, 3, 3], [0, 0, 0, 1]]),
        ),
        tmp_path / "a.nii",
    )
    scan = read_image(tmp_path / "a.nii")
    (tmp_path / "l.nrrd").write_bytes(encode_itk(np.arange(120).reshape(scan.spatial), scan, "l.nrrd"))
    again = read_itk(tmp_path / "l.nrrd")
    assert (
        again.file_axes == scan.file_axes
        and np.allclose(again.affine, scan.affine)
        and sitk.ReadImage(str(tmp_path / "l.nrrd")).GetSize() == (6, 5, 4)
    )
    agrees(again, sitk.ReadImage(str(tmp_path / "l.nrrd")))


def test_labels_that_cannot_be_written():
    for bad, why in (
        (np.ones((3, 3)), "float64, expected whole numbers"),
        (np.zeros((0, 3), int), "not empty"),
        (np.zeros(3, int), r"\[3\]"),
        (np.zeros((2, 2, 2, 2), int), r"\[2, 2, 2, 2\]"),
        (np.full((2, 2), 2**63, np.uint64), "more than 64 bits"),
    ):
        for ending in (".nrrd", ".mha"):
            with pytest.raises(ImageError, match=f"a{ending}: .*{why}"):
                encode_itk(bad, None, f"a{ending}")
    for name in ("a.nhdr", "a.mhd", "a.png"):
        with pytest.raises(ImageError, match=f"{name}: labels are written as .nrrd or .mha"):
            encode_itk(np.ones((3, 3), int), None, name)


# ---------- zarr: chunks

ARRAYS = [
    dict(zarr_format=2, compressors=c, order=o)
    for c in (
        None,
        numcodecs.Zlib(),
        numcodecs.GZip(),
        numcodecs.Zstd(),
        numcodecs.LZ4(),
        *(numcodecs.Blosc(n, 5, s) for n in ("lz4", "zstd", "zlib", "blosclz") for s in (0, 1, 2)),
    )
    for o in "CF"
]
ARRAYS += [
    dict(
        zarr_format=2,
        compressors=numcodecs.Blosc(),
        chunk_key_encoding=zarr.core.chunk_key_encodings.V2ChunkKeyEncoding(separator="/"),
    )
]
ARRAYS += [
    dict(zarr_format=3, **more)
    for more in (
        {},
        dict(compressors=None),
        dict(compressors=zarr.codecs.GzipCodec()),
        dict(compressors=zarr.codecs.ZstdCodec(checksum=True)),
        dict(compressors=zarr.codecs.BloscCodec(cname="zstd")),
        dict(compressors=[zarr.codecs.GzipCodec(), zarr.codecs.Crc32cCodec()]),
        dict(compressors=[zarr.codecs.Crc32cCodec(), zarr.codecs.ZstdCodec()]),
        dict(filters=[zarr.codecs.TransposeCodec(order=(2, 0, 1))]),
        dict(serializer=zarr.codecs.BytesCodec(endian="big")),
        dict(chunk_key_encoding=dict(name="v2", separator=".")),
        dict(chunk_key_encoding=dict(name="default", separator=".")),
        dict(shards=(4, 6, 8)),
        dict(shards=(4, 6, 8), compressors=zarr.codecs.BloscCodec()),
        dict(shards=(4, 6, 8), filters=[zarr.codecs.TransposeCodec(order=(1, 2, 0))]),
    )
]


def make_array(folder, array, chunks=(2, 3, 4), fill=0, **how):
    a = zarr.create_array(
        str(folder), shape=array.shape, chunks=chunks, dtype=array.dtype, fill_value=fill, overwrite=True, **how
    )
    a[...] = array
    return folder


@pytest.mark.parametrize("how", ARRAYS, ids=lambda h: " ".join(sorted(h)))
@pytest.mark.filterwarnings("ignore")
def test_chunks_are_as_zarr_reads_them(tmp_path, how):
    for dtype in ("u1", ">u2", "<i4", "f4", "f8"):
        array = rng.integers(0, 99, (5, 7, 9)).astype(dtype)
        array[:2, :3] = 7
        array[3:, 4:] = 7
        folder = make_array(tmp_path / "a.zarr", array, fill=7, **how)
        got = read_zarr(folder)
        assert (
            (got.data == array).all()
            and (got.data == zarr.open_array(str(folder), mode="r")[...]).all()
            and got.data.dtype == np.dtype(dtype).newbyteorder("=")
        )
        assert (got.spacing, got.unit, got.affine, got.channel_axis, got.file_axes) == ((), "px", None, None, None)
        assert read_zarr(folder, channel_axis=0).channel_axis == 0 and is_zarr(folder)
        files = [f for f in folder.rglob("*") if f.is_file() and f.name not in ("zarr.json", ".zarray", ".zattrs")]
        assert len(files) < 27
        files[0].unlink()  # what is not there is fill
        assert (read_zarr(folder).data == zarr.open_array(str(folder), mode="r")[...]).all()


def test_shards_with_their_table_in_front_and_shards_in_shards(tmp_path):
    from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec

    array = rng.integers(0, 99, (9, 11)).astype(np.uint16)
    inner = ShardingCodec(
        chunk_shape=(1, 2), codecs=[BytesCodec(), GzipCodec()], index_location="start", index_codecs=[BytesCodec()]
    )
    for codec in (
        ShardingCodec(chunk_shape=(2, 2), index_location="start"),
        ShardingCodec(chunk_shape=(2, 4), codecs=[inner]),
        ShardingCodec(chunk_shape=(2, 2), codecs=[BytesCodec(), Crc32cCodec()]),
    ):
        a = zarr.create(
            store=str(tmp_path / "a.zarr"),
            shape=array.shape,
            chunk_shape=(4, 8),
            dtype="u2",
            codecs=[codec],
            zarr_format=3,
            fill_value=0,
            overwrite=True,
        )
        a[...] = array
        assert (read_zarr(tmp_path / "a.zarr").data == array).all()


@pytest.mark.parametrize("fill", [0, 3, -1.5, float("nan"), float("inf"), float("-inf")])
def test_fill_values(tmp_path, fill):
    for version in (2, 3):
        folder = make_array(
            tmp_path / f"{version}.zarr", np.full((5, 6), fill, np.float32), (2, 3), fill=fill, zarr_format=version
        )
        assert np.array_equal(read_zarr(folder).data, np.full((5, 6), fill, np.float32), equal_nan=True)
    meta_file = tmp_path / "3.zarr" / "zarr.json"
    said = json.loads(meta_file.read_text())
    for value, expected in (("0x7fc00000", np.nan), ("0x3f800000", 1.0), (None, 0.0)):
        meta_file.write_text(json.dumps({**said, "fill_value": value}))
        assert np.array_equal(
            read_zarr(tmp_path / "3.zarr").data, np.full((5, 6), expected, np.float32), equal_nan=True
        )


def by_hand(folder, array, chunk=3, version=2, packer="zlib", **more):
    "A zarr array of bytes with nothing but the standard library."
    folder.mkdir(parents=True, exist_ok=True)
    pack = {"zlib": zlib.compress, "gzip": gzip.compress, None: bytes}[packer]
    if version == 2:
        said, key = (
            dict(
                zarr_format=2,
                shape=array.shape,
                chunks=[chunk] * array.ndim,
                dtype=array.dtype.str,
                compressor=packer and {"id": packer},
                fill_value=0,
                order="C",
                filters=None,
            ),
            ".".join,
        )
    else:
        said = dict(
            zarr_format=3,
            node_type="array",
            shape=array.shape,
            data_type=array.dtype.name,
            chunk_grid=dict(name="regular", configuration=dict(chunk_shape=[chunk] * array.ndim)),
            fill_value=0,
            chunk_key_encoding=dict(name="default"),
            codecs=[dict(name="bytes", configuration=dict(endian="little"))]
            + [dict(name=packer, configuration={})] * (packer is not None),
        )
        key = lambda index: "/".join(["c", *index])
    (folder / (".zarray" if version == 2 else "zarr.json")).write_text(json.dumps({**said, **more}))
    for index in np.ndindex(*(-(-n // chunk) for n in array.shape)):
        block = np.zeros([chunk] * array.ndim, array.dtype)
        part = array[tuple(slice(i * chunk, (i + 1) * chunk) for i in index)]
        block[tuple(slice(n) for n in part.shape)] = part
        file = folder / key([str(i) for i in index])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pack(block.tobytes()))
    return folder


def pyramid(folder, arrays, axes="yx", version=2, unit="micrometer", scales=None, more=None, **how):
    "An OME-Zarr by hand: 0.4 of zarr 2, or 0.5 of zarr 3."
    for k, a in enumerate(arrays):
        by_hand(folder / str(k), a, version=version, packer="zlib" if version == 2 else "gzip", **how)
    kinds = dict(t="time", c="channel", z="space", y="space", x="space")
    named = [dict(name=a, type=kinds[a]) | ({"unit": unit} if kinds[a] == "space" and unit else {}) for a in axes]
    scales = scales or [[1.0 if kinds[a] != "space" else 2.0**k for a in axes] for k in range(len(arrays))]
    multiscales = [
        dict(
            version="0.4",
            axes=named,
            datasets=[
                dict(
                    path=str(k),
                    coordinateTransformations=[
                        dict(type="scale", scale=s),
                        dict(type="translation", translation=[0.0] * len(axes)),
                    ],
                )
                for k, s in enumerate(scales)
            ],
            **(more or {}),
        )
    ]
    if version == 2:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(dict(multiscales=multiscales, omero={})))
    else:
        (folder / "zarr.json").write_text(
            json.dumps(
                dict(
                    zarr_format=3, node_type="group", attributes=dict(ome=dict(version="0.5", multiscales=multiscales))
                )
            )
        )
    return folder


def attributes(folder):
    "The attributes of an OME-Zarr, and how to write them."
    file = folder / ".zattrs" if (folder / ".zattrs").exists() else folder / "zarr.json"
    whole = json.loads(file.read_text())
    return whole if file.name == ".zattrs" else whole["attributes"]["ome"], lambda: file.write_text(json.dumps(whole))


@pytest.mark.parametrize("version", [2, 3])
def test_by_hand(tmp_path, version):
    for packer in ("zlib", "gzip", None) if version == 2 else ("gzip", None):
        array = rng.integers(0, 255, (7, 8)).astype(np.uint8)
        folder = by_hand(tmp_path / f"{packer}.zarr", array, version=version, packer=packer)
        assert (read_zarr(folder).data == array).all() and (zarr.open_array(str(folder), mode="r")[...] == array).all()


# ---------- zarr: pyramids


@pytest.mark.parametrize("version", [2, 3])
def test_axes_and_units(tmp_path, version):
    five = rng.integers(0, 99, (1, 3, 4, 5, 6)).astype(np.uint8)
    for axes, array, axis, expected in (
        ("yx", five[0, 0, 0], "none", five[0, 0, 0]),
        ("zyx", five[0, 0], "none", five[0, 0]),
        ("cyx", five[0, :, 0], 0, five[0, :, 0]),
        ("tczyx", five, 0, five[0]),
        ("tzyx", five[:, 0], "none", five[0, 0]),
        ("czyx", five[0, :, :1], 0, five[0, :, 0]),
        ("tczyx", five[:, :1, :1], 0, five[0, :1, 0]),
        ("tyx", five[:, 0, 0], "none", five[0, 0, 0]),
        ("xyz", five[0, 0], "none", five[0, 0].transpose(2, 1, 0)),
        ("yxc", np.moveaxis(five[0, :, 0], 0, -1), 0, five[0, :, 0]),
    ):
        for unit, mm in (
            ("micrometer", 1e-3),
            ("millimeter", 1),
            ("nanometer", 1e-6),
            ("meter", 1e3),
            ("angstrom", 1e-7),
            (None, None),
            ("parsec", None),
        ):
            folder = pyramid(
                tmp_path / "a.zarr",
                [array],
                axes,
                version,
                unit,
                [[dict(t=9.0, c=9.0, z=4.0, y=2.0, x=0.5)[a] for a in axes]],
            )
            got = read_zarr(folder)
            spacing = np.array([4, 2, 0.5])[3 - (expected.ndim - (axis == 0)) :] * (mm or 1)
            assert (
                (got.data == expected).all()
                and got.data.shape == expected.shape
                and got.channel_axis == axis
                and got.alpha is False
            )
            assert (
                got.unit == ("mm" if mm else "px")
                and np.allclose(got.spacing, spacing, rtol=1e-12)
                and got.affine is None
                and got.file_axes is None
            )
            shutil.rmtree(folder)


def test_zarr_writes_and_we_read(tmp_path):
    array = rng.integers(0, 999, (2, 4, 9, 10)).astype(np.uint16)
    for version, key in ((2, "multiscales"), (3, "ome")):
        group = zarr.open_group(str(tmp_path / f"{version}.zarr"), mode="w", zarr_format=version)
        for k in range(2):
            group.create_array(
                f"scale{k}/image", shape=array[..., :: 2**k, :: 2**k].shape, chunks=(1, 2, 4, 4), dtype="u2"
            )[...] = array[..., :: 2**k, :: 2**k]
        group.create_group("labels").create_array("nuclei", shape=(9, 10), dtype="u1")
        found = [
            dict(
                version="0.4",
                axes=[dict(name="c", type="channel")] + [dict(name=a, type="space", unit="micrometer") for a in "zyx"],
                datasets=[
                    dict(
                        path=f"scale{k}/image",
                        coordinateTransformations=[dict(type="scale", scale=[1, 2, 0.5 * 2**k, 0.5 * 2**k])],
                    )
                    for k in range(2)
                ],
                coordinateTransformations=[dict(type="scale", scale=[1, 1, 2, 2])],
            )
        ]
        group.attrs[key] = found if version == 2 else dict(version="0.5", multiscales=found)
        got = read_zarr(tmp_path / f"{version}.zarr")
        assert (
            (got.data == array).all()
            and got.channel_axis == 0
            and np.allclose(got.spacing, [2e-3, 1e-3, 1e-3])
            and got.unit == "mm"
        )


@pytest.mark.parametrize("version", [2, 3])
def test_levels(tmp_path, version):
    levels = [rng.integers(0, 99, (3, 8 // k, 12 // k)).astype(np.uint8) for k in (1, 2, 4)]
    folder = pyramid(tmp_path / "a.zarr", levels, "cyx", version)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (read_zarr(folder, max_pixels=96).data == levels[0]).all()
    for cap, k in ((95, 1), (24, 1), (23, 2), (6, 2)):
        with pytest.warns(
            UserWarning,
            match=rf"a.zarr: level {k} is read, 3 × {8 // 2**k} × {12 // 2**k}, one of 3. .* is 96 pixels, more than the cap of {cap}. Pass max_pixels=96",
        ):
            got = read_zarr(folder, max_pixels=cap)
        assert (got.data == levels[k]).all() and np.allclose(got.spacing, [2**k * 1e-3] * 2)
    with pytest.raises(ImageError, match="a.zarr: .* is 96 pixels, more than the cap of 5"):
        read_zarr(folder, max_pixels=5)
    found, write = attributes(folder)
    found["multiscales"][0]["datasets"].reverse()
    write()
    assert (read_zarr(folder).data == levels[0]).all()
    found["multiscales"].append(found["multiscales"][0])
    write()
    with pytest.warns(UserWarning, match="2 pyramids, the first is read"):
        assert (read_zarr(folder).data == levels[0]).all()


def test_older_pyramids(tmp_path):
    five = rng.integers(0, 99, (1, 2, 1, 5, 6)).astype(np.uint8)
    folder = pyramid(tmp_path / "a.zarr", [five], "tczyx")
    found, write = attributes(folder)
    for axes in (list("tczyx"), None):
        found["multiscales"][0].update(axes=axes)
        found["multiscales"][0]["datasets"][0].pop("coordinateTransformations", None)
        write()
        got = read_zarr(folder)
        assert (got.data == five[0, :, 0]).all() and (got.spacing, got.unit, got.channel_axis) == ((1.0, 1.0), "px", 0)


def test_pyramids_that_are_no_image(tmp_path):
    five = np.zeros((2, 2, 2, 5, 6), np.uint8)
    for axes, array, why in (
        ("tczyx", five, "2 points along the axis 't'"),
        ("tzyx", five[:, 0], "2 points along the axis 't'"),
        ("ccyx", five[0, 0][None][:, :, 0], "in space and 2 of channels|named"),
        ("cz", five[0, :, :, 0, 0], "1 of them in space"),
        ("yx", five[0, 0], "2 axes are named and 3 are there"),
    ):
        folder = pyramid(tmp_path / "a.zarr", [array], axes)
        with pytest.raises(ImageError, match=f"a.zarr: .*{why}"):
            read_zarr(folder)
        shutil.rmtree(folder)
    folder = pyramid(tmp_path / "a.zarr", [five[0, 0, 0]])
    found, write = attributes(folder)
    for scale in ([1, 0], [1, -1], [1], [1, "x"], [1, float("nan")], "x"):
        found["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] = scale
        write()
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(folder)


def test_groups_without_a_pyramid_tell_what_they_hold(tmp_path):
    for version in (2, 3):
        folder = tmp_path / f"{version}.zarr"
        pyramid(folder / "0", [np.zeros((5, 6), np.uint8)], version=version)
        by_hand(folder / "raw", np.ones((5, 6), np.uint8), version=version)
        (folder / (".zgroup" if version == 2 else "zarr.json")).write_text(
            json.dumps(dict(zarr_format=version, node_type="group"))
        )
        (folder / "OME").mkdir()
        with pytest.raises(
            ImageError,
            match=rf"{version}.zarr: a group without multiscales, not an image. It holds 0, raw. Give one of them, as in .*{version}.zarr.0.",
        ):
            read_zarr(folder)
        assert read_zarr(folder / "0").data.shape == (5, 6) and (read_zarr(folder / "raw").data == 1).all()
    shutil.rmtree(folder / "0")
    shutil.rmtree(folder / "raw")
    with pytest.raises(ImageError, match="It holds nothing.$"):
        read_zarr(folder)


def test_folders_that_are_no_zarr(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "b.zarr").write_bytes(b"PK")
    with pytest.raises(ImageError, match="a.zarr: no zarr, there is none of zarr.json"):
        read_zarr(tmp_path / "a.zarr")
    with pytest.raises(ImageError, match="b.zarr: no folder, and a zarr is one. Unpack it"):
        read_zarr(tmp_path / "b.zarr")
    with pytest.raises(FileNotFoundError, match="c.zarr"):
        read_zarr(tmp_path / "c.zarr")
    assert [is_zarr(tmp_path / n) for n in ("a.zarr", "b.zarr", "c.zarr", "")] == [False] * 4
    for text in (
        "",
        "[]",
        "null",
        "{",
        "\xff",
        "1",
        "[" * 100_000,
        '{"zarr_format": 3}',
        '{"zarr_format": 2}',
        '{"shape": 1' + "0" * 5000 + "}",
    ):
        for name in ("zarr.json", ".zarray", ".zattrs"):
            (tmp_path / "a.zarr" / name).write_text(text, encoding="latin-1")
            with pytest.raises(ImageError, match="a.zarr"):
                read_zarr(tmp_path / "a.zarr")
            (tmp_path / "a.zarr" / name).unlink()
    by_hand(tmp_path / "one.zarr", np.zeros(7, np.uint8))
    with pytest.raises(ImageError, match=r"one.zarr: shape \[7\], expected at least 2 axes"):
        read_zarr(tmp_path / "one.zarr")


def test_a_trailing_slash_and_odd_names(tmp_path, monkeypatch):
    array = rng.integers(0, 99, (5, 6)).astype(np.uint8)
    for name in ("a b.zarr", "größe.zarr", "-x.zarr", "a#?&.zarr", "B.ZARR"):
        folder = by_hand(tmp_path / name, array)
        monkeypatch.chdir(tmp_path)
        for path in (folder, f"{folder}/", name, f"./{name}/"):
            assert (read_zarr(path).data == array).all()
    os.symlink(folder, tmp_path / "link.zarr")
    assert (read_zarr(tmp_path / "link.zarr").data == array).all()  # the folder itself may be a link
    (tmp_path / "far" / "in").mkdir(parents=True)
    os.symlink(tmp_path / "far" / "in", tmp_path / "there")
    by_hand(tmp_path / "far" / "c.zarr", array)
    assert (read_zarr(tmp_path / "there" / ".." / "c.zarr").data == array).all()


# ---------- zarr: what must not be read


def test_objects_are_never_unpickled(tmp_path):
    array, trap = np.zeros((5, 6), np.uint8), tmp_path / "trapped"
    for dtype in ("|O", "O", "object", "|S5", "<U3", "<M8[s]", "|V4", [["a", "<i4"]], {"name": "string"}, None, 5):
        for version, key in ((2, "dtype"), (3, "data_type")):
            folder = by_hand(tmp_path / "a.zarr", array, version=version, **{key: dtype})
            with pytest.raises(ImageTypeError, match="a.zarr: values of type .*never unpickled"):
                read_zarr(folder)
            shutil.rmtree(folder)
    for more in (dict(compressor={"id": "pickle"}), dict(filters=[{"id": "pickle", "protocol": 5}])):
        with pytest.raises(ImageTypeError, match="never unpickled"):
            read_zarr(by_hand(tmp_path / "a.zarr", array, **more))
    shutil.rmtree(tmp_path / "a.zarr")
    for name in ("pickle", "numcodecs.pickle", "numcodecs.Pickle"):
        with pytest.raises(ImageTypeError, match="never unpickled"):
            read_zarr(
                by_hand(
                    tmp_path / "a.zarr",
                    array,
                    version=3,
                    codecs=[dict(name="bytes"), dict(name=name, configuration={})],
                )
            )
    assert not trap.exists()


def test_unknown_codecs_are_named(tmp_path):
    array = np.zeros((5, 6), np.uint8)
    for more in (dict(compressor={"id": "bz3"}), dict(filters=[{"id": "delta", "dtype": "u1"}])):
        with pytest.raises(ImageError, match="packed by '(bz3|delta)', expected one of gzip, zlib, blosc, zstd, lz4"):
            read_zarr(by_hand(tmp_path / "a.zarr", array, **more))
    shutil.rmtree(tmp_path / "a.zarr")
    b, g, t = (
        dict(name="bytes"),
        dict(name="gzip", configuration={}),
        dict(name="transpose", configuration=dict(order=[1, 0])),
    )
    s = dict(name="sharding_indexed", configuration=dict(chunk_shape=[3, 3], codecs=[b], index_codecs=[b]))
    for codecs in ([], [g], [b, b], [b, t], [g, b], [b, g, g], [s, g], [b, s], "x", [5], [b, {}]):
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(by_hand(tmp_path / "a.zarr", array, version=3, codecs=codecs))
    for more in (
        dict(chunk_grid=dict(name="rectangular", configuration=dict(chunk_shape=[3, 3]))),
        dict(storage_transformers=[1]),
    ):
        with pytest.raises(ImageError, match="a kind that is not read"):
            read_zarr(by_hand(tmp_path / "a.zarr", array, version=3, **more))


@pytest.mark.parametrize("version", [2, 3])
def test_paths_outside_the_folder_are_refused(tmp_path, version):
    secret = by_hand(tmp_path / "secret", np.full((5, 6), 9, np.uint8), version=version)
    folder = pyramid(tmp_path / "a.zarr", [np.zeros((5, 6), np.uint8)], version=version)
    found, write = attributes(folder)
    for path in ("../secret", "0/../../secret", str(secret), "..", "C:/secret", "..\\secret", "a\0b", 5, None, ["0"]):
        found["multiscales"][0]["datasets"][0]["path"] = path
        write()
        with pytest.raises(ImageError, match="a.zarr: its metadata name the path .*, expected one within the folder"):
            read_zarr(folder)
    for path in ("", ".", "gone", "0/c"):
        found["multiscales"][0]["datasets"][0]["path"] = path
        write()
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(folder)


def test_links_outside_the_folder_are_refused(tmp_path):
    array, secret = (
        rng.integers(1, 99, (5, 6)).astype(np.uint8),
        by_hand(tmp_path / "secret", np.full((5, 6), 9, np.uint8), packer=None),
    )
    folder = pyramid(tmp_path / "a.zarr", [array])
    os.symlink(secret, folder / "linked")
    found, write = attributes(folder)
    found["multiscales"][0]["datasets"][0]["path"] = "linked"
    write()
    with pytest.raises(ImageError, match="a.zarr: 'linked/.zarray' leads out of the folder"):
        read_zarr(folder)
    folder = by_hand(tmp_path / "b.zarr", array)
    (folder / "0.0").unlink()
    os.symlink(secret / "0.0", folder / "0.0")
    with pytest.raises(ImageError, match="b.zarr: '0.0' leads out of the folder"):
        read_zarr(folder)
    (folder / "0.0").unlink()
    os.symlink("0.1", folder / "0.0")
    assert (read_zarr(folder).data[:3, :3] == array[:3, 3:]).all()  # within it they may lead anywhere
    (folder / ".zarray").unlink()
    os.symlink(secret / ".zarray", folder / ".zarray")
    with pytest.raises(ImageError, match="'.zarray' leads out of the folder"):
        read_zarr(folder)


@pytest.mark.parametrize(
    "more",
    [
        dict(shape=[10**6, 10**6]),
        dict(shape=[0, 5]),
        dict(shape=[-3, 5]),
        dict(shape=[5]),
        dict(shape=[True, 5]),
        dict(shape=[5.0, 5]),
        dict(shape="55"),
        dict(chunks=[0, 3]),
        dict(chunks=[10**9, 10**9]),
        dict(chunks=[3]),
        dict(chunks=[3, 3, 3]),
        dict(shape=[10**4, 10**4], chunks=[1, 1]),
        dict(dimension_separator="/../"),
        dict(fill_value="x"),
        dict(fill_value=[1, 2, 3]),
        dict(fill_value={}),
        dict(fill_value=10**30),
    ],
    ids=str,
)
def test_absurd_metadata_are_refused_at_once(tmp_path, more):
    folder = by_hand(tmp_path / "a.zarr", np.zeros((5, 6), np.uint8), **more)
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(ImageError, match="a.zarr"):
        read_zarr(folder)
    assert time.perf_counter() - start < 1 and tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_absurd_shards(tmp_path):
    b = dict(name="bytes", configuration=dict(endian="little"))
    for inner in ([2, 2], [0, 1], [3], [3, 3, 3], [-1, 3], ["3", 3], [1.5, 1]):
        codecs = [dict(name="sharding_indexed", configuration=dict(chunk_shape=inner, codecs=[b], index_codecs=[b]))]
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(by_hand(tmp_path / "a.zarr", np.zeros((5, 6), np.uint8), version=3, codecs=codecs))
    codecs = [dict(name="sharding_indexed", configuration=dict(chunk_shape=[1, 1], codecs=[b], index_codecs=[b]))]
    with pytest.raises(ImageError, match="chunks, more than 1,048,576"):
        read_zarr(
            by_hand(
                tmp_path / "a.zarr",
                np.zeros((5, 6), np.uint8),
                version=3,
                codecs=codecs,
                shape=[2000, 2000],
                chunk_grid=dict(name="regular", configuration=dict(chunk_shape=[1000, 1000])),
            )
        )


def test_bombs_in_chunks(tmp_path):
    array = np.zeros((30, 30), np.uint8)
    bombs = dict(
        zlib=zlib.compress(bytes(10**8)),
        gzip=gzip.compress(bytes(10**8)),
        zstd=bytes(numcodecs.Zstd().encode(bytes(10**8))),
        lz4=bytes(numcodecs.LZ4().encode(bytes(10**8))),
        blosc=bytes(numcodecs.Blosc().encode(bytes(10**8))),
    )
    tracemalloc.start()
    for packer, bomb in bombs.items():
        folder = by_hand(tmp_path / f"{packer}.zarr", array, 30, packer=None, compressor={"id": packer})
        (folder / "0.0").write_bytes(bomb)
        if packer in ("zlib", "gzip"):
            assert (read_zarr(folder).data == 0).all()  # what is more than there is room for stays packed
        else:
            with pytest.raises(ImageError, match="larger than|unpacks to 100000000 bytes, not 900"):
                read_zarr(folder)
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()


def frame(*blocks, flags=0):
    "A zstd frame that does not say how much it holds, of blocks (kind, size, content)."
    return (
        b"\x28\xb5\x2f\xfd"
        + bytes([flags, 0x58])
        + b"".join(
            (size << 3 | kind << 1 | (k == len(blocks) - 1)).to_bytes(3, "little") + content
            for k, (kind, size, content) in enumerate(blocks)
        )
    )


def test_zstd_frames_of_unknown_size(tmp_path):
    array = rng.integers(0, 99, (30, 30)).astype(np.uint8)
    folder = by_hand(tmp_path / "a.zarr", array, 30, packer=None, compressor={"id": "zstd"})
    whole = array.tobytes()
    for good in (
        frame((0, 900, whole)),
        frame((0, 400, whole[:400]), (0, 500, whole[400:])),
        frame((0, 0, b""), (0, 900, whole)),
    ):
        (folder / "0.0").write_bytes(good)
        assert (read_zarr(folder).data == array).all()
    (folder / "0.0").write_bytes(frame((1, 900, b"\7")))
    assert (read_zarr(folder).data == 7).all()
    tracemalloc.start()
    for bad in (
        frame(*[(1, 2**17, b"\7")] * 2000),
        frame(*[(2, 9, b"123456789")] * 2000),
        frame((0, 900, whole)) + frame((1, 900, b"\7")),
        frame((0, 900, whole[:-1])),
        frame((0, 899, whole[:-1])),
        b"\x28\xb5\x2f\xfd" + bytes(20),
        frame((0, 900, whole), flags=4),
    ):
        (folder / "0.0").write_bytes(bad)
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(folder)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_shards_too_deep(tmp_path):
    b = [dict(name="bytes", configuration=dict(endian="little"))]
    for depth in (3, 4, 60):
        codecs = b
        for _ in range(depth):
            codecs = [
                dict(name="sharding_indexed", configuration=dict(chunk_shape=[3, 3], codecs=codecs, index_codecs=b))
            ]
        folder = by_hand(tmp_path / f"{depth}.zarr", np.zeros((3, 3), np.uint8), version=3, packer=None, codecs=codecs)
        raw = bytes(range(9))
        for _ in range(depth):
            raw += (0).to_bytes(8, "little") + len(raw).to_bytes(8, "little")
        (folder / "c/0/0").write_bytes(raw)
        if depth == 3:
            assert (read_zarr(folder).data.ravel() == np.arange(9)).all()
        else:
            with pytest.raises(ImageError, match="shards in shards|RecursionError"):
                read_zarr(folder)


@pytest.mark.parametrize(
    "how", [ARRAYS[i] for i in (0, 2, 4, 6, 8, 10, 16)] + ARRAYS[-14:], ids=lambda h: " ".join(sorted(h))
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_chunks(tmp_path, how):
    array = rng.integers(0, 9, (8, 12, 16)).astype(np.uint16)
    folder = make_array(
        tmp_path / "a.zarr", array, (4, 6, 8), **({**how, "shards": (8, 12, 16)} if "shards" in how else how)
    )
    file = [f for f in sorted(folder.rglob("*")) if f.is_file() and f.name not in ("zarr.json", ".zarray", ".zattrs")][
        0
    ]
    whole, dice = file.read_bytes(), random.Random(0)
    for n in (0, 1, 3, 10, 15, 17, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:n])
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(folder)
    for k in range(150):
        raw = bytearray(whole)
        for _ in range(dice.choice((1, 3))):
            raw[dice.randrange(min(len(raw), dice.choice((20, len(raw)))))] = dice.randrange(256)
        file.write_bytes(raw)
        try:
            assert read_zarr(folder).data.shape == array.shape
        except REFUSED as e:
            assert "a.zarr" in str(e)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("version", [2, 3])
def test_flipped_bytes_of_metadata(tmp_path, version):
    levels = [rng.integers(0, 99, (2, 8 // k, 12 // k)).astype(np.uint8) for k in (1, 2)]
    folder = pyramid(tmp_path / "a.zarr", levels, "cyx", version)
    names = (
        [".zattrs", ".zgroup", "0/.zarray", "1/.zarray"]
        if version == 2
        else ["zarr.json", "0/zarr.json", "1/zarr.json"]
    )
    dice, counts = random.Random(0), dict(read=0, refused=0)
    tracemalloc.start()
    for k in range(200):
        file = folder / dice.choice(names)
        whole = file.read_bytes()
        raw = bytearray(whole)
        for _ in range(dice.choice((1, 1, 3))):
            raw[dice.randrange(len(raw))] = dice.choice((dice.randrange(256), dice.choice(b'0123456789 "[]{},-.')))
        file.write_bytes(raw[: dice.randrange(len(raw))] if k % 10 == 0 else raw)
        try:
            got = read_zarr(folder, max_pixels=10**5)
            counts["read"] += 1
        except REFUSED as e:
            assert "a.zarr" in str(e)
            counts["refused"] += 1
        else:
            assert (
                isinstance(got, Pixels)
                and got.data.dtype.kind in "biufc"
                and all(np.isfinite(got.spacing))
                and all(s > 0 for s in got.spacing)
            )
        file.write_bytes(whole)
    assert tracemalloc.get_traced_memory()[1] < 2e7 and min(counts.values()) > 20
    tracemalloc.stop()


# ---------- the rest


def test_import_stays_light():
    code = "import sys, cuts.volumes; assert not {'SimpleITK', 'zarr', 'numcodecs', 'nibabel', 'torch', 'PIL', 'scipy', 'pydicom'} & set(sys.modules), sorted(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_missing_libraries_are_named(tmp_path, monkeypatch):
    save(tmp_path / "a.nrrd", np.zeros((3, 4, 5), np.uint8))
    folder = make_array(tmp_path / "a.zarr", np.ones((4, 6, 8), np.uint8), zarr_format=2, compressors=numcodecs.Blosc())
    sums = make_array(
        tmp_path / "b.zarr", np.ones((4, 6, 8), np.uint8), zarr_format=3, compressors=zarr.codecs.Crc32cCodec()
    )
    for name, read, path in (
        ("nibabel", read_itk, tmp_path / "a.nrrd"),
        ("numcodecs", read_zarr, folder),
        ("google_crc32c", read_zarr, sums),
    ):
        with monkeypatch.context() as m:
            m.setitem(sys.modules, name, None)
            with pytest.raises(ImportError, match=r'pip install -e "\.\[medical\]"'):
                read(path)
    with monkeypatch.context() as m:  # neither library reads
        for name in ("SimpleITK", "zarr"):
            m.setitem(sys.modules, name, None)
        assert read_itk(tmp_path / "a.nrrd").data.shape == (3, 4, 5) and read_zarr(folder).data.shape == (4, 6, 8)
        encode_itk(np.ones((3, 4), int), None, "a.mha")


def test_options_of_other_readers_are_ignored(tmp_path):
    assert read_itk(save(tmp_path / "a.mha", np.zeros((4, 5), np.uint8)), key="x").data.shape == (4, 5)
    assert read_zarr(by_hand(tmp_path / "a.zarr", np.zeros((4, 5), np.uint8)), key="x", as_labels=True).data.shape == (
        4,
        5,
    )
    assert set(ITK_SUFFIXES) == {".nrrd", ".nhdr", ".mha", ".mhd"}
