"""The page that segments an image without Python: step by step against Python in Node.js, and as a whole in a browser.

Two computations of one image differ in the last digits of float32; where that decides between two equally good answers,
regions differ. So steps are compared with the same input, and whole images are such that Python's own answer is not
moved by noise in the seventh digit."""

import struct

import numpy as np
import pytest
import torch
from drop_page import IMAGE, agreement, given_image, labels, needs_node, run_node
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo
from skimage import data
from skimage.transform import resize

import cuts
from cuts.config.sections import SegmentationConfig
from cuts.data.fundus import fundus_phantom
from cuts.io.reading import as_image, read_image
from cuts.segmentation.content import even_colours, image_tiles
from cuts.segmentation.fitting import VectorSegmenter, places, sample_vectors
from cuts.show.drop import drop_element, write_drop_page
from cuts.show.facts import whole_facts
from cuts.show.tree_colors import segmentation_colors
from cuts.stage1.prior import flat_zones, prior_vectors, shown_size, stretched, three_channels
from cuts.stage2.consensus import consensus
from cuts.stage2.landmarks import _draw, landmarks
from cuts.stage2.scale_sets import neighbours


def small(x: np.ndarray, *size: int) -> np.ndarray:  # uint8
    return np.rint(255 * resize(x, size, anti_aliasing=True)).astype(np.uint8)


def blocks() -> np.ndarray:
    "Two flat blocks on flat ground."
    x = np.zeros((48, 64, 3), np.uint8)
    x[8:30, 20:50] = 200, 10, 10
    x[34:44, 6:20] = 0, 120, 0
    return x


IMAGES = {
    "grey": lambda: small(data.camera(), 64, 64),
    "colours": lambda: small(data.chelsea(), 60, 90),
    "odd sides": lambda: small(data.coffee(), 51, 37),
    "flat zones": blocks,
    "flat": lambda: np.full((20, 30), 80, np.uint8),
    "one pixel": lambda: np.full((1, 1), 9, np.uint8),
    "one row": lambda: np.arange(0, 240, 6, np.uint8)[None],
}


# Steps ---------------------------------------------------------------------------------------------------------------
@needs_node
@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.filterwarnings("ignore:.*constant")
def test_the_network_and_colours_say_what_they_say_in_python(name):
    image = as_image(x := IMAGES[name]())
    body = IMAGE + (
        "return [js.priorVectors(new js.Prior(js.priorFile()), image).values, js.evenColours(image), "
        "js.flatZones(js.stretched(image))]"
    )
    Z, colours, zones = run_node("prior colours zones", body, image=given_image(x))
    expected = prior_vectors(image), even_colours(image)
    np.testing.assert_allclose(np.reshape(Z, expected[0].shape), expected[0], atol=3e-6)
    np.testing.assert_allclose(np.reshape(colours, expected[1].shape), expected[1], atol=3e-6)
    known = flat_zones(stretched(three_channels(image.data)))
    assert agreement(np.reshape(zones, known.shape), known) == 1


@needs_node
def test_the_random_numbers_are_those_of_torch():
    body = "return [new js.Twister(7).permutation(5000, 900), js.drawn(Float64Array.from(given.mass), 40)]"
    mass = np.random.default_rng(0).integers(1, 5, 300).astype(float)
    permutation, drawn = run_node("random landmarks", body, mass=mass.tolist())
    assert permutation == torch.randperm(5000, generator=torch.Generator().manual_seed(7))[:900].tolist()
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    assert drawn == _draw(torch.from_numpy(mass), 40, seed).tolist()


@needs_node
def test_a_sample_of_many_pixels_is_that_of_numpy():
    got = run_node("random", "return [js.sampled(90_000, 70_000), js.sampled(12)]")
    assert got[0] == np.sort(np.random.default_rng(0).choice(90_000, 70_000, replace=False)).tolist()
    assert got[1] == list(range(12))


@needs_node
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (20, 30), (280, 300)])
def test_the_nearest_pixels_are_those_that_scipy_takes(size):
    "At the border, and in a sample, several are equally far."
    total, most = size[0] * size[1], 2**16
    chosen = np.sort(np.random.default_rng(0).choice(total, most, replace=False)) if total > most else np.arange(total)
    got = run_node(
        "neighbours random", "return js.neighbours(js.sampled(given.n), given.width)", n=total, width=size[1]
    )
    assert [got["first"], got["second"]] == neighbours(places(chosen, size)).tolist()


@needs_node
@pytest.mark.skipif(not torch.backends.cpu.get_cpu_capability().startswith("AVX"), reason="no fused multiplication")
@pytest.mark.parametrize("name", ["grey", "colours", "ties"])
def test_landmarks_are_those_of_python_to_the_last_bit(name):
    "Of the small astronaut many pixels lie midway between two landmarks."
    _, known = fitted(small(data.astronaut(), 128, 128) if name == "ties" else IMAGES[name]())
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    centres, nearest, mass = landmarks(torch.from_numpy(known["view"]), 500, seed=seed)
    n, d = known["view"].shape
    body = "return js.landmarks({ n: given.n, d: given.d, x: Float32Array.from(given.x) }, 500)"
    got = run_node("landmarks", body, n=n, d=d, x=known["view"].ravel().tolist())
    assert got["nearest"] == nearest.tolist()
    assert got["mass"] == mass.tolist()
    np.testing.assert_array_equal(np.array(got["centres"]["x"], np.float32), centres.numpy().ravel())


def fitted(x: np.ndarray) -> tuple[VectorSegmenter, dict]:
    "Stage 2 of an image in Python, and what JavaScript needs to begin where its landmarks are known."
    image, config = as_image(x), SegmentationConfig(method="condensation")
    tiles, parts = image_tiles(image, None, config)
    Z, index = sample_vectors(tiles, image.spatial)
    segmenter = VectorSegmenter(config, parts)
    segmenter.fit([(Z, places(index, image.spatial))])
    view = segmenter.view(Z, places(index, image.spatial))
    return segmenter, dict(view=view, Z=Z, parts=parts)


@needs_node
@pytest.mark.parametrize("name", ["grey", "colours", "odd sides"])
def test_the_view_and_its_aspects(name):
    segmenter, known = fitted(x := IMAGES[name]())
    body = IMAGE + (
        "const { height, width, channels } = image, n = height * width; "
        "const grid = { height, width, channels: 32, values: Float32Array.from(given.prior) }; "
        "const content = new js.Content(image, grid, Float32Array.from(given.colours)); "
        "const all = content.of(Array.from({ length: n }, (_, i) => i)), view = new js.View(all); "
        "return [view.points.x, view.aspects, view.of(all).x]"
    )
    prior, colours = np.split(known["Z"], [32], 1)
    both = dict(prior=prior.ravel().tolist(), colours=colours.ravel().tolist())
    points, aspects, again = run_node("view content", body, image=given_image(x), **both)
    assert again == points
    np.testing.assert_allclose(np.reshape(points, known["view"].shape), known["view"], atol=1e-6)
    np.testing.assert_allclose(aspects, segmenter.view.aspects(known["view"]), atol=1e-6)


@needs_node
@pytest.mark.parametrize("name", ["grey", "colours"])
def test_the_same_landmarks_make_the_same_merges(name, monkeypatch):
    seen = {}

    def watched(orders, mass, one):
        seen.update(orders=orders, mass=mass, one=one, agreed=(agreed := consensus(orders, mass, one)))
        return agreed

    monkeypatch.setattr("cuts.stage2.condensation.consensus", watched)
    segmenter, known = fitted(IMAGES[name]())
    of_leaf = segmenter.condensation.landmarks_
    order = np.lexsort(of_leaf.T)
    rows = segmenter.view.aspects(known["view"])
    body = (
        "const mass = given.mass, orders = given.rows.map(row => js.condense({ n: mass.length, d: row.length, "
        "x: Float64Array.from(given.centres, (v, k) => v * row[k % row.length]) }, mass)); "
        "return [orders, js.consensus(orders, mass, given.one)]"
    )
    centres, one = of_leaf[order].astype(float).ravel().tolist(), seen["one"].astype(int).ravel().tolist()
    given = dict(mass=seen["mass"].tolist(), rows=rows.tolist(), centres=centres, one=one)
    orders, agreed = run_node("condensation consensus", body, **given)
    for (merges, times), got in zip(seen["orders"], orders, strict=True):
        assert got["merges"] == [[int(i) for i in pair] for pair in merges]
        np.testing.assert_allclose(got["times"], times)
    assert agreed["merges"] == [[int(i) for i in pair] for pair in seen["agreed"][0]]
    np.testing.assert_allclose(agreed["times"], seen["agreed"][1])


@needs_node
@pytest.mark.parametrize("name", ["grey", "colours"])
def test_the_explorer_is_handed_what_python_hands_it(name):
    x = IMAGES[name]()
    segmenter, _ = fitted(x)
    image, tree = as_image(x), segmenter.tree
    seg = segmenter.segment(None, image.spatial, fitted=True, image=image, name="it")
    landmarks = segmenter.condensation.landmarks_[np.argsort(segmenter.leaf_of_landmark)]
    body = IMAGE + (
        "const { tensors } = js.readTensors(js.hintsFile()), { tree, map, levels, landmarks } = given; "
        "tree.death[0] = Infinity; landmarks.x = Float32Array.from(landmarks.x); "
        "const network = Object.fromEntries(Object.entries(tensors).map(([k, { values }]) => [k, values])); "
        "const facts = js.wholeFacts({ tree, map, levels: js.salientLevels(tree), persistent: js.worthRegions(tree), "
        "landmarks }, { ...image, shown: js.drawn(image) }, network, 'it'); return facts"
    )
    plain = dict(n=len(tree), parent=tree.parent.tolist(), death=[0, *tree.death[1:]], mass=tree.mass.tolist())
    points = dict(n=len(tree), d=landmarks.shape[1], x=landmarks.ravel().tolist())
    given = dict(tree=plain, map=seg.landmark_map.ravel().tolist(), landmarks=points, image=given_image(x))
    got = run_node("facts safetensors tree prices image", body, levels=seg.levels, **given)
    expected = whole_facts(seg)
    for key in (
        "name",
        "shape",
        "spacing",
        "unit",
        "orientation",
        "grid",
        "levels",
        "start",
        "kmeans",
        "kept",
        "truth",
    ):
        assert got[key] == expected[key], key
    assert got["planes"][0]["image"] == expected["planes"][0]["image"].ravel().tolist()
    for key in ("persistent", "counts", "colours"):
        assert got[key] == expected[key].tolist(), key
    np.testing.assert_allclose(got["coordinates"], expected["coordinates"].ravel(), atol=1e-5)
    for key, values in expected["structures"].items():
        values = np.minimum(values.view("<f8"), 1e300) if key in ("born", "ended") else values
        np.testing.assert_allclose(got["structures"][key], values, rtol=1e-6, err_msg=key)
    for key, values in expected["hints"].items():
        values = values.view("<f2").astype(float) if values.dtype == np.uint16 else values
        np.testing.assert_allclose(got["hints"][key], values, rtol=2e-3, atol=1e-4, err_msg=key)


@needs_node
@pytest.mark.parametrize("name", ["grey", "colours", "eye ground", "blocks"])
def test_regions_have_the_colours_that_they_have_in_python(name):
    x = blocks() if name == "blocks" else WHOLE[name]()
    seg = cuts.segment(as_image(x), method="condensation")
    tree, body = seg.tree, IMAGE + "return js.segmentationColours(given.tree, Uint16Array.from(given.map), image)"
    plain = dict(n=len(tree), parent=tree.parent.tolist(), mass=tree.mass.tolist())
    got = run_node("paint", body, tree=plain, map=seg.landmark_map.ravel().tolist(), image=given_image(x))
    assert got == np.rint(255 * segmentation_colors(seg)).astype(int).ravel().tolist()


@needs_node
@pytest.mark.parametrize("size", [(300, 200), (256, 513), (5, 1000)])
def test_a_large_image_is_made_smaller_as_torch_does_it(size):
    x = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    got = run_node("resize", IMAGE + "return js.shown(image, 256)", image=given_image(x))
    options = dict(mode="bilinear", antialias=True)
    expected = torch.nn.functional.interpolate(torch.from_numpy(as_image(x).data)[None], shown_size(*size), **options)
    assert (got["height"], got["width"]) == shown_size(*size)
    np.testing.assert_allclose(np.reshape(got["values"], expected.shape), expected, atol=1e-6)


# Whole images --------------------------------------------------------------------------------------------------------
LEVELS = ("persistent", 2, 4, 8, 16, 32)
WHOLE = {name: IMAGES[name] for name in ("grey", "colours", "odd sides", "flat", "one pixel", "one row")} | {
    "coins": lambda: small(data.coins(), 96, 128),
    "eye ground": lambda: np.rint(255 * fundus_phantom((64, 64), 1)[0]).astype(np.uint8),
    "large": lambda: small(data.coffee(), 220, 330),  # so that the network sees less, and the tree is that of a sample
}


def agreements(seg, got: dict) -> dict:
    "How far a segmentation of Python and one of JavaScript agree at some levels."
    leaves, tree = np.array(got["map"]), got["tree"]
    persistent = np.array(got["persistent"])[leaves]
    maps = {k: persistent if k == "persistent" else labels(tree["parent"], leaves, k) for k in LEVELS}
    return {k: agreement(seg.map(k).ravel(), maps[k]) for k in LEVELS}


@needs_node
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.filterwarnings("ignore:.*constant")
def test_a_whole_image(name):
    x = WHOLE[name]()
    body = IMAGE + "return js.segment(image, new js.Prior(js.priorFile()))"
    got, seg = run_node("segment prior", body, image=given_image(x)), cuts.segment(x, method="condensation")
    assert min(agreements(seg, got).values()) >= 0.99, agreements(seg, got)
    assert got["tree"]["n"] == len(seg.tree)
    moved = np.abs(np.sort(got["tree"]["mass"]) - np.sort(seg.tree.mass)).sum()
    assert moved <= 1e-3 * x.shape[0] * x.shape[1]


# In a browser --------------------------------------------------------------------------------------------------------
_SEEN = """() => {
  const { session } = [...document.querySelectorAll("*")].find(e => e.explorer).explorer, { image, plane } = session;
  const { n, parent, mass } = image.tree, tree = { n, parent: [...parent], mass: [...mass] };
  return { tree, map: [...plane.map], persistent: [...image.persistent], shape: image.shape, levels: image.levels,
           selected: [...session.selection.leaves] };
}"""


@pytest.fixture(scope="module")
def drop_file(tmp_path_factory):
    "The page as a file."
    write_drop_page(path := tmp_path_factory.mktemp("drop") / "drop.html")
    return path


@pytest.fixture
def drop_page(page, drop_file):
    "The page, open; `page.asked` lists every address that it asks for."
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("websocket", lambda socket: page.asked.append(socket.url))
    page.goto(drop_file.as_uri())
    page.locator("input[type=file]").wait_for()
    return page


_STATUS = ".cuts-element > [role=status]"


def says(page, *words: str) -> str:
    "What the page says, once it holds all these words and no step is going on."
    page.wait_for_function(
        "([status, words]) => { const said = document.querySelector(status).textContent; "
        "return !said.endsWith('…') && words.every(word => said.includes(word)); }",
        arg=[_STATUS, words],
    )
    return page.locator(_STATUS).inner_text()


def choose(page, path) -> str:
    "Choose a file; what the page says of it at last."
    page.locator("input[type=file]").set_input_files(path)
    return says(page, f"{path.name}: ")


def picture(tmp_path, x: np.ndarray, name: str, **options):
    Picture.fromarray(x).save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize(
    ("name", "x", "options"),
    [
        ("large grey.png", lambda: small(data.camera(), 200, 330), {}),
        ("colours.png", IMAGES["colours"], {}),
        ("colours.jpg", IMAGES["colours"], dict(quality=95)),
        ("grey.jpg", IMAGES["grey"], dict(quality=95)),
        ("deep.png", lambda: 1000 + 37 * IMAGES["grey"]().astype(np.uint16), {}),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_what_is_dropped_is_segmented_as_in_python_and_nothing_leaves_the_page(drop_page, tmp_path, name, x, options):
    path = picture(tmp_path, x(), name, **options)
    told = choose(drop_page, path)
    seg = cuts.segment(path, method="condensation")
    assert told.startswith(f"{name}: ready after"), told
    drop_page.wait_for_function(f"() => ({_SEEN})().tree.n > 0")
    got = drop_page.evaluate(_SEEN)
    assert got["shape"] == list(seg.spatial)
    assert min(agreements(seg, got).values()) >= 0.99, agreements(seg, got)
    kinds = [url.split(":")[0] for url in drop_page.asked]
    assert kinds.count("file") == 1, "the page itself, and no other file"
    assert set(kinds) == {"file", "blob"}, drop_page.asked


def test_pixels_are_those_that_python_reads(drop_page, tmp_path):
    "Whatever a file says of gamma, palettes and how it is turned."
    (gamma := PngInfo()).add(b"gAMA", struct.pack(">I", 100_000))
    turned, x = Picture.Exif(), np.random.default_rng(0).integers(0, 256, (12, 17, 3)).astype(np.uint8)
    turned[0x112] = 6
    Picture.fromarray(x).save(tmp_path / "gamma.png", pnginfo=gamma)
    Picture.fromarray(x).save(tmp_path / "turned.png", exif=turned)
    Picture.fromarray(x).quantize(40).save(tmp_path / "palette.png")
    Picture.fromarray(x[..., 0] > 128).save(tmp_path / "bits.png")
    seen = "() => [...document.querySelectorAll('*')].find(e => e.explorer).explorer.session"
    for path in sorted(tmp_path.glob("*.png")):
        choose(drop_page, path)
        drop_page.wait_for_function(f"name => ({seen})().image?.name === name", arg=path.name)
        shape, pixels = drop_page.evaluate(f"() => [({seen})().image.shape, [...({seen})().plane.image]]")
        expected = read_image(path)
        assert shape == list(expected.spatial), path.name
        assert pixels == np.rint(255 * expected.display()).astype(int).ravel().tolist(), path.name


def click(page, seg, row: int, column: int) -> np.ndarray:  # bool [H,W]
    "What is selected after a click into the picture."
    (height, width), canvas = seg.spatial, page.locator(".picture").first
    box = canvas.bounding_box()
    canvas.click(position=dict(x=box["width"] * (column + 0.5) / width, y=box["height"] * (row + 0.5) / height))
    page.wait_for_function(f"() => ({_SEEN})().selected.some(Boolean)")
    got = page.evaluate(_SEEN)
    return np.array(got["selected"])[got["map"]].reshape(seg.spatial) > 0


def downloaded(page, button: str) -> np.ndarray:
    "The numbers in the PNG that a button gives."
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    picture = Picture.open(download.value.path())
    assert picture.mode == "L"  # numbers, for every reader
    return np.array(picture)


def test_a_click_takes_a_region_or_the_structure_and_both_are_downloaded(drop_page, tmp_path):
    path = picture(tmp_path, IMAGES["colours"](), "cat.png")
    choose(drop_page, path)
    seg = cuts.segment(path, method="condensation")
    level = drop_page.evaluate("() => [...document.querySelectorAll('*')].find(e => e.explorer).explorer.session.level")
    region = seg.labels(level) == seg.labels(level)[30, 45]
    assert (click(drop_page, seg, 30, 45) == region).mean() >= 0.99
    unsaved = "() => [...document.querySelectorAll('*')].find(e => e.explorer).explorer.leaving.isUnsaved"
    assert agreement(downloaded(drop_page, "Download labels"), seg.labels(level)) >= 0.99
    assert drop_page.evaluate(unsaved)
    assert ((downloaded(drop_page, "Download mask") > 0) == region).mean() >= 0.99
    drop_page.get_by_text("1 mask is in your downloads").wait_for()
    assert not drop_page.evaluate(unsaved)
    drop_page.get_by_role("button", name="Clear").click()
    drop_page.get_by_role("button", name="Structure", exact=True).click()
    assert (click(drop_page, seg, 30, 45) == seg.mask((30, 45))).mean() >= 0.99


def test_an_example_a_size_and_a_way_out(drop_page):
    "An example is at hand; it is done again when another size is chosen, and a picture stays when that is cancelled."
    drop_page.get_by_label("Longer side in pixels").select_option("256")
    drop_page.get_by_role("button", name="Cell").click()
    drop_page.wait_for_function("s => document.querySelector(s).textContent.includes('about')", arg=_STATUS)
    assert "213 × 256 pixels, about " in drop_page.locator(_STATUS).inner_text()
    assert "masks have 213 × 256 pixels, the file 320 × 384" in says(drop_page, "Cell.jpg: ready after")
    drop_page.get_by_label("Longer side in pixels").select_option("1024")
    drop_page.wait_for_function("() => document.querySelector('progress').value > 0")
    drop_page.get_by_role("button", name="Cancel").click()
    assert says(drop_page, "Cancelled") == "Cancelled."
    assert drop_page.locator("progress").is_hidden()
    assert drop_page.evaluate(_SEEN)["shape"] == [256, 213]


def test_what_is_pasted_counts(drop_page, tmp_path):
    paste = """([kind, bytes]) => {
      const clipboardData = new DataTransfer();
      if (kind === "picture") clipboardData.items.add(new File([new Uint8Array(bytes)], "image.png"));
      else if (kind === "words") clipboardData.setData("text/plain", "words");
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }"""
    little = picture(tmp_path, IMAGES["odd sides"](), "little.png")
    drop_page.evaluate(paste, ["words", []])
    assert says(drop_page) == "Nothing has been dropped yet."
    drop_page.evaluate(paste, ["nothing", []])
    assert "no picture" in says(drop_page, "clipboard")
    drop_page.evaluate(paste, ["picture", list(little.read_bytes())])
    assert says(drop_page, "image.png: ").startswith("image.png: ready after")


def test_what_is_dropped_anywhere_counts_and_the_last_one_wins(drop_page, tmp_path):
    "While a large image is looked at, another one is dropped."
    drop = """([bytes, name]) => {
      const files = new DataTransfer();
      files.items.add(new File([new Uint8Array(bytes)], name));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
    }"""
    large, little = picture(tmp_path, WHOLE["large"](), "large.png"), picture(tmp_path, IMAGES["grey"](), "little.png")
    drop_page.evaluate(drop, [list(large.read_bytes()), "large.png"])
    drop_page.wait_for_function("s => document.querySelector(s).textContent.includes('looking')", arg=_STATUS)
    drop_page.evaluate(drop, [list(little.read_bytes()), "little.png"])
    assert "made smaller" not in says(drop_page, "little.png: ready")
    drop_page.wait_for_function(f"() => ({_SEEN})().shape[0] === 64")


def test_what_cannot_be_segmented_is_said(drop_page, tmp_path):
    whole = picture(tmp_path, IMAGES["grey"](), "whole.png").read_bytes()
    deep = bytearray(picture(tmp_path, 37 * IMAGES["grey"]().astype(np.uint16), "deep.png").read_bytes())
    (tmp_path / "cut deep.png").write_bytes(deep[:100])
    deep[25] = 2
    (tmp_path / "deep.png").write_bytes(deep)
    (tmp_path / "cut.png").write_bytes(whole[:300])
    (tmp_path / "scan.dcm").write_bytes(bytes(128) + b"DICM" + bytes(200))
    (tmp_path / "notes.txt").write_bytes(b"words")
    Picture.fromarray(IMAGES["grey"]()).save(tmp_path / "scan.tif")
    (tmp_path / "empty.png").write_bytes(b"")
    assert "deep.png: sixteen bits" in choose(drop_page, tmp_path / "deep.png")
    assert "cut deep.png: cannot be decoded" in choose(drop_page, tmp_path / "cut deep.png")
    assert "cut.png: cannot be decoded" in choose(drop_page, tmp_path / "cut.png")
    told = choose(drop_page, tmp_path / "scan.dcm")
    assert "scan.dcm: DICOM, which this page cannot read. Use Python" in told
    assert 'cuts explore "scan.dcm"' in told
    assert "scan.tif: a TIFF, which" in choose(drop_page, tmp_path / "scan.tif")
    assert "notes.txt: neither PNG nor JPEG. Use Python" in choose(drop_page, tmp_path / "notes.txt")
    assert "empty.png: empty." in choose(drop_page, tmp_path / "empty.png")
    assert drop_page.locator(".cuts-element .fault").count() == 1
    assert "whole.png: ready after" in choose(drop_page, tmp_path / "whole.png")
    assert drop_page.locator(".cuts-element .fault").count() == 0


def test_transparency_is_told_of(drop_page, tmp_path):
    x = np.dstack([IMAGES["odd sides"](), np.full((51, 37), 255, np.uint8)])
    x[:9, :9, 3] = 0
    assert "what is transparent was taken for black" in choose(drop_page, picture(tmp_path, x, "clear.png"))


def test_the_page_is_one_small_file_without_addresses(drop_file):
    text = drop_file.read_text()
    assert len(text) < 4_000_000
    script = drop_element().script
    assert "http" not in script.replace("http://www.w3.org", "")
    assert "fetch(" not in script
    assert "XMLHttpRequest" not in script
