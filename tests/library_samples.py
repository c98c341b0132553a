"""Sample files of the libraries that read images: those that they ship, and those that their own writers make.

`python tests/library_samples.py nbs/results/library_samples.csv` reads them all and writes down what happened.
"""

import csv
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata, util
from pathlib import Path

import numpy as np

from cuts.io import guard
from cuts.io.image import Image
from cuts.io.pixels import ImageError, ImageTypeError
from cuts.io.reading import read_image

rng = np.random.default_rng(0)

# ---------- what the libraries ship

SHIPPED = {  # library → module, folders in it, endings that are no image nor pretend to be one
    "nibabel": ("nibabel", ("tests/data", "nicom/tests/data", "gifti/tests/data"), "py m rst txt gitignore json"),
    "pydicom": ("pydicom", ("data/test_files", "data/charset_files"), "py md txt json zip"),
    "scikit-image": ("skimage", ("data",), "py pyi txt xml npy"),
    "nilearn": ("nilearn", ("datasets/data", "image/tests/data"), "py csv txt json gii"),
    "pyjpegls": ("jpeg_ls", ("tests/jlsimV100",), "py txt jls"),
    "dipy": ("dipy", ("data/files",), "py txt bval bvec json log pkl npy npz zip log.gz pkl.gz"),
    "pydicom-data": ("data_store", ("data",), "py md txt json"),
}


def shipped(library: str) -> list[Path]:
    "The sample files in an installed package, none if it is not installed."
    module, folders, others = SHIPPED[library]
    spec = util.find_spec(module)
    if spec is None:
        return []
    endings = tuple(f".{ending}" for ending in ["pyc", *others.split()])
    files = [
        f for folder in folders for f in sorted((Path(list(spec.submodule_search_locations)[0]) / folder).rglob("*"))
    ]
    return [f for f in files if f.is_file() and not f.name.lower().endswith(endings)]


# ---------- what their writers make


@dataclass
class Made:
    "A file and what it holds."

    path: Path
    values: np.ndarray  # in the axis order of `read_image`, channels last
    spacing: tuple[float, ...] | None = None  # in mm; None: the file has none
    error: float = 0.0  # how far a lossy format may be off, on the mean


GREY = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], -1)
STACK = np.stack([GREY + np.uint8(20 * i) for i in range(5)])
VOLUME = rng.integers(0, 99, (7, 6, 5))  # [x,y,z]


def tiff(values, folder, name="a.tif", held=None, spacing=None, error=0.0, **options) -> Made:
    import tifffile

    tifffile.imwrite(folder / name, values, **options)
    return Made(folder / name, values if held is None else held, spacing, error)


def pyramid(folder, name="a.tif", held=None, spacing=None, error=0.0, **options) -> Made:
    "Tiles in three resolutions, the coarser ones as sub-IFDs."
    import tifffile

    picture = np.kron(RGB, np.ones((8, 8, 1), np.uint8))
    with tifffile.TiffWriter(folder / name) as tif:
        tif.write(picture, subifds=2, tile=(64, 64), photometric="rgb", **options)
        tif.write(picture[::2, ::2], subfiletype=1, tile=(64, 64), photometric="rgb", **options)
        tif.write(picture[::4, ::4], subfiletype=1, tile=(64, 64), photometric="rgb", **options)
    return Made(folder / name, picture, spacing, error)


APERIO = "Aperio Image Library v11.2.1\r\n512x384 [0,0 512x384] (64x64) JPEG/RGB Q=70|AppMag = 20|MPP = 0.499"


def _without_tables(jpeg: bytes) -> tuple[bytes, bytes]:
    "A JPEG without its tables, and a JPEG of nothing but them."
    parts, tables, i = [jpeg[:2]], [jpeg[:2]], 2
    while jpeg[i : i + 2] != b"\xff\xda":
        n = 2 + int.from_bytes(jpeg[i + 2 : i + 4], "big")
        (tables if jpeg[i + 1] in (0xDB, 0xC4) else parts).append(jpeg[i : i + n])
        i += n
    return b"".join(parts) + jpeg[i:], b"".join(tables) + b"\xff\xd9"


SAMPLING = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}  # how colours are thinned out, across and down


def aperio(folder, sampling="420", colours="YCBCR", picture=None) -> Made:
    "A slide as scanners of Aperio write it: tiles of JPEG in two resolutions, their tables apart, and a thumbnail."
    import imagecodecs
    import tifffile

    picture = np.kron(RGB, np.ones((8, 8, 1), np.uint8)) if picture is None else picture
    options: dict = dict(description=APERIO, metadata=None, photometric="rgb")
    tiled: dict = dict(tile=(64, 64), compression="jpeg")
    if colours == "YCBCR":
        tiled |= dict(photometric="ycbcr", subsampling=SAMPLING[sampling])
    else:
        tiled |= dict(compressionargs={"outcolorspace": "rgb"})
    with tifffile.TiffWriter(folder / "a.svs") as tif:
        for step in (1, 0, 2):
            if not step:
                tif.write(RGB, **options)
                continue
            part, tiles = picture[::step, ::step], []
            whole = np.pad(part, [(0, -n % 64) for n in part.shape[:2]] + [(0, 0)], "edge")
            for r in range(0, whole.shape[0], 64):
                for c in range(0, whole.shape[1], 64):
                    tile = np.ascontiguousarray(whole[r : r + 64, c : c + 64])
                    how = dict(level=92, colorspace="RGB", outcolorspace=colours, subsampling=sampling)
                    tiles.append(_without_tables(imagecodecs.jpeg8_encode(tile, **how)))
            tables = [(347, 7, len(tiles[0][1]), tiles[0][1], True)]
            about = options | tiled | dict(shape=part.shape, dtype="u1", extratags=tables)
            tif.write(iter([tile for tile, _ in tiles]), **about)
    return Made(folder / "a.svs", picture, (0.000499, 0.000499), 3)


def tiffs() -> dict[str, Callable]:
    "Every variant that tifffile offers."
    from imagecodecs import JPEG2K, JPEGXL, JPEGXR, LERC, LZMA, WEBP, ZSTD

    made = {}
    for code in ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]:
        for order in "<>":
            made[f"{order}{code}"] = partial(tiff, (GREY // 2).astype(code), byteorder=order)
    for bits in (1, 2, 4, 10, 12, 14):
        kind = np.uint8 if bits < 8 else np.uint16
        held = (GREY.astype(kind) * 7) % 2**bits
        made[f"{bits} bits"] = partial(
            tiff, held, bitspersample=bits, photometric="minisblack", held=held * (255 if bits == 1 else 1)
        )
    for name in ["lzw", "adobe_deflate", "zstd", "packbits", "lzma", "png"]:
        made[name] = partial(tiff, GREY, compression=name)
        made[f"{name}, colours"] = partial(tiff, RGB, compression=name, photometric="rgb")
    for name in ["lzw", "adobe_deflate", "zstd"]:
        made[f"{name}, predictor"] = partial(
            tiff, RGB.astype("u2"), compression=name, predictor=True, photometric="rgb"
        )
        made[f"{name}, predictor of floats"] = partial(tiff, GREY.astype("f4"), compression=name, predictor=3)
    lossy = [
        ("jpeg", {"level": 95}),
        ("jpeg2000", {"level": 0}),
        ("webp", {"level": 100}),
        ("jpegxl", {}),
        ("jpegxr", {}),
    ]
    lossy = [lossy[i] for i, codec in enumerate([ZSTD, JPEG2K, WEBP, JPEGXL, JPEGXR]) if codec.available]
    for name, options in lossy:
        made[name] = partial(tiff, RGB, compression=name, compressionargs=options, photometric="rgb", error=4)
    if LERC.available and LZMA.available:
        made["lerc"] = partial(tiff, GREY.astype("f4"), compression="lerc")
    made["jpeg, grey"] = partial(tiff, GREY, compression="jpeg", error=3)
    made["jpeg, 12 bits"] = partial(tiff, GREY.astype("u2") * 16, compression="jpeg", bitspersample=12, error=30)
    made["jpeg2000, 16 bits"] = partial(tiff, GREY.astype("u2") * 200, compression="jpeg2000", error=1)
    made["big tiff"] = partial(tiff, GREY, bigtiff=True)
    made["planes of colours"] = partial(
        tiff, np.moveaxis(RGB, -1, 0).copy(), held=RGB, photometric="rgb", planarconfig="separate"
    )
    made["palette"] = partial(
        tiff,
        GREY % 4,
        photometric="palette",
        colormap=_colormap(),
        held=(_colormap().T[GREY % 4] >> 8).astype(np.uint8),
    )
    made["white is zero"] = partial(tiff, GREY, photometric="miniswhite", held=255 - GREY)
    made["white is zero, 16 bits"] = partial(
        tiff, GREY.astype("u2"), photometric="miniswhite", held=65535 - GREY.astype("u2")
    )
    made["alpha"] = partial(tiff, np.dstack([RGB, GREY]), photometric="rgb", extrasamples=["unassalpha"], held=RGB)
    made["tiles"] = partial(tiff, GREY, tile=(16, 32))
    made["strips"] = partial(tiff, GREY, rowsperstrip=5)
    made["cielab"] = partial(tiff, RGB, photometric="cielab", error=256)
    made["separated"] = partial(tiff, np.dstack([RGB, GREY]), photometric="separated", error=256)
    made["stack"] = partial(tiff, STACK, photometric="minisblack")
    made["stack, one page"] = partial(tiff, STACK, photometric="minisblack", volumetric=True, tile=(16, 16, 16))
    made["imagej"] = partial(
        tiff,
        STACK,
        imagej=True,
        resolution=(2, 4),
        metadata={"spacing": 3, "unit": "um", "axes": "ZYX"},
        spacing=(0.003, 0.00025, 0.0005),
    )
    ome = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 3.0}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    made["ome"] = partial(tiff, STACK, name="a.ome.tif", metadata=ome | units, spacing=(0.003, 0.00025, 0.0005))
    nm = {f"PhysicalSize{axis}Unit": "nm" for axis in "XYZ"}
    made["ome, nanometres"] = partial(
        tiff, GREY, name="a.ome.tif", metadata=ome | nm | {"axes": "YX"}, spacing=(0.25e-6, 0.5e-6)
    )
    made["ome, channels"] = partial(
        tiff, STACK[:2], name="a.ome.tif", metadata={"axes": "CYX"}, held=np.moveaxis(STACK[:2], 0, -1)
    )
    made["pyramid"] = pyramid
    made["pyramid, jpeg"] = partial(pyramid, compression="jpeg", compressionargs={"level": 95}, error=3)
    made["pyramid, ome"] = partial(pyramid, name="a.ome.tif", metadata={"axes": "YXS"}, compression="zlib")
    for sampling in SAMPLING:
        made[f"aperio, {sampling}"] = partial(aperio, sampling=sampling)
    made["aperio, RGB"] = partial(aperio, sampling="444", colours="RGB")
    return made


def _colormap():
    return (np.arange(3 * 256).reshape(3, 256) * 83).astype(np.uint16)


def picture(values, name, folder, mode=None, **options) -> Made:
    "A file that Pillow writes, and what Pillow reads in it."
    from PIL import Image as Picture

    made = Picture.fromarray(values)
    made = made if mode is None else made.convert(mode)
    made.save(folder / name, **options)
    if name.endswith((".eps", ".pdf")):
        return Made(folder / name, values)  # Pillow writes them only
    with Picture.open(folder / name) as back:
        plain = back.mode in ("L", "RGB", "F", "I") or back.mode.startswith("I;16")
        held = np.asarray(back if plain else back.convert("L" if back.mode in ("1", "LA") else "RGB"))
    if name.endswith((".gif", ".webp")) and (held == held[..., :1]).all():
        held = held[..., 0]  # formats without grey
    return Made(folder / name, held)


def by_imageio(values, name, folder, held=None, error=0.0, **options) -> Made:
    import imageio.v3 as iio

    iio.imwrite(folder / name, values, **options)
    return Made(folder / name, values if held is None else held, error=error)


def pictures() -> dict[str, Callable]:
    "Every format that Pillow writes, in the modes that it has there."
    from PIL import Image as Picture

    Picture.init()
    endings = (
        "png apng bmp dib gif webp jpg jpeg jfif jp2 j2k tga ppm pnm pcx sgi ico im tif avif dds qoi eps pdf icns mpo"
    )
    made = {
        f"RGB.{end}": partial(picture, RGB, f"a.{end}") for end in endings.split() if f".{end}" in Picture.EXTENSION
    }
    for end in ("png", "bmp", "gif", "jpg", "jp2", "tga", "pgm", "tif", "webp", "im", "pcx", "sgi"):
        made[f"grey.{end}"] = partial(picture, GREY, f"a.{end}")
    made["grey.spi"] = partial(picture, GREY, "a.spi", format="SPIDER")
    for end in ("png", "tga", "tif", "webp", "jp2"):
        made[f"RGBA.{end}"] = partial(picture, np.dstack([RGB, 255 - GREY]), f"a.{end}")
    for end in ("png", "gif", "bmp", "tif"):
        made[f"palette.{end}"] = partial(picture, RGB, f"a.{end}", mode="P")
    for end in ("png", "pgm", "tif", "jp2"):
        made[f"16 bits.{end}"] = partial(picture, GREY.astype(np.uint16) * 257, f"a.{end}")
    for end in ("png", "pbm", "msp", "xbm", "bmp", "tif"):
        made[f"bits.{end}"] = partial(picture, GREY, f"a.{end}", mode="1")
    made["LA.png"] = partial(picture, np.dstack([GREY, GREY]), "a.png")
    made["CMYK.jpg"] = partial(picture, RGB, "a.jpg", mode="CMYK")
    made["progressive.jpg"] = partial(picture, RGB, "a.jpg", progressive=True)
    made["floats.tif"] = partial(picture, GREY.astype(np.float32), "a.tif")
    made["floats.pfm"] = partial(picture, GREY.astype(np.float32), "a.pfm")
    made["lossless.webp"] = partial(picture, RGB, "a.webp", lossless=True)
    frames = [Picture.fromarray(plane) for plane in STACK[1:]]
    for end in ("gif", "webp", "png", "mpo"):
        made[f"frames.{end}"] = partial(picture, STACK[0], f"a.{end}", save_all=True, append_images=frames)
    return made


def by_imageios() -> dict[str, Callable]:
    made = {f"{end}": partial(by_imageio, RGB, f"a{end}") for end in (".png", ".bmp", ".tif", ".ppm", ".tga", ".jp2")}
    made |= {end: partial(by_imageio, RGB, f"a{end}", error=e) for end, e in ((".jpg", 6), (".webp", 6), (".gif", 256))}
    made["grey.pgm"] = partial(by_imageio, GREY, "a.pgm")
    made["16 bits.png"] = partial(by_imageio, GREY.astype(np.uint16) * 99, "a.png")
    made["stack.tif"] = partial(by_imageio, STACK, "a.tif")
    made["stack.gif"] = partial(by_imageio, STACK, "a.gif", held=STACK[0], error=1)
    return made


def nifti(cls, kind, name, folder, scale=None, order="<", shape=None, turned=True) -> Made:
    "A volume as nibabel writes it, its axes turned."
    import nibabel

    stored = VOLUME.astype(kind) if shape is None else VOLUME[..., None].repeat(shape, -1).astype(kind)
    affine = (
        np.array([[0, 2, 0, -10], [0, 0, -3, 50], [-1, 0, 0, 80], [0, 0, 0, 1.0]])
        if turned
        else np.diag([-2, 3, 4, 1.0])
    )
    write = getattr(nibabel, cls)
    header = write.header_class(endianness=">") if order == ">" else None
    image = write(stored, affine, header, **({"dtype": kind} if cls.startswith("Nifti") else {}))
    image.set_data_dtype(np.dtype(kind))
    if scale:
        image.header.set_slope_inter(*scale)
    image.to_filename(folder / name)
    back = nibabel.load(folder / name)
    return Made(folder / name, *canonical(back))


def canonical(image) -> tuple[np.ndarray, tuple[float, ...]]:
    "Values and spacing of an image of nibabel as planes towards S, rows towards P, columns towards L."
    import nibabel

    near = nibabel.as_closest_canonical(image)
    data = np.asarray(near.dataobj)
    if data.dtype.fields:
        data = np.stack([data[name] for name in data.dtype.names], -1)
    data = data.reshape(data.shape + (1,) * (3 - data.ndim))
    data = data.transpose(2, 1, 0, *range(3, data.ndim))[:, ::-1, ::-1]
    spacing = tuple(np.linalg.norm(near.affine[:3, :3], axis=0)[::-1])
    while data.ndim > 4:
        data = data.squeeze(-1)
    if 1 in data.shape[:3]:
        thin = data.shape.index(1)
        data, spacing = data.take(0, axis=thin), spacing[:thin] + spacing[thin + 1 :]
    return data, spacing


def niftis() -> dict[str, Callable]:
    "Every format that nibabel writes."
    made = {}
    for cls, name in (
        ("Nifti1Image", "a.nii"),
        ("Nifti2Image", "a.nii.gz"),
        ("Nifti1Pair", "a.hdr"),
        ("Nifti2Pair", "a.img"),
    ):
        for kind in ["u1", "i2", "i4", "f4", "f8", "u2", "i8"]:
            made[f"{cls} {kind}"] = partial(nifti, cls, kind, name)
        made[f"{cls} big endian"] = partial(nifti, cls, "i2", name, order=">")
        made[f"{cls} scaled"] = partial(nifti, cls, "i2", name, scale=(0.5, 3))
        made[f"{cls} channels"] = partial(nifti, cls, "i2", name, shape=3)
    made["a pair, packed"] = partial(nifti, "Nifti1Pair", "i2", "a.img.gz")
    made["packed by bzip2"] = partial(nifti, "Nifti1Image", "i2", "a.nii.bz2")
    for cls in ("AnalyzeImage", "Spm99AnalyzeImage", "Spm2AnalyzeImage"):
        for kind in ("u1", "i2", "f4"):
            made[f"{cls} {kind}"] = partial(nifti, cls, kind, "a.img", turned=False)
        made[f"{cls} big endian"] = partial(nifti, cls, "i2", "a.hdr", turned=False, order=">")
    for name in ("a.mgh", "a.mgz"):
        for kind in ("u1", "i2", "i4", "f4"):
            made[f"{name} {kind}"] = partial(nifti, "MGHImage", kind, name)
        made[f"{name} channels"] = partial(nifti, "MGHImage", "f4", name, shape=2)
    return made


def itk(kind, name, folder, planes=True, colours=False) -> Made:
    "An image as SimpleITK writes it."
    import SimpleITK as sitk

    stored = VOLUME.T.astype(kind) if planes else GREY.astype(kind)
    if colours:
        stored = RGB.astype(kind)
    image = sitk.GetImageFromArray(stored, isVector=colours)
    image.SetSpacing((0.5, 2, 3)[: image.GetDimension()])
    sitk.WriteImage(image, str(folder / name))
    paper = name.endswith(("png", "tif", "bmp", "jpg", "lsm"))  # in which dots per inch mean paper
    if name.endswith("mnc"):  # its x and y run right and forward; ITK writes left and back all the same
        stored = stored[:, ::-1, ::-1]
    if name.endswith("mrc"):
        return Made(folder / name, stored, (3e-7, 2e-7, 0.5e-7))  # in Ångström
    return Made(folder / name, stored, None if paper else (3, 2, 0.5)[-image.GetDimension() :])


_TYPES = {
    "nrrd nhdr mha mhd vtk hdf5": "u1 i1 u2 i2 u4 i4 u8 i8 f4 f8",
    "nii nii.gz hdr": "u1 i2 u2 i4 u4 f4 f8",
    "gipl": "u1 i1 u2 i2 f4 f8",
    "mrc": "u2 i2 f4",
    "mnc": "u1 i2 f4",
}


def itks() -> dict[str, Callable]:
    "Every format that SimpleITK writes, with every type of pixel that it has there."
    made = {}
    for endings, kinds in _TYPES.items():
        for ending in endings.split():
            for kind in kinds.split():
                made[f"{ending} {kind}"] = partial(itk, kind, f"a.{ending}")
    for ending in ["nrrd", "mha", "nii", "png", "tif", "bmp", "jpg", "dcm", "pic", "lsm"]:
        made[f"{ending}, plane"] = partial(itk, "u1", f"a.{ending}", planes=False)
    for ending in ["nrrd", "mha", "png", "tif", "bmp", "nii", "vtk"]:
        made[f"{ending}, colours"] = partial(itk, "u1", f"a.{ending}", planes=False, colours=True)
    return made


WRITTEN = {  # library → the module it needs, and what makes its files
    "tifffile": (("tifffile", "imagecodecs"), tiffs),
    "Pillow": (("PIL",), pictures),
    "imageio": (("imageio",), by_imageios),
    "nibabel": (("nibabel",), niftis),
    "SimpleITK": (("SimpleITK",), itks),
}


def written(library: str) -> dict[str, Callable]:
    "Name → function (folder) → `Made`; none if the library is not installed."
    modules, make = WRITTEN[library]
    return make() if all(map(util.find_spec, modules)) else {}


# ---------- reading them


def outcome(path, **options) -> tuple[Image | None, str]:
    "The image in a file, or the message with which it is refused; another error is one of the reader."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_image(path, **options), ""
        except (ImageError, ImageTypeError, ImportError) as e:
            return None, str(e)


def values(image: Image) -> np.ndarray:  # [*spatial], or with channels last
    return image.values()[0] if image.n_channels == 1 else np.moveaxis(image.values(), 0, -1)


def difference(made: Made) -> str:
    "What an image that opens has wrong; empty if nothing. Refused files are told by their message."
    held = made.values[..., 0] if made.values.ndim > 2 and made.values.shape[-1] == 1 else made.values
    low, high = float(held.min()), float(held.max())
    image, refusal = outcome(made.path, window=(low, high if high > low else low + 1))
    if image is None:
        return refusal
    found = values(image)
    if found.shape != held.shape:
        return f"shape {found.shape}, expected {held.shape}"
    if (error := np.abs(found - held).mean()) > max(made.error, 1e-5 * (high - low)):
        return f"off by {error:.3g}"
    spacing = image.spacing if image.unit == "mm" else None
    if (spacing is None) != (made.spacing is None) or (spacing and not np.allclose(spacing, made.spacing, rtol=1e-4)):
        return f"spacing {spacing}, expected {made.spacing}"
    return ""


def rows() -> list[dict]:
    "A row for each file."
    table = []

    def add(library, source, name, path):
        image, refusal = outcome(path)
        size = "" if image is None else " × ".join(map(str, image.spatial))
        spacing = "" if image is None or image.unit != "mm" else " × ".join(f"{s:.4g}" for s in image.spacing)
        reason = refusal.replace(str(path), path.name).replace(f"{path.parent}/", "")
        known = dict(library=library, version=metadata.version(library), source=source, file=name)
        table.append(known | dict(opened=image is not None, size=size, spacing_mm=spacing, reason=reason))

    for library in SHIPPED:
        for path in shipped(library):
            add(library, "shipped", path.name, path)
    for library in WRITTEN:
        for name, make in written(library).items():
            with tempfile.TemporaryDirectory() as folder:
                add(library, "written", name, make(Path(folder)).path)
    return table


if __name__ == "__main__":
    guard._in_trial = True  # a fork for each file takes longer than reading it
    found = rows()
    with open(sys.argv[1], "w", encoding="utf8", newline="") as f:
        writer = csv.DictWriter(f, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
