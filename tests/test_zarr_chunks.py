"""OME-Zarr whose chunks or metadata are damaged, or made to do harm."""

import bz2
import gzip
import lzma
import random
import tracemalloc
import zlib

import numpy as np
import pytest

pytest.importorskip("zarr")
import numcodecs
from zarr_folders import ARRAYS, by_hand, make_array, pyramid, rng

from cuts.io.zarr import read_zarr
from cuts.io.pixels import ImageError, ImageTypeError, Pixels

REFUSED = (ImageError, ImageTypeError)
METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs")


def test_bombs_in_chunks(tmp_path):
    array = np.zeros((30, 30), np.uint8)
    bombs = dict(
        zlib=zlib.compress(bytes(10**8)),
        gzip=gzip.compress(bytes(10**8)),
        bz2=bz2.compress(bytes(10**8)),
        lzma=lzma.compress(bytes(10**8)),
        zstd=bytes(numcodecs.Zstd().encode(bytes(10**8))),
        lz4=bytes(numcodecs.LZ4().encode(bytes(10**8))),
        blosc=bytes(numcodecs.Blosc().encode(bytes(10**8))),
    )
    for packer, bomb in bombs.items():
        folder = by_hand(tmp_path / f"{packer}.zarr", array, 30, packer=None, compressor={"id": packer})
        (folder / "0.0").write_bytes(bomb)
        tracemalloc.start()
        told = "(100000000|reshape|more than 15424|need 15424)"
        with pytest.raises(ImageError, match=f"{packer}.zarr: cannot be read .*{told}"):
            read_zarr(folder)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2e7 or packer == "zstd"


def check_refused_unopened(folder, message):
    "It is refused in these words, without the memory that its content would take."
    tracemalloc.start()
    with pytest.raises(ImageError, match=message):
        read_zarr(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e7


@pytest.mark.parametrize("packer", ["zlib", "gzip", "bz2", "lzma", "zstd", "lz4", "blosc"])
@pytest.mark.filterwarnings("ignore")
def test_bombs_in_shards(tmp_path, packer):
    bomb = bytes(numcodecs.get_codec({"id": packer}).encode(bytes(10**8)))
    plain = [dict(name="bytes", configuration=dict(endian="little"))]
    inner = [*plain, dict(name=f"numcodecs.{packer}", configuration={})]
    shard = dict(chunk_shape=[3, 3], codecs=inner, index_codecs=plain)
    codecs = [dict(name="sharding_indexed", configuration=shard)]
    folder = by_hand(tmp_path / "a.zarr", np.zeros((3, 6), np.uint8), version=3, packer=None, codecs=codecs)
    table = b"".join(n.to_bytes(8, "little") for n in (2**64 - 1, 2**64 - 1, 0, len(bomb)))
    (folder / "c/0/0").write_bytes(bomb + table)
    check_refused_unopened(folder, "a.zarr: cannot be read .*c/0/0: a chunk of [0-9]+ bytes")


@pytest.mark.parametrize("case", ["inner twice", "behind a shard", "before a shard", "behind a packer", "deep"])
@pytest.mark.filterwarnings("ignore")
def test_bombs_in_shards_packed_twice(tmp_path, case):
    plain = [dict(name="bytes", configuration=dict(endian="little"))]
    packer = dict(name="gzip", configuration=dict(level=9))
    shuffle = dict(name="numcodecs.shuffle", configuration=dict(elementsize=1))

    def shard(*inner):
        return dict(
            name="sharding_indexed", configuration=dict(chunk_shape=[3, 3], codecs=list(inner), index_codecs=plain)
        )

    bomb = gzip.compress(bytes(10**8))
    table = b"".join(n.to_bytes(8, "little") for n in (2**64 - 1, 2**64 - 1, 0, len(bomb)))
    twice = gzip.compress(bomb)
    table_of_twice = table[:-8] + len(twice).to_bytes(8, "little")
    codecs, content = {
        "inner twice": ([shard(*plain, packer, packer)], twice + table_of_twice),
        "behind a shard": ([shard(*plain, packer), packer], gzip.compress(bomb + table)),
        "before a shard": ([packer, shard(*plain)], bomb),
        "behind a packer": ([shard(*plain, packer, shuffle)], bomb + table),
        "deep": ([shard(shard(*plain, packer, packer))], twice + table_of_twice),
    }[case]
    folder = by_hand(tmp_path / "a.zarr", np.zeros((3, 6), np.uint8), version=3, packer=None, codecs=codecs)
    (folder / "c/0/0").write_bytes(content)
    check_refused_unopened(folder, "a.zarr: .*(packed by .* and by .*Save it anew with one|cannot be read)")


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
    for bad in (
        frame(*[(1, 2**17, b"\7")] * 200),
        frame(*[(2, 9, b"123456789")] * 2000),
        frame((0, 900, whole[:-1])),
        frame((0, 899, whole[:-1])),
        b"\x28\xb5\x2f\xfd" + bytes(20),
        frame((0, 900, whole), flags=4),
    ):
        (folder / "0.0").write_bytes(bad)
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(folder)


def test_shards_in_shards_in_shards(tmp_path):
    plain = [dict(name="bytes", configuration=dict(endian="little"))]
    codecs, raw = plain, bytes(range(9))
    for _ in range(4):
        shard = dict(chunk_shape=[3, 3], codecs=codecs, index_codecs=plain)
        codecs = [dict(name="sharding_indexed", configuration=shard)]
        raw += (0).to_bytes(8, "little") + len(raw).to_bytes(8, "little")
    folder = by_hand(tmp_path / "a.zarr", np.zeros((3, 3), np.uint8), version=3, packer=None, codecs=codecs)
    (folder / "c/0/0").write_bytes(raw)
    assert (read_zarr(folder).data.ravel() == np.arange(9)).all()


def outcome(folder, **options):
    try:
        return read_zarr(folder, **options)
    except REFUSED as e:
        return e


@pytest.mark.parametrize(
    "how", [ARRAYS[i] for i in (0, 2, 4, 6, 8, 10, 16)] + ARRAYS[-14:], ids=lambda h: " ".join(sorted(h))
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_chunks(tmp_path, how):
    array = rng.integers(0, 9, (8, 12, 16)).astype(np.uint16)
    folder = make_array(
        tmp_path / "a.zarr", array, (4, 6, 8), **({**how, "shards": (8, 12, 16)} if "shards" in how else how)
    )
    file = next(f for f in sorted(folder.rglob("*")) if f.is_file() and f.name not in METADATA)
    whole, dice = file.read_bytes(), random.Random(0)
    for n in (0, 1, 3, 10, 15, 17, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:n])
        with pytest.raises(ImageError, match="a.zarr"):
            read_zarr(folder)
    mutants = []
    for _ in range(150):
        raw = bytearray(whole)
        for _ in range(dice.choice((1, 3))):
            raw[dice.randrange(min(len(raw), dice.choice((20, len(raw)))))] = dice.randrange(256)
        mutants.append(bytes(raw))

    def read(k):
        file.write_bytes(mutants[int(k)])
        return outcome(folder)

    for k in range(150):
        got = read(k)
        assert "a.zarr" in str(got) if isinstance(got, Exception) else got.data.shape == array.shape


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
        got = outcome(folder, max_pixels=10**5)
        counts["read" if isinstance(got, Pixels) else "refused"] += 1
        if isinstance(got, Pixels):
            assert got.data.dtype.kind in "biufc"
            assert all(np.isfinite(got.spacing))
            assert all(s > 0 for s in got.spacing)
        else:
            assert "a.zarr" in str(got)
        file.write_bytes(whole)
    assert tracemalloc.get_traced_memory()[1] < 2e7
    assert min(counts.values()) > 20
    tracemalloc.stop()
