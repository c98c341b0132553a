"Which labels belong to which images of a folder, and which labels are refused."

import os
import warnings

import numpy as np
import pytest
from small_pictures import open_with_warnings, picture

from cuts.data.dataset import ImageDataset
from cuts.data.folders import match_labels
from cuts.data.opening import open_dataset
from cuts.io.writing import write_labels

rng = np.random.default_rng(0)


@pytest.mark.parametrize("where", ["labels", "label_with_GA", "masks", "Labels"])
def test_labels_by_stem_and_digits(tmp_path, where):
    for n in ("image10.png", "image2.png", "deep/image2.png", "none.png"):
        picture(tmp_path / "images" / n)
    for n in ("label010.npy", "image2.npy", "deep/label2.npy", "stray99.npy"):
        x = np.zeros((16, 18), int)
        x[0] = len(n)
        x[1] = 1  # two values: not a binary mask
        (tmp_path / where / n).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / where / n, x)
    ds, warned = open_with_warnings(tmp_path)
    assert len(ds) == 4
    assert {s.name: int(s.labels[0, 0]) for s in ds if s.labels is not None} == {
        "images/image10.png": len("label010.npy"),
        "images/image2.png": len("image2.npy"),
        "images/deep/image2.png": len("deep/label2.npy"),
    }
    assert len(warned) == 1
    assert "images/none.png" in warned[0]
    assert "stray99.npy" in warned[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no complaint about what was not asked for
        part = open_dataset(f"{tmp_path}/images/image*.png", labels=tmp_path / where)
    assert part.names == ["image2.png", "image10.png"]
    assert part.has_labels
    alone = open_dataset(tmp_path / "images/image10.png", labels=tmp_path / where / "label010.npy")
    assert alone[0].labels.shape == (16, 18)


def test_labels_folder_elsewhere_inside_and_beside(tmp_path):
    for n in ("x1.png", "x2.png"):
        picture(tmp_path / "in" / n)
    (tmp_path / "in/truth").mkdir()
    for n in ("x1.png", "x2.png"):
        write_labels(tmp_path / "in/truth" / n, np.eye(16, 18, dtype=int))
    assert open_dataset(tmp_path / "in", labels=tmp_path / "in/truth").names == ["x1.png", "x2.png"]
    assert open_dataset(os.path.relpath(tmp_path / "in"), labels=tmp_path / "in/truth").check()[0].labels.sum() == 16
    listed = open_dataset([tmp_path / "in/x2.png", tmp_path / "in/x1.png"], labels=tmp_path / "in/truth")
    assert listed.names == ["x2.png", "x1.png"]
    assert listed.check().has_labels
    beside = tmp_path / "beside"
    for n in ("scan1.png", "scan2.png", "mask_of_zorro.png"):
        picture(beside / n)
    assert len(open_dataset(beside)) == 3  # nothing matches: these are images
    np.save(beside / "scan1_mask.npy", np.ones((16, 18), bool))
    ds, warned = open_with_warnings(beside)
    assert ds.names == ["scan1.png", "scan2.png"]
    assert "mask_of_zorro.png" in warned[0]
    assert "scan2.png" in warned[0]


def test_wrong_labels_are_failures(tmp_path):
    for i in range(4):
        picture(tmp_path / f"{i}.png")
    (tmp_path / "labels").mkdir()
    for i, x in enumerate([np.ones((16, 18)), np.ones((5, 5)), np.full((16, 18), 0.5), np.full((16, 18), np.nan)]):
        np.save(tmp_path / f"labels/{i}.npy", x)
    ds = open_dataset(tmp_path).check()
    assert ds.names == ["0.png"]
    assert set(ds.failures) == {"1.png", "2.png", "3.png"}
    assert "[5, 5]" in ds.failures["1.png"]
    assert ds[0].labels.dtype == np.int32


def test_labels_in_the_files_of_a_series(tmp_path):
    pytest.importorskip("pydicom")
    from dicom_files import make_series

    regions = np.arange(60).reshape(3, 4, 5).astype(np.int16)
    files = tuple(make_series(tmp_path / "s", regions))
    ds = ImageDataset([("scan", files, files)])
    assert np.array_equal(ds[0].labels, regions)
    assert np.array_equal(ds.check(progress=False)["scan"].labels, regions)
    broken = ImageDataset([("scan", regions / 60, (*files, tmp_path / "missing.dcm"))], channel_axis="none")
    with pytest.raises(FileNotFoundError, match="missing.dcm"):
        broken[0]


def test_ambiguous_labels_are_not_guessed():
    assert match_labels(["a1.png", "b1.png"], ["label1.npy"]) == {}
    assert match_labels(["1.png", "1.tif"], ["labels/1.tif"]) == {"1.tif": "labels/1.tif"}
    assert match_labels(["a/1.png", "b/1.png"], ["a/labels/1.npy"]) == {"a/1.png": "a/labels/1.npy"}
    assert match_labels(["imagesTr/la_003.nii.gz"], ["labelsTr/la_003.nii.gz"]) == {
        "imagesTr/la_003.nii.gz": "labelsTr/la_003.nii.gz"
    }


def test_binary_masks_and_many_classes():
    x = rng.random((9, 9))
    masks = ImageDataset([("a", x, 255 * (x > 0.5)), ("b", x, np.zeros((9, 9), int))])
    assert masks.is_binary
    assert set(np.unique(masks["a"].labels)) == {0, 1}
    many = ImageDataset([("a", x, 255 * (x > 0.5)), ("b", x, np.full((9, 9), 3))])
    assert many.is_binary is False
    assert set(np.unique(many["a"].labels)) == {0, 255}
    assert ImageDataset([("a", x, None)]).is_binary is None
    assert not ImageDataset([("a", x, None)]).has_labels
