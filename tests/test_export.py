"Maps and masks of whole runs: several images of one name, seeds, other methods, one scribble for all."

from pathlib import Path

import numpy as np
import pytest

from cuts.config.settings import Config
from cuts.data.phantoms import nested_phantom
from cuts.runs.experiment import run
from cuts.runs.steps import segment_run, train_run
from cuts.runs.export import export_run
from cuts.io.writing import WRITERS, write_labels
from cuts.io.reading import as_image, check_place, read_image, read_labels, read_placed_labels
from cuts.io.rasters import write_picture
from cuts.segmentation.picture import Segmentation

TINY = Config().replace(
    epochs=2,
    num_kernels=4,
    n_landmarks=100,
    spectral_landmarks=100,
    crop=24,
    min_batches=1,
    precision="float32",
    device="cpu",
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")
    for i, name in enumerate(("a/01.png", "b/01.png")):
        (folder / name).parent.mkdir()
        write_picture(folder / name, nested_phantom((40, 44), i)[0])
    return folder


@pytest.fixture(scope="module")
def finished_run(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run(source, out, TINY, seeds=(1, 2), methods=("otsu", "cuts"), together=True, progress=False)
    return out


def names(out):
    return sorted(
        p.relative_to(out).as_posix()
        for p in Path(out).rglob("*")
        if p.is_file() and "manifest" not in p.parts and p.name[0] != "."
    )


def test_places_do_not_depend_on_what_was_chosen(finished_run, tmp_path):
    export_run(finished_run, tmp_path, what="4", only=["a/01.png"], progress=False)
    one = names(tmp_path)
    export_run(finished_run, tmp_path, what="4", only=["b/01.png"], progress=False)
    both = names(tmp_path)
    assert len(one) == 2  # two seeds each
    assert len(both) == 4
    assert set(one) < set(both)
    report = export_run(finished_run, tmp_path, what="4", progress=False)
    assert not report.done
    assert len(report.skipped) == 4
    assert not report.failures
    assert names(tmp_path) == both


def test_a_new_neighbour_leaves_no_old_files(tmp_path):
    (tmp_path / "in").mkdir()

    def export(*images):
        for name in images:
            write = np.save if name.endswith(".npy") else write_picture
            write(tmp_path / "in" / name, nested_phantom((40, 44), len(name))[0])
        assert segment_run(tmp_path / "in", tmp_path / "segs", config=TINY, progress=False).ok
        export_run(tmp_path / "segs", tmp_path / "out", progress=False)
        return names(tmp_path / "out")

    assert export("a.png.png") == ["a.png_persistent.png"]
    assert export("b.png") == ["a.png_persistent.png", "b_persistent.png"]
    both = export("a.png", "a.npy")  # now a.png.png gives its place to a.png
    assert both == ["a.npy_persistent.png", "a.png.png_persistent.png", "a.png_persistent.png", "b_persistent.png"]
    for name in ("a.png.png", "a.png"):
        persistent = Segmentation.load(tmp_path / f"segs/{name}.npz").persistent
        assert np.array_equal(read_labels(tmp_path / f"out/{name}_persistent.png"), persistent)
    assert not export_run(tmp_path / "segs", tmp_path / "out", progress=False).done
    export_run(tmp_path / "segs", tmp_path / "out", what="4", formats="tif", progress=False)
    assert len(names(tmp_path / "out")) == 8
    assert set(both) < set(names(tmp_path / "out"))  # maps that were asked for before stay


def test_methods_without_a_tree_are_left_out_with_a_line(finished_run, tmp_path, caplog):
    report = export_run(finished_run, tmp_path, progress=False)
    assert report.ok
    assert len(report.done) == 4
    assert "Otsu's threshold makes no tree" in caplog.text
    assert export_run(finished_run, tmp_path / "k", what="kmeans", progress=False).ok


def test_one_scribble_answers_for_all_images_of_every_seed(finished_run, tmp_path):
    drawn = np.zeros((40, 44), int)
    drawn[18:22, 18:26] = 1
    (tmp_path / "s").mkdir()
    (tmp_path / "s/a").mkdir()
    write_labels(tmp_path / "s/a/01.tif", drawn)
    (tmp_path / "s/a/01.json").write_text("{}")
    report = export_run(finished_run, tmp_path / "out", scribbles=tmp_path / "s", progress=False)
    assert report.ok
    assert len(report.done) == 4
    for seed in (1, 2):
        a, b = (Segmentation.load(finished_run / f"seed-{seed}/segmentations/{n}/01.png.npz") for n in "ab")
        leaves = a.leaves(drawn == 1, sparse=True)
        for n, seg in (("a", a), ("b", b)):
            path = next(p for p in names(tmp_path / "out") if f"seed-{seed}" in p and f"/{n}/01" in p)
            assert np.array_equal(read_labels(tmp_path / "out" / path), seg.mask(leaves))


def test_another_run_needs_another_folder(source, finished_run, tmp_path):
    export_run(finished_run, tmp_path, progress=False)
    train_run(source, tmp_path / "model", TINY, progress=False)
    segment_run(source, tmp_path / "segs", run=tmp_path / "model", progress=False)
    with pytest.raises(ValueError, match="Export .* into another folder"):
        export_run(tmp_path / "segs", tmp_path, progress=False)


def test_an_image_that_was_moved_is_segmented_again(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    x, affine = np.random.default_rng(0).normal(size=(24, 25, 3)).astype(np.float32), np.eye(4)
    (tmp_path / "in").mkdir()
    for origin in (0, 50):
        affine[0, 3] = origin
        nibabel.save(nibabel.Nifti1Image(x, affine), tmp_path / "in/a.nii.gz")
        assert segment_run(tmp_path / "in", tmp_path / "segs", config=TINY, progress=False).done == ["a.nii.gz"]
        assert export_run(tmp_path / "segs", tmp_path / "out", progress=False).done == ["a.nii.gz"]
        assert nibabel.load(tmp_path / "out/a_persistent.nii.gz").affine[0, 3] == origin


# What a format keeps -------------------------------------------------------------------------------------------------
SLANTED = np.array([[0, 0.1, -0.7, 9], [0.1, -0.5, 0, 8], [3, 0.1, 0, 7], [0, 0, 0, 1.0]])
KEPT = {  # whether a format keeps the spacing; and the place and orientation
    ".png": (True, False),
    ".tif": (True, False),
    ".tiff": (True, False),
    ".npy": (False, False),
    ".npz": (True, True),
    ".nii": (True, True),
    ".nii.gz": (True, True),
    ".nrrd": (True, True),
    ".mha": (True, True),
    ".seg.nrrd": (True, True),
    ".dcm": (True, True),
}


def pictured(kind, tmp_path, ending):
    "An image that labels are written with."
    noise = np.random.default_rng(0).random
    if ending == ".dcm":
        pytest.importorskip("highdicom")
        from dicom_files import AXIAL, make_series

        files = make_series(tmp_path / "series", (1000 * noise((5, 12, 10))).astype(np.int16), orientation=AXIAL)
        return read_image(tmp_path / "series") if kind == "slanted volume" else read_image(files[2])
    volume = as_image(noise((5, 12, 10)), affine=SLANTED, channel_axis="none")
    images = {
        "slanted volume": volume,
        "plane of it": volume.plane(3),
        "flat": as_image(noise((12, 10)), spacing=(0.3, 0.7)),
        "no spacing": as_image(noise((12, 10))),
    }
    return images[kind]


@pytest.mark.parametrize("kind", ["slanted volume", "plane of it", "flat", "no spacing"])
@pytest.mark.parametrize("ending", list(WRITERS))
@pytest.mark.parametrize("most", [2, 255, 70_000])
def test_round_trip(tmp_path, ending, kind, most):
    if ending == ".dcm" and (kind in ("flat", "no spacing") or most > 255):
        pytest.skip("a DICOM-SEG is made for images that came from DICOM, and of few regions")
    if ending == ".seg.nrrd" and most > 255:
        pytest.skip("a segmentation of 3D Slicer has up to a thousand regions")
    image, path = pictured(kind, tmp_path, ending), tmp_path / f"a{ending}"
    labels = np.random.default_rng(most).integers(0, most + 1, image.spatial)
    if ending == ".png" and (image.is_volume or most > 65535):
        with pytest.raises(ValueError, match="a PNG holds"):
            write_labels(path, labels, image)
        return
    write_labels(path, labels, image)
    back, spacing, affine = read_placed_labels(path)
    assert back.dtype.kind == "i"
    assert np.array_equal(back, labels)
    keeps_spacing, keeps_place = KEPT[ending]
    if image.unit == "mm" and keeps_spacing:
        assert np.allclose(spacing, image.spacing, rtol=1e-6)
    if image.affine is not None:
        assert (affine is not None) == keeps_place
        if keeps_place:
            check_place(affine, image, str(path))
            assert np.allclose(affine, image.affine, atol=1e-4)
    if kind == "no spacing" and ending in (".png", ".tif", ".tiff", ".npy", ".npz"):
        assert spacing == ()


def test_other_programs_read_the_resolution(tmp_path):
    from PIL import Image as Picture
    import tifffile

    image = as_image(np.random.default_rng(0).random((12, 10)), spacing=(0.3, 0.7))
    for ending in (".png", ".tif"):
        write_labels(tmp_path / f"a{ending}", np.ones((12, 10), int), image)
    with Picture.open(tmp_path / "a.png") as p:
        assert np.allclose(25.4 / np.array(p.info["dpi"]), (0.7, 0.3), rtol=1e-3)
    with tifffile.TiffFile(tmp_path / "a.tif") as t:
        tags = t.pages[0].tags
        assert tags["ResolutionUnit"].value == 3
        assert np.allclose(
            [10 * tags[k].value[1] / tags[k].value[0] for k in ("XResolution", "YResolution")], (0.7, 0.3), rtol=1e-3
        )


def test_the_dots_per_inch_of_any_picture_are_no_spacing(tmp_path):
    from PIL import Image as Picture
    from PIL.PngImagePlugin import PngInfo
    import tifffile

    x = np.random.default_rng(0).integers(0, 255, (20, 20), dtype=np.uint8)
    Picture.fromarray(x).save(tmp_path / "a.png", dpi=(300, 300))
    tifffile.imwrite(tmp_path / "a.tif", x, resolution=(118, 118), resolutionunit="CENTIMETER")
    assert {read_image(tmp_path / n).unit for n in ("a.png", "a.tif")} == {"px"}
    for odd in ("", "1", "1 × 2 × 3", "nan × 1", "-1 × 1", "inf × 1", "1e999 × 1", "a × b", "×", "0 × 1"):
        note = PngInfo()
        note.add_itxt("spacing (mm)", odd)
        Picture.fromarray(x).save(tmp_path / "b.png", pnginfo=note)
        tifffile.imwrite(tmp_path / "b.tif", x, metadata={"spacing (mm)": odd})
        assert {read_image(tmp_path / n).unit for n in ("b.png", "b.tif")} == {"px"}


# Scribbles in volumes ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    "Two volumes of one size at different places, segmented."
    nibabel = pytest.importorskip("nibabel")
    folder, rng = tmp_path_factory.mktemp("scans"), np.random.default_rng(0)
    (folder / "in").mkdir()
    for name, shift in (("a", 0), ("b", 50)):
        x = rng.normal(size=(24, 25, 4)).astype(np.float32)
        x[6:16, 5:20] += 5
        affine = np.diag([0.5, 0.7, 3, 1])
        affine[0, 3] = shift
        nibabel.save(nibabel.Nifti1Image(x, affine), folder / f"in/{name}.nii.gz")
    assert segment_run(folder / "in", folder / "segs", config=TINY, progress=False).ok
    return folder


def masks(scans, out, scribbles):
    return export_run(scans / "segs", out, scribbles=scribbles, progress=False)


def test_a_plane_answers_for_its_volume(scans, tmp_path):
    image = read_image(scans / "in/a.nii.gz")
    drawn = np.zeros(image.spatial, int)
    drawn[2, 8:14, 10:14] = 1
    drawn_masks = []
    for name, labels, like in (
        ("a.nii.gz", drawn, image),
        ("a_z02.png", drawn[2], None),
        ("a_mask.nii.gz", drawn[2], image.plane(2)),
    ):
        folder = tmp_path / name.replace(".", "-")
        (folder / "s").mkdir(parents=True)
        write_labels(folder / "s" / name, labels, like)
        assert masks(scans, folder / "out", folder / "s").done == ["a.nii.gz"]
        drawn_masks.append(read_labels(folder / "out/a_mask.nii.gz"))
    assert drawn_masks[0].any()
    assert np.array_equal(drawn_masks[0], drawn_masks[1])
    assert np.array_equal(drawn_masks[0], drawn_masks[2])


def test_a_scribble_of_another_scan_is_refused(scans, tmp_path, caplog):
    drawn = np.zeros(read_image(scans / "in/a.nii.gz").spatial, int)
    drawn[2, 8:14, 10:14] = 1
    (tmp_path / "s").mkdir()
    write_labels(tmp_path / "s/a.nii.gz", drawn, read_image(scans / "in/b.nii.gz"))
    report = masks(scans, tmp_path / "out", tmp_path / "s")
    assert "s/a.nii.gz: lies from" in report.failures["a.nii.gz"]
    assert "in/a.nii.gz" in report.failures["a.nii.gz"]
    assert "50 mm apart" in report.failures["a.nii.gz"]
    (tmp_path / "t").mkdir()
    write_labels(tmp_path / "t/a.png", drawn[2])
    assert "Which plane is it" in masks(scans, tmp_path / "out", tmp_path / "t").failures["a.nii.gz"]


def test_a_scribble_is_no_larger_than_an_image_may_be(scans, tmp_path, monkeypatch):
    from cuts.runs import scribbles

    monkeypatch.setattr(scribbles, "MAX_PIXELS", 1000)
    (tmp_path / "s").mkdir()
    (tmp_path / "s/a.npy").write_bytes(b"\x93NUMPY" + bytes(2**21))
    assert "fewer than" in masks(scans, tmp_path / "out", tmp_path / "s").failures["a.nii.gz"]
    np.save(tmp_path / "s/a.npy", np.zeros((70, 70), np.uint8))
    assert "more than the cap of 2,400" in masks(scans, tmp_path / "out", tmp_path / "s").failures["a.nii.gz"]
