"What counts as one image, and what as many: `cuts.segment` of files, folders, series and whatever else is at hand."

from collections.abc import Iterator

import numpy as np
import pytest

import cuts
from cuts.data.fundus import fundus_phantom
from cuts.io.rasters import write_picture

QUICK = dict(n_landmarks=60, spectral_landmarks=40, method="condensation", device="cpu")
PLANES = (np.random.default_rng(0).integers(0, 255, (4, 40, 36)) // 64 * 300).astype(np.int16)


def segment(source, **options):
    return cuts.segment(source, **QUICK | options)


@pytest.fixture
def series(tmp_path):
    "A folder with the files of one DICOM series."
    pytest.importorskip("pydicom")
    from dicom_files import AXIAL, ct, make_series

    make_series(tmp_path / "case", PLANES, orientation=AXIAL, **ct())
    return tmp_path / "case"


# Folders -------------------------------------------------------------------------------------------------------------
def test_a_folder_with_one_series_is_one_volume(series):
    seg = segment(series)
    assert isinstance(seg, cuts.Segmentation)
    assert (seg.spatial, seg.name) == (cuts.read_image(series).spatial, "case")
    assert isinstance(segment(f"{series}/"), cuts.Segmentation)
    assert (segment(series).landmark_map == seg.landmark_map).all()


def test_a_folder_of_such_folders_is_many(series):
    many = segment(series.parent)
    assert isinstance(many, Iterator)
    assert [seg.spatial for seg in many] == [PLANES.shape]


def test_a_folder_with_two_series_is_many(series):
    from dicom_files import AXIAL, ct, make_series, uid

    make_series(
        series, PLANES[:, ::-1].copy(), orientation=AXIAL, prefix="other", **ct(SeriesInstanceUID=uid("another"))
    )
    assert [seg.spatial for seg in segment(series)] == [PLANES.shape] * 2


def test_a_folder_with_one_dicom_file_is_one_image(series):
    for file in sorted(series.iterdir())[1:]:
        file.unlink()
    assert segment(series).spatial == cuts.read_image(series).spatial == PLANES.shape[1:]


def test_a_folder_with_one_picture_is_many(tmp_path):
    write_picture(tmp_path / "0.png", fundus_phantom((40, 40), 0)[0])
    many = segment(tmp_path)
    assert isinstance(many, Iterator)
    assert [seg.name for seg in many] == ["0.png"]
    assert isinstance(segment(tmp_path / "0.png"), cuts.Segmentation)
    assert isinstance(segment(tmp_path / "*.png"), Iterator)


def test_an_ome_zarr_is_one_image(tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(tmp_path / "a.zarr", shape=(40, 40), chunks=(20, 20), dtype="u1")
    array[:] = (fundus_phantom((40, 40), 0)[0].mean(-1) * 255).astype(np.uint8)
    assert isinstance(segment(tmp_path / "a.zarr"), cuts.Segmentation)


# Labels --------------------------------------------------------------------------------------------------------------
def test_labels_as_an_array_belong_to_one_image(tmp_path):
    photo, truth = fundus_phantom((40, 40), 0)
    write_picture(tmp_path / "0.png", photo)
    assert (segment(tmp_path / "0.png", labels=truth).truth == truth).all()
    with pytest.raises(
        TypeError, match=r"labels: a ndarray, but the source is a folder .* Pass the folder of the labels"
    ):
        segment(tmp_path, labels=truth)
    sample = cuts.open_dataset(tmp_path / "0.png", labels=truth)[0]
    assert (segment(sample).truth == truth).all()


# What other packages call an image ----------------------------------------------------------------------------------
def test_pictures_of_pillow_are_what_their_files_are(tmp_path):
    import PIL.Image

    photo = (fundus_phantom((40, 44), 0)[0] * 255).astype(np.uint8)
    picture = PIL.Image.fromarray(photo)
    for mode in ("RGB", "L", "P", "RGBA", "LA", "CMYK", "1", "I;16"):
        converted = PIL.Image.fromarray(photo[..., 0].astype(np.uint16)) if mode == "I;16" else picture.convert(mode)
        path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
        converted.save(path)
        with PIL.Image.open(path) as opened:
            ours = cuts.as_image(opened)
        assert (ours.data == cuts.read_image(path).data).all(), mode
        assert cuts.as_image(converted).n_channels == ours.n_channels


def test_tensors_are_arrays_wherever_they_are():
    import torch

    photo = torch.tensor(fundus_phantom((40, 44), 0)[0], dtype=torch.float32)
    expected = cuts.as_image(photo.numpy()).data
    assert (cuts.as_image(photo.clone().requires_grad_()).data == expected).all()
    assert (cuts.as_image(photo.permute(2, 0, 1)).data == expected).all()
    assert np.allclose(cuts.as_image(photo.to(torch.bfloat16)).data, expected, atol=0.01)
    assert len(cuts.open_dataset(photo[None].requires_grad_())) == 1


def test_numbers_in_lists_are_refused_at_once():
    with pytest.raises(TypeError, match=r"list of numbers; expected images. Pass one image as an array: np.array"):
        cuts.open_dataset([[0, 1], [2, 3]])
    assert len(cuts.open_dataset([[[0, 1], [2, 3]]])) == 1


# Settings that images do not have room for --------------------------------------------------------------------------
def test_a_crop_that_is_larger_than_any_image_is_told(caplog):
    photo = fundus_phantom((40, 44), 0)[0]
    small = dict(epochs=1, batch_size=2, min_batches=1, n_anchors=4, num_kernels=4, device="cpu", progress=False)
    cuts.fit([photo, photo], crop=44, **small)
    assert not caplog.messages
    cuts.fit([photo, photo], crop=4000, **small)
    assert [m for m in caplog.messages if m.startswith("crop=4000: no image is that large, crops are 40×44 pixels. ")]
