"The transforms of MONAI: axes and affines, threads and processes, what MONAI itself wants of a transform."

import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from repository import root

import cuts
from cuts.data.fundus import fundus_phantom
from cuts.data.volume_phantoms import bodies_volume
from cuts.device import alone
from cuts.evaluate.masks import dice
from cuts.integrations import monai_transforms

if find_spec("monai") is None:
    pytest.skip("MONAI is not installed", allow_module_level=True)

from monai.bundle import ConfigParser
from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor, PersistentDataset
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Flipd,
    Invertd,
    LoadImaged,
    MapTransform,
    Orientationd,
    Resized,
    ScaleIntensityd,
    Spacingd,
    Transform,
)

from cuts.integrations.monai_transforms import CutsEmbed, CutsEmbedd, CutsSegment, CutsSegmentd, Turned

QUICK = dict(n_landmarks=60, method="condensation")
SHORT = dict(
    QUICK, epochs=1, crop=24, batch_size=2, min_batches=1, n_anchors=8, num_kernels=4, n_layers=3, device="cpu"
)
SCAN = np.ascontiguousarray(bodies_volume(side=32, thickness=2, seed=2)[0][:, 4:, :-6].T)  # 26 × 28 × 16


def eye(seed: int = 0) -> torch.Tensor:  # [3,48,48]
    return torch.from_numpy(fundus_phantom((48, 48), seed)[0]).movedim(-1, 0).contiguous()


@pytest.fixture(scope="module")
def model():
    return cuts.fit([eye(seed).movedim(0, -1).numpy() for seed in range(2)], progress=False, **SHORT)


@pytest.fixture
def scan_file(tmp_path):
    nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
    path = tmp_path / "scan.nii.gz"
    nibabel.Nifti1Image(SCAN, np.diag([-1.0, -1.0, 2.0, 1.0])).to_filename(path)
    return path


# Axes ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("axes", ["LPS", "RAS", "PSR", "SAL", "ILA"])
def test_a_volume_has_its_regions_however_its_axes_lie(axes, scan_file):
    steps = [LoadImaged("image"), EnsureChannelFirstd("image"), Orientationd("image", axcodes=axes, labels=None)]
    image = Compose(steps)({"image": scan_file})["image"]
    there = cuts.segment(scan_file, epochs=0, **QUICK)
    data = {"image": image, "spot": _place_of((13, 14, 8), image)}
    made = Compose(
        [CutsSegmentd("image", what=5, **QUICK), CutsSegmentd("image", hint_keys="spot", output_keys="mask", **QUICK)]
    )(data)
    back = Orientationd(["image_labels", "mask"], axcodes="LPS", labels=None)(made)
    np.testing.assert_array_equal(back["image_labels"][0].numpy(), there.labels(5).T)
    np.testing.assert_array_equal(back["mask"][0].numpy(), there.mask((8, 14, 13)).T)
    assert made["mask"][(0, *data["spot"])] == 1


def _place_of(index, image) -> tuple[int, ...]:
    "Where a voxel of `SCAN` lies in an image whose axes were exchanged."
    first = np.diag([-1.0, -1.0, 2.0, 1.0]) @ [*index, 1]
    return tuple(np.rint(np.linalg.inv(image.affine.numpy()) @ first).astype(int)[:3].tolist())


@pytest.mark.parametrize("hint", ["point", "points", "box", "mask"])
def test_every_hint_is_turned_like_the_image(hint, scan_file):
    image = Compose([LoadImaged("image"), EnsureChannelFirstd("image")])({"image": scan_file})["image"]
    flipped = Flipd("image", spatial_axis=1)({"image": image})["image"]
    mask = np.zeros(SCAN.shape, bool)
    mask[8:20, 9:21, 5:9] = True
    hints = dict(point=(13, 14, 8), points=[(13, 14, 8), (12, 10, 8)], box=(8, 9, 5, 20, 21, 9), mask=mask)
    n = SCAN.shape[1]
    flipped_hints = dict(
        point=(13, n - 15, 8),
        points=[(13, n - 15, 8), (12, n - 11, 8)],
        box=(8, n - 21, 5, 20, n - 9, 9),
        mask=mask[:, ::-1][None].copy(),
    )
    segmenting = CutsSegment(**QUICK)
    here, there = segmenting(image, hints[hint]), segmenting(flipped, flipped_hints[hint])
    np.testing.assert_array_equal(here.numpy(), there.numpy()[:, :, ::-1])
    assert here.any()


def test_pixel_sizes_are_those_of_the_image():
    thick = MetaTensor(torch.from_numpy(SCAN)[None], affine=torch.diag(torch.tensor([0.5, 0.7, 4.0, 1.0])))
    assert np.allclose(Turned(thick).image.spacing, (4.0, 0.7, 0.5))
    flat = MetaTensor(eye(), affine=torch.diag(torch.tensor([0.5, 0.25, 1.0, 1.0])))
    assert (Turned(flat).image.spacing, Turned(flat).image.unit) == ((0.5, 0.25), "mm")
    small = MetaTensor(eye(), affine=torch.diag(torch.tensor([0.5, 0.25, 1.0])))  # of a picture
    assert Turned(small).image.spacing == (0.5, 0.25)
    assert (Turned(eye()).image.spacing, Turned(eye()).image.unit) == ((1.0, 1.0), "px")


def test_an_affine_in_the_other_convention_is_the_same_place():
    ras, lps = torch.diag(torch.tensor([-1.0, -1.0, 2.0, 1.0])), torch.diag(torch.tensor([1.0, 1.0, 2.0, 1.0]))
    x = torch.from_numpy(SCAN)[None]
    a, b = Turned(MetaTensor(x, affine=ras)), Turned(MetaTensor(x, affine=lps, meta={"space": "LPS"}))
    np.testing.assert_array_equal(a.image.data, b.image.data)
    assert a.axes == b.axes


def test_a_volume_without_an_affine_has_its_planes_last():
    np.testing.assert_array_equal(Turned(SCAN[None]).image.spatial, SCAN.shape[::-1])
    labels = CutsSegment(what=4, **QUICK)(SCAN[None])
    assert isinstance(labels, np.ndarray)
    assert (labels.shape, labels.dtype) == ((1, *SCAN.shape), np.int32)


# What comes out ------------------------------------------------------------------------------------------------------
def test_vectors_are_those_of_the_model(model, scan_file):
    x = eye()
    np.testing.assert_array_equal(CutsEmbed(model)(x).movedim(0, -1).numpy(), model.embed(cuts.as_image(x)))
    smooth = CutsEmbed(model, smoothing=1.0)(x)
    assert smooth.shape == (model.dim, 48, 48)
    assert (smooth.std((1, 2)) < CutsEmbed(model)(x).std((1, 2))).all()
    image = Compose([LoadImaged("image"), EnsureChannelFirstd("image")])({"image": scan_file})
    volume = CutsEmbedd("image")(image)["image_vectors"]
    assert volume.shape[1:] == SCAN.shape
    assert torch.equal(volume.affine, image["image"].affine)
    assert np.isfinite(volume.numpy()).all()


def test_the_kind_and_the_history_of_the_image_are_kept():
    x = MetaTensor(eye(), affine=torch.diag(torch.tensor([0.5, 0.25, 1.0, 1.0])), meta={"patient_position": "HFS"})
    for made in (CutsSegment(**QUICK)(x), CutsEmbed()(x)):
        assert isinstance(made, MetaTensor)
        assert torch.equal(made.affine, x.affine)
        assert made.meta["patient_position"] == "HFS"
    assert type(CutsSegment(**QUICK)(eye())) is torch.Tensor
    assert x.shape == (3, 48, 48)  # the image itself is as it was


def test_doubles_integers_and_gradients_do_no_harm():
    x = eye()
    expected = CutsSegment(what=4, **QUICK)(x).numpy()
    np.testing.assert_array_equal(CutsSegment(what=4, **QUICK)(x.double()).numpy(), expected)
    np.testing.assert_array_equal(CutsSegment(what=4, **QUICK)(x.clone().requires_grad_()).numpy(), expected)
    assert CutsSegment(what=4, **QUICK)((255 * x).to(torch.uint8)).shape == (1, 48, 48)


def test_images_are_read_as_those_of_the_training():
    gray = cuts.fit([eye(seed).movedim(0, -1).numpy() for seed in range(2)], progress=False, channels="gray", **SHORT)
    labels = CutsSegment(gray, what=4)(eye())
    np.testing.assert_array_equal(labels[0].numpy(), cuts.segment(eye().movedim(0, -1).numpy(), gray).labels(4))
    scaled = CutsSegment(what=4, window=(0.2, 0.6), **QUICK)(eye())
    picture = cuts.as_image(eye().movedim(0, -1).numpy(), window=(0.2, 0.6))
    np.testing.assert_array_equal(scaled[0].numpy(), cuts.segment(picture, epochs=0, **QUICK).labels(4))


# What MONAI wants ----------------------------------------------------------------------------------------------------
def test_a_structure_goes_back_to_the_grid_of_the_file(tmp_path):
    nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
    ball = sum((x - c) ** 2 for x, c in zip(np.ogrid[:26, :28, 0:32:2], (8, 19, 12), strict=True)) < 6**2
    scan = (0.2 + 0.6 * ball + np.random.default_rng(0).normal(0, 0.02, ball.shape)).astype(np.float32)
    nibabel.Nifti1Image(scan, np.diag([-1.0, -1.0, 2.0, 1.0])).to_filename(tmp_path / "ball.nii.gz")
    before = Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            ScaleIntensityd("image"),
            Orientationd("image", axcodes="RAS", labels=None),
            Spacingd("image", pixdim=(1.5, 1.5, 1.5)),
            Flipd("image", spatial_axis=0),
        ]
    )
    data = before({"image": tmp_path / "ball.nii.gz"})
    data["click"] = _place_of((8, 19, 6), data["image"])
    data = CutsSegmentd("image", hint_keys="click", output_keys="mask", **QUICK)(data)
    assert data["mask"].shape == data["image"].shape != (1, *scan.shape)
    undo = Invertd("mask", transform=before, orig_keys="image", nearest_interp=True, to_tensor=True)
    mask = undo(data)["mask"]
    assert mask.shape == (1, *scan.shape)
    assert np.allclose(mask.affine, np.diag([-1.0, -1.0, 2.0, 1.0]))
    assert dice(mask[0].numpy() > 0, ball) > 0.8
    assert dice(mask[0].numpy()[::-1] > 0, ball) < 0.5  # and not as if it lay on the other side


def test_a_lazy_compose_resamples_first(scan_file):
    def steps(lazy):
        first = [LoadImaged("image"), EnsureChannelFirstd("image"), Spacingd("image", pixdim=(2, 2, 2))]
        return Compose([*first, Flipd("image", spatial_axis=0), CutsSegmentd("image", what=4, **QUICK)], lazy=lazy)

    eager, lazy = steps(False)({"image": scan_file}), steps(True)({"image": scan_file})
    assert lazy["image_labels"].shape == eager["image_labels"].shape == (1, *lazy["image"].shape[1:])
    assert (lazy["image_labels"] == eager["image_labels"]).float().mean() > 0.9


def test_threads_wait_for_each_other_and_agree(model):
    before = torch.get_num_threads()
    segmenting, images = CutsSegment(model, what=4), [eye(seed) for seed in range(4)]
    expected = [segmenting(x) for x in images]
    with ThreadPoolExecutor(4) as pool:
        for a, b in zip(pool.map(segmenting, images * 2), expected * 2, strict=True):
            assert torch.equal(a, b)
        assert all(z.shape == (model.dim, 48, 48) for z in pool.map(CutsEmbed(model), images))
    assert torch.get_num_threads() == before


def test_a_model_is_loaded_once_by_many_threads(model, tmp_path):
    model.push(tmp_path / "shared")
    segmenting = CutsSegment(str(tmp_path / "shared"), what=4)
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(segmenting, [eye()] * 3))
    assert torch.equal(made[0], CutsSegment(model, what=4)(eye()))
    assert len(pickle.dumps(segmenting)) < 10_000  # it travels without the weights that it has loaded
    assert torch.equal(pickle.loads(pickle.dumps(segmenting))(eye()), made[0])


def test_caches_and_workers(tmp_path):
    items = [{"image": eye(seed), "click": (20, 24 + seed)} for seed in range(3)]
    click = CutsSegmentd("image", hint_keys="click", output_keys="mask", **QUICK)
    expected = [click(item)["mask"] for item in items]
    sets = (
        CacheDataset(items, click, num_workers=3, progress=False),
        PersistentDataset(items, Compose([click]), cache_dir=tmp_path / "cache"),
        Dataset(items, click),
    )
    for dataset in sets:
        for item, mask in zip(dataset, expected, strict=True):
            assert torch.equal(item["mask"], mask)
    for batch, mask in zip(DataLoader(sets[2], batch_size=1, num_workers=2), expected, strict=True):
        assert torch.equal(batch["mask"][0], mask)
    assert all("mask" in item for item in sets[0]._cache)  # it knows that nothing is drawn at random


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
def test_a_worker_that_is_forked_off_meanwhile_does_not_wait_for_ever():
    with alone():  # as another thread of this process may be
        worker = multiprocessing.get_context("fork").Process(target=_enter)
        worker.start()
        worker.join(60)
    worker.kill()
    assert worker.exitcode == 0


def _enter():
    with alone():
        pass


def test_monai_finds_the_classes_by_name():
    assert issubclass(CutsEmbed, Transform)
    assert issubclass(CutsSegmentd, MapTransform)
    target = "cuts.integrations.monai_transforms.CutsSegmentd"
    made = ConfigParser({"t": {"_target_": target, "keys": "image", "what": 3, **QUICK}}).get_parsed_content("t")
    assert type(made) is CutsSegmentd
    assert made({"image": eye()})["image_labels"].max() == 3
    assert type(pickle.loads(pickle.dumps(made))) is CutsSegmentd


def test_a_request_that_is_none_is_refused_when_the_transform_is_made(model):
    for make, message in (
        (lambda: CutsSegment(what="foo"), "what: 'foo', expected"),
        (lambda: CutsSegmentd("image", what=0), "what: 0, expected"),
        (lambda: CutsSegment(what="kmeans", **QUICK), "what: 'kmeans', which method='condensation'"),
        (lambda: CutsSegment(model, what=3, config="paper", method="kmeans"), "what: 3, which method='kmeans'"),
        (lambda: CutsSegment(what=3, hint=(5, 5)), "what: 3 beside a hint"),
        (lambda: CutsSegment(what="kmeans", negative=(5, 5)), "what: 'kmeans' beside a hint"),
        (lambda: CutsSegmentd("image", what=3, hint_keys="click"), "what: 3 beside a hint"),
        (lambda: CutsSegment(what=3, **QUICK)(eye(), (5, 5)), "what: 3 beside a hint"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    assert CutsSegment(model, what="kmeans").what == "kmeans"  # the method is that of the model


def test_keys_that_are_missing():
    with pytest.raises(KeyError, match="second"):
        CutsSegmentd(["image", "second"], **QUICK)({"image": eye()})
    made = CutsSegmentd(["second", "image"], output_keys=["b", "a"], allow_missing_keys=True, **QUICK)({"image": eye()})
    assert made.keys() == {"image", "a"}


def test_the_image_may_be_replaced():
    made = Compose([CutsEmbedd("image", output_keys="image"), Resized("image", (24, 24))])({"image": eye()})
    assert made["image"].shape == (32, 24, 24)


# Without MONAI -------------------------------------------------------------------------------------------------------
IMPORTS = """
import sys
import cuts.integrations.monai_transforms as m
assert not any(name.split(".")[0] == "monai" for name in sys.modules)
sys.modules["monai"] = sys.modules["monai.transforms"] = None  # as where it is not installed
try:
    m.CutsSegment
except ImportError as error:
    print(error)
"""


def test_the_module_needs_no_monai():
    said = subprocess.run([sys.executable, "-c", IMPORTS], check=True, capture_output=True, text=True, cwd=root).stdout
    assert 'pip install "cuts-segmentation[monai]"' in said


def test_a_name_that_is_none():
    with pytest.raises(AttributeError, match="has no attribute 'CutsSegmenter'"):
        _ = monai_transforms.CutsSegmenter
