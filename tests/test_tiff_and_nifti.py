"The formats with many layouts: TIFF and NIfTI."

import itertools
import struct
import sys

import numpy as np
import pytest
from image_files import GREY, RGB, save
from PIL import Image as Picture

from cuts.io.reading import as_image, read_image, read_labels
from cuts.io.labels import label_palette
from cuts.io.writing import write_labels

rng = np.random.default_rng(1)


# TIFF ----------------------------------------------------------------------------------------------------------------
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
    metadata = {"axes": "ZYX", "unit": "um", "spacing": 3.0}
    image = read(np.concatenate([stack] * 2), imagej=True, resolution=(4.0, 2.0), metadata=metadata)
    assert image.unit == "mm"
    assert np.allclose(image.spacing, (0.003, 0.0005, 0.00025))
    assert read(GREY, resolution=(300, 300), resolutionunit="inch").unit == "px"


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"])
@pytest.mark.parametrize("array", [GREY, RGB, (GREY * 200.0).astype(np.uint16)], ids=["grey", "rgb", "sixteen"])
def test_tiff_compressions_without_another_package(tmp_path, compression, array):
    if compression == "jpeg" and array.dtype != np.uint8:
        pytest.skip("JPEG has eight bits")
    others = [Picture.fromarray(array[::-1].copy())] * 4
    path = tmp_path / "a.tif"
    Picture.fromarray(array).save(path, compression=compression, append_images=others, save_all=True)
    image = read_image(path)
    assert image.spatial == (5, 24, 36)
    assert image.n_channels == (3 if array.ndim == 3 else 1)
    if compression != "jpeg":
        assert np.allclose(image.plane(1).data, as_image(array[::-1], window=image.window).data, atol=1e-6)


def test_fax_compression_and_bits(tmp_path):
    for options in ({}, {"compression": "group4"}):
        Picture.fromarray(GREY > 99).save(tmp_path / "a.tif", **options)
        assert np.array_equal(read_image(tmp_path / "a.tif").data[0], np.where(GREY > 99, 1, -1))
        assert np.array_equal(read_labels(tmp_path / "a.tif"), GREY > 99)


# NIfTI ---------------------------------------------------------------------------------------------------------------
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
        voxel = np.argwhere(labels == stored[index])[0]
        assert np.allclose(image.affine @ [*voxel, 1], affine @ [*index, 1])
    write_labels(tmp_path / "b.nii.gz", labels, like=image)
    back = nib.load(tmp_path / "b.nii.gz")
    assert np.array_equal(np.asarray(back.dataobj), stored)
    assert np.allclose(back.affine, affine, atol=1e-5)
    assert np.allclose(back.header.get_qform(), affine, atol=1e-4)
    assert np.array_equal(read_labels(tmp_path / "b.nii.gz"), labels)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_nifti_a_plane_knows_where_it_lies(tmp_path, codes, axis):
    nib = pytest.importorskip("nibabel")
    nifti(tmp_path / "a.nii.gz", rng.permutation(5 * 6 * 7).reshape(5, 6, 7).astype(np.int16), codes, oblique=0.2)
    image = read_image(tmp_path / "a.nii.gz")
    plane, labels = image.plane(2, axis), read_labels(tmp_path / "a.nii.gz").take(2, axis)
    voxel = [1, 3]
    voxel.insert(axis, 2)
    place = plane.affine @ [1, 3, 0, 1]
    assert np.allclose(place, image.affine @ [*voxel, 1])
    write_labels(tmp_path / "c.nii", labels, like=plane)
    assert np.array_equal(read_labels(tmp_path / "c.nii"), labels)
    assert np.allclose(read_image(tmp_path / "c.nii").affine @ [1, 3, 0, 1], place, atol=1e-4)
    stored = nib.load(tmp_path / "c.nii")
    assert sorted(stored.shape) == sorted((*labels.shape, 1))
    assert stored.shape != labels.shape


def test_nifti_values_and_units(tmp_path):
    nib = pytest.importorskip("nibabel")
    stored = rng.integers(0, 1000, (6, 7, 8)).astype(np.int16)
    hounsfield = stored * 2.0 - 1024
    image = nib.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(2, -1024)
    nib.save(image, tmp_path / "a.nii.gz")
    read, expected = read_image(tmp_path / "a.nii.gz", window=(-1024, 1000)), hounsfield.T[:, ::-1, ::-1]
    assert np.allclose(read.values()[0], expected, atol=1.5)
    assert read.scaling == "declared"
    assert np.array_equal(read_labels(tmp_path / "a.nii.gz"), np.rint(expected))
    nifti(tmp_path / "m.nii", rng.random((5, 6, 7)).astype(np.float32), header=lambda h: h.set_xyzt_units("micron"))
    assert np.allclose(read_image(tmp_path / "m.nii").spacing, (0.003, 0.002, 0.001))


def test_complex_nifti_is_refused_with_a_scale_and_without(tmp_path):
    nib = pytest.importorskip("nibabel")
    for slope in (None, 2):
        image = nib.Nifti1Image((rng.random((5, 6, 7)) + 1j).astype(np.complex64), np.eye(4))
        image.header.set_slope_inter(slope, None if slope is None else 1)
        nib.save(image, tmp_path / "a.nii")
        raw = bytearray((tmp_path / "a.nii").read_bytes())
        if slope:
            struct.pack_into("<ff", raw, 112, slope, 1)
            (tmp_path / "a.nii").write_bytes(raw)
        with pytest.raises(TypeError, match="values of type complex64"):
            read_image(tmp_path / "a.nii")


def test_nifti_channels(tmp_path):
    nifti(tmp_path / "c.nii", rng.random((8, 9, 10, 4)).astype(np.float32))
    modalities = read_image(tmp_path / "c.nii")
    assert (modalities.n_channels, modalities.spatial) == (4, (10, 9, 8))  # no alpha here
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
        with pytest.raises(ImportError, match=r'pip install "cuts-segmentation\[medical\]"'):
            call()
    assert not (tmp_path / "b.nii.gz").exists()
