"Values, layouts and kinds of pictures: what `cuts.io` takes, what it refuses, and how it says so."

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from image_files import GREY, RGB, save
from PIL import Image as Picture

from cuts.io.reading import READERS, as_image, is_image_file, read_image, read_labels
from cuts.io.labels import label_palette

rng = np.random.default_rng(1)


# Values and layout ---------------------------------------------------------------------------------------------------
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
    with pytest.raises(ValueError, match="no pixels" if 0 in shape else "expected 2 to 4"):
        as_image(np.zeros(shape))


@pytest.mark.parametrize("kind", [bool, complex, object, str, "datetime64[s]"])
def test_refused_types(kind):
    with pytest.raises(TypeError, match="array"):
        as_image(GREY > 9 if kind is bool else GREY.astype(kind))


def test_a_ragged_list_is_refused():
    with pytest.raises(TypeError, match="array"):
        as_image([[1, 2], [3]])


NUMBERS = ["u1", "i1", "u2", "i2", ">i2", "i4", "u4", "i8", "u8", "f2", "f4", ">f4", "f8", "longdouble"]


@pytest.mark.parametrize("kind", NUMBERS)
def test_types_of_numbers(kind):
    image = as_image((GREY // 2).astype(kind))
    assert image.data.dtype == np.float32
    assert np.abs(image.data).max() <= 1
    assert image.data.std() > 0.1


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.float32, np.float64])
def test_the_order_of_values_is_kept(kind):
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
    slanted = np.array([[0, 3.0, 0, 9], [4, 0, 0, 8], [3, 4, 1, 7], [0, 0, 0, 1]])
    image = as_image(GREY, affine=slanted)
    assert as_image(image, spacing=image.spacing).affine is image.affine
    finer = as_image(image, spacing=(2.5, 1))  # the place follows the spacing
    assert np.allclose(finer.affine, slanted * [0.5, 0.2, 1, 1])
    assert np.array_equal(image.affine, slanted)
    for spacing in ((1, 2, 3), (0, 1), (np.nan, 1), -1):
        with pytest.raises(ValueError, match="positive numbers"):
            as_image(GREY, spacing=spacing)
    with pytest.raises(ValueError, match="4,4"):
        as_image(GREY, affine=np.eye(3))


# Kinds of pictures ---------------------------------------------------------------------------------------------------
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
    colours = np.rint(read_image(tmp_path / "a.png").values()).astype(np.uint8)
    assert np.array_equal(colours, np.moveaxis(label_palette()[GREY % 5], -1, 0))
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


def test_a_new_format_is_one_line(tmp_path, monkeypatch):
    from cuts.io.pixels import Pixels

    monkeypatch.setitem(READERS, ".raw", lambda path, **_: Pixels(np.fromfile(path, np.uint8).reshape(24, 36)))
    GREY.tofile(tmp_path / "a.raw")
    assert is_image_file("a.RAW")
    assert np.array_equal(read_image(tmp_path / "a.raw").data, as_image(GREY).data)


def test_importing_is_light():
    heavy = ("torch", "PIL", "tifffile", "nibabel", "skimage", "scipy", "pandas", "matplotlib")
    code = f"import sys, cuts.io; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("end", ["cut", "closed"])
def test_pictures_that_pillow_cannot_read_any_more(tmp_path, end):
    path = tmp_path / "x.png"
    Picture.effect_noise((64, 64), 50).save(path)
    if end == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    picture = Picture.open(path)
    if end == "closed":
        picture.close()
    with pytest.raises(ValueError, match="scan 7: cannot be read as a picture"):
        as_image(picture, source="scan 7")


def test_things_that_only_look_like_tensors(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with open(tmp_path / "a", "rb") as file:
        for x in (torch.empty(8, 8, device="meta"), SimpleNamespace(detach=5), file):
            with pytest.raises(TypeError, match="scan 7: "):
                as_image(x, source="scan 7")
