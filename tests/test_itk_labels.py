"""Label maps as NRRD and MetaImage, read again here and by ITK."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("SimpleITK")
pytest.importorskip("nibabel")
import nibabel
import SimpleITK as sitk
from itk_files import agrees, rng

from cuts.io.reading import read_image
from cuts.io.itk import encode_itk, read_itk
from cuts.io.pixels import ImageError, Pixels


def test_labels_take_the_smallest_type_and_the_same_bytes(tmp_path):
    for low, high, dtype in (
        (0, 1, np.uint8),
        (0, 255, np.uint8),
        (0, 256, np.uint16),
        (-1, 9, np.int16),
        (0, 70000, np.int32),
        (-2, 40000, np.int32),
        (0, 2**40, np.int64),
        (-(2**63), 2**63 - 1, np.int64),
    ):
        labels = np.full((4, 5, 6), low, np.int64)
        labels[1, 2, 3] = high
        for ending in (".nrrd", ".mha"):
            data = encode_itk(labels, None, f"a{ending}")
            (tmp_path / f"a{ending}").write_bytes(data)
            got, theirs = (
                read_itk(tmp_path / f"a{ending}"),
                sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"a{ending}"))),
            )
            assert (got.data == labels).all()
            assert got.data.dtype == dtype
            assert (theirs == labels).all()
            assert theirs.dtype == dtype
            assert (got.unit, got.spacing, got.affine) == ("px", (), None)
            assert encode_itk(labels.copy(order="F"), None, f"b{ending}") == data
    assert (read_itk(tmp_path / "a.nrrd").data == labels).all()
    (tmp_path / "b.mha").write_bytes(encode_itk(np.eye(5, dtype=bool), None, "b.mha"))
    assert (read_itk(tmp_path / "b.mha").data == np.eye(5)).all()


def test_labels_of_images_without_an_affine(tmp_path):
    for shape, spacing in (((5, 6), (0.5, 2)), ((4, 5, 6), (3, 0.5, 2))):
        labels = rng.integers(0, 9, shape)
        for ending in (".nrrd", ".mha"):
            for unit in ("mm", "px"):
                (tmp_path / f"a{ending}").write_bytes(
                    encode_itk(labels, Pixels(labels, spacing=spacing, unit=unit), f"a{ending}")
                )
                got, theirs = read_itk(tmp_path / f"a{ending}"), sitk.ReadImage(str(tmp_path / f"a{ending}"))
                assert (got.data == labels).all()
                assert (sitk.GetArrayFromImage(theirs) == labels).all()
                assert (got.spacing, got.unit) == ((spacing, "mm") if unit == "mm" else ((), "px"))
                assert theirs.GetSpacing() == (spacing[::-1] if unit == "mm" else (1.0,) * len(shape))
                assert np.array_equal(np.reshape(theirs.GetDirection(), (len(shape),) * 2), np.eye(len(shape)))


def test_labels_of_images_from_elsewhere(tmp_path):
    affine = np.array([[0, 0, -0.5, 10], [0, -2, 0.0, 20], [3, 0, 0, 30], [0, 0, 0, 1]])
    volume = rng.integers(0, 9, (4, 5, 6))
    for like, labels in (
        (Pixels(volume, affine=affine), volume),
        (Pixels(volume[0], affine=affine[:, [1, 2, 0, 3]]), volume[0]),
        (SimpleNamespace(affine=affine.tolist(), file_axes=None), volume),
    ):
        for ending in (".nrrd", ".mha"):
            (tmp_path / f"a{ending}").write_bytes(encode_itk(labels, like, f"a{ending}"))
            got = read_itk(tmp_path / f"a{ending}")
            assert (got.data == labels).all()
            assert np.allclose(got.affine, like.affine)
            agrees(got, sitk.ReadImage(str(tmp_path / f"a{ending}")))
    nibabel.save(
        nibabel.Nifti1Image(
            rng.integers(0, 9, (6, 5, 4)).astype(np.int16),
            np.array([[0, 2.0, 0, 1], [-1, 0, 0, 2], [0, 0, 3, 3], [0, 0, 0, 1]]),
        ),
        tmp_path / "a.nii",
    )
    scan = read_image(tmp_path / "a.nii")
    (tmp_path / "l.nrrd").write_bytes(encode_itk(np.arange(120).reshape(scan.spatial), scan, "l.nrrd"))
    again = read_itk(tmp_path / "l.nrrd")
    assert again.file_axes == scan.file_axes
    assert np.allclose(again.affine, scan.affine)
    assert sitk.ReadImage(str(tmp_path / "l.nrrd")).GetSize() == (6, 5, 4)
    agrees(again, sitk.ReadImage(str(tmp_path / "l.nrrd")))


def test_labels_that_cannot_be_written():
    for bad, why in (
        (np.ones((3, 3)), "float64, expected whole numbers"),
        (np.zeros((0, 3), int), "not empty"),
        (np.zeros(3, int), r"\[3\]"),
        (np.zeros((2, 2, 2, 2), int), r"\[2, 2, 2, 2\]"),
        (np.full((2, 2), 2**63, np.uint64), "more than 64 bits"),
    ):
        for ending in (".nrrd", ".mha"):
            with pytest.raises(ImageError, match=f"a{ending}: .*{why}"):
                encode_itk(bad, None, f"a{ending}")
    for affine in (np.zeros((4, 4)), np.diag([1, 1, np.nan, 1])):
        for ending in (".nrrd", ".mha"):
            with pytest.raises(ImageError, match=f"a{ending}: .*affine of its image is singular"):
                encode_itk(np.ones((3, 4, 5), int), Pixels(np.ones((3, 4, 5)), affine=affine), f"a{ending}")
    for name in ("a.nhdr", "a.mhd", "a.png"):
        with pytest.raises(ImageError, match=f"{name}: labels are written as .nrrd or .mha"):
            encode_itk(np.ones((3, 3), int), None, name)
