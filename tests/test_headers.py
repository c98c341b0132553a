"""NRRD and MetaImage as accidents leave them, or somebody who means harm."""

import contextlib
import gzip
import os
import random
import shutil
import time
import tracemalloc
import zlib

import numpy as np
import pytest

pytest.importorskip("SimpleITK")
pytest.importorskip("nibabel")
from itk_files import good_files, meta, nrrd, save

from cuts.io.itk import read_itk
from cuts.io.pixels import ImageError, ImageTypeError, Pixels

PLANE = ["type: uint8", "dimension: 2", "sizes: 4 3", "encoding: raw"]
META_PLANE = ["NDims = 2", "DimSize = 4 3", "ElementType = MET_UCHAR"]


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
            [*PLANE, f"data file: {name}"],
        ),
        nrrd(
            tmp_path / "in" / "b.nhdr",
            [*PLANE, f"DataFile: {name}"],
        ),
        meta(tmp_path / "in" / "a.mhd", META_PLANE, file=name),
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
                [*PLANE, f"data file: {name}"],
            ),
            meta(tmp_path / "a.mhd", META_PLANE, file=name),
        ):
            assert (read_itk(path).data.ravel() == np.arange(12)).all()
            monkeypatch.chdir(tmp_path)
            assert (read_itk(path.name).data.ravel() == np.arange(12)).all()
    for path in (
        nrrd(tmp_path / "a.nhdr", [*PLANE, "data file: gone.raw"]),
        meta(tmp_path / "a.mhd", META_PLANE, file="gone.raw"),
    ):
        with pytest.raises(ImageError, match=f"{path.name}: its numbers are in 'gone.raw', which is not there"):
            read_itk(path)
    path.write_bytes(path.read_bytes().replace(b"gone.raw", b"pipe"))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ImageError, match="'pipe', which is not there"):
            read_itk(path)


def test_links_to_data_outside_the_folder_are_refused(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret.raw").write_bytes(bytes(12))
    (inside / "plain.raw").write_bytes(bytes(12))
    (inside / "near.raw").symlink_to("plain.raw")
    (inside / "far.raw").symlink_to("../secret.raw")
    (inside / "twice.raw").symlink_to("far.raw")
    for name in ("far.raw", "twice.raw"):
        for path in (
            nrrd(inside / "a.nhdr", [*PLANE, f"data file: {name}"]),
            meta(inside / "a.mhd", META_PLANE, file=name),
        ):
            with pytest.raises(ImageError, match=f"numbers are in '{name}', expected one file in the same folder"):
                read_itk(path)
    (tmp_path / "linked").symlink_to(inside)
    meta(inside / "a.mhd", META_PLANE, file="near.raw")
    (tmp_path / "linked.mhd").symlink_to(inside / "a.mhd")
    assert read_itk(tmp_path / "linked" / "a.mhd").data.shape == (3, 4)  # the folder of the header may be a link
    with pytest.raises(ImageError, match="'near.raw', which is not there"):
        read_itk(tmp_path / "linked.mhd")


@pytest.mark.parametrize("ending", ["\r", "\r\r\n", "\v", "\f", "\x85", "\u2028"])
def test_no_line_hides_another(tmp_path, ending):
    "What ends a line for one program and not for another must not hide the name of a file."
    (tmp_path / "secret").write_bytes(bytes(range(100, 112)))
    inside = tmp_path / "in"
    inside.mkdir()
    for path, numbers in (
        (nrrd(inside / "a.nrrd", [*PLANE, f"content: x{ending}data file: ../secret"], bytes(12)), 12),
        (meta(inside / "a.mha", [*META_PLANE, f"Comment = x{ending}ElementDataFile = ../secret"], bytes(12)), 12),
    ):
        try:
            got = read_itk(path)
        except ImageError:
            continue
        assert not got.data.any()
        assert got.data.size == numbers


def test_the_first_bytes_decide(tmp_path):
    save(tmp_path / "a.nrrd", np.ones((4, 5), np.uint8))
    save(tmp_path / "a.mha", np.ones((4, 5), np.uint8))
    shutil.copy(tmp_path / "a.nrrd", tmp_path / "b.mha")
    shutil.copy(tmp_path / "a.mha", tmp_path / "b.nrrd")
    assert read_itk(tmp_path / "b.mha").data.shape == (4, 5)
    assert read_itk(tmp_path / "b.nrrd").data.shape == (4, 5)
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
    (tmp_path / "x.mha").write_bytes(b"ObjectType = Mesh\nNDims = 3\nElementDataFile = LOCAL\n")
    with pytest.raises(ImageError, match="a MetaIO 'Mesh', which has no pixels"):
        read_itk(tmp_path / "x.mha")


@pytest.mark.parametrize("ending", [".nii", ".tif", ".png", ".vtk", ".gipl", ".mrc"])
def test_other_formats_of_itk_are_refused_under_these_names(tmp_path, ending):
    save(tmp_path / f"a{ending}", np.ones((4, 5) if ending in (".tif", ".png") else (3, 4, 5), np.uint8))
    for name in ("x.mha", "x.nrrd", "x.mhd", "x.nhdr"):
        shutil.copy(tmp_path / f"a{ending}", tmp_path / name)
        with pytest.raises(ImageError, match=f"{name}: neither NRRD nor MetaImage"):
            read_itk(tmp_path / name)


def test_only_files_are_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.nrrd"):
        read_itk(tmp_path / "gone.nrrd")
    with pytest.raises(ImageError, match="no file but a folder"):
        read_itk(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.mha")
        with pytest.raises(ImageError, match="no file but a folder or a device"):
            read_itk(tmp_path / "pipe.mha")


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
        assert time.perf_counter() - start < 1
        assert tracemalloc.get_traced_memory()[1] < 5e6
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
    planes, zeros = ["type: uint8", "dimension: 2", "kinds: domain domain"], zlib.compress(bytes(10**8), 9)
    packed = ["NDims = 2", "CompressedData = True", "ElementType = MET_UCHAR"]
    small, large = [*planes, "sizes: 30 20"], [*planes, "sizes: 30000 2000"]
    bomb = nrrd(tmp_path / "a.nrrd", [*small, "encoding: gzip"], gzip.compress(bytes(10**8)))
    bad = [
        meta(tmp_path / "a.mha", [*packed, "DimSize = 30 20", f"CompressedDataSize = {len(zeros)}"], zeros),
        meta(tmp_path / "b.mha", [*packed, "DimSize = 30 20", f"CompressedDataSize = {10**15}"], zeros),
        meta(tmp_path / "c.mha", [*packed, "DimSize = 30000 2000", "CompressedDataSize = 9"], zlib.compress(bytes(9))),
        nrrd(tmp_path / "b.nrrd", [*large, "encoding: raw"], bytes(100)),
        nrrd(tmp_path / "c.nrrd", [*large, "encoding: ascii"], b"1 " * 100),
        nrrd(tmp_path / "d.nrrd", [*large, "encoding: gzip"], gzip.compress(bytes(100))),
    ]
    tracemalloc.start()
    assert read_itk(bomb).data.shape == (20, 30)  # what is more than there is room for stays packed
    for path in bad:
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
    ("line", "why"),
    [
        ("sizes: 4 3", "twice"),
        ("nonsense", "no field"),
        ("kinds: domain", "couldn't extract string for kind 2"),
        ("kinds: domain dominion", "couldn't parse .dominion"),
        ("space: left-right-up", "couldn't parse space .left-right-up"),
        ("spaze: LPS", "failed to parse .spaze. as field"),
        ("spacings: 1 2 3", "more than expected 2 spacings"),
        ("spacings: 1 x", "parsed 1 values, but dimension is 2"),
        ("space origin: (1,2) (3)", "don't yet have a valid space dimension"),
        ("space directions: (1,0)", "don't yet have a valid space dimension"),
        ("space dimension: 2\nspace directions: (1,0)", "hit end of string"),
        ("space dimension: 2\nspace directions: (1,0) (0,1,2)", "seem to have 3 coefficients"),
        ("byte skip: -7", "byte skip '-7', expected a whole number"),
        ("endian: middle", "endian"),
    ],
)
def test_damaged_lines_of_nrrd(tmp_path, line, why):
    path = nrrd(tmp_path / "a.nrrd", [*PLANE, line], bytes(12))
    with pytest.raises(ImageError, match=f"a.nrrd.*{why}"):
        read_itk(path)
    for field in ("type", "dimension", "sizes", "encoding"):
        path.write_bytes(path.read_bytes().replace(field.encode() + b":", b"content%s:" % field.encode()))
        with pytest.raises(ImageError, match="a.nrrd"):
            read_itk(path)
    with pytest.raises(ImageError, match="encoding 'bzip2', expected raw, gzip or ascii"):
        read_itk(nrrd(tmp_path / "a.nrrd", ["type: uint8", "dimension: 2", "sizes: 4 3", "encoding: bzip2"], bytes(12)))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("DimSize = 4 3", "twice"),
        ("nonsense", "no field"),
        ("ElementSpacing = 1", "expected 2 numbers"),
        ("Offset = 1 2 3", "expected 2 numbers"),
        ("Offset = 1 x", "expected 2 numbers"),
        ("Offset = inf 2", "expected 2 numbers"),
        ("ElementSpacing = 1 0x2", "expected 2 numbers"),
        ("TransformMatrix = 1 0 0", "expected 4 numbers"),
        ("HeaderSize = 99999", "cut short"),
        ("ElementNumberOfChannels = -2", "expected a whole number"),
        ("ElementNumberOfChannels = 2 2", "expected a whole number"),
        ("ElementNumberOfChannels = -1", "Unknown PixelType"),
        ("ElementNumberOfChannels = 0", "Unknown PixelType"),
        ("HeaderSize = -7", "expected a whole number"),
        ("CompressedData = True", "no CompressedDataSize"),
        ("CompressedData = True\nCompressedDataSize = 12", "cut short or damaged"),
        ("CompressedData = True\nHeaderSize = -1", "a HeaderSize of -1"),
    ],
)
def test_damaged_lines_of_meta(tmp_path, line, why):
    with pytest.raises(ImageError, match=f"a.mha.*{why}"):
        read_itk(meta(tmp_path / "a.mha", ["NDims = 2", "DimSize = 4 3", line, "ElementType = MET_UCHAR"], bytes(12)))
    for n in ("0", "255", "-1", "1e99", "65536", "99999999999999999999"):  # with some of which ITK comes to no end
        with pytest.raises(ImageError, match="a.mha"):
            read_itk(meta(tmp_path / "a.mha", [f"NDims = {n}", "DimSize = 4 3", "ElementType = MET_UCHAR"], bytes(12)))


def test_cut_short(tmp_path, capfd):
    for path in good_files(tmp_path):
        content, target = path.read_bytes(), tmp_path / f"cut{path.suffix}"
        trailer = 9 if path.name == "True.nrrd" else 0  # the end of a gzip stream: without it all numbers are there
        for n in {*range(0, len(content) - trailer, 7), *range(len(content) - trailer - 9, len(content) - trailer)}:
            target.write_bytes(content[:n])
            with pytest.raises(ImageError, match=target.name):
                read_itk(target)
        for n in range(len(content) - trailer, len(content)):
            target.write_bytes(content[:n])
            with contextlib.suppress(ImageError):
                assert (read_itk(target).data == read_itk(path).data).all()
    assert capfd.readouterr() == ("", "")  # nothing is said beside the error


def outcome(path, **options):
    try:
        return read_itk(path, **options)
    except (ImageError, ImageTypeError) as e:
        return e


@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes(tmp_path):
    dice, counts = random.Random(0), dict(read=0, refused=0)
    tracemalloc.start()
    for path in good_files(tmp_path):
        content, target = path.read_bytes(), tmp_path / f"bad{path.suffix}"
        for k in range(200):
            raw = bytearray(content)
            for _ in range(dice.choice((1, 1, 3))):
                place = dice.randrange(len(raw) if k % 4 == 0 else 350)
                raw[place] = dice.choice((dice.randrange(256), dice.choice(b"0123456789 \n-.:=")))
            target.write_bytes(raw)
            got = outcome(target, max_pixels=10**5)
            counts["read" if isinstance(got, Pixels) else "refused"] += 1
            if isinstance(got, Pixels):
                assert got.data.dtype.kind in "iuf"
                assert all(np.isfinite(got.spacing))
                assert all(s > 0 for s in got.spacing)
            else:
                assert target.name in str(got)
    assert tracemalloc.get_traced_memory()[1] < 2e7
    assert min(counts.values()) > 50
    tracemalloc.stop()
