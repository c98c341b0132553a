"""OME-Zarr that is no image, leads elsewhere, or says what cannot be."""

import json
import os
import pickle
import shutil
import time
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("zarr")
from zarr_folders import attributes, by_hand, pyramid, rng

from cuts.io.zarr import is_zarr, read_zarr
from cuts.io.pixels import ImageError, ImageTypeError


REFUSED = (ImageError, ImageTypeError)


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
    described, write = attributes(folder)
    for scale in ([1, 0], [1, -1], [1], [1, "x"], [1, float("nan")], "x"):
        described["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] = scale
        write()
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(folder)


def test_groups_without_a_pyramid_tell_what_they_hold(tmp_path):
    for version in (2, 3):
        folder = tmp_path / f"{version}.zarr"
        pyramid(folder / "0", [np.zeros((5, 6), np.uint8)], version=version)
        by_hand(folder / "raw", np.ones((5, 6), np.uint8), version=version, packer="gzip")
        (folder / (".zgroup" if version == 2 else "zarr.json")).write_text(
            json.dumps(dict(zarr_format=version, node_type="group"))
        )
        (folder / "OME").mkdir()
        why = rf"It holds 0, raw. Give one of them, as in .*{version}.zarr.0."
        with pytest.raises(ImageError, match=f"{version}.zarr: a group without multiscales, not an image. {why}"):
            read_zarr(folder)
        assert read_zarr(folder / "0").data.shape == (5, 6)
        assert (read_zarr(folder / "raw").data == 1).all()
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


class Trap:
    "What makes a file when it is unpickled."

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_objects_are_never_unpickled(tmp_path):
    array, trap = np.zeros((3, 3), np.uint8), tmp_path / "trapped"
    pickled = {"id": "pickle", "protocol": 5}
    for version, more in (
        (2, dict(dtype="|O", filters=[pickled], fill_value=None)),
        (2, dict(dtype="|O", filters=[{"id": "json2"}, pickled], compressor=pickled)),
        (2, dict(compressor=pickled)),
        (2, dict(filters=[pickled])),
        (2, dict(filters=[{"id": "delta", "dtype": "u1"}, pickled])),
        *((3, dict(codecs=[dict(name="bytes"), dict(name=n)])) for n in ("pickle", "numcodecs.pickle")),
        (3, dict(codecs=[dict(name="numcodecs.pickle", configuration={})], data_type="object")),
    ):
        folder = by_hand(tmp_path / "a.zarr", array, version=version, packer=None, **more)
        (folder / ("0.0" if version == 2 else "c/0/0")).write_bytes(pickle.dumps(Trap(trap)))
        with pytest.raises(REFUSED, match="a.zarr"):
            read_zarr(folder)
        shutil.rmtree(folder)
    assert not trap.exists()
    with pickle.loads(pickle.dumps(Trap(trap))):
        assert trap.exists()


def test_only_numbers_are_read(tmp_path):
    array = np.zeros((5, 6), np.uint8)
    for dtype in ("|O", "O", "object", "|S5", "<U3", "<M8[s]", "|V4", [["a", "<i4"]], {"name": "string"}, None, 5):
        for version, key in ((2, "dtype"), (3, "data_type")):
            folder = by_hand(tmp_path / "a.zarr", array, version=version, **{key: dtype})
            with pytest.raises(REFUSED, match="a.zarr"):
                read_zarr(folder)
            shutil.rmtree(folder)
    with pytest.raises(ImageTypeError, match="values of type datetime64.*, expected numbers"):
        read_zarr(by_hand(tmp_path / "a.zarr", array, dtype="<M8[s]"))


def test_unknown_codecs_are_named(tmp_path):
    array = np.zeros((5, 6), np.uint8)
    with pytest.raises(ImageError, match="a.zarr: .*codec not available: .*bz3"):
        read_zarr(by_hand(tmp_path / "a.zarr", array, compressor={"id": "bz3"}))
    with pytest.raises(ImageError, match="packed by 'quantize', expected one of blosc, bytes, bz2, .*Save it anew"):
        read_zarr(by_hand(tmp_path / "a.zarr", array, filters=[{"id": "quantize", "digits": 1, "dtype": "f4"}]))
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
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(by_hand(tmp_path / "a.zarr", array, version=3, **more))


@pytest.mark.parametrize("version", [2, 3])
def test_paths_outside_the_folder_are_refused(tmp_path, version):
    secret = by_hand(tmp_path / "secret", np.full((5, 6), 9, np.uint8), version=version)
    folder = pyramid(tmp_path / "a.zarr", [np.zeros((5, 6), np.uint8)], version=version)
    described, write = attributes(folder)
    for path in ("../secret", "0/../../secret", str(secret), "..", "C:/secret", "..\\secret", "a\0b", 5, None, ["0"]):
        described["multiscales"][0]["datasets"][0]["path"] = path
        write()
        with pytest.raises(ImageError, match="a.zarr: its metadata name the path .*, expected one within the folder"):
            read_zarr(folder)
    for path in ("", ".", "gone", "0/c"):
        described["multiscales"][0]["datasets"][0]["path"] = path
        write()
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(folder)


def test_links_are_refused(tmp_path):
    array = rng.integers(1, 99, (5, 6)).astype(np.uint8)
    secret = by_hand(tmp_path / "secret", np.full((5, 6), 9, np.uint8), packer=None)
    folder = pyramid(tmp_path / "a.zarr", [array])
    (folder / "linked").symlink_to(secret)
    described, write = attributes(folder)
    described["multiscales"][0]["datasets"][0]["path"] = "linked"
    write()
    with pytest.raises(ImageError, match="a.zarr: 'linked' is a link or a device"):
        read_zarr(folder)
    for name, target in (("0.0", secret / "0.0"), ("0.0", "0.1"), (".zarray", secret / ".zarray"), ("c", "/etc")):
        folder = by_hand(tmp_path / "b.zarr", array)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
        with pytest.raises(ImageError, match=f"b.zarr: '{name}' is a link or a device"):
            read_zarr(folder)
        shutil.rmtree(folder)
    folder = by_hand(tmp_path / "c.zarr", array, dimension_separator="/")
    (folder / "0").mkdir()
    (folder / "0" / "0").symlink_to(secret / "0.0")
    with pytest.raises(ImageError, match="c.zarr: '0/0' is a link or a device"):
        read_zarr(folder)
    if hasattr(os, "mkfifo"):
        (folder / "0" / "0").unlink()
        os.mkfifo(folder / "0" / "0")
        with pytest.raises(ImageError, match="c.zarr: '0/0' is a link or a device"):
            read_zarr(folder)


@pytest.mark.parametrize("scheme", ["file://", "http://127.0.0.1/", "s3://", "memory://", "zip://", "simplecache::"])
def test_addresses_are_no_folders(tmp_path, monkeypatch, scheme):
    folder = by_hand(tmp_path / "a.zarr", np.ones((5, 6), np.uint8))
    for path in (f"{scheme}{folder}", f"{scheme}a.zarr"):
        monkeypatch.chdir(tmp_path)
        assert not is_zarr(path)
        with pytest.raises(FileNotFoundError, match="no such folder"):
            read_zarr(path)
    described, write = attributes(pyramid(tmp_path / "b.zarr", [np.zeros((5, 6), np.uint8)]))
    described["multiscales"][0]["datasets"][0]["path"] = f"{scheme}{folder}"
    write()
    with pytest.raises(ImageError, match="b.zarr"):
        read_zarr(tmp_path / "b.zarr")


@pytest.mark.parametrize(
    "more",
    [
        dict(shape=[10**6, 10**6]),
        dict(shape=[0, 5]),
        dict(shape=[-3, 5]),
        dict(shape=[5]),
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
    assert time.perf_counter() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 2e7
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
