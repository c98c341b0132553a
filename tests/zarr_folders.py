"""OME-Zarr folders for tests: written by zarr and by hand."""

import gzip
import json
import zlib

import numcodecs
import numpy as np
import zarr

rng = np.random.default_rng(0)

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
        dict(shards=(4, 6, 8), compressors=[zarr.codecs.GzipCodec(), zarr.codecs.Crc32cCodec()]),
        dict(shards=(4, 6, 8), filters=[zarr.codecs.TransposeCodec(order=(1, 2, 0))]),
    )
]


def make_array(folder, array, chunks=(2, 3, 4), fill=0, **how):
    a = zarr.create_array(
        str(folder), shape=array.shape, chunks=chunks, dtype=array.dtype, fill_value=fill, overwrite=True, **how
    )
    a[...] = array
    return folder


def by_hand(folder, array, chunk=3, version=2, packer="zlib", **more):
    "A zarr array of bytes with nothing but the standard library."
    folder.mkdir(parents=True, exist_ok=True)
    pack = {"zlib": zlib.compress, "gzip": gzip.compress, None: bytes}[packer]
    if version == 2:
        metadata, separator, name = ".zarray", ".", "{}"
        described = dict(
            zarr_format=2,
            shape=array.shape,
            chunks=[chunk] * array.ndim,
            dtype=array.dtype.str,
            compressor=packer and {"id": packer},
            fill_value=0,
            order="C",
            filters=None,
        )
    else:
        metadata, separator, name = "zarr.json", "/", "c/{}"
        described = dict(
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
    (folder / metadata).write_text(json.dumps({**described, **more}))
    for index in np.ndindex(*(-(-n // chunk) for n in array.shape)):
        block = np.zeros([chunk] * array.ndim, array.dtype)
        part = array[tuple(slice(i * chunk, (i + 1) * chunk) for i in index)]
        block[tuple(slice(n) for n in part.shape)] = part
        file = folder / name.format(separator.join(map(str, index)))
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
