"""NRRD and MetaImage: numbers, channels and series. ITK is the judge of what is in a good file."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("SimpleITK")
pytest.importorskip("nibabel")
import SimpleITK as sitk
from itk_files import TYPES, meta, nrrd, rng, save

from cuts.io.itk import ITK_SUFFIXES, encode_itk, read_itk
from cuts.io.pixels import ImageError, ImageTypeError
from cuts.io.guard import read_ahead


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nhdr", ".mhd"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_of_pixels(tmp_path, ending, packed):
    for code in TYPES:
        for shape in ((5, 6), (4, 5, 6)):
            low, high = (-1e6, 1e6) if code[0] == "f" else (np.iinfo(code).min, np.iinfo(code).max)
            array = rng.uniform(low, high, shape).astype(code)
            source = save(tmp_path / f"a{ending}", array, packed=packed)
            got = read_itk(source)
            assert (got.data == array).all()
            assert got.data.dtype == array.dtype
            assert got.data.dtype.isnative
            assert got.unit == "mm"
        for c in (2, 3, 4, 7):
            for shape in ((5, 6), (4, 5, 6)):
                array = rng.uniform(0, 100, (*shape, c)).astype(code)
                got = read_itk(save(tmp_path / f"v{ending}", array, vector=True, packed=packed))
                assert (got.data == array).all()
                assert got.channel_axis == -1
                assert got.alpha is False
                assert len(got.spacing) == len(shape)


def test_complex_and_other_types_are_refused(tmp_path):
    with pytest.raises(ImageTypeError, match="c.nrrd: values of type .*complex.*magnitude"):
        read_itk(save(tmp_path / "c.nrrd", np.ones((4, 5), np.complex64)))
    lines = ["type: block", "block size: 4", "dimension: 2", "sizes: 2 2", "encoding: raw"]
    with pytest.raises(ImageError, match="a.nrrd"):
        read_itk(nrrd(tmp_path / "a.nrrd", lines, bytes(16)))
    with pytest.raises(ImageTypeError, match="a.mha: values of type 'MET_STRING'"):
        read_itk(meta(tmp_path / "a.mha", ["NDims = 2", "DimSize = 2 2", "ElementType = MET_STRING"], bytes(16)))


@pytest.mark.parametrize(
    ("kinds", "sizes", "directions"),
    [
        ("3-color domain domain", "3 6 5", "none (1,0) (0,2)"),
        ("domain RGB-color domain", "6 3 5", "(1,0) none (0,2)"),
        ("domain domain vector", "6 5 3", "(1,0) (0,2) none"),
    ],
)
def test_channels_of_nrrd_go_last(tmp_path, kinds, sizes, directions):
    array = rng.integers(0, 256, [int(n) for n in sizes.split()][::-1]).astype(np.uint8)
    path = nrrd(
        tmp_path / "a.nrrd",
        [
            "type: uint8",
            "dimension: 3",
            "space dimension: 2",
            f"sizes: {sizes}",
            f"space directions: {directions}",
            f"kinds: {kinds}",
            "encoding: raw",
        ],
        array.tobytes(),
    )
    got, theirs = read_itk(path), sitk.ReadImage(str(path))
    assert got.data.shape == (5, 6, 3)
    assert got.spacing == (2, 1)
    assert (got.data == sitk.GetArrayFromImage(theirs)).all()


def test_transparency_is_known(tmp_path):
    for kind, alpha in (("RGBA-color", True), ("4-color", False), ("vector", False)):
        path = nrrd(
            tmp_path / "a.nrrd",
            ["type: uint8", "dimension: 3", "sizes: 4 6 5", f"kinds: {kind} domain domain", "encoding: raw"],
            bytes(range(120)),
        )
        got = read_itk(path)
        assert got.alpha is alpha
        assert got.channel_axis == -1
        assert got.data.shape == (5, 6, 4)


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
    for skip, encoding in ((-2, "raw"), (-2, "gzip"), (10**15, "gzip"), (10**17, "raw"), (5, "raw")):
        content = gzip.compress(data) if encoding == "gzip" else data
        with pytest.raises(ImageError, match="a.nrrd"):
            read_itk(nrrd(tmp_path / "a.nrrd", [*common, f"encoding: {encoding}", f"byte skip: {skip}"], content))
    got = read_itk(nrrd(tmp_path / "a.nrrd", [*common, "encoding: raw", "line skip: 2"], b"a line\nanother\n" + data))
    assert (got.data.ravel() == np.arange(24)).all()


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
        got = read_itk(path)
        assert (got.data == theirs).all(), kind
        assert got.data.dtype == theirs.dtype, kind


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
        assert (got.data.ravel() == np.arange(12)).all()
        assert (got.unit, got.spacing, got.affine) == ("px", (), None)


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
        assert (got.spacing, got.unit, got.affine, got.file_axes) == ((), "px", None, None)
        assert (got.data == np.arange(24).reshape(2, 3, 4)).all()
        assert got.channel_axis == (None if path.name == "a.nrrd" else "none")
    assert read_itk(tmp_path / "a.nrrd", channel_axis=0).channel_axis == 0
    assert read_itk(
        meta(tmp_path / "a.mha", ["NDims = 3", "DimSize = 4 3 1", "ElementType = MET_UCHAR"], data)
    ).data.shape == (3, 4)


def test_series_are_refused_unless_they_are_channels(tmp_path):
    for n in (2, 4, 5, 9):
        array = rng.integers(0, 99, (n, 3, 4, 5)).astype(np.int16)
        for ending in (".nrrd", ".mha"):
            path = save(tmp_path / f"a{ending}", array, (1, 2, 3, 4))
            if n > 4:
                why = rf"sizes \[5, 4, 3, {n}\], a series of {n} images. Take one of them, or pass channel_axis=3"
                with pytest.raises(ImageError, match=f"a{ending}: {why}"):
                    read_itk(path)
            for axis in (3, -1) if n > 4 else (None, 3):
                got = read_itk(path, channel_axis=axis)
                assert (got.data == np.moveaxis(array, 0, -1)).all()
                assert got.channel_axis == -1
                assert got.spacing == (3, 2, 1)
                assert got.file_axes == "LPS"
    for ending in (".nrrd", ".mha"):
        assert (read_itk(save(tmp_path / f"a{ending}", array[:1], (1, 2, 3, 4))).data == array[0]).all()
        with pytest.raises(ImageError, match="series of 9 images"):
            read_itk(save(tmp_path / f"a{ending}", array), channel_axis=2)


def test_lists_of_nrrd(tmp_path):
    for n, kind in ((3, "list"), (9, "list"), (9, "vector"), (9, "3D-matrix")):
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
        if n > 4 and kind == "list":
            with pytest.raises(ImageError, match="series of 9 images.*pass channel_axis=0"):
                read_itk(path)
        assert (read_itk(path, channel_axis=0).data == array[:, ::-1, ::-1]).all()
    path.write_bytes(path.read_bytes().replace(b"3D-matrix", b"time"))
    with pytest.raises(ImageError, match="number of domain axes in the NRRD file .4. doesn't match"):
        read_itk(path)  # ITK takes a time for an axis in space, and that has a direction
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


def test_a_forked_process_can_read_what_its_parent_has_read(tmp_path):
    paths = [save(tmp_path / f"a{ending}", np.ones((40, 50, 60), np.uint8)) for ending in (".nrrd", ".mha")]
    for path in paths:
        read_itk(path)
        encode_itk(np.ones((40, 50, 60), np.uint8), None, path)

    def read(name):
        Path(f"{name}.sum").write_text(str(read_itk(name).data.sum()))

    assert [harm for _, harm in read_ahead(map(str, paths), read, 60)] == [None, None]
    if sys.platform.startswith("linux"):
        assert [Path(f"{path}.sum").read_text() for path in paths] == ["120000"] * 2


def test_import_stays_light():
    code = (
        "import sys, cuts.io.itk, cuts.io.zarr; heavy = {'SimpleITK', 'zarr', 'numcodecs', 'nibabel', 'torch', 'PIL', "
        "'scipy', 'pydicom', 'cuts.config'} & set(sys.modules); assert not heavy, heavy"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_missing_libraries_are_named(tmp_path, monkeypatch):
    path = save(tmp_path / "a.nrrd", np.zeros((3, 4, 5), np.uint8))
    for name in ("SimpleITK", "nibabel"):
        with monkeypatch.context() as m:
            m.setitem(sys.modules, name, None)
            with pytest.raises(ImportError, match=rf'need {name}: pip install "cuts-segmentation\[medical\]"'):
                read_itk(path)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(ImportError, match="need SimpleITK"):
        encode_itk(np.ones((3, 4), int), None, "a.mha")


def test_options_of_other_readers_are_ignored(tmp_path):
    assert read_itk(save(tmp_path / "a.mha", np.zeros((4, 5), np.uint8)), key="x").data.shape == (4, 5)
    assert set(ITK_SUFFIXES) == {".nrrd", ".nhdr", ".mha", ".mhd"}
