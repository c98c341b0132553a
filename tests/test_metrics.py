"""Every metric is what its reference library computes, on random and on degenerate pairs of masks."""

import warnings

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cuts.evaluate.classes import adjusted_rand, variation_of_information
from cuts.evaluate.surfaces import average_surface_distance, hd95, surface_dice
from cuts.evaluate.masks import dice, ergas, hausdorff, iou, rmse, ssim

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:surface_distance")  # it asks SciPy for old names


def blob(rng, shape):
    "A random mask with at least one pixel: smooth, ragged or sparse."
    kind = rng.integers(3)
    noise = rng.standard_normal(shape)
    x = gaussian_filter(noise, rng.uniform(0.5, 4)) if kind else noise
    mask = x > np.quantile(x, rng.uniform(0.3, 0.98))
    mask.ravel()[rng.integers(mask.size)] = True
    return mask


def random_pairs(n=200):
    "Pairs of masks with a spacing, of one image in three a volume."
    rng = np.random.default_rng(0)
    for i in range(n):
        shape = tuple(rng.integers(8, 40, 2)) if i % 3 else tuple(rng.integers(7, 14, 3))
        yield blob(rng, shape), blob(rng, shape), tuple(rng.uniform(0.3, 3, len(shape)))


def degenerate_pairs():
    "Pairs with little in them: single pixels, lines, everything, one inside the other, touching the border."
    rng = np.random.default_rng(1)
    empty = np.zeros((12, 17), bool)

    def only(*where):
        mask = empty.copy()
        mask[where] = True
        return mask

    masks = [
        only(0, 0),
        only(11, 16),
        only(5, slice(None)),
        only(slice(None), 3),
        only(slice(2, 9), slice(4, 12)),
        only(slice(4, 6), slice(6, 8)),
        ~empty,
        ~only(5, 8),
        rng.random((12, 17)) > 0.5,
    ]
    pairs = [(a, b) for i, a in enumerate(masks) for b in masks[i:]]
    return [(a, b, (1.0, 1.0)) for a, b in pairs[::2]][:20]


PAIRS = [*random_pairs(), *degenerate_pairs()]


def monai(f, pred, true, spacing, **options):
    "A metric of MONAI for one pair."
    x, y = (torch.tensor(m)[None, None].float() for m in (pred, true))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(f(x, y, include_background=True, spacing=list(spacing), **options))


def test_there_are_as_many_pairs_as_promised():
    assert len(PAIRS) == 220


def test_dice_iou_and_rmse():
    from medpy.metric import binary
    from sewar.full_ref import rmse as sewar_rmse

    for pred, true, _ in PAIRS:
        assert dice(pred, true) == pytest.approx(binary.dc(pred, true), abs=1e-12)
        assert iou(pred, true) == pytest.approx(binary.jc(pred, true), abs=1e-12)
        if pred.ndim == 2:
            assert rmse(pred, true) == pytest.approx(sewar_rmse(true.astype(float), pred.astype(float)), abs=1e-12)


def test_hausdorff_is_that_of_scikit_image():
    from skimage.metrics import hausdorff_distance

    for pred, true, spacing in PAIRS:
        assert hausdorff(pred, true) == pytest.approx(hausdorff_distance(true, pred), abs=1e-9)
        stretched = [np.argwhere(m) * spacing for m in (pred, true)]
        d = np.linalg.norm(stretched[0][:, None] - stretched[1][None], axis=-1)
        assert hausdorff(pred, true, spacing) == pytest.approx(max(d.min(0).max(), d.min(1).max()), abs=1e-9)


def test_distances_are_those_of_monai():
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice

    for pred, true, spacing in PAIRS:
        assert hd95(pred, true, spacing, "monai") == pytest.approx(
            monai(compute_hausdorff_distance, pred, true, spacing, percentile=95), rel=1e-5, abs=1e-5
        )
        assert average_surface_distance(pred, true, spacing, "monai") == pytest.approx(
            monai(compute_average_surface_distance, pred, true, spacing, symmetric=True), rel=1e-5, abs=1e-5
        )
        assert surface_dice(pred, true, 1.5, spacing, "monai") == pytest.approx(
            monai(compute_surface_dice, pred, true, spacing, class_thresholds=[1.5]), rel=1e-5
        )


def test_distances_are_those_of_medpy():
    from medpy.metric import binary

    for pred, true, spacing in PAIRS:
        assert hd95(pred, true, spacing, "medpy") == pytest.approx(binary.hd95(pred, true, spacing), abs=1e-9)
        assert average_surface_distance(pred, true, spacing, "medpy") == pytest.approx(
            binary.assd(pred, true, spacing), abs=1e-9
        )


def test_distances_are_those_of_surface_distance():
    import surface_distance as sd

    for pred, true, spacing in PAIRS:
        distances = sd.compute_surface_distances(true, pred, spacing)
        assert hd95(pred, true, spacing, "deepmind") == pytest.approx(
            sd.compute_robust_hausdorff(distances, 95), abs=1e-9
        )
        assert surface_dice(pred, true, 1.5, spacing, "deepmind") == pytest.approx(
            sd.compute_surface_dice_at_tolerance(distances, 1.5), abs=1e-9
        )
        there, back = sd.compute_average_surface_distance(distances)
        sizes = distances["surfel_areas_gt"].sum(), distances["surfel_areas_pred"].sum()
        assert average_surface_distance(pred, true, spacing, "deepmind") == pytest.approx(
            (there * sizes[0] + back * sizes[1]) / sum(sizes), abs=1e-9
        )


def test_masks_as_pictures():
    from sewar.full_ref import ergas as sewar_ergas
    from skimage.metrics import structural_similarity

    for pred, true, _ in PAIRS:
        if pred.ndim == 3:
            continue
        assert ergas(pred, true, "global") == pytest.approx(
            sewar_ergas(true.astype(float), pred.astype(float)), rel=1e-9
        )
        assert ssim(pred, true) == pytest.approx(
            structural_similarity(true.astype(float), pred.astype(float), data_range=1.0), abs=1e-12
        )


def test_partitions():
    from skimage.metrics import variation_of_information as expected
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(2)
    for i in range(60):
        true, labels = (rng.integers(0, rng.integers(1, 9), (13, 11)) for _ in range(2))
        if i % 2:
            labels = np.where(rng.random(true.shape) < 0.1, labels, true)
        np.testing.assert_allclose(np.flip(variation_of_information(labels, true)), expected(labels, true), atol=1e-9)
        assert adjusted_rand(labels, true) == pytest.approx(adjusted_rand_score(true.ravel(), labels.ravel()))


def test_nothing_is_not_finite():
    "One mask or both empty, in every convention and shape."
    empty, full = np.zeros((9, 12), bool), np.ones((9, 12), bool)
    for pred, true in ((empty, empty), (empty, full), (full, empty), (full, full)):
        scores = [
            dice(pred, true),
            iou(pred, true),
            hausdorff(pred, true),
            rmse(pred, true),
            ssim(pred, true),
            ergas(pred, true),
        ]
        for convention in ("paper", "monai", "medpy", "deepmind"):
            scores += [f(pred, true, convention=convention) for f in (hd95, average_surface_distance, surface_dice)]
        assert np.isfinite(scores).all()
