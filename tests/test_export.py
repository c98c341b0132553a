"Maps and masks of whole runs: several images of one name, seeds, other methods, one scribble for all."
import json
from pathlib import Path

import numpy as np
import pytest

from cuts.config import Config
from cuts.datasets import nested_phantom
from cuts.experiment import run, segment_run, train_run
from cuts.export import export_run
from cuts.images import read_labels, write_labels, write_picture
from cuts.segmentation import Segmentation

TINY = Config().replace(epochs=2, num_kernels=4, n_landmarks=100, spectral_landmarks=100, crop=24, min_batches=1, precision="float32", device="cpu")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")
    for i, name in enumerate(("a/01.png", "b/01.png")):
        (folder / name).parent.mkdir()
        write_picture(folder / name, nested_phantom((40, 44), i)[0])
    return folder


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run(source, out, TINY, seeds=(1, 2), methods=("otsu", "cuts"), together=True, progress=False)
    return out


def names(out): return sorted(p.relative_to(out).as_posix() for p in Path(out).rglob("*") if p.is_file() and "manifest" not in p.parts and p.name[0] != ".")


def test_places_do_not_depend_on_what_was_chosen(whole, tmp_path):
    export_run(whole, tmp_path, what="4", only=["a/01.png"], progress=False)
    one = names(tmp_path)
    export_run(whole, tmp_path, what="4", only=["b/01.png"], progress=False)
    both = names(tmp_path)
    assert len(one) == 2 and len(both) == 4 and set(one) < set(both)                   # two seeds each
    report = export_run(whole, tmp_path, what="4", progress=False)
    assert not report.done and len(report.skipped) == 4 and not report.failures and names(tmp_path) == both


def test_methods_without_a_tree_are_left_out_with_a_line(whole, tmp_path, caplog):
    report = export_run(whole, tmp_path, progress=False)
    assert report.ok and len(report.done) == 4 and "Otsu's threshold makes no tree" in caplog.text
    assert export_run(whole, tmp_path / "k", what="kmeans", progress=False).ok


def test_one_scribble_answers_for_all_images_of_every_seed(whole, tmp_path):
    drawn = np.zeros((40, 44), int); drawn[18:22, 18:26] = 1
    (tmp_path / "s").mkdir(); (tmp_path / "s/a").mkdir(); write_labels(tmp_path / "s/a/01.tif", drawn); (tmp_path / "s/a/01.json").write_text("{}")
    report = export_run(whole, tmp_path / "out", scribbles=tmp_path / "s", progress=False)
    assert report.ok and len(report.done) == 4
    for seed in (1, 2):
        a, b = (Segmentation.load(whole / f"seed-{seed}/segmentations/{n}/01.png.npz") for n in "ab")
        leaves = a.leaves(drawn == 1, sparse=True)
        for n, seg in (("a", a), ("b", b)):
            path = next(p for p in names(tmp_path / "out") if f"seed-{seed}" in p and f"/{n}/01" in p)
            assert np.array_equal(read_labels(tmp_path / "out" / path), seg.mask(leaves))


def test_another_run_needs_another_folder(source, whole, tmp_path):
    export_run(whole, tmp_path, progress=False)
    train_run(source, tmp_path / "model", TINY, progress=False)
    segment_run(source, tmp_path / "segs", run=tmp_path / "model", progress=False)
    with pytest.raises(ValueError, match="Export .* into another folder"): export_run(tmp_path / "segs", tmp_path, progress=False)


def test_an_image_that_was_moved_is_segmented_again(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    x, affine = np.random.default_rng(0).normal(size=(24, 25, 3)).astype(np.float32), np.eye(4)
    (tmp_path / "in").mkdir()
    for origin in (0, 50):
        affine[0, 3] = origin; nibabel.save(nibabel.Nifti1Image(x, affine), tmp_path / "in/a.nii.gz")
        assert segment_run(tmp_path / "in", tmp_path / "segs", config=TINY, progress=False).done == ["a.nii.gz"]
        assert export_run(tmp_path / "segs", tmp_path / "out", progress=False).done == ["a.nii.gz"]
        assert nibabel.load(tmp_path / "out/a.nii.gz.persistent.nii.gz").affine[0, 3] == origin
