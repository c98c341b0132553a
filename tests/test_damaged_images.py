"Files that are broken or hostile: what `cuts.io` must survive, and how it says so."

import gzip
import io
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
from image_files import GREY, RGB, save
from PIL import Image as Picture

from cuts.io.reading import IMAGE_SUFFIXES, LABEL_SUFFIXES, as_image, read_image, read_labels
from cuts.io.arrays import array_names, read_array

rng = np.random.default_rng(1)


# Cut short or damaged ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".tif", ".npy", ".npz", ".nii", ".nii.gz"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.3, 0.7, 0.97])
def test_truncated_files_are_one_value_error_naming_the_file(tmp_path, ending, keep, no_trials):
    array = rng.integers(0, 256, (64, 70, 9) if "nii" in ending else (64, 70), dtype=np.uint8)
    path = save(tmp_path / f"cut{ending}", array)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ValueError, match=f"cut{ending}"):
        read_image(path)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncated_multipage_tiff(tmp_path, keep, compression, no_trials):
    stack = rng.integers(0, 999, (12, 40, 50)).astype(np.uint16)
    path = save(tmp_path / "stack.tif", stack, compression=compression, photometric="minisblack")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
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
def test_wrong_content_is_a_value_error(tmp_path, ending, content, no_trials):
    path = tmp_path / f"odd{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="odd"):
        read_image(path)


def complaint_of(path) -> str:
    "What reading a file complains of; its name where it can be read."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read_image(path, max_pixels=2**16)
        except (ValueError, TypeError) as error:
            return str(error)
    return path.name


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".tif", ".npy", ".npz", ".nii", ".nii.gz"])
def test_flipped_bytes_never_raise_anything_else(tmp_path, ending, no_trials):
    shape = (20, 21, 5) if "nii" in ending else (20, 21)
    path = save(tmp_path / f"flip{ending}", rng.integers(0, 256, shape, dtype=np.uint8))
    content = bytearray(path.read_bytes())
    for position in np.random.default_rng(1).integers(0, min(len(content), 400), 80):
        broken = bytearray(content)
        broken[position] ^= 0xFF
        path.write_bytes(broken)
        assert "flip" in complaint_of(path), complaint_of(path)


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


# Bombs and payloads --------------------------------------------------------------------------------------------------
def png_header(width, height):
    "A PNG that says how large it is, and holds a little of it."

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


READS_WITH_LITTLE_MEMORY = """
import contextlib, resource, sys
from cuts.io.reading import read_image
import PIL.PngImagePlugin, PIL.JpegImagePlugin, PIL.BmpImagePlugin, PIL.ImageOps
with contextlib.suppress(ImportError):
    import nibabel

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
for path in sys.argv[1:]:
    try:
        read_image(path)
        print("read", path)
    except ValueError as e:
        is_refused = all(part in str(e) for part in ("more than the cap", path, "max_pixels="))
        print("cap" if is_refused else e)
"""


def test_bombs_are_refused_before_anything_is_allocated(tmp_path):
    "In a process that may use little more memory than its imports."
    files = bombs(tmp_path)
    assert len(files) == 5
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    pytest.importorskip("nibabel")
    command = [sys.executable, "-c", READS_WITH_LITTLE_MEMORY, *map(str, files)]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
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
    "Touches a file when it is unpickled."

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
    with pytest.raises(ValueError, match=path.name):
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
    damaged = (tmp_path / "b.npz").read_bytes().replace(GREY.tobytes()[:8], b"\0" * 8)  # a wrong checksum
    (tmp_path / "b.npz").write_bytes(damaged)
    with pytest.raises(ValueError, match="b.npz"):
        read_image(tmp_path / "b.npz")
    np.save(tmp_path / "c.npy", np.zeros(4, dtype=[("a", "i4")]))
    with pytest.raises(TypeError, match="expected numbers"):
        read_image(tmp_path / "c.npy")
