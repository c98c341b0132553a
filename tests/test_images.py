"""Files that are broken, hostile or unusual: what `cuts.images` must survive, and how it says so."""

import gzip
import io
import itertools
import os
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from cuts.images import (
    IMAGE_SUFFIXES,
    LABEL_SUFFIXES,
    READERS,
    WRITERS,
    Image,
    array_names,
    as_image,
    check_labels_match,
    is_image_file,
    label_palette,
    read_array,
    read_image,
    read_labels,
    write_labels,
    write_picture,
)

rng = np.random.default_rng(0)
GREY = rng.integers(0, 256, (24, 36), dtype=np.uint8)
RGB = rng.integers(0, 256, (24, 36, 3), dtype=np.uint8)


def save(path, array, **options):
    "Write `array` in the format of the ending, with the library of that format."
    name = path.name.lower()
    if name.endswith((".tif", ".tiff")):
        import tifffile

        tifffile.imwrite(path, array, **options)
    elif name.endswith(".npy"):
        with open(path, "wb") as f:
            np.save(f, array)
    elif name.endswith(".npz"):
        with open(path, "wb") as f:
            np.savez_compressed(f, image=array)
    elif name.endswith((".nii", ".nii.gz")):
        nib = pytest.importorskip("nibabel")
        nib.save(
            nib.Nifti1Image(array, np.eye(4)), path.with_name(path.name.lower())
        )  # it would change upper-case endings
        path.with_name(path.name.lower()).rename(path)
    else:
        Picture.fromarray(array).save(path, **options)
    return path


# ---------- cut short or damaged


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".tif", ".npy", ".npz", ".nii", ".nii.gz"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.3, 0.7, 0.97])
def test_truncated_files_are_one_value_error_naming_the_file(tmp_path, ending, keep):
    array = rng.integers(0, 256, (64, 70, 9) if "nii" in ending else (64, 70), dtype=np.uint8)
    path = save(tmp_path / f"cut{ending}", array)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(ValueError, match=f"cut{ending}"):
        read_image(path)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncated_multipage_tiff(tmp_path, keep, compression):
    path = save(
        tmp_path / "stack.tif",
        rng.integers(0, 999, (12, 40, 50)).astype(np.uint16),
        compression=compression,
        photometric="minisblack",
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(ValueError, match="stack.tif"):
        read_image(path)


@pytest.mark.parametrize("ending", IMAGE_SUFFIXES)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 600,
        b"GIF89a" + b"\0" * 600,
        b"\x1f\x8b" + b"\0" * 600,
        b"PK\3\4" + b"\xff" * 99,
        b"\x93NUMPY\1\0" + b"\xff" * 600,
    ],
)
def test_wrong_content_is_a_value_error(tmp_path, ending, content):
    path = tmp_path / f"odd{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="odd"):
        read_image(path)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".tif", ".npy", ".npz", ".nii", ".nii.gz"])
def test_flipped_bytes_never_raise_anything_else(tmp_path, ending):
    path = save(
        tmp_path / f"flip{ending}", rng.integers(0, 256, (20, 21, 5) if "nii" in ending else (20, 21), dtype=np.uint8)
    )
    whole = bytearray(path.read_bytes())
    for position in np.random.default_rng(1).integers(0, min(len(whole), 400), 80):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        path.write_bytes(broken)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read_image(path, max_pixels=2**16)
            except (ValueError, TypeError) as e:
                assert "flip" in str(e), e


def test_wrong_name_but_good_picture(tmp_path):
    Picture.fromarray(RGB).save(tmp_path / "a.bmp")
    os.rename(tmp_path / "a.bmp", tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png").data, as_image(RGB).data)
    save(tmp_path / "b.nii", np.zeros((5, 6, 7), np.uint8) + np.arange(7, dtype=np.uint8))
    os.rename(tmp_path / "b.nii", tmp_path / "b.nii.gz")
    assert read_image(tmp_path / "b.nii.gz").spatial == (7, 6, 5)


def test_missing_file_folder_and_unknown_ending(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.png"):
        read_image(tmp_path / "nothing.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match="folder"):
        read_image(tmp_path / "folder.png")
    (tmp_path / "a.xyz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"unknown ending '.xyz', expected one of .png"):
        read_image(tmp_path / "a.xyz")


# ---------- bombs and payloads


def png_header(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 999))
        + chunk(b"IEND", b"")
    )


def npy_header(shape, dtype="|u1"):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": False, "shape": shape})
    return out.getvalue()


def bombs(folder):
    "Small files that say, or unpack to, a thousand billion pixels."
    (folder / "a.png").write_bytes(png_header(2**20, 2**20))
    (folder / "a.npy").write_bytes(npy_header((2**20, 2**20)))
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("image.npy", npy_header((2**20, 2**20)) + b"\0" * 10**6)
    header = bytearray(352)
    struct.pack_into("<i8h", header, 0, 348, *[0] * 8)
    struct.pack_into("<8h", header, 40, 3, 32767, 32767, 1000, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 2, 8)
    struct.pack_into("<f", header, 108, 352)
    header[344:348] = b"n+1\0"
    (folder / "a.nii").write_bytes(header)
    (folder / "a.nii.gz").write_bytes(gzip.compress(bytes(header) + b"\0" * 10**6))
    return sorted(folder.iterdir())


def test_bombs_are_refused_before_anything_is_allocated(tmp_path):
    "In a process that may use little more memory than its imports."
    files = bombs(tmp_path)
    assert len(files) == 5
    code = (
        "import resource, sys\nfrom cuts.images import read_image\nimport PIL.PngImagePlugin, PIL.JpegImagePlugin, PIL.BmpImagePlugin, PIL.ImageOps\n"
        "try: import nibabel\nexcept ImportError: pass\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))\n"
        "for p in sys.argv[1:]:\n    try: read_image(p); print('read', p)\n"
        "    except ValueError as e: print('cap' if 'more than the cap' in str(e) and p in str(e) and 'max_pixels=' in str(e) else e)\n"
    )
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    pytest.importorskip("nibabel")
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.split() == ["cap"] * 5, done.stdout + done.stderr


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".tif", ".npy", ".npz", ".nii.gz"])
def test_the_cap_is_a_parameter_and_exact(tmp_path, ending):
    path = save(tmp_path / f"a{ending}", np.ascontiguousarray(rng.integers(0, 256, (20, 30), dtype=np.uint8)))
    assert read_image(path, max_pixels=600).ndim == 2
    with pytest.raises(ValueError, match="more than the cap of 599"):
        read_image(path, max_pixels=599)
    if ending in LABEL_SUFFIXES:
        with pytest.raises(ValueError, match="more than the cap of 599"):
            read_labels(path, max_pixels=599)


def test_a_large_tiff_is_refused_by_its_header(tmp_path):
    import tifffile

    with tifffile.TiffWriter(tmp_path / "a.tif") as t:
        t.write(np.zeros((4, 2**12, 2**12), np.uint8), compression="zlib", photometric="minisblack")
    with pytest.raises(ValueError, match="4 × 4096 × 4096"):
        read_image(tmp_path / "a.tif", max_pixels=2**20)


def test_nifti_with_an_absurd_offset(tmp_path):
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 4, 4, 4, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 2, 8)
    struct.pack_into("<f", header, 108, 2.0**40)
    header[344:348] = b"n+1\0"
    (tmp_path / "a.nii").write_bytes(header)
    with pytest.raises(ValueError, match="begin at byte"):
        read_image(tmp_path / "a.nii")


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("ending", [".npy", ".npz"])
@pytest.mark.parametrize("read", [read_image, read_labels, read_array])
def test_pickles_never_run(tmp_path, ending, read):
    proof, path = tmp_path / "ran", tmp_path / f"a{ending}"
    array = np.array([[Payload(proof)]], dtype=object)
    np.save(path, array) if ending == ".npy" else np.savez(path, image=array)
    with pytest.raises(TypeError, match="never loaded"):
        read(path)
    path.write_bytes(pickle.dumps(Payload(proof)))  # a bare pickle under that name
    with pytest.raises(ValueError):
        read(path)
    assert not proof.exists()


def test_npz_members(tmp_path):
    np.savez(tmp_path / "a.npz", first=GREY, second=RGB)
    assert array_names(tmp_path / "a.npz") == ["first", "second"]
    with pytest.raises(ValueError, match="which array.* first, second"):
        read_image(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="no array 'third'"):
        read_image(tmp_path / "a.npz", key="third")
    assert read_image(tmp_path / "a.npz", key="second").n_channels == 3
    np.savez(tmp_path / "b.npz", image=GREY, label=GREY % 2)
    assert np.array_equal(read_labels(tmp_path / "b.npz"), GREY % 2)
    assert read_image(tmp_path / "b.npz").n_channels == 1
    whole = (tmp_path / "b.npz").read_bytes().replace(GREY.tobytes()[:8], b"\0" * 8)  # a wrong checksum
    (tmp_path / "b.npz").write_bytes(whole)
    with pytest.raises(ValueError, match="b.npz"):
        read_image(tmp_path / "b.npz")
    np.save(tmp_path / "c.npy", np.zeros(4, dtype=[("a", "i4")]))
    with pytest.raises(TypeError, match="expected numbers"):
        read_image(tmp_path / "c.npy")


# ---------- values and layout


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ending", [None, ".npy", ".tif", ".nii.gz"])
def test_not_finite(tmp_path, bad, ending):
    x = rng.random((10, 12)).astype(np.float32)
    x[3, 4] = x[7, 8] = bad
    x = x if ending is None else save(tmp_path / f"a{ending}", x)
    with pytest.raises(ValueError, match="2 of 120 values are NaN or infinite, the first at"):
        as_image(x)


@pytest.mark.parametrize("shape", [(), (5,), (0,), (0, 5), (5, 0, 3), (2, 2, 2, 2, 2)])
def test_refused_shapes(shape):
    with pytest.raises(ValueError):
        as_image(np.zeros(shape))


def test_types():
    for x in (
        GREY > 9,
        GREY.astype(complex),
        GREY.astype(object),
        GREY.astype(str),
        GREY.astype("datetime64[s]"),
        [[1, 2], [3]],
    ):
        with pytest.raises(TypeError, match="array"):
            as_image(x)
    for kind in (
        np.uint8,
        np.int8,
        np.uint16,
        np.int16,
        ">i2",
        np.int32,
        np.uint32,
        np.int64,
        np.uint64,
        np.float16,
        np.float32,
        ">f4",
        np.float64,
        np.longdouble,
    ):
        image = as_image((GREY // 2).astype(kind))
        assert image.data.dtype == np.float32 and np.abs(image.data).max() <= 1 and image.data.std() > 0.1, kind
    for kind in (np.uint16, np.int16, np.float32, np.float64):  # the order of windows is that of values
        x = (GREY.astype(kind) - 100) * 7 if kind != np.uint16 else GREY.astype(kind) * 200
        assert np.corrcoef(as_image(x).data.ravel(), x.ravel())[0, 1] > 0.99


def test_extreme_values():
    image = as_image(np.array([[0.0, 1e300], [-1e300, 5.0]]))
    assert np.isfinite(image.data).all()
    assert np.isfinite(image.window).all()
    with pytest.raises(ValueError, match="window"):
        as_image(np.array([[-1.7e308, 1.7e308]] * 2))
    for window in ((1, 1), (2, 1), (0, np.nan), (0, np.inf), (1, 2, 3)):
        with pytest.raises(ValueError, match="window"):
            as_image(GREY, window=window)


@pytest.mark.parametrize("value", [0, 7, 255, -3.5, 1e20, 1e-20])
def test_constant(value):
    with pytest.warns(UserWarning, match="constant"):
        image = as_image(np.full((9, 8), value))
    assert np.array_equal(image.data, np.zeros((1, 9, 8)))
    assert np.allclose(image.values(), value)
    with pytest.warns(UserWarning, match="inside the window"):
        assert (as_image(np.full((9, 8), -1000.0), window=(-160, 240)).data == -1).all()


def test_ambiguous_channels():
    for shape in ((3, 3, 3), (3, 40, 3), (4, 9, 9, 2)):
        with pytest.raises(ValueError, match="Pass channel_axis=0 or channel_axis=-1"):
            as_image(np.zeros(shape) + rng.random(shape))
    x = rng.random((3, 3, 3))
    assert as_image(x, channel_axis=0).spatial == (3, 3)
    assert as_image(x, channel_axis="none").spatial == (3, 3, 3)
    assert np.array_equal(as_image(x, channel_axis=-1).data, as_image(np.moveaxis(x, -1, 0), channel_axis=0).data)
    for axis in (3, -4, 1.5, "last"):
        with pytest.raises(ValueError, match="channel_axis"):
            as_image(x, channel_axis=axis)
    assert as_image(rng.random((5, 30, 40)), channel_axis=0).n_channels == 5


def test_conversion_only_when_asked(tmp_path):
    path = save(tmp_path / "a.png", RGB)
    assert read_image(path).n_channels == 3
    assert read_image(path, channels="gray").n_channels == 1
    assert as_image(GREY, channels="rgb").n_channels == 3
    luminance = np.clip(RGB @ [0.2125, 0.7154, 0.0721] / 127.5 - 1, -1, 1)
    assert np.allclose(read_image(path, channels="gray").data[0], luminance, atol=1e-5)
    with pytest.raises(ValueError, match="2 channels, only 3 can be made 'gray'"):
        as_image(rng.random((9, 9, 2)), channels="gray")
    with pytest.raises(ValueError, match='expected "gray" or "rgb"'):
        as_image(GREY, channels="hsv")


def test_an_image_and_a_path_are_taken_as_they_are(tmp_path):
    path = save(tmp_path / "a.png", RGB)
    image = as_image(path)
    assert as_image(image) is image
    assert as_image(str(path)).source == str(path)
    with pytest.raises(ValueError, match="scaled already"):
        as_image(image, window=(0, 9))
    placed = as_image(image, spacing=(0.5, 0.25))
    assert placed.spacing == (0.5, 0.25)
    assert placed.unit == "mm"
    assert image.unit == "px"
    affine = np.diag([2.0, 3, 4, 1])
    assert as_image(GREY, affine=affine).spacing == (2, 3)
    for spacing in ((1, 2, 3), (0, 1), (np.nan, 1), -1):
        with pytest.raises(ValueError, match="positive numbers"):
            as_image(GREY, spacing=spacing)
    with pytest.raises(ValueError, match="4,4"):
        as_image(GREY, affine=np.eye(3))


# ---------- kinds of pictures


def test_kinds_of_png(tmp_path):
    def written(picture, **options):
        picture.save(tmp_path / "a.png", **options)
        return tmp_path / "a.png"

    sixteen = (GREY.astype(np.uint16) * 200) + 7
    image = read_image(written(Picture.fromarray(sixteen)))
    assert image.scaling.startswith("percentiles")
    assert abs(image.values()[0] - sixteen).max() < 600
    assert np.array_equal(read_labels(tmp_path / "a.png"), sixteen)
    palette = Picture.fromarray(GREY % 5).copy()
    palette.putpalette(label_palette().tobytes())
    assert read_image(written(palette)).n_channels == 3
    assert np.array_equal(read_labels(tmp_path / "a.png"), GREY % 5)
    assert np.array_equal(
        np.rint(read_image(tmp_path / "a.png").values()).astype(np.uint8), np.moveaxis(label_palette()[GREY % 5], -1, 0)
    )
    assert np.array_equal(read_image(written(Picture.fromarray(GREY > 99))).data[0], np.where(GREY > 99, 1, -1))
    assert np.array_equal(read_labels(tmp_path / "a.png"), GREY > 99)
    for alpha in (Picture.fromarray(np.dstack([RGB, GREY])), Picture.fromarray(GREY).convert("LA")):
        with pytest.warns(UserWarning, match="transparency and dropped"):
            assert read_image(written(alpha)).n_channels == len(alpha.mode) - 1
    with pytest.warns(UserWarning, match="transparency"):
        assert read_image(written(palette, transparency=0)).n_channels == 3
    with pytest.raises(ValueError, match="3 channels, expected numbers"):
        read_labels(written(Picture.fromarray(RGB)))
    assert np.array_equal(read_labels(written(Picture.fromarray(np.dstack([GREY] * 3)))), GREY)


def test_exif_rotation_and_cmyk(tmp_path):
    smooth = np.add.outer(np.arange(24) * 4, np.arange(36) * 3).astype(np.uint8)
    exif = Picture.Exif()
    exif[0x0112] = 6
    Picture.fromarray(smooth).save(tmp_path / "a.jpg", exif=exif, quality=100)
    image = read_image(tmp_path / "a.jpg")
    assert image.spatial == (36, 24)
    assert abs(image.values()[0] - np.rot90(smooth, -1)).max() < 6
    Picture.fromarray(RGB).convert("CMYK").save(tmp_path / "b.JPEG")
    assert read_image(tmp_path / "b.JPEG").n_channels == 3
    with pytest.raises(ValueError, match="JPEG changes numbers"):
        read_labels(tmp_path / "a.jpg")


def test_names(tmp_path, monkeypatch):
    for name in ("with space.PNG", "-dash.png", "Äußeres 図.Tif", "α.NPY", "b.NII.GZ"):
        path = save(tmp_path / name, GREY)
        assert is_image_file(path)
        assert read_image(path).n_channels == 1
    (tmp_path / "link.png").symlink_to(tmp_path / "with space.PNG")
    assert read_image(tmp_path / "link.png").spatial == GREY.shape
    monkeypatch.chdir(tmp_path)
    assert read_image("-dash.png").spatial == GREY.shape
    assert not is_image_file(".hidden.png")
    assert not is_image_file("notes.txt")
    assert not is_image_file("a.gz")


# ---------- TIFF


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.uint32, np.int32, np.float32])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_depths(tmp_path, kind, compression):
    array = (rng.random((24, 36)) * 120).astype(kind)
    image = read_image(save(tmp_path / "a.tif", array, compression=compression))
    assert np.array_equal(image.data, as_image(array).data)


def test_tiff_layouts(tmp_path):
    def read(array, **options):
        return read_image(save(tmp_path / "a.tif", array, **options))

    stack = rng.integers(0, 4000, (3, 24, 36)).astype(np.uint16)
    assert read(RGB, photometric="rgb").n_channels == 3
    assert read(stack, imagej=True, metadata={"axes": "ZYX"}).spatial == (3, 24, 36)
    assert read(stack, imagej=True, metadata={"axes": "CYX"}).n_channels == 3
    assert read(stack, photometric="rgb", planarconfig="separate").n_channels == 3
    assert read_image(save(tmp_path / "b.ome.tif", stack, metadata={"axes": "ZYX"})).spatial == (3, 24, 36)
    assert read_image(save(tmp_path / "c.ome.tif", stack, metadata={"axes": "CYX"})).n_channels == 3
    assert read(np.concatenate([stack] * 3), photometric="minisblack").spatial == (9, 24, 36)
    volume = rng.integers(0, 4000, (5, 2, 24, 36)).astype(np.uint16)
    image = read(volume, imagej=True, metadata={"axes": "ZCYX"})
    assert (image.n_channels, image.spatial) == (2, (5, 24, 36))
    assert np.array_equal(image.data[1], as_image(volume, channel_axis=1).data[1])
    with pytest.raises(ValueError, match="expected an image or one volume"):
        read(rng.random((2, 3, 4, 24, 36)).astype(np.float32), imagej=True, metadata={"axes": "TZCYX"})
    with pytest.warns(UserWarning, match="transparency"):
        assert read(np.dstack([RGB, GREY]), photometric="rgb").n_channels == 3
    assert np.allclose(read(GREY, photometric="miniswhite").values()[0], 255 - GREY)
    colormap = label_palette().T.astype(np.uint16) << 8
    assert read(GREY, photometric="palette", colormap=colormap).n_channels == 3
    assert np.array_equal(read_labels(tmp_path / "a.tif"), GREY)
    image = read(
        np.concatenate([stack] * 2),
        imagej=True,
        resolution=(4.0, 2.0),
        metadata={"axes": "ZYX", "unit": "um", "spacing": 3.0},
    )
    assert image.unit == "mm"
    assert np.allclose(image.spacing, (0.003, 0.0005, 0.00025))
    assert read(GREY, resolution=(300, 300), resolutionunit="inch").unit == "px"


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"])
@pytest.mark.parametrize("array", [GREY, RGB, (GREY * 200.0).astype(np.uint16)], ids=["grey", "rgb", "sixteen"])
def test_tiff_compressions_without_another_package(tmp_path, compression, array):
    if compression == "jpeg" and array.dtype != np.uint8:
        pytest.skip("JPEG has eight bits")
    Picture.fromarray(array).save(
        tmp_path / "a.tif",
        compression=compression,
        append_images=[Picture.fromarray(array[::-1].copy())] * 4,
        save_all=True,
    )
    image = read_image(tmp_path / "a.tif")
    assert image.spatial == (5, 24, 36)
    assert image.n_channels == (3 if array.ndim == 3 else 1)
    assert compression == "jpeg" or np.allclose(
        image.plane(1).data, as_image(array[::-1], window=image.window).data, atol=1e-6
    )


def test_fax_compression_and_bits(tmp_path):
    for compression in (None, "group4"):
        Picture.fromarray(GREY > 99).save(tmp_path / "a.tif", **({"compression": compression} if compression else {}))
        assert np.array_equal(read_image(tmp_path / "a.tif").data[0], np.where(GREY > 99, 1, -1))
        assert np.array_equal(read_labels(tmp_path / "a.tif"), GREY > 99)


# ---------- NIfTI

ORIENTATIONS = ["".join(s) for p in itertools.permutations(("LR", "AP", "SI")) for s in itertools.product(*p)]


def nifti(path, data, codes="RAS", zooms=(1.0, 2.0, 3.0), oblique=0.0, header=None):
    "A file whose axes point along `codes`, a little oblique if wished; returns its affine."
    nib = pytest.importorskip("nibabel")
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    affine[:3, 3] = (-9, 20, 5)
    for axis, code in enumerate(codes):
        row = ["LR", "PA", "IS"].index(next(p for p in ("LR", "PA", "IS") if code in p))
        affine[row, axis] = zooms[axis] * (1 if code in "RAS" else -1)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(oblique), -np.sin(oblique)], [np.sin(oblique), np.cos(oblique)]]
    affine = turn @ affine
    image = nib.Nifti1Image(data, affine)
    if header:
        header(image.header)
    nib.save(image, path)
    return affine


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_nifti_every_orientation_goes_back_exactly(tmp_path, codes):
    nib = pytest.importorskip("nibabel")
    stored = rng.permutation(5 * 6 * 7).reshape(5, 6, 7).astype(np.int16)
    affine = nifti(tmp_path / "a.nii.gz", stored, codes, oblique=0.2)
    image, labels = read_image(tmp_path / "a.nii.gz"), read_labels(tmp_path / "a.nii.gz")
    assert nib.orientations.aff2axcodes(image.affine) == ("S", "P", "L")
    assert image.file_axes == codes
    assert image.unit == "mm"
    assert np.allclose(image.spacing, np.linalg.norm(image.affine[:3, :3], axis=0))
    for index in ((0, 0, 0), (2, 3, 4), (4, 1, 2)):  # the same voxel at the same place
        here = np.argwhere(labels == stored[index])[0]
        assert np.allclose(image.affine @ [*here, 1], affine @ [*index, 1])
    write_labels(tmp_path / "b.nii.gz", labels, like=image)
    back = nib.load(tmp_path / "b.nii.gz")
    assert np.array_equal(np.asarray(back.dataobj), stored)
    assert np.allclose(back.affine, affine, atol=1e-5)
    assert np.allclose(back.header.get_qform(), affine, atol=1e-4)
    assert np.array_equal(read_labels(tmp_path / "b.nii.gz"), labels)
    for axis in range(3):  # a plane knows where it lies
        plane = image.plane(2, axis)
        rest = [2, 2, 2]
        rest[axis] = 2
        r, c = 1, 3
        full = [r, c]
        full.insert(axis, 2)
        assert np.allclose(plane.affine @ [r, c, 0, 1], image.affine @ [*full, 1])
        cut = labels.take(2, axis)
        write_labels(tmp_path / "c.nii", cut, like=plane)
        again = read_image(tmp_path / "c.nii")
        assert np.array_equal(read_labels(tmp_path / "c.nii"), cut)
        assert np.allclose(again.affine @ [r, c, 0, 1], plane.affine @ [r, c, 0, 1], atol=1e-4)
        assert sorted(nib.load(tmp_path / "c.nii").shape) == sorted((*cut.shape, 1))
        assert nib.load(tmp_path / "c.nii").shape != cut.shape


def test_nifti_values_units_and_channels(tmp_path):
    nib = pytest.importorskip("nibabel")
    stored = rng.integers(0, 1000, (6, 7, 8)).astype(np.int16)
    hounsfield = stored * 2.0 - 1024
    image = nib.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(2, -1024)
    nib.save(image, tmp_path / "a.nii.gz")
    read = read_image(tmp_path / "a.nii.gz", window=(-1024, 1000))
    assert np.allclose(read.values()[0], hounsfield.transpose(2, 1, 0)[:, ::-1, ::-1], atol=1.5)
    assert read.scaling == "declared"
    assert np.array_equal(read_labels(tmp_path / "a.nii.gz"), np.rint(hounsfield.transpose(2, 1, 0)[:, ::-1, ::-1]))
    nifti(tmp_path / "m.nii", rng.random((5, 6, 7)).astype(np.float32), header=lambda h: h.set_xyzt_units("micron"))
    assert np.allclose(read_image(tmp_path / "m.nii").spacing, (0.003, 0.002, 0.001))
    modalities = rng.random((8, 9, 10, 4)).astype(np.float32)
    nifti(tmp_path / "c.nii", modalities)
    assert (read_image(tmp_path / "c.nii").n_channels, read_image(tmp_path / "c.nii").spatial) == (
        4,
        (10, 9, 8),
    )  # no alpha here
    nifti(tmp_path / "t.nii", rng.random((8, 9, 10, 12)).astype(np.float32))
    with pytest.raises(ValueError, match="a series of 12 volumes"):
        read_image(tmp_path / "t.nii")
    assert read_image(tmp_path / "t.nii", channel_axis=3).n_channels == 12
    colours = np.zeros((5, 6, 7), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"] = rng.integers(0, 255, (5, 6, 7))
    nifti(tmp_path / "rgb.nii", colours)
    assert read_image(tmp_path / "rgb.nii").n_channels == 3
    save(tmp_path / "flat.nii", GREY)
    assert read_image(tmp_path / "flat.nii").spatial == GREY.shape[::-1]  # x runs along columns


def test_nifti_with_a_singular_affine(tmp_path):
    nib = pytest.importorskip("nibabel")
    image = nib.Nifti1Image(rng.random((5, 6, 7)).astype(np.float32), np.eye(4))
    image.header.set_sform(np.diag([0, 0, 0, 1.0]), 1)
    image.header.set_zooms((2, 3, 4))
    raw = bytearray(image.to_bytes())
    struct.pack_into("<12f", raw, 280, *[0.0] * 12)
    struct.pack_into("<hh", raw, 252, 0, 1)
    struct.pack_into("<3f", raw, 80, 2, 3, 4)
    (tmp_path / "a.nii").write_bytes(raw)
    with pytest.warns(UserWarning, match="singular"):
        assert read_image(tmp_path / "a.nii").spacing == (4, 3, 2)


def test_without_nibabel_the_extra_is_named(tmp_path, monkeypatch):
    path = save(tmp_path / "a.nii.gz", GREY)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    for call in (lambda: read_image(path), lambda: write_labels(tmp_path / "b.nii.gz", GREY)):
        with pytest.raises(ImportError, match=r'pip install -e "\.\[medical\]"'):
            call()
    assert not (tmp_path / "b.nii.gz").exists()


# ---------- labels


@pytest.mark.parametrize(
    "ending", sorted(set(WRITERS) - {".dcm"})
)  # DICOM-SEG belongs to a DICOM image: tests/test_dicom.py
@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 60000])
def test_labels_come_back(tmp_path, ending, n):
    plane = (np.arange(250 * 260) % n).reshape(250, 260)
    write_labels(tmp_path / f"a{ending}", plane)
    back = read_labels(tmp_path / f"a{ending}")
    assert np.array_equal(back, plane)
    assert back.dtype == np.int32
    image = as_image(rng.random((250, 260)), spacing=(0.5, 0.25))
    write_labels(tmp_path / f"b{ending}", plane, like=image)
    assert np.array_equal(read_labels(tmp_path / f"b{ending}"), plane)
    if ending == ".npz" or "nii" in ending:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one region is a constant image
            again = read_image(tmp_path / f"b{ending}")
        assert np.allclose(again.spacing, (0.5, 0.25))
        assert again.unit == "mm"
    for volume in (rng.integers(0, n, (5, 30, 40)), rng.integers(0, n, (3, 30, 40))):
        if ending == ".png":
            with pytest.raises(ValueError, match="one plane"):
                write_labels(tmp_path / f"c{ending}", volume)
        else:
            write_labels(tmp_path / f"c{ending}", volume)
            assert np.array_equal(read_labels(tmp_path / f"c{ending}"), volume)
    first = (tmp_path / f"b{ending}").read_bytes()
    write_labels(tmp_path / f"b{ending}", plane, like=image)
    assert (tmp_path / f"b{ending}").read_bytes() == first  # the same bytes, always
    assert sorted(p.name[0] for p in tmp_path.iterdir()) == (
        ["a", "b"] if ending == ".png" else ["a", "b", "c"]
    )  # nothing left behind


def test_labels_with_odd_values(tmp_path):
    def read(x):
        np.save(tmp_path / "a.npy", x)
        return read_labels(tmp_path / "a.npy")

    assert np.array_equal(read(GREY.astype(float)), GREY)
    assert np.array_equal(read(GREY > 9), GREY > 9)
    assert read(np.array([[2**40, 0]])).dtype == np.int64
    assert read(-GREY.astype(int)).min() < 0
    assert read(GREY[..., None]).shape == GREY.shape == read(GREY[None]).shape
    with pytest.raises(ValueError, match="whole numbers, found"):
        read(GREY / 2)
    with pytest.raises(ValueError, match="NaN"):
        read(np.array([[np.nan, 1]]))
    with pytest.raises(TypeError, match="expected whole numbers"):
        read(GREY.astype(complex))
    with pytest.raises(ValueError, match="a PNG holds"):
        write_labels(tmp_path / "b.png", np.array([[-1, 2]]))
    with pytest.raises(ValueError, match="a PNG holds"):
        write_labels(tmp_path / "b.png", np.array([[0, 70000]]))
    for ending in (".tif", ".npy", ".npz", ".nii.gz"):
        write_labels(tmp_path / f"b{ending}", np.array([[-1, 70000], [3, 4]]))
        assert np.array_equal(read_labels(tmp_path / f"b{ending}"), [[-1, 70000], [3, 4]])
    with pytest.raises(ValueError, match="cannot be written as '.jpg'"):
        write_labels(tmp_path / "b.jpg", GREY)
    with pytest.raises(ValueError, match="not empty"):
        write_labels(tmp_path / "b.png", np.zeros((0, 3), int))
    with pytest.raises(ValueError, match="same pixels"):
        write_labels(tmp_path / "b.png", GREY, like=as_image(RGB[1:]))
    with pytest.raises(ValueError, match="07.png: labels"):
        check_labels_match(GREY[1:], as_image(RGB), "07.png")


# ---------- writing


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_labels(path, GREY % 3)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk is full"):
        write_labels(path, GREY % 4)
    with pytest.raises(OSError, match="disk is full"):
        write_picture(tmp_path / "b.png", RGB)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_labels(tmp_path / "no" / "a.png", GREY)


def test_a_killed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.npy"
    write_labels(path, GREY)
    code = (
        "import os, signal, sys, numpy as np\nfrom cuts.images import write_labels\n"
        "os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)\nwrite_labels(sys.argv[1], np.ones((500, 500), int))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], timeout=60).returncode == -9
    assert np.array_equal(read_labels(path), GREY)
    assert not [p for p in tmp_path.iterdir() if is_image_file(p) and p != path]


def test_pictures(tmp_path):
    for picture, expected in ((RGB, RGB), (GREY, GREY), (RGB / 255, RGB), (as_image(RGB).display(), RGB)):
        write_picture(tmp_path / "a.png", picture)
        assert np.array_equal(np.asarray(Picture.open(tmp_path / "a.png")), expected)
    for bad in (RGB / 200, RGB.astype(int), np.zeros((4, 4, 2)), np.full((4, 4), np.nan), np.zeros((0, 4))):
        with pytest.raises(ValueError, match="a picture is"):
            write_picture(tmp_path / "a.png", bad)
    with pytest.raises(ValueError, match=".png"):
        write_picture(tmp_path / "a.tif", RGB)


def test_a_new_format_is_one_line(tmp_path, monkeypatch):
    from cuts.images import Pixels

    monkeypatch.setitem(READERS, ".raw", lambda path, **_: Pixels(np.fromfile(path, np.uint8).reshape(24, 36)))
    GREY.tofile(tmp_path / "a.raw")
    assert is_image_file("a.RAW")
    assert np.array_equal(read_image(tmp_path / "a.raw").data, as_image(GREY).data)


def test_importing_is_light():
    code = "import sys, cuts.images; print([m for m in ('torch', 'PIL', 'tifffile', 'nibabel', 'skimage', 'scipy', 'pandas', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
