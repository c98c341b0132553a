"""The explorer where people use it: as a page without a kernel, and in JupyterLab.

What it computes is tested in nbs/41_explorer.ipynb, Voilà in test_serve.py."""

import statistics
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture
from explorer_page import SIDE, ExplorerPage
from repository import root
from scipy.ndimage import label

from cuts.config.settings import Config
from cuts.data.fundus import fundus_phantom
from cuts.data.opening import open_dataset
from cuts.show.elements import bundle
from cuts.show.explorer import Explorer
from cuts.show.facts import selected_leaves
from cuts.io.reading import as_image, read_image, read_labels
from cuts.segmentation.picture import Segmentation
from cuts.segmentation.fitting import segment_image
from cuts.segmentation.together import segment_together
from cuts.stage1.training import train

SCRIPTS = root / "cuts/show/js"
AT = (48, 40)  # where clicks go: (row, column)


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    "A folder with segmentations and explorers of them: three that share a tree, one alone, large ones and a volume."
    folder = tmp_path_factory.mktemp("explorer")
    photos, truths = zip(*(fundus_phantom((SIDE, SIDE), seed) for seed in range(3)), strict=True)
    model = train(
        open_dataset(list(photos)),
        Config().replace(
            epochs=2, crop=32, batch_size=4, n_anchors=8, min_batches=2, precision="float32", device="cpu"
        ),
        progress=False,
    )
    images = [as_image(x, spacing=(0.05, 0.05)) for x in photos]
    for s in segment_together(images, model, names=[f"fundus {i}" for i in range(3)], truths=truths):
        s.save(folder / f"{s.name[-1]}.npz")
    Explorer([folder / f"{i}.npz" for i in range(3)]).save(folder / "cohort.html")
    one = segment_image(images[0], model, name="fundus 0", truth=truths[0])
    one.save(folder / "one.npz")
    one.save(folder / "one.html")
    segment_image(images[1], model, name="another").save(folder / "another.npz")
    Explorer([folder / "one.npz", folder / "another.npz"]).save(folder / "apart.html")
    save_large(folder, model, one.tree)
    save_volume(folder, model)
    return folder


def save_large(folder, model, tree):
    "A page of 256 × 256 pixels, and one of 1500 × 1500."
    blocks = np.random.default_rng(0).integers(0, len(tree), (150, 150))
    huge = np.kron(blocks, np.ones((10, 10), int)).astype(np.uint16)
    Segmentation(tree, huge, name="huge").save(folder / "huge.html")
    large, truth = fundus_phantom((256, 256), 5)
    segment_image(as_image(large), model, name="large", truth=truth).save(folder / "large.html")


def save_volume(folder, model):
    "A page of a volume, by a model of its own. Its planes lie from the feet up, its rows run backwards, columns left."
    planes = np.stack([fundus_phantom((40, 44), i)[0].mean(-1) for i in range(9)]).astype(np.float32)
    of_planes = train(open_dataset([planes]), model.config.replace(epochs=1), progress=False)
    affine = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [3, 0, 0, 0], [0, 0, 0, 1.0]])
    truth = (planes > planes.mean()).astype(np.int32)
    seg = segment_image(as_image(planes, affine=affine), of_planes, name="volume", truth=truth)
    seg.save(folder / "volume.html")
    seg.save(folder / "volume.npz")


@pytest.fixture
def one(page, segmented):
    page.goto((segmented / "one.html").as_uri())
    return ExplorerPage(page), Explorer(segmented / "one.npz")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_slider_moves_the_regions(one, scheme):
    seen, _ = one
    before, first = seen.picture(), seen.of("x.session.state.level")
    seen.key("ArrowRight")
    assert seen.text("count") == f"{first + 1} regions"
    assert seen.picture() != before
    seen.key("ArrowLeft")
    assert seen.picture() == before
    seen.key("Shift+ArrowRight")
    assert seen.of("x.session.image.levels.includes(x.session.state.level)")
    assert seen.of("x.dark") == (scheme == "dark")


def test_a_click_is_a_region_that_grows(one):
    seen, explorer = one
    seen.do("auto")
    seen.click(*AT)
    assert seen.agrees(explorer)
    assert explorer.mask[AT]
    assert "mm²" in seen.text("status")
    assert "Dice" in seen.text("status")
    sizes = []
    for _ in range(40):
        seen.key("ArrowRight")
        sizes.append(seen.pixels)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0]
    assert seen.agrees(explorer)
    seen.click(70, 70)  # adds
    seen.do("subtract")
    more = seen.hit.sum()
    seen.click(70, 70)
    assert seen.hit.sum() < more
    assert seen.agrees(explorer)
    for _ in range(3):
        seen.do("undo")
    assert not seen.hit.any()
    assert seen.text("status").startswith("Click a structure, or paint")
    seen.do("redo")
    assert seen.hit.any()
    seen.key("Escape")
    assert not seen.hit.any()


def test_a_click_means_a_structure_and_is_corrected(one):
    seen, explorer = one
    assert seen.text("status").startswith("Click a structure in its middle")
    seen.click(*AT)
    assert seen.agrees(explorer)
    assert explorer.mask[AT]
    first = seen.hit
    seen.click(70, 70)  # adds
    added = seen.hit
    assert seen.agrees(explorer)
    assert explorer.mask[70, 70]
    assert not (first & ~added).any()
    seen.key("s")
    seen.click(70, 70)  # marks that contradict each other: the positive one counts
    seen.click(12, 12)  # takes away
    assert seen.agrees(explorer)
    assert explorer.mask[70, 70]
    assert not explorer.mask[12, 12]
    assert not (seen.hit & ~added).any()
    corrected = seen.hit
    for _ in range(3):
        seen.key("]")
    assert not (corrected & ~seen.hit).any()
    assert seen.agrees(explorer)
    seen.do("shrink")
    for _ in range(3):
        seen.do("undo")
    seen.key("z")
    assert np.array_equal(seen.hit, corrected)
    for _ in range(4):
        seen.do("undo")
    assert not seen.hit.any()
    assert seen.page.locator('[data-do="grow"]').is_disabled()


def test_strokes_mean_structures_or_regions(one):
    seen, explorer = one
    seen.paint(AT, (40, 50), (52, 55))
    assert seen.of("x.session.state.marks[0].path.length") > 10
    assert seen.agrees(explorer)
    seen.do("auto")
    assert seen.agrees(explorer)
    seen.do("auto")
    seen.key("s")
    seen.paint((10, 48), (14, 52))
    assert seen.of("x.session.state.marks[1].sign") == -1
    assert seen.agrees(explorer)
    seen.do("connected")
    explorer.state = seen.of("x.session.state")
    assert np.array_equal(
        np.array(seen.of("Array.from(x.session.selection.mask)"), bool).reshape(SIDE, SIDE), explorer.mask
    )


def test_boxes_and_lassos_are_outlines(one):
    seen, explorer = one
    seen.key("b")
    seen.paint((30, 30), (62, 58))
    mark = seen.of("x.session.state.marks[0]")
    assert mark["whole"]
    assert mark["path"] == [[30, 30], [30, 58], [62, 58], [62, 30]]
    assert seen.agrees(explorer)
    assert np.array_equal(explorer.mask, explorer.segmentation.mask((30, 30, 63, 59)))  # corners are pixels
    assert not explorer.mask[:30].any()
    assert seen.pixels == explorer.mask.sum()
    boxed = seen.hit
    seen.do("subtract")
    seen.paint((40, 20), (50, 70))  # a box takes away what lies in it
    assert seen.agrees(explorer)
    assert not (seen.hit & ~boxed).any()
    assert seen.hit.sum() < boxed.sum()
    seen.do("lasso")
    seen.do("add")
    seen.paint((70, 70), (70, 84), (84, 84), (84, 70), (71, 70))
    assert seen.agrees(explorer)
    assert seen.hit.any()
    surrounded = np.zeros((SIDE, SIDE), bool)
    surrounded[30:63, 30:59] = surrounded[70:85, 70:85] = True
    assert not explorer.mask[~surrounded].any()
    seen.do("connected")
    assert seen.agrees(explorer)  # what hangs together with what they surround
    seen.do("connected")
    seen.click(*AT)  # a lasso that goes nowhere is a click
    assert seen.of("x.session.state.marks[3].whole") is None
    assert seen.agrees(explorer)
    seen.do("auto")
    assert seen.agrees(explorer)  # outlines mean the same at any level
    seen.key("l")
    assert seen.of("x.tool") == "brush"
    for _ in range(6):
        seen.do("undo")
    assert np.array_equal(seen.hit, boxed)


def test_any_box_means_the_same_in_python(page, segmented, tmp_path):
    "All of it, its last row too, where each pixel is a piece of its own."
    tree, rng = Segmentation.load(segmented / "one.npz").tree, np.random.default_rng(3)
    noise = rng.integers(0, len(tree), (SIDE, SIDE)).astype(np.uint16)
    Segmentation(tree, noise, name="noise").save(tmp_path / "noise.npz")
    explorer = Explorer(tmp_path / "noise.npz")
    explorer.save(tmp_path / "noise.html")
    page.goto((tmp_path / "noise.html").as_uri())
    seen = ExplorerPage(page)
    seen.do("connected")
    seen.key("b")
    for box in [*rng.integers(0, SIDE, (12, 2, 2)), ((50, 20), (50, 70)), ((60, 30), (20, SIDE - 1))]:
        seen.paint(*box)
        assert seen.of("x.session.state.marks[0].whole")
        assert seen.agrees(explorer), box
        assert explorer.mask.any()
        seen.of("x.session.change({marks: []})")


def test_a_volume_of_one_plane_is_cleaned(page, segmented, tmp_path):
    seg = Segmentation.load(segmented / "one.npz")
    Segmentation(seg.tree, seg.landmark_map[None], name="thin").save(tmp_path / "thin.npz")
    explorer = Explorer(tmp_path / "thin.npz")
    explorer.save(tmp_path / "thin.html")
    page.goto((tmp_path / "thin.html").as_uri())
    seen, cut = ExplorerPage(page), 0
    seen.do("auto")
    seen.of("x.session.setLevel(8)")  # regions in several pieces
    for button in (None, "connected", "crumbs"):
        if button:
            seen.do(button)
        seen.key("b")
        for draw in (lambda: seen.click(*AT), lambda: seen.paint((20, 12), (80, 90))):
            draw()
            wait_until_cleaned(seen)
            explorer.state = seen.of("x.session.state")
            mask = np.array(seen.of("Array.from(x.session.selection.mask)"), bool).reshape(1, SIDE, SIDE)
            assert np.array_equal(mask, explorer.mask)
            assert seen.of("x.session.selection.whole.pixels") == explorer.mask.sum()
            cut += (mask[0] != seen.hit[seg.landmark_map]).sum()
            seen.of("x.session.change({marks: []})")
        seen.key("b")
    assert cut


def grow(seen, explorer):
    "The pixels of the next answer that has grown, past the region that is drawn there."
    seen.key("]")
    assert seen.agrees(explorer)
    if seen.of("!!x.session.state.marks[0].region"):
        seen.key("]")
    return seen.pixels


def test_the_next_answer_differs(one):
    seen, explorer = one
    seen.click(*AT)
    sizes = [seen.pixels]
    for _ in range(3):
        sizes.append(grow(seen, explorer))
        assert seen.agrees(explorer)
    seen.page.keyboard.down("Alt")
    seen.page.mouse.move(*seen.place(*AT))
    seen.page.mouse.wheel(0, -100)
    seen.page.wait_for_function("([x, n]) => x.session.state.marks[0].growth > n", arg=[seen.handle, 1])
    seen.page.keyboard.up("Alt")
    sizes.append(seen.pixels)
    assert sizes == sorted(set(sizes))
    while seen.of("x.session.state.marks[0].growth || x.session.state.marks[0].region"):
        seen.do("shrink")
    assert seen.pixels == sizes[0]


@pytest.mark.parametrize("level", [2, 40])
def test_the_region_that_is_drawn_is_the_next_answer(one, level):
    seen, explorer = one
    seen.of(f"x.session.setLevel({level})")
    seen.key("k")  # with all crumbs
    seen.click(*AT)
    structure, labels = seen.hit, explorer.segmentation.labels(level)
    region = labels == labels[AT]
    here, back = ("]", "[") if region.sum() > structure[explorer.segmentation.landmark_map].sum() else ("[", "]")
    seen.key(here)
    assert seen.agrees(explorer)
    assert np.array_equal(explorer.mask, region)
    assert seen.page.get_by_text("The region that is drawn here:").is_visible()
    seen.of(f"x.session.setLevel({level + 1})")  # follows the slider
    assert seen.agrees(explorer)
    labels = explorer.segmentation.labels(level + 1)
    assert np.array_equal(explorer.mask, labels == labels[AT])
    seen.of(f"x.session.setLevel({level})")
    seen.key(back)
    assert np.array_equal(seen.hit, structure)
    seen.key(here)
    seen.key(here)
    assert seen.of("x.session.state.marks[0].growth") in (1, -1)
    seen.key(back)
    assert np.array_equal(explorer_mask(seen, explorer), region)


def explorer_mask(seen, explorer):
    "The mask of the marks on the page, as Python reads them."
    assert seen.agrees(explorer)
    return explorer.mask


def test_how_likely_all_is_can_be_seen(one):
    seen, explorer = one
    seen.click(*AT)
    regions = seen.picture()
    seen.page.locator('[data-set="show"]').select_option("probability")
    assert seen.picture() != regions
    p = np.array(seen.of("Array.from(x.session.likelihood)"))[explorer.segmentation.landmark_map]
    assert np.allclose(p, explorer.segmentation.probability(AT), atol=1e-6)
    seen.do("clear")
    assert seen.of("x.session.likelihood") is None


def test_files_hold_what_is_seen(one, tmp_path):
    seen, explorer = one
    seen.do("export")
    assert "no selection" in seen.text("where")
    seen.click(*AT)
    assert seen.agrees(explorer)
    for ending in ("png", "nii.gz", "npy"):
        seen.page.locator('[data-set="format"]').select_option(ending)
        for kind, expected in dict(
            mask=explorer.mask, labels=explorer.labels, persistent=explorer.segmentation.persistent
        ).items():
            if ending == "png" and expected.max() > 255:
                continue
            seen.page.locator('[data-set="what"]').select_option(kind)
            with seen.page.expect_download() as download:
                seen.do("export")
            path = tmp_path / download.value.suggested_filename
            download.value.save_as(path)
            assert path.name.startswith("fundus_0_"), path
            assert np.array_equal(read_labels(path), expected), path
            assert ending != "png" or Picture.open(path).mode == "L"  # numbers, for every reader


@pytest.mark.parametrize("codes", ["RAS", "ASR", "LPI"])
def test_a_nifti_lies_as_its_source(page, segmented, tmp_path, codes):
    nib = pytest.importorskip("nibabel")
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes))
    affine = np.array([[2, 0.1, 0, -9], [-0.1, 1.5, 0.2, 4], [0, -0.2, 3, 7], [0, 0, 0, 1.0]])
    noise = np.random.default_rng(0).random((9, 11, 6)).astype(np.float32)
    nib.save(nib.Nifti1Image(noise, affine).as_reoriented(turn), tmp_path / "scan.nii.gz")
    image, tree = read_image(tmp_path / "scan.nii.gz"), Segmentation.load(segmented / "one.npz").tree
    landmarks = np.random.default_rng(1).integers(0, len(tree), image.spatial).astype(np.uint16)
    seg = Segmentation(tree, landmarks, image, "scan")
    seg.save(tmp_path / "scan.html")
    seg.save(tmp_path / "python.nii.gz", 8)
    page.goto((tmp_path / "scan.html").as_uri())
    seen = ExplorerPage(page, image.spatial[-2:])
    seen.of("x.session.setLevel(8)")
    page.locator('[data-set="what"]').select_option("labels")
    formats = page.locator('[data-set="format"]')
    assert formats.locator("option:disabled").all_text_contents() == ["png"]  # holds no volume
    formats.select_option("nii.gz")
    with page.expect_download() as d:
        seen.do("export")
    d.value.save_as(tmp_path / "page.nii.gz")
    by_python, by_page = (nib.load(tmp_path / f"{k}.nii.gz") for k in ("python", "page"))
    assert np.array_equal(by_python.get_fdata(), by_page.get_fdata())
    assert np.allclose(by_python.affine, by_page.affine, atol=1e-5)
    assert by_page.header.get_xyzt_units()[0] == "mm"
    assert np.allclose(by_python.header.get_zooms(), by_page.header.get_zooms())


def test_all_other_buttons(one):
    seen, _ = one
    regions = seen.picture()
    seen.key("p")
    persistent = seen.picture()
    assert persistent != regions
    seen.key("p")
    seen.key("o")
    assert seen.picture() not in (regions, persistent)
    seen.key("o")
    seen.page.locator('[data-set="show"]').select_option("truth")
    assert seen.picture() not in (regions, persistent)
    seen.page.locator('[data-set="show"]').select_option("nothing")
    plain = seen.picture()
    seen.do("in")
    assert seen.picture() != plain
    seen.do("fit")
    assert seen.picture() == plain
    bar = seen.page.locator(".barcode rect[data-node]").nth(3)
    bar.focus()
    seen.page.keyboard.press("Enter")
    assert seen.hit.any()
    seen.page.locator(".picture").focus()
    for k in ("Escape", "Alt+ArrowRight", "Alt+ArrowDown", "Enter"):
        seen.page.keyboard.press(k)
    assert seen.of("x.session.state.marks[0].path") == [[SIDE // 2 + 1, SIDE // 2 + 1]]  # without a pointer


def test_a_click_means_the_same_in_a_cohort(page, segmented):
    page.goto((segmented / "cohort.html").as_uri())
    seen, explorer = ExplorerPage(page), Explorer([segmented / f"{i}.npz" for i in range(3)])
    seen.click(*AT)
    first = seen.hit
    page.locator(".strip button").nth(2).click()
    page.wait_for_function("x => x.session.state.image == 2", arg=seen.handle)
    assert np.array_equal(seen.hit, first)
    assert seen.agrees(explorer)
    seen.do("subtract")
    seen.click(60, 60)
    page.locator(".strip button").nth(0).click()
    page.wait_for_function("x => x.session.state.image == 0", arg=seen.handle)
    assert seen.agrees(explorer)


def test_masks_of_all_leave_out_what_is_empty(page, segmented, tmp_path):
    seg = Segmentation.load(segmented / "0.npz")
    explorer = Explorer(seg)
    explorer.add(AT)
    other = np.flatnonzero(~selected_leaves([seg], explorer.state["marks"], auto=True))[0]
    bare = replace(seg, name="bare", landmark_map=np.full_like(seg.landmark_map, other))
    both = Explorer([seg, bare])
    both.state = explorer.state
    both.save(tmp_path / "both.html")
    page.goto((tmp_path / "both.html").as_uri())
    seen, names = ExplorerPage(page), []
    page.on("download", lambda download: names.append(download.suggested_filename))
    page.locator('[data-set="what"]').select_option("masks")
    seen.do("export")
    page.get_by_text("1 mask is in your downloads").wait_for()
    assert names == ["fundus_0_mask.nii.gz"]  # which keeps the millimetres
    page.locator(".strip button").nth(1).click()
    page.wait_for_function("x => x.session.state.image == 1", arg=seen.handle)


def test_a_volume_has_slices(page, segmented):
    page.goto((segmented / "volume.html").as_uri())
    seen = ExplorerPage(page, (40, 44))
    assert seen.text("at") == "5 of 9"
    before = seen.picture()
    page.locator("#plane").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_function("x => x.session.state.plane == 5", arg=seen.handle)
    assert seen.text("at") == "6 of 9"
    assert seen.picture() != before
    seen.click(20, 20)
    assert "mm³" in seen.text("status")
    assert np.array_equal(seen.hit, Explorer(segmented / "volume.npz").segmentation.leaves((5, 20, 20)))


def wait_until_cleaned(seen):
    seen.page.wait_for_function("x => x.session.selection.whole", arg=seen.handle)


def as_shown(volume, axis, plane):
    "A plane of it, with the head up."
    shown = np.moveaxis(volume, axis, 0)[plane]
    return shown[::-1] if axis else shown


@pytest.mark.parametrize(("name", "letters"), [("axial", "ALPR"), ("coronal", "SLIR"), ("sagittal", "SPIA")])
def test_a_volume_is_looked_at_from_three_sides(page, segmented, name, letters):
    page.goto((segmented / "volume.html").as_uri())
    axis, explorer = ["axial", "coronal", "sagittal"].index(name), Explorer(segmented / "volume.npz")
    shape = [n for i, n in enumerate((9, 40, 44)) if i != axis]
    seen, spacing = ExplorerPage(page, shape), [s for i, s in enumerate((3, 1, 1)) if i != axis]
    page.locator('[data-set="axis"]').select_option(name)
    page.wait_for_function("([x, axis]) => x.session.view.axis == axis", arg=[seen.handle, axis])
    assert "".join(seen.of("x.session.view.letters")) == letters
    assert seen.of("x.session.view.spacing") == spacing
    depth = (9, 40, 44)[axis]
    assert seen.text("at") == f"{depth // 2 + 1} of {depth}"
    landmark_map = explorer.segmentation.landmark_map
    on_the_page = np.array(seen.of("Array.from(x.session.plane.map)")).reshape(shape)
    assert np.array_equal(on_the_page, as_shown(landmark_map, axis, depth // 2))
    page.mouse.move(
        *seen.of("(b => [b.left + b.width / 2, b.top + b.height / 2])(x.picture.canvas.getBoundingClientRect())")
    )
    page.mouse.wheel(0, 100)
    page.wait_for_function("([x, n]) => x.session.state.plane == n", arg=[seen.handle, depth // 2 + 1])
    before = seen.picture()
    row, col = shape[0] // 2, shape[1] // 2
    x, y = seen.of(
        f"(([x0, y0], b) => [b.left + x0, b.top + y0])"
        f"(x.picture.viewport.place([{row}, {col}]), x.picture.canvas.getBoundingClientRect())"
    )
    page.mouse.click(x, y)
    wait_until_cleaned(seen)
    assert seen.picture() != before
    place = [shape[0] - 1 - row if axis else row, col]
    place.insert(axis, depth // 2 + 1)
    assert seen.of("x.session.state.marks[0].places") == [place]
    assert np.array_equal(seen.hit, explorer.segmentation.leaves(tuple(place)))
    for _ in range(2):  # without crumbs, then what is connected
        wait_until_cleaned(seen)
        explorer.state = seen.of("x.session.state")
        mask = np.array(seen.of("Array.from(x.session.selection.mask)"), bool).reshape(shape)
        assert np.array_equal(mask, as_shown(explorer.mask, axis, depth // 2 + 1))
        told = seen.of("(({pixels, parts, shared}) => [pixels, parts, ...shared])(x.session.selection.whole)")
        overlap = (explorer.mask & (explorer.segmentation.truth == 1)).sum()
        assert told == [explorer.mask.sum(), label(explorer.mask)[1], overlap]
        seen.do("connected")


def test_a_mask_of_a_volume_is_written_as_it_is_shown(page, segmented, tmp_path):
    page.goto((segmented / "volume.html").as_uri())
    seen, explorer = ExplorerPage(page, (40, 44)), Explorer(segmented / "volume.npz")
    seen.do("connected")
    seen.click(20, 20)
    wait_until_cleaned(seen)
    explorer.state = seen.of("x.session.state")
    assert label(explorer.mask)[1] == 1
    with page.expect_download() as download:
        seen.do("export")
    assert download.value.suggested_filename == "volume_mask.nii.gz"
    download.value.save_as(tmp_path / "mask.nii.gz")
    assert np.array_equal(read_labels(tmp_path / "mask.nii.gz"), explorer.mask)


def test_crumbs_are_left_out_unless_they_are_wanted(one):
    seen, explorer = one
    seen.click(*AT)
    for _ in range(8):  # larger answers, which come with specks
        seen.key("]")
    assert seen.agrees(explorer)
    clean = explorer.mask
    seen.key("k")
    assert seen.agrees(explorer)
    assert np.array_equal(explorer.mask, seen.hit[explorer.segmentation.landmark_map])
    assert not (clean & ~explorer.mask).any()
    assert seen.pixels == explorer.mask.sum()


def test_subtracting_ends_with_the_image(page, segmented):
    page.goto((segmented / "apart.html").as_uri())
    seen = ExplorerPage(page)
    seen.do("subtract")
    page.locator(".strip button").nth(1).click()
    page.wait_for_function("x => x.session.state.image == 1", arg=seen.handle)
    assert seen.of("x.sign") == 1
    assert page.locator('[data-do="add"]').get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("viewport", [dict(width=1366, height=700)])
@pytest.mark.parametrize("name", ["one", "volume", "large"])
def test_all_is_in_sight_on_a_small_screen(page, segmented, name, viewport):
    page.goto((segmented / f"{name}.html").as_uri())
    seen = ExplorerPage(page)
    for part in ("status", "picture", "count", "embedding", "barcode", "export"):
        box = page.locator(f".{part}").bounding_box()
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= viewport["height"], part
        assert box["height"] > 0, part
    before = seen.of("x.picture.canvas.clientHeight")
    seen.click(*AT)
    page.locator(".picture").focus()
    page.keyboard.press("Alt+ArrowRight")  # says where the cursor is
    assert seen.of("x.picture.canvas.clientHeight") == before >= 300  # nothing jumps
    assert page.evaluate("document.documentElement.scrollHeight") <= viewport["height"]


def test_zoom_outlives_messages_and_another_window(page, segmented):
    page.goto((segmented / "cohort.html").as_uri())
    page.set_viewport_size(dict(width=1366, height=800))
    seen = ExplorerPage(page)
    seen.of("x.zoom(6, 150, 120)")
    seen.picture()
    seen_part = "(v => [v.zoom, (v.width / 2 - v.x) / v.sx, (v.height / 2 - v.y) / v.sy])(x.picture.viewport)"
    size = "[x.picture.canvas.clientWidth, x.picture.canvas.clientHeight]"
    part, sizes = seen.of(seen_part), [seen.of(size)]
    assert part[0] == 6
    for change in (
        lambda: seen.of("x.say('words '.repeat(80))"),
        lambda: page.set_viewport_size(dict(width=1366, height=790)),
        lambda: page.set_viewport_size(dict(width=900, height=790)),
    ):
        change()
        seen.of("x.redraw()")
        page.wait_for_function(
            f"([x, size]) => !x.drawing && `${{{size}}}` !== `${{size}}`", arg=[seen.handle, sizes[-1]]
        )
        seen.picture()
        sizes.append(seen.of(size))
        assert np.allclose(seen.of(seen_part), part)
    page.locator(".strip button").nth(2).click()
    page.wait_for_function("x => x.session.state.image == 2", arg=seen.handle)
    seen.picture()
    assert seen.of("x.picture.viewport.zoom") == 1  # another image is seen whole


def contrast(a, b):
    "Of two colours, as for text on the web."
    linear = [np.where((c := np.array(x) / 255) <= 0.04, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for x in (a, b)]
    low, high = sorted(0.05 + c @ [0.2126, 0.7152, 0.0722] for c in linear)
    return high / low


def test_what_is_selected_is_seen_on_warm_and_on_grey_images(page, segmented):
    colours = {}
    for name, shape in (("one", (SIDE, SIDE)), ("volume", (40, 44))):
        page.goto((segmented / f"{name}.html").as_uri())
        seen = ExplorerPage(page, shape)
        seen.do("outlines")
        seen.page.locator('[data-set="show"]').select_option("nothing")
        seen.click(shape[0] // 2, shape[1] // 2)
        seen.picture()
        data = "x.picture.canvas.getContext('2d').getImageData(0, 0, x.picture.canvas.width, x.picture.canvas.height)"
        drawn = np.array(seen.of(f"Array.from({data}.data)")).reshape(-1, 4)[:, :3]
        found, counts = np.unique(drawn[drawn.max(1) > 200], axis=0, return_counts=True)
        colours[name] = found[counts.argmax()]
    assert (colours["one"] == [70, 225, 255]).all()
    assert (colours["volume"] == [255, 225, 30]).all()
    for colour in colours.values():
        assert contrast(colour, [25, 25, 25]) > 10  # with its rim, at whatever colour vision


def test_who_closes_a_page_with_marks_is_warned(one):
    seen, _ = one
    asked = []
    seen.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    leave = "x.leaving.isUnsaved"
    assert not seen.of(leave)
    seen.click(*AT)
    assert seen.of(leave)
    with seen.page.expect_event("dialog"):
        seen.page.close(run_before_unload=True)
    assert asked == ["beforeunload"]
    with seen.page.expect_download():
        seen.do("export")
    seen.page.get_by_text("is in your downloads").wait_for()
    assert not seen.of(leave)
    seen.click(20, 20)
    assert seen.of(leave)
    seen.do("clear")
    assert not seen.of(leave)


def test_what_is_saved_is_remembered_by_image(page, segmented):
    page.goto((segmented / "apart.html").as_uri())
    seen, leave = ExplorerPage(page), "x.leaving.isUnsaved"

    def look_at(i):
        page.locator(".strip button").nth(i).click()
        page.wait_for_function("([x, i]) => x.session.state.image == i", arg=[seen.handle, i])

    def export(what):
        page.locator('[data-set="what"]').select_option(what)
        with page.expect_download():
            seen.do("export")
        page.get_by_text("in your downloads").wait_for()
        return not seen.of(leave)

    seen.click(*AT)
    assert not export("labels")
    look_at(1)
    seen.click(*AT)
    assert not export("mask")  # that of the other image is in no file
    look_at(0)
    assert export("mask")
    seen.click(20, 20)
    look_at(1)
    assert not export("mask")
    assert export("masks")


def test_a_move_takes_less_than_eight_times_as_long_as_a_frame(page, segmented):
    "A move of the slider, drawn, against drawing the same once more: no absolute time, which is the machine's."
    page.goto((segmented / "large.html").as_uri())
    seen = ExplorerPage(page, (256, 256))
    seen.click(128, 120)
    moved, redrawn = seen.of("""(async () => {
      const slider = x.root.querySelector('#level'), moved = [], redrawn = [];
      const timed = async (times, change) => {
        const start = performance.now();
        const drawn = new Promise(resolve => x.element.addEventListener('drawn', resolve, {once: true}));
        change();
        await drawn;
        times.push(performance.now() - start);
      };
      for (let i = 0; i < 41; i++) {
        await timed(redrawn, () => x.redraw());
        await timed(moved, () => {
          slider.value = 50 + 20 * i;
          slider.dispatchEvent(new Event('input', {bubbles: true}));
        });
      }
      return [moved, redrawn];
    })()""")
    ratio = statistics.median(moved) / statistics.median(redrawn)
    print(f"a slider move at 256²: {statistics.median(moved):.1f} ms, {ratio:.1f} times what the next frame takes")
    assert ratio < 8


def test_images_with_trees_of_their_own_do_not_meet(page, segmented):
    page.goto((segmented / "apart.html").as_uri())
    seen = ExplorerPage(page)
    seen.click(*AT)
    mine = seen.hit
    level = seen.of("x.session.level")
    page.locator(".strip button").nth(1).click()
    page.wait_for_function("x => x.session.state.image == 1", arg=seen.handle)
    assert not seen.hit.any()
    assert page.locator('[data-do="clear"]').is_disabled()
    seen.key("ArrowRight", "ArrowRight", "ArrowRight")
    seen.click(30, 30)
    seen.do("clear")
    page.locator(".strip button").nth(0).click()
    page.wait_for_function("x => x.session.state.image == 0", arg=seen.handle)
    assert np.array_equal(seen.hit, mine)
    assert seen.of("x.session.state.marks[0].level") == level


def test_what_is_marked_in_one_image_is_proposed_in_the_next(page, segmented, tmp_path):
    page.goto((segmented / "apart.html").as_uri())
    seen, names = ExplorerPage(page), []
    page.locator(".strip button").nth(1).click()
    page.wait_for_function("x => x.session.state.image == 1", arg=seen.handle)
    seen.do("propose")
    page.get_by_text("Mark a structure in another image first").wait_for()
    page.locator(".strip button").nth(0).click()
    page.wait_for_function("x => x.session.state.image == 0", arg=seen.handle)
    seen.click(*AT)
    seen.key("]")
    mine = seen.hit
    page.locator(".strip button").nth(1).click()
    page.wait_for_function("x => x.session.state.image == 1", arg=seen.handle)
    explorer = Explorer([segmented / "one.npz", segmented / "another.npz"])
    explorer.state = seen.of("x.session.state")
    explorer.propose()
    seen.key("e")
    page.wait_for_function("x => x.session.state.marks.length == 2", arg=seen.handle)
    page.get_by_text("Proposed from the selection in fundus 0, as one structure").wait_for()
    proposed = seen.hit
    assert proposed.any()
    assert np.array_equal(proposed[explorer.segmentation.landmark_map], explorer.mask)
    seen.click(*AT)  # corrects it
    assert not (proposed & ~seen.hit).any()
    page.on("download", lambda download: names.append(download.suggested_filename))
    page.locator('[data-set="what"]').select_option("masks")
    seen.do("export")
    page.get_by_text("2 masks are in your downloads").wait_for()
    assert sorted(names) == ["another_mask.nii.gz", "fundus_0_mask.nii.gz"]
    seen.do("undo")
    seen.do("undo")
    assert not seen.hit.any()
    page.locator(".strip button").nth(0).click()
    page.wait_for_function("x => x.session.state.image == 0", arg=seen.handle)
    assert np.array_equal(seen.hit, mine)  # with its own growth


def test_marks_are_there_before_their_image_is_opened(page, segmented, tmp_path):
    explorer = Explorer([segmented / f"{i}.npz" for i in range(3)])
    explorer.add(AT, level=2)
    explorer.add((60, 50, 66, 58), negative=True, level=40)
    explorer.state = dict(image=2, connected=True)
    explorer.save(tmp_path / "marked.html")
    page.goto((tmp_path / "marked.html").as_uri())
    seen = ExplorerPage(page)
    chosen = selected_leaves(explorer.gallery, explorer.state["marks"])
    assert chosen.any()
    assert np.array_equal(seen.hit, chosen)
    assert np.array_equal(
        np.array(seen.of("Array.from(x.session.selection.mask)"), bool).reshape(SIDE, SIDE), explorer.mask
    )


SELECT_EACH = """([x, cases, auto]) => cases.map(marks => {
  Object.assign(x.session.state, {marks, auto});
  x.session.update();
  return Array.from(x.session.selection.leaves);
})"""


def test_many_marks_fit_as_in_python(one):
    "On the numbers that the page itself was given."
    seen, explorer = one
    tree, rng = explorer.segmentation.tree, np.random.default_rng(0)
    cases = [
        [
            dict(
                sign=int(rng.choice([1, 1, -1])),
                level=8,
                image=0,
                leaves=[[int(i), int(rng.integers(1, 30))] for i in rng.choice(len(tree), 4, replace=False)],
            )
            for _ in range(3)
        ]
        for _ in range(200)
    ]
    for auto in (False, True):
        on_the_page = seen.page.evaluate(SELECT_EACH, [seen.handle, cases, auto])
        assert [list(map(int, selected_leaves(explorer.gallery, c, auto))) for c in cases] == on_the_page


def test_a_move_in_a_large_image_takes_less_than_eight_times_as_long_as_drawing_anew(page, segmented):
    "What a move adds to drawing does not grow with the image; no absolute time is asked for."
    page.goto((segmented / "huge.html").as_uri())
    seen = ExplorerPage(page, (1500, 1500))
    seen.click(700, 700)
    moved, drawn = seen.of("""(() => {
      const moved = [], drawn = [];
      const timed = (times, work) => {
        const start = performance.now();
        work();
        times.push(performance.now() - start);
      };
      for (let i = 0; i < 11; i++) {
        timed(moved, () => { x.session.setLevel(5 + 3 * i); x.picture.draw(); });
        timed(drawn, () => { x.picture.overlay.forget(); x.picture.draw(); });
      }
      return [moved, drawn];
    })()""")
    ratio = statistics.median(moved) / statistics.median(drawn)
    print(f"a slider move at 1500²: {statistics.median(moved):.1f} ms, {ratio:.1f} times what drawing anew takes")
    assert ratio < 8


@pytest.mark.parametrize("viewport", [dict(width=390, height=800)])
def test_it_fits_a_telephone(one, viewport):
    seen, _ = one
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390


ASK_FOR_IMAGE = """async ([script, dtype]) => {
  const {WidgetHost} = await import(URL.createObjectURL(new Blob([script], {type: "text/javascript"})));
  const traits = {palette: new DataView(new ArrayBuffer(3)), names: [], formats: [], state: {}};
  let answer, question;
  const model = {get: name => traits[name], on: (event, f) => { answer = f; }, send: sent => { question = sent; }};
  const image = new WidgetHost(model).image(0);
  try {
    answer({id: question.id, data: {map: {$buffer: 0, dtype, shape: [8]}}}, [new DataView(new ArrayBuffer(8))]);
  } catch { /* a promise that nobody settles is what is looked for */ }
  const patience = new Promise(resolve => setTimeout(resolve, 500, "no answer"));
  return Promise.race([image.then(({map}) => map.length, error => error.name), patience]);
}"""


def test_an_answer_that_cannot_be_read_is_an_error(page):
    script = bundle(SCRIPTS / "explorer/host-widget.js")
    assert page.evaluate(ASK_FOR_IMAGE, [script, "uint8"]) == 8
    assert page.evaluate(ASK_FOR_IMAGE, [script, "int64"]) == "TypeError"


def correct_in_jupyterlab(seen, notebook):
    "A click, a negative stroke, the next answers, a box and a lasso, and all of it undone; the kernel follows."

    def follows():
        notebook.wait("int(explorer.mask.sum())", seen.pixels if seen.hit.any() else 0)

    seen.click(*AT)
    follows()
    seen.do("subtract")
    seen.paint((20, 20), (24, 40))
    follows()
    seen.do("add")
    seen.key("]", "]", "[")
    follows()
    seen.do("box")
    seen.paint((60, 60), (80, 84))
    follows()
    seen.do("lasso")
    seen.paint((20, 60), (20, 80), (34, 80), (34, 60), (21, 60))
    follows()
    notebook.wait("[bool(mark.get('whole')) for mark in explorer.state['marks']]", [False, False, True, True])
    seen.key("l")
    while not seen.page.locator('[data-do="undo"]').is_disabled():
        seen.do("undo")
    notebook.wait("len(explorer.state['marks'])", 0)


def explorer_in(jupyter, page, files: list[str]):
    "A notebook with an explorer, of which a structure was clicked, and its page; the kernel has the mask."
    source = f"from cuts.show.explorer import Explorer\nexplorer = Explorer({files!r}, folder='made')\nexplorer"
    notebook, seen = jupyter.open(page, source).run(), ExplorerPage(page)
    seen.page.locator(".picture").scroll_into_view_if_needed()
    seen.click(*AT)
    notebook.wait("int(explorer.mask.sum())", seen.pixels)
    return notebook, seen


def test_in_notebook_7(jupyter_notebook, page, segmented):
    notebook, seen = explorer_in(jupyter_notebook, page, [str(segmented / "0.npz")])
    notebook.value("setattr(explorer, 'state', explorer.state | dict(level=3, marks=[]))")  # from Python to the page
    page.get_by_text("3 regions", exact=True).wait_for()
    correct_in_jupyterlab(seen, notebook)


def test_in_jupyterlab(jupyter_lab, page, segmented):
    notebook, seen = explorer_in(jupyter_lab, page, [str(segmented / f"{i}.npz") for i in range(3)])
    assert seen.of("x.session.image.palette.length") == 3 * 256
    bars = page.locator(".barcode rect[data-node]")
    assert len(set(bars.evaluate_all("bars => bars.map(bar => bar.getAttribute('fill'))"))) > 2
    notebook.value("setattr(explorer, 'state', explorer.state | dict(level=3, marks=[]))")  # from Python to the page
    page.get_by_text("3 regions", exact=True).wait_for()
    assert not seen.hit.any()
    page.locator(".strip button").nth(1).click()
    notebook.wait("explorer.state['image']", 1)
    seen.key("ArrowRight")
    notebook.wait("explorer.level", 4)
    seen.click(*AT)
    formats = page.locator('[data-set="format"]')
    assert formats.locator("option:disabled").all_text_contents() == ["dcm"]  # for images that came from DICOM
    formats.select_option("nrrd")
    seen.do("export")
    page.get_by_text("fundus_1_mask.nrrd").wait_for()
    assert read_labels(jupyter_lab.folder / "made/fundus_1_mask.nrrd").sum() == seen.pixels
    page.locator('[data-set="what"]').select_option("masks")
    seen.do("export")
    page.get_by_text("3 masks in").wait_for()
    assert len(list((jupyter_lab.folder / "made").glob("*.nrrd"))) == 4
    seen.key("Escape")
    correct_in_jupyterlab(seen, notebook)


def test_marks_outlive_the_page_in_jupyterlab(jupyter_lab, page, segmented):
    _, seen = explorer_in(jupyter_lab, page, [str(segmented / "0.npz")])
    marks = seen.of("x.session.state.marks")
    assert not seen.of("x.leaving.isUnsaved")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    assert ExplorerPage(page).of("x.session.state.marks") == marks != []
