"""OME-Zarr as programs and hands leave it. zarr is the judge of what is in a good array."""

import json
import os
import shutil
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("zarr")
import numcodecs
import zarr
from zarr_folders import ARRAYS, attributes, by_hand, make_array, pyramid, rng

from cuts.io.zarr import is_zarr, read_zarr
from cuts.io.pixels import ImageError
from cuts.io.guard import read_ahead


@pytest.mark.parametrize("how", ARRAYS, ids=lambda h: " ".join(sorted(h)))
@pytest.mark.filterwarnings("ignore")
def test_chunks_are_as_zarr_reads_them(tmp_path, how):
    for dtype in ("u1", ">u2", "<i4", "f4", "f8"):
        array = rng.integers(0, 99, (5, 7, 9)).astype(dtype)
        array[:2, :3] = 7
        array[3:, 4:] = 7
        folder = make_array(tmp_path / "a.zarr", array, fill=7, **how)
        got = read_zarr(folder)
        assert (got.data == array).all()
        assert (got.data == zarr.open_array(str(folder), mode="r")[...]).all()
        assert got.data.dtype == np.dtype(dtype).newbyteorder("=")
        assert (got.spacing, got.unit, got.affine, got.channel_axis, got.file_axes) == ((), "px", None, None, None)
        assert read_zarr(folder, channel_axis=0).channel_axis == 0
        assert is_zarr(folder)
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
    metadata = json.loads(meta_file.read_text())
    for value, expected in (("0x7fc00000", np.nan), ("0x3f800000", 1.0)):
        meta_file.write_text(json.dumps({**metadata, "fill_value": value}))
        assert np.array_equal(
            read_zarr(tmp_path / "3.zarr").data, np.full((5, 6), expected, np.float32), equal_nan=True
        )


@pytest.mark.parametrize("version", [2, 3])
def test_by_hand(tmp_path, version):
    for packer in ("zlib", "gzip", None) if version == 2 else ("gzip", None):
        array = rng.integers(0, 255, (7, 8)).astype(np.uint8)
        folder = by_hand(tmp_path / f"{packer}.zarr", array, version=version, packer=packer)
        assert (read_zarr(folder).data == array).all()
        assert (zarr.open_array(str(folder), mode="r")[...] == array).all()


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
            assert (got.data == expected).all()
            assert got.data.shape == expected.shape
            assert got.channel_axis == axis
            assert got.alpha is False
            assert got.unit == ("mm" if mm else "px")
            assert np.allclose(got.spacing, spacing, rtol=1e-12)
            assert got.affine is None
            assert got.file_axes is None
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
        described = [
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
        group.attrs[key] = described if version == 2 else dict(version="0.5", multiscales=described)
        got = read_zarr(tmp_path / f"{version}.zarr")
        assert (got.data == array).all()
        assert got.channel_axis == 0
        assert np.allclose(got.spacing, [2e-3, 1e-3, 1e-3])
        assert got.unit == "mm"


@pytest.mark.parametrize("version", [2, 3])
def test_levels(tmp_path, version):
    levels = [rng.integers(0, 99, (3, 8 // k, 12 // k)).astype(np.uint8) for k in (1, 2, 4)]
    folder = pyramid(tmp_path / "a.zarr", levels, "cyx", version)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (read_zarr(folder, max_pixels=96).data == levels[0]).all()
    for cap, k in ((95, 1), (24, 1), (23, 2), (6, 2)):
        level = f"level {k} is read, 3 × {8 // 2**k} × {12 // 2**k}, one of 3"
        why = f"{level}. .* is 96 pixels, more than the cap of {cap}. Pass max_pixels=96"
        with pytest.warns(UserWarning, match=f"a.zarr: {why}"):
            got = read_zarr(folder, max_pixels=cap)
        assert (got.data == levels[k]).all()
        assert np.allclose(got.spacing, [2**k * 1e-3] * 2)
    with pytest.raises(ImageError, match="a.zarr: .* is 96 pixels, more than the cap of 5"):
        read_zarr(folder, max_pixels=5)
    described, write = attributes(folder)
    described["multiscales"][0]["datasets"].reverse()
    write()
    assert (read_zarr(folder).data == levels[0]).all()
    described["multiscales"].append(described["multiscales"][0])
    write()
    with pytest.warns(UserWarning, match="2 pyramids, the first is read"):
        assert (read_zarr(folder).data == levels[0]).all()


def test_older_pyramids(tmp_path):
    five = rng.integers(0, 99, (1, 2, 1, 5, 6)).astype(np.uint8)
    folder = pyramid(tmp_path / "a.zarr", [five], "tczyx")
    described, write = attributes(folder)
    for axes in (list("tczyx"), None):
        described["multiscales"][0].update(axes=axes)
        described["multiscales"][0]["datasets"][0].pop("coordinateTransformations", None)
        write()
        got = read_zarr(folder)
        assert (got.data == five[0, :, 0]).all()
        assert (got.spacing, got.unit, got.channel_axis) == ((1.0, 1.0), "px", 0)


@pytest.mark.filterwarnings("ignore")
def test_other_codecs_of_numbers(tmp_path):
    array = rng.integers(0, 99, (7, 8)).astype(np.int32)
    for how in (
        dict(zarr_format=2, compressors=numcodecs.BZ2()),
        dict(zarr_format=2, compressors=numcodecs.LZMA()),
        dict(zarr_format=2, filters=[numcodecs.Delta(dtype="i4"), numcodecs.Shuffle(4)], compressors=numcodecs.Zlib()),
    ):
        assert (read_zarr(make_array(tmp_path / "a.zarr", array, (3, 3), **how)).data == array).all()


def test_only_the_level_that_fits_is_read(tmp_path):
    levels = [rng.integers(1, 99, (8 // k, 12 // k)).astype(np.uint8) for k in (1, 2)]
    folder = pyramid(tmp_path / "a.zarr", levels)
    for file in (folder / "0").glob("[0-9]*"):
        file.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="level 1 is read"):
        assert (read_zarr(folder, max_pixels=30).data == levels[1]).all()
    with pytest.raises(ImageError, match="a.zarr"):
        read_zarr(folder)


def test_a_forked_process_can_read_what_its_parent_has_read(tmp_path):
    folder = by_hand(tmp_path / "a.zarr", np.ones((5, 6), np.uint8))
    read_zarr(folder)
    results = read_ahead(
        [str(folder)] * 2, lambda name: (tmp_path / "seen").write_text(str(read_zarr(name).data.sum())), 60
    )
    assert [harm for _, harm in results] == [None, None]
    if sys.platform.startswith("linux"):
        assert (tmp_path / "seen").read_text() == "30"


def test_missing_libraries_are_named(tmp_path, monkeypatch):
    folder = by_hand(tmp_path / "a.zarr", np.ones((5, 6), np.uint8))
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r'needs zarr: pip install "cuts-segmentation\[medical\]"'):
        read_zarr(folder)


def test_options_of_other_readers_are_ignored(tmp_path):
    folder = by_hand(tmp_path / "a.zarr", np.zeros((4, 5), np.uint8))
    assert read_zarr(folder, key="x", as_labels=True).data.shape == (4, 5)


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
