"""The live elements of the pages, in a browser and without a network: they move, and they compute what Python computes.

The tests open the outputs as they stand in the notebooks. nbs/42_elements.ipynb tests how an element is packed."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch
from repository import root
from scipy.sparse.csgraph import connected_components

from cuts.stage2.condensation import condense
from cuts.stage2.diffusion import affinity, diffusion_operator
from cuts.show.elements import Element, _embedded, bundle
from cuts.stage1.encoder import make_encoder
from cuts.stage1.losses import nt_xent
from cuts.stage1.patches import extract_patches, ssim
from cuts.stage2.tree import from_merges

SCRIPTS = root / "cuts/show/js"
PAGES = {
    "42_elements": "rings",
    "20_diffusion": "bandwidth",
    "21_condensation": "flow",
    "22_spectral": "potential",
    "10_patches": "positives",
    "11_encoder": "field",
    "12_losses": "temperature",
    "13_training": "epochs",
}


def fragments(notebook: str) -> list[str]:
    "The live elements among the outputs of a notebook."
    nb = json.loads((root / f"nbs/{notebook}.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in nb["cells"] if cell["cell_type"] == "code" for output in cell["outputs"]]
    pages = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
    return [html for html in pages if 'class="cuts-element"' in html]


def document(*fragments: str) -> str:
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            '<title>t</title><body style="color-scheme: light dark">',
            *fragments,
        ]
    )


def show(page, tmp_path, *fragments: str):
    "Open fragments as a file; the first element, once it is alive."
    (tmp_path / "page.html").write_text(document(*fragments), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    element = page.locator(".cuts-element[data-live]").first
    element.locator("input, button").first.wait_for()
    return element


@pytest.mark.parametrize("notebook", PAGES)
def test_outputs_hold_the_scripts_as_they_are(notebook):
    (here,) = fragments(notebook)
    parts = ["elements.js", "elements.css"] + [f"{PAGES[notebook]}.js"] * (notebook != "42_elements")
    for name in parts:
        assert _embedded((SCRIPTS / name).read_text(encoding="utf-8")) in here, (
            f"{name} changed since the notebook ran: scripts/execute.py nbs/{notebook}.ipynb"
        )
    assert len(here) < 125_000
    assert len((SCRIPTS / parts[-1]).read_bytes()) < 25_000


# The scripts ---------------------------------------------------------------------------------------------------------
MODULES = sorted(SCRIPTS.rglob("*.js"))


def blocks(lines: list[str]):
    "The head of every block in braces that is longer than a line, and how many lines it has."
    for first, line in enumerate(lines):
        if line.endswith("{"):
            brace = " " * (len(line) - len(line.lstrip())) + "}"
            yield line.strip(), next(i for i in range(first, len(lines)) if lines[i].startswith(brace)) - first + 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SCRIPTS).as_posix())
def test_scripts_are_readable(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("// "), "the first line says what the module is for"
    assert len(lines) <= 400
    assert [line for line in lines if len(line) > 120] == []
    assert [head for head, length in blocks(lines) if length > (150 if "class " in head else 40)] == []


@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")
@pytest.mark.parametrize("name", ["explorer/index.js", *(p.name for p in SCRIPTS.glob("*.js"))])
def test_scripts_have_no_errors_of_syntax(name, tmp_path):
    (tmp_path / "script.mjs").write_text(bundle(SCRIPTS / name), encoding="utf-8")
    done = subprocess.run(["node", "--check", tmp_path / "script.mjs"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_file_of_the_explorer_is_used():
    constants = re.findall(r"^const \$(\w+) = ", bundle(SCRIPTS / "explorer/index.js"), re.M)
    names = {path.name.removesuffix(".js") for path in (SCRIPTS / "explorer").iterdir()} - {"index"}
    assert sorted(constants) == sorted(re.sub(r"\W", "_", name) for name in names)


# What moves ----------------------------------------------------------------------------------------------------------
_SEEN = """e => {
  const canvases = [...e.querySelectorAll("canvas")].map(c => c.toDataURL());
  const drawings = [...e.querySelectorAll("svg")].map(s => s.outerHTML);
  return canvases.join() + drawings.join() + e.innerText;
}"""
_UNSEEN = """() => [...document.querySelectorAll(".cuts-element :is(input, button, svg, canvas)")]
  .filter(n => !n.closest("label") && !n.ariaLabel && !n.textContent.trim())
  .map(n => n.outerHTML)"""


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [("light", dict(width=700, height=800)), ("dark", dict(width=390, height=800))],
    ids=["light-700", "dark-390"],
)
@pytest.mark.parametrize("notebook", PAGES)
def test_every_control_moves_something(page, tmp_path, notebook, scheme):
    element = show(page, tmp_path, *fragments(notebook))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"
    assert page.evaluate(_UNSEEN) == [], "controls and pictures without a name"
    for i, control in enumerate(element.locator("input[type=range]").all()):
        before = element.evaluate(_SEEN)
        control.focus()
        for key in ("End", "Home", "ArrowRight"):
            control.press(key)
            after = element.evaluate(_SEEN)
            assert after != before or control.evaluate("n => n.max == n.min"), f"{key} on slider {i} changes nothing"
            before = after
    for radio in element.locator("input[type=radio]:not(:checked)").all():
        before = element.evaluate(_SEEN)
        radio.check()
        assert element.evaluate(_SEEN) != before


def test_colours_follow_the_scheme(browser, tmp_path):
    "Those of the system; and of JupyterLab or Quarto, whatever the system says."
    (tmp_path / "page.html").write_text(document(*fragments("12_losses")), encoding="utf-8")
    ink = "() => getComputedStyle(document.querySelector('.cuts-element')).color"

    def color(scheme, change=""):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        if change:
            page.evaluate(change)
        seen = page.evaluate(ink)
        context.close()
        return seen

    on_light, on_dark = "rgb(27, 31, 36)", "rgb(226, 230, 234)"
    assert color("light") == on_light
    assert color("dark") == on_dark
    assert color("dark", "document.body.className = 'quarto-light'") == on_light
    assert color("light", "document.body.className = 'quarto-dark'") == on_dark
    jupyter = "document.body.style.setProperty('--jp-content-font-color1', 'rgb(1, 2, 3)')"
    assert color("light", jupyter) == "rgb(1, 2, 3)"


def test_the_film_plays_and_stops(page, tmp_path):
    "Those who asked for less motion, as this page does, get one step a second, and it is the button that starts it."
    element = show(page, tmp_path, *fragments("21_condensation"))
    line, button = element.locator("input[type=range]"), element.get_by_role("button", name="play")
    assert line.input_value() == "0"
    button.click()
    page.wait_for_function("() => document.querySelector('input[type=range]').value > 0")
    element.get_by_role("button", name="pause").click()
    stopped = line.input_value()
    page.wait_for_timeout(1200)
    assert line.input_value() == stopped
    assert stopped != "0"
    assert "regions left" in element.inner_text()


def test_a_click_moves_the_star(page, tmp_path):
    element = show(page, tmp_path, *fragments("20_diffusion"))
    dot = element.locator("svg circle").nth(200)
    dot.click(force=True)
    page.wait_for_function("() => [...document.querySelectorAll('output')].some(o => o.textContent == 'point 201')")
    assert element.get_by_text("pieces; the star").count() == 1


def test_two_equal_elements_both_live(page, tmp_path):
    (here,) = fragments("42_elements")
    show(page, tmp_path, here, here)
    page.wait_for_function("() => [...document.querySelectorAll('.cuts-element')].every(e => e.querySelector('input'))")
    page.wait_for_timeout(300)  # for who would be mounted twice
    assert page.locator(".cuts-element input").count() == 2
    ids = page.evaluate("() => [...document.querySelectorAll('.cuts-element')].map(e => e.id)")
    assert len(set(ids)) == 2


def test_what_fails_leaves_words(page, tmp_path):
    (tmp_path / "bad.js").write_text("export function mount(el, data) { throw new Error(data.why); }")
    (tmp_path / "page.html").write_text(
        Element(tmp_path / "bad.js", {"why": "no such thing"}, "What it would show.").page("t")
    )
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".fault").wait_for()
    assert page.locator(".cuts-element").inner_text().split("\n\n") == [
        "What it would show.",
        "This element cannot move here: no such thing",
    ]
    assert len(page.faults) == 1
    assert "no such thing" in page.faults[0]
    page.faults.clear()


def test_words_stand_where_no_script_runs(browser, tmp_path):
    (tmp_path / "page.html").write_text(Element("flow.js", {}, "Points flow.").page("t"))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.locator(".cuts-element").inner_text() == "Points flow."
    context.close()


@pytest.mark.parametrize("scheme", ["dark"])
def test_in_jupyterlab(jupyter_lab, page):
    "The cell runs, the slider moves, and the colours are those of the dark theme."
    code = "Element('field.js', dict(channels=3, kernels=16, layers=4, kernel=3, patch=3), 'words')"
    jupyter_lab.open(page, f"from cuts.show.elements import Element\n{code}", code).run()
    page.wait_for_function("() => document.querySelectorAll('.cuts-element[data-live] input[type=range]').length == 4")
    line = page.get_by_role("slider", name="layers").first
    line.focus()
    line.press("ArrowRight")
    page.get_by_text("1 + 5 · 2 = 11 pixels").wait_for()
    color = page.evaluate("() => getComputedStyle(document.querySelector('.cuts-element')).color")
    assert np.mean([float(part) for part in re.findall(r"[\d.]+", color)[:3]]) > 128, color
    assert page.locator("body").get_attribute("data-jp-theme-light") == "false"


# What is computed ----------------------------------------------------------------------------------------------------
def ask(page, script: str, code: str, *arguments):
    "What a script of the package answers: `code` is JavaScript over its exports `m` and the arguments `a`."
    source = base64.b64encode((SCRIPTS / f"{script}.js").read_bytes()).decode()
    return page.evaluate(
        f"async a => {{ const m = await import('data:text/javascript;base64,{source}'); return {code}; }}",
        list(arguments),
    )


TELL = """
function plain(v) {
  if (v?.shape) return { kind: v.constructor.name, shape: v.shape, values: Array.from(v, String) };
  if (Array.isArray(v)) return v.map(plain);
  if (v && typeof v == "object") return Object.fromEntries(Object.entries(v).map(([k, w]) => [k, plain(w)]));
  return v;
}
export function mount(el, data, { html }) {
  window.got = plain(data);
  el.append(html("button", {}, "there"));
}"""


def test_data_arrive(page, tmp_path):
    rng = np.random.default_rng(0)
    kinds = ("uint8", "uint16", "uint32", "int32", "float32", "int64", "bool")
    sent = {kind: rng.integers(0, 250, (3, 4)).astype(kind) for kind in kinds} | dict(
        empty=np.zeros((0, 2)),
        odd=np.array([np.nan, np.inf, -0.5]),
        turned=np.arange(6).reshape(2, 3).T,
        words="</script><!-- “σ” \u2028",
        deep=[{"x": np.arange(3)}, None, True, 1.5],
    )
    (tmp_path / "tell.js").write_text(TELL)
    show(page, tmp_path, Element(tmp_path / "tell.js", sent)._repr_html_())
    got = page.evaluate("window.got")
    for name in kinds:
        assert got[name]["shape"] == [3, 4]
        assert [float(v) for v in got[name]["values"]] == sent[name].astype(float).ravel().tolist()
    assert [got[k]["kind"] for k in ("uint16", "int32", "float32", "int64", "bool")] == [
        "Uint16Array",
        "Int32Array",
        "Float32Array",
        "Uint8Array",
        "Uint8Array",
    ]
    assert got["empty"]["shape"] == [0, 2]
    assert got["odd"]["values"] == ["NaN", "Infinity", "-0.5"]
    assert got["turned"]["values"] == list("031425")
    assert got["words"] == sent["words"]
    assert got["deep"][1:] == [None, True, 1.5]
    assert got["deep"][0]["x"]["values"] == ["0", "1", "2"]


def test_walk_and_pieces(page):
    X = torch.randn(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    K = affinity(X, bandwidth=0.5)
    code = """(K => ({
      K: Array.from(K),
      p: Array.from(m.walk(K, 3, 9)),
      ...m.pieces(K, .3),
      piece: Array.from(m.pieces(K, .3).piece),
    }))(m.affinities(Float64Array.from(a[0]), .5))"""
    got = ask(page, "bandwidth", code, X.flatten().tolist())
    np.testing.assert_allclose(np.reshape(got["K"], (40, 40)), K, atol=1e-12)
    np.testing.assert_allclose(got["p"], torch.linalg.matrix_power(diffusion_operator(K), 9)[3], atol=1e-12)
    n, piece = connected_components((K > 0.3).numpy())
    assert got["count"] == n > 1
    assert len(got["links"]) == 40 - n
    assert (np.equal.outer(got["piece"], got["piece"]) == np.equal.outer(piece, piece)).all()


def test_regions(page):
    X = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    tree, _ = from_merges(*condense(X, torch.ones(60)), np.ones(60))
    death = np.append(2 * tree.death[1], tree.death[1:])
    for time in np.linspace(0, tree.death[1] * 0.99, 7):
        code = "Array.from(m.regions(a[0], a[1], a[2]))"
        got = ask(page, "flow", code, tree.parent.tolist(), death.tolist(), float(time))
        assert got == tree.labels(tree.n_regions(time)).tolist()
    row = ask(page, "flow", "Array.from(m.rows(a[0], 25))", tree.parent.tolist())
    assert sorted(row) == list(range(25))


def test_similarity(page):
    image = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
    x = torch.from_numpy(image)[None, None].double() / 127.5 - 1
    code = "m.candidates(Object.assign(Uint8Array.from(a[0]), { shape: [20, 30] }), a[1], a[2], 5, a[3])"

    def patches(places):
        return extract_patches(x, places[None])[0]

    for (row, col), data_range in (((9, 12), None), ((2, 2), 2.0)):
        got = ask(page, "positives", code, image.ravel().tolist(), row, col, data_range)
        places = torch.tensor([[p["r"], p["c"]] for p in got])
        expected = ssim(patches(torch.tensor([[row, col]])), patches(places), data_range)
        np.testing.assert_allclose([p["score"] for p in got], expected, atol=1e-9)
        assert sum(p["ways"] for p in got) == 100
        assert len(got) == (100 if row == 9 else 25)


def test_contrast(page):
    angles = torch.tensor([0.1, 0.7, 2.6, 0.35, 1.2, 2.9], dtype=torch.float64, requires_grad=True)
    z = torch.stack([angles.cos(), angles.sin()], -1)
    loss = nt_xent(z[None, :3], z[None, 3:], 0.3)
    loss.backward()
    code = "({ mean: m.contrast(a[0], .3).mean, next: m.descend(a[0], .3, .1) })"
    got = ask(page, "temperature", code, angles.tolist())
    np.testing.assert_allclose(got["mean"], loss.item(), rtol=1e-5)
    np.testing.assert_allclose(got["next"], (angles - 0.1 * angles.grad).tolist(), atol=1e-6)


@pytest.mark.parametrize(("layers", "kernel"), [(4, 3), (4, 5), (2, 5)])
def test_field_and_cost(page, layers, kernel):
    encoder = make_encoder(3, 16, layers, kernel)
    got = ask(page, "field", "({ ways: m.ways(a[0], a[1]), ...m.cost(3, 16, a[0], a[1]) })", layers, kernel)
    assert got["learned"] == sum(p.numel() for p in encoder.parameters())
    assert got["length"] == 16 * 2 ** (layers - 1)
    assert got["products"] == sum(p.numel() for p in encoder.parameters() if p.ndim == 4)
    line = np.ones(1)
    for _ in range(layers):
        line = np.convolve(line, np.ones(kernel))
    assert got["ways"] == line.tolist()
    assert len(line) == 1 + layers * (kernel - 1)


def test_between_frames(page):
    frames = "Object.assign(Float32Array.from([0, 0, 2, 2, 4, 8, 6, 6]), { shape: [2, 2, 2] })"
    assert [ask(page, "potential", f"Array.from(m.between({frames}, {place}))") for place in (0, 0.5, 1)] == [
        [0, 0, 2, 2],
        [2, 4, 4, 4],
        [4, 8, 6, 6],
    ]
