"The explorer where people use it: as a page without a kernel, and in JupyterLab. What it computes is in nbs/41_explorer.ipynb, Voilà in test_serve.py."

import re
import statistics

import numpy as np
import pytest
from browser import browser, jupyter_lab, page, scheme, viewport

from cuts.config import Config
from cuts.datasets import fundus_phantom, open_dataset
from cuts.explorer import Explorer, selected_leaves
from cuts.images import as_image, read_image, read_labels
from cuts.segmentation import Segmentation, segment_image, segment_together
from cuts.training import train

SIDE = 96
AT = (48, 40)  # where clicks go: (row, column)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A folder with three segmentations that share a tree, and with one of 256 × 256 pixels; as files and as pages."
    folder, (photos, truths) = (
        tmp_path_factory.mktemp("explorer"),
        zip(*(fundus_phantom((SIDE, SIDE), s) for s in range(3))),
    )
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
    Explorer([folder / "one.npz", segment_image(images[1], model, name="another")]).save(folder / "apart.html")
    huge, r = np.zeros((1500, 1500), np.uint16), np.random.default_rng(0)
    huge[...] = np.kron(r.integers(0, len(one.tree), (150, 150)), np.ones((10, 10), int))
    Segmentation(one.tree, huge, name="huge").save(folder / "huge.html")
    large, truth = fundus_phantom((256, 256), 5)
    segment_image(as_image(large), model, name="large", truth=truth).save(folder / "large.html")
    planes = np.stack([fundus_phantom((40, 44), i)[0].mean(-1) for i in range(5)]).astype(np.float32)
    segment_image(
        as_image(planes, spacing=(3, 1, 1)),
        train(open_dataset([planes]), model.config.replace(epochs=1), progress=False),
        name="volume",
    ).save(folder / "volume.html")
    return folder


class Seen:
    "The explorer on a page."

    def __init__(self, page, shape=(SIDE, SIDE)):
        self.page, self.shape = page, shape
        page.locator(".count").wait_for()
        self.handle = page.evaluate_handle(
            "() => { const find = n => { for (const x of n.querySelectorAll('*')) { if (x.explorer) return x.explorer; if (x.shadowRoot) { const y = find(x.shadowRoot); if (y) return y; } } }; return find(document); }"
        )
        page.wait_for_function("x => x.session.selection && !x.drawing", arg=self.handle)

    def of(self, code):
        return self.page.evaluate(f"async x => {code}", self.handle)

    def text(self, name):
        return self.page.locator(f".{name}").inner_text()

    def do(self, name):
        self.page.locator(f'[data-do="{name}"]').click()

    def key(self, *keys):
        self.page.locator("#level").focus()
        for k in keys:
            self.page.keyboard.press(k)

    def place(self, row, col):
        box = self.page.locator(".picture").bounding_box()
        return box["x"] + (col + 0.5) * box["width"] / self.shape[1], box["y"] + (row + 0.5) * box[
            "height"
        ] / self.shape[0]

    def click(self, row, col, **options):
        self.page.mouse.click(*self.place(row, col), **options)

    def paint(self, *places):
        self.page.mouse.move(*self.place(*places[0]))
        self.page.mouse.down()
        for p in places[1:]:
            self.page.mouse.move(*self.place(*p), steps=4)
        self.page.mouse.up()

    @property
    def hit(self):
        return np.array(self.of("Array.from(x.session.selection.leaves)"), bool)

    @property
    def pixels(self) -> int:
        "How many pixels are selected, as the page says it."
        return int(re.search(r"([\d,]+) pixels", self.text("status"))[1].replace(",", ""))

    def picture(self):
        "What stands on the canvas once all is drawn."
        self.page.wait_for_function("x => !x.drawing", arg=self.handle)
        return self.of("x.picture.canvas.toDataURL()")

    def agrees(self, explorer):
        "Page and Python select the same."
        explorer.state = self.of("x.session.state")
        return np.array_equal(self.hit[explorer.segmentation.landmark_map], explorer.mask)


@pytest.fixture
def one(page, made):
    page.goto((made / "one.html").as_uri())
    return Seen(page), Explorer(made / "one.npz")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_slider_moves_the_regions(one, scheme):
    seen, _ = one
    before, first = seen.picture(), seen.of("x.session.state.level")
    seen.key("ArrowRight")
    assert seen.text("count") == f"{first + 1} regions" and seen.picture() != before
    seen.key("ArrowLeft")
    assert seen.picture() == before
    seen.key("Shift+ArrowRight")
    assert seen.of("x.session.image.levels.includes(x.session.state.level)")
    assert seen.of("x.dark") == (scheme == "dark")


def test_a_click_is_a_structure_that_grows(one):
    seen, explorer = one
    seen.click(*AT)
    assert (
        seen.agrees(explorer) and explorer.mask[AT] and "mm²" in seen.text("status") and "Dice" in seen.text("status")
    )
    sizes = []
    for _ in range(12):
        seen.key("ArrowRight")
        sizes.append(seen.pixels)
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < sizes[0] and seen.agrees(explorer)
    seen.click(70, 70)  # adds
    seen.do("subtract")
    more = seen.hit.sum()
    seen.click(70, 70)
    assert seen.hit.sum() < more and seen.agrees(explorer)
    for _ in range(3):
        seen.do("undo")
    assert not seen.hit.any() and seen.text("status").startswith("Click a structure")
    seen.do("redo")
    assert seen.hit.any()
    seen.key("Escape")
    assert not seen.hit.any()


def test_strokes_fit_their_level(one):
    seen, explorer = one
    seen.paint(AT, (40, 50), (52, 55))
    assert seen.of("x.session.state.marks[0].path.length") > 10 and seen.agrees(explorer)
    seen.do("auto")
    assert seen.agrees(explorer)
    seen.key("s")
    seen.paint((10, 48), (14, 52))
    assert seen.of("x.session.state.marks[1].sign") == -1 and seen.agrees(explorer)
    seen.do("connected")
    explorer.state = seen.of("x.session.state")
    assert np.array_equal(
        np.array(seen.of("Array.from(x.session.selection.mask)"), bool).reshape(SIDE, SIDE), explorer.mask
    )


def test_files_hold_what_is_seen(one, tmp_path):
    seen, explorer = one
    seen.do("export")
    assert "no selection" in seen.text("where")
    seen.click(*AT)
    assert seen.agrees(explorer)
    for ending in ("png", "nii.gz", "npy"):
        seen.page.locator('[data-set="format"]').select_option(ending)
        for what, expected in dict(
            mask=explorer.mask, labels=explorer.labels, persistent=explorer.segmentation.persistent
        ).items():
            if ending == "png" and expected.max() > 255:
                continue
            seen.page.locator('[data-set="what"]').select_option(what)
            with seen.page.expect_download() as d:
                seen.do("export")
            d.value.save_as(path := tmp_path / d.value.suggested_filename)
            assert path.name.startswith("fundus_0_") and np.array_equal(read_labels(path), expected), path


@pytest.mark.parametrize("codes", ["RAS", "ASR", "LPI"])
def test_a_nifti_lies_as_its_source(page, made, tmp_path, codes):
    nib = pytest.importorskip("nibabel")
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes))
    affine = np.array([[2, 0.1, 0, -9], [-0.1, 1.5, 0.2, 4], [0, -0.2, 3, 7], [0, 0, 0, 1.0]])
    nib.save(
        nib.Nifti1Image(np.random.default_rng(0).random((9, 11, 6)).astype(np.float32), affine).as_reoriented(turn),
        tmp_path / "scan.nii.gz",
    )
    image, tree = read_image(tmp_path / "scan.nii.gz"), Segmentation.load(made / "one.npz").tree
    seg = Segmentation(
        tree, np.random.default_rng(1).integers(0, len(tree), image.spatial).astype(np.uint16), image, "scan"
    )
    seg.save(tmp_path / "scan.html")
    seg.save(tmp_path / "python.nii.gz", 8)
    page.goto((tmp_path / "scan.html").as_uri())
    seen = Seen(page, image.spatial[-2:])
    seen.of("x.session.setLevel(8)")
    page.locator('[data-set="what"]').select_option("labels")
    page.locator('[data-set="format"]').select_option("nii.gz")
    with page.expect_download() as d:
        seen.do("export")
    d.value.save_as(tmp_path / "page.nii.gz")
    ours, theirs = (nib.load(tmp_path / f"{k}.nii.gz") for k in ("python", "page"))
    assert np.array_equal(ours.get_fdata(), theirs.get_fdata()) and np.allclose(ours.affine, theirs.affine, atol=1e-5)
    assert theirs.header.get_xyzt_units()[0] == "mm" and np.allclose(ours.header.get_zooms(), theirs.header.get_zooms())


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


def test_a_click_means_the_same_in_a_cohort(page, made):
    page.goto((made / "cohort.html").as_uri())
    seen, explorer = Seen(page), Explorer([made / f"{i}.npz" for i in range(3)])
    seen.click(*AT)
    first = seen.hit
    page.locator(".strip button").nth(2).click()
    page.wait_for_function("x => x.session.state.image == 2", arg=seen.handle)
    assert np.array_equal(seen.hit, first) and seen.agrees(explorer)
    seen.do("subtract")
    seen.click(60, 60)
    page.locator(".strip button").nth(0).click()
    page.wait_for_function("x => x.session.state.image == 0", arg=seen.handle)
    assert seen.agrees(explorer)


def test_a_volume_has_slices(page, made):
    page.goto((made / "volume.html").as_uri())
    seen = Seen(page, (40, 44))
    assert seen.text("at") == "3 of 5"
    before = seen.picture()
    page.locator("#plane").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_function("x => x.session.state.plane == 3", arg=seen.handle)
    assert seen.text("at") == "4 of 5" and seen.picture() != before
    seen.click(20, 20)
    assert "mm³" in seen.text("status")


def test_a_move_answers_at_once(page, made):
    page.goto((made / "large.html").as_uri())
    seen = Seen(page, (256, 256))
    seen.click(128, 120)
    ms = seen.of("""(async () => { const s = x.root.querySelector('#level'), t = [];
      for (let i = 0; i < 41; i++) { const t0 = performance.now(), drawn = new Promise(r => x.element.addEventListener('drawn', r, {once: true}));
        s.value = 50 + 20 * i; s.dispatchEvent(new Event('input', {bubbles: true})); await drawn; t.push(performance.now() - t0); }
      return t; })()""")
    print(f"a slider move at 256²: {statistics.median(ms):.1f} ms, at most {max(ms):.1f}")
    assert statistics.median(ms) < 150


def test_images_with_trees_of_their_own_do_not_meet(page, made):
    page.goto((made / "apart.html").as_uri())
    seen = Seen(page)
    seen.click(*AT)
    mine = seen.hit
    level = seen.of("x.session.level")
    page.locator(".strip button").nth(1).click()
    page.wait_for_function("x => x.session.state.image == 1", arg=seen.handle)
    assert not seen.hit.any() and page.locator('[data-do="clear"]').is_disabled()
    seen.key("ArrowRight", "ArrowRight", "ArrowRight")
    seen.click(30, 30)
    seen.do("clear")
    page.locator(".strip button").nth(0).click()
    page.wait_for_function("x => x.session.state.image == 0", arg=seen.handle)
    assert np.array_equal(seen.hit, mine) and seen.of("x.session.state.marks[0].level") == level


def test_marks_are_there_before_their_image_is_opened(page, made, tmp_path):
    explorer = Explorer([made / f"{i}.npz" for i in range(3)])
    explorer.add(AT)
    explorer.add((60, 50, 66, 58), negative=True, level=40)
    explorer.state = dict(image=2, connected=True)
    explorer.save(tmp_path / "marked.html")
    page.goto((tmp_path / "marked.html").as_uri())
    seen = Seen(page)
    chosen = selected_leaves(explorer.segmentation.tree, explorer.state["marks"])
    assert chosen.any() and np.array_equal(seen.hit, chosen)
    assert np.array_equal(
        np.array(seen.of("Array.from(x.session.selection.mask)"), bool).reshape(SIDE, SIDE), explorer.mask
    )


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
        page_says = seen.page.evaluate(
            "([x, cases, auto]) => cases.map(marks => { const s = x.session.state; Object.assign(s, {marks, auto}); x.session.update(); return Array.from(x.session.selection.leaves); })",
            [seen.handle, cases, auto],
        )
        assert [list(map(int, selected_leaves(tree, c, auto))) for c in cases] == page_says


def test_a_large_image_answers(page, made):
    "The work of a move is bounded by what the screen shows."
    page.goto((made / "huge.html").as_uri())
    seen = Seen(page, (1500, 1500))
    seen.click(700, 700)
    ms = seen.of(
        "(() => { const t = []; for (let i = 0; i < 11; i++) { const t0 = performance.now(); x.session.setLevel(5 + 3 * i); x.picture.draw(); t.push(performance.now() - t0); } return t; })()"
    )
    print(f"a slider move at 1500²: {statistics.median(ms):.1f} ms of work")
    assert statistics.median(ms) < 300


@pytest.mark.parametrize("viewport", [dict(width=390, height=800)])
def test_it_fits_a_telephone(one, viewport):
    seen, _ = one
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_in_jupyterlab(jupyter_lab, page, made):
    source = f"from cuts.explorer import Explorer\nexplorer = Explorer([{', '.join(repr(str(made / f'{i}.npz')) for i in range(3))}], folder='made')\nexplorer"
    notebook = jupyter_lab.open(page, source).run()
    seen = Seen(page)
    seen.page.locator(".picture").scroll_into_view_if_needed()
    seen.click(*AT)
    notebook.wait("int(explorer.mask.sum())", seen.pixels)
    assert (
        seen.of("x.session.image.palette.length") == 3 * 256
        and len(
            set(page.locator(".barcode rect[data-node]").evaluate_all("them => them.map(r => r.getAttribute('fill'))"))
        )
        > 2
    )
    notebook.value("setattr(explorer, 'state', explorer.state | dict(level=3, marks=[]))")  # from Python to the page
    page.get_by_text("3 regions", exact=True).wait_for()
    assert not seen.hit.any()
    page.locator(".strip button").nth(1).click()
    notebook.wait("explorer.state['image']", 1)
    seen.key("ArrowRight")
    notebook.wait("explorer.level", 4)
    seen.click(*AT)
    page.locator('[data-set="format"]').select_option("nrrd")
    seen.do("export")
    page.get_by_text("fundus_1_mask.nrrd").wait_for()
    assert read_labels(jupyter_lab.folder / "made/fundus_1_mask.nrrd").sum() == seen.pixels
    page.locator('[data-set="what"]').select_option("masks")
    seen.do("export")
    page.get_by_text("3 masks in").wait_for()
    assert len(list((jupyter_lab.folder / "made").glob("*.nrrd"))) == 4
