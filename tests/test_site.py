"""The site: every fault that `make docs` must find is planted in a small page and found; what it makes of notebooks and modules is what
it should be; and its pages can be read on a telephone, in the dark, by keyboard and without a network."""

import hashlib
import json
import re

import nbformat.v4 as v4
import pytest
from test_ground import execute, root, script

site = script("site")
made = site.made
CUTS, WIDGET = "https://chenliu-1996.github.io/CUTS", site.WIDGET


# What the check finds ------------------------------------------------------------------------------------------------
def html(body: str, head: str = "") -> str:
    return f'<!DOCTYPE html><html lang="en"><head><title>T</title>{head}</head><body><main>{body}</main></body></html>'


SOUND = {
    "index.html": html(
        '<h2 id="here">Here</h2><a href="other.html#place">on</a> <a href="https://example.org/x#y">away</a> <a href="#here">up</a>'
        f'<a href="{CUTS}/other.html#place">by its whole address</a><code>@fig-shown as code</code> me@example2024.org'
        '<img src="p.png" alt="a picture"><svg role="img" aria-label="drawn"></svg><svg><title>told</title></svg><svg aria-hidden="true"></svg>',
        '<link rel="stylesheet" href="s.css"><link rel="canonical" href="https://example.org"><script>const a = "@fig-in-a-script"</script>',
    ),
    "other.html": html('<p id="place">There</p><a href="index.html">back</a>'),
    "p.png": "png",
    "s.css": 'a { background: url("data:image/svg+xml;utf8,<svg xmlns=http://www.w3.org>") }',
}


def write(folder, **changed: str) -> list[str]:
    "The sound site with its first page's body changed, checked."
    for name, text in (SOUND | changed).items():
        (folder / name).write_text(text, encoding="utf-8")
    found = site.Problems()
    site.check(found, folder)
    return found


def test_a_sound_site_has_no_problem(tmp_path):
    assert write(tmp_path) == []


FAULTS = {
    "a reference that Quarto left": ("<p><strong>?@fig-gone</strong></p>", "unresolved: \\?@fig-gone"),
    "a reference that pandoc left": ("<p>see @tbl-gone</p>", "unresolved: @tbl-gone"),
    "a citation without entry": ("<p>(<strong>nobody2020nothing?</strong>)</p>", "unresolved: nobody2020nothing\\?"),
    "a citation that nobody read": ("<p>as @nobody2020nothing said</p>", "unresolved: @nobody2020nothing"),
    "three question marks": ("<p>see ???</p>", "unresolved"),
    "a page that is not there": ('<a href="gone.html">x</a>', "link to gone.html, which is not there"),
    "a place that is not there": ('<a href="other.html#gone">x</a>', "other.html#gone: no such place"),
    "a place on this page": ('<a href="#gone">x</a>', "#gone: no such place"),
    "a place by its whole address": (f'<a href="{CUTS}/other.html#gone">x</a>', "other.html#gone: no such place"),
    "a picture that is not there": ('<img src="gone.png" alt="x">', "link to gone.png"),
    "one in a set of pictures": ('<img src="p.png" srcset="p.png 1x, gone.png 2x" alt="x">', "link to gone.png"),
    "no alternative text": ('<img src="p.png">', "without alternative text: p.png"),
    "an empty one": ('<img src="p.png" alt=" ">', "without alternative text: p.png"),
    "a drawing without words": ('<svg id="d"><path/></svg>', "without alternative text: <svg> d"),
    "a role without words": ('<div role="img" id="d"></div>', "without alternative text: <div> d"),
    "a frame without title": ('<iframe src="other.html"></iframe>', "without alternative text: <iframe>"),
    "a script from elsewhere": ('<script src="https://cdn.example.org/require.js"></script>', "from the network"),
    "a picture from elsewhere": ('<img src="//example.org/p.png" alt="x">', "from the network"),
    "a module that imports from elsewhere": (
        '<script type="module">import {a} from "https://example.org/a.js"</script>',
        "from the network",
    ),
    "a font from elsewhere": ("<style>@import url(https://fonts.example.org/css)</style>", "from the network"),
    "four megabytes": ("<p>" + "x" * 4_000_001 + "</p>", "4.0 MB with all that it shows"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(fault, tmp_path):
    body, message = FAULTS[fault]
    found = write(tmp_path, **{"index.html": html(body)})
    assert len(found) == 1 or fault == "a place on this page" and found, found
    assert re.search(message, found[0])
    assert found[0].startswith("index.html: ")


def test_pictures_count_for_the_weight_of_a_page(tmp_path):
    found = write(tmp_path, **{"p.png": "x" * 4_100_000})
    assert found == [
        "index.html: 4.1 MB with all that it shows, at most 4 MB: show fewer or smaller pictures, or put what is inlined on a page of its own"
    ]


def test_style_sheets_load_nothing_from_elsewhere(tmp_path):
    assert write(tmp_path, **{"s.css": "@import url(https://fonts.example.org/a.css);"}) == [
        "s.css: loads from the network: @import url(https://fonts.example.org"
    ]


def test_undocumented_exports_and_stale_notebooks_are_found(tmp_path, monkeypatch):
    nb = v4.new_notebook(cells=[v4.new_code_cell("x = 1")], metadata={"cuts": {"code": "0" * 16}})
    (tmp_path / "10_thing.ipynb").write_text(json.dumps(nb))
    monkeypatch.setattr(site, "nbs", tmp_path)
    monkeypatch.setattr(made, "modules", lambda: {"thing": "10_thing.ipynb"})
    monkeypatch.setattr(made, "entries", lambda module: made.exported(SOURCE.replace('"Twice a number."', "pass")))
    found = site.Problems()
    site.check_sources(found)
    assert len(found) == 2
    assert found[0] == "10_thing.ipynb: twice is exported without a docstring"
    assert "changed since it ran: make prepare" in found[1]
    (tmp_path / "10_thing.ipynb").write_text(json.dumps(nb | {"metadata": {"cuts": execute.stamp(nb)}}))
    monkeypatch.setattr(made, "entries", lambda module: made.exported(SOURCE))
    site.check_sources(found := site.Problems())
    assert found == []


# The reference ---------------------------------------------------------------------------------------------------------
SOURCE = """
from dataclasses import dataclass
__all__ = ["LIMIT", "Size", "twice", "Pair"]
LIMIT = 7 # the most there may be
Size = Annotated[int, Option(help="How large.")]
_hidden = 1
def twice(x:"int|None",  # the number
          y=(1, 2), z=3, # the rest
          *, size:Size=4,
          **more         # further settings
         ) -> list[int]: # its double
    "Twice a number."
@dataclass
class Pair(Base):
    "Two of a kind, see `twice`."
    a: int = 0 # the first
    b: str = field(default_factory=str)
    _c: int = 0
    def sum(self, other:int=1) -> int: # of both
        "Their sum."
    @property
    def first(self) -> int: return self.a
    def _private(self): pass
"""


def test_modules_are_read_without_importing_them():
    limit, size, twice, pair = made.exported(SOURCE)
    assert (limit.sort, limit.told, limit.signature) == ("constant", "the most there may be", "LIMIT = 7")
    assert twice.signature == "twice(x: int | None, y=(1, 2), z=3, *, size: int = 4, **more) -> list[int]"
    assert [(a.name, a.told) for a in twice.arguments] == [
        ("x", "the number"),
        ("y", "the rest"),
        ("z", "the rest"),
        ("*", ""),
        ("size", "How large."),
        ("**more", "further settings"),
    ]
    assert (twice.told, twice.returns) == ("Twice a number.", "its double")
    assert pair.signature == "class Pair(a: int = 0, b: str = field(default_factory=str))  # Base"
    assert pair.arguments[0].told == "the first"
    assert [(m.name, m.sort, m.returns) for m in pair.members] == [
        ("Pair.sum", "function", "of both"),
        ("Pair.first", "property", ""),
    ]
    assert made.undocumented(made.exported(SOURCE.replace('"Two of a kind, see `twice`."', ""))) == ["Pair"]


def test_a_signature_says_what_each_parameter_is():
    assert made.commented(made.exported(SOURCE)[2]).splitlines() == [
        "twice(",
        "    x: int | None,  # the number",
        "    y=(1, 2),       # the rest",
        "    z=3,            # the rest",
        "    *,",
        "    size: int = 4,  # How large.",
        "    **more,         # further settings",
        ") -> list[int]      # its double",
    ]


def test_text_stays_what_it_is():
    text = r"a * b_c [D + C] <x> $5 ~y ^z @fig #h |q| \n 'one' {t} `code *x*`"
    assert (
        pandoc(made.escaped(text))
        == "<p>a * b_c [D + C] &lt;x&gt; $5 ~y ^z @fig #h |q| \\n 'one' {t} <code>code *x*</code></p>"
    )
    assert pandoc(made.escaped("$A or $B, $5 or $6")) == "<p>$A or $B, $5 or $6</p>"
    assert "$" not in re.sub("<[^>]+>", "", pandoc(made.escaped(r"the walk $P_{ij}^t$ of $t$ steps_")))


def test_names_are_linked_to_the_module_that_is_meant():
    link = made.linked
    assert link("`segment`", "experiment") == "[`segment`](api_experiment.html#segment)"
    assert link("`segment`", "cli") == "[`segment`](api_cli.html#segment)"
    assert link("`segment`", "images") == "[`segment`](api_experiment.html#segment)"  # what `cuts` hands on
    assert link("`cuts.tree`", "images") == "[`cuts.tree`](api_tree.html)"
    assert (
        link("`fit`", "condensation", "DiffusionCondensation")
        == "[`fit`](api_condensation.html#DiffusionCondensation.fit)"
    )
    assert link("`nothing` of `x`", "images") == "`nothing` of `x`"
    assert link("(@eq-condense)", "condensation") == "([Equation 1](condensation.html#eq-condense))"


def test_every_export_is_in_the_reference():
    import ast

    index = made.api_index()
    for module in made.modules():
        tree = ast.parse(made.source_of(module))
        names = next(
            ast.literal_eval(n.value)
            for n in tree.body
            if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"
        )
        page = made.module_page(module)
        for name in names:
            assert f"{{#{name}}}" in page and f"(api_{module}.html#{name})" in index, f"{module}.{name}"


def test_exports_have_docstrings():
    missing = {n: names for m, n in made.modules().items() if (names := made.undocumented(made.entries(m)))}
    assert missing == {}


def test_citation_and_changes_follow_their_files():
    cff = made.citation()
    text = made.cite()
    assert cff["preferred-citation"]["title"] in text
    assert str(cff["version"]) in text
    assert text.count("```bibtex") == 2
    assert "# Changes" not in made.changes()
    assert "## 0.1.0" in made.changes()


# From notebooks to pages -------------------------------------------------------------------------------------------------
def pandoc(text: str) -> str:
    import pypandoc

    return pypandoc.convert_text(text, "html5", "markdown-smart", extra_args=["--wrap=preserve"]).strip()


SCRIPT = """<div id="live" role="group" aria-label="Two boxes">–</div>
<script type="module">
// - a list? `code` $x$ @fig-not *not* [^1] <table> ``` &amp;

- 1;
const box = document.getElementById("live");
if (1 < 2 && box) box.textContent = "alive " + [1, 2].map(x => x*2).join("|");
</script>"""


def notebook(*cells) -> dict:
    return v4.new_notebook(
        cells=[v4.new_markdown_cell("# A page\n\n> In small"), *cells],
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "x"}},
    )


def live(**more) -> dict:  # a cell whose output runs
    data = {"text/html": SCRIPT, "text/plain": "Live()"} | more
    return v4.new_code_cell(
        '#| label: fig-live\n#| fig-cap: "It runs."\n#| fig-alt: "A box."\nshow()',
        outputs=[v4.new_output("display_data", data)],
    )


LONG = "word_" * 60
CELLS = [
    v4.new_markdown_cell(
        f"See @fig-live, @eq-one and [@liu2024cuts].\n\n$$ {' + '.join(f'a_{{{i}}}' for i in range(60))} $$ {{#eq-one}}\n\n| a | b |\n|---|---|\n| {' '.join([LONG] * 2)} | 2 |\n\n: A table {{#tbl-one}}\n\n## A section\n\n`{LONG}`"
    ),
    v4.new_code_cell(f"x = '{LONG}'", outputs=[v4.new_output("stream", text=LONG)]),
    live(),
]


@pytest.fixture
def small(tmp_path, monkeypatch):
    "Builds a site of one notebook, through nbdev's processing and pandoc; gives its page."

    def build(*cells):
        from nbdev.processors import FilterDefaults
        from nbdev.serve_drv import exec_nb

        for name in ("nbs", "proc", "docs"):
            (tmp_path / name).mkdir(exist_ok=True)
            monkeypatch.setattr(site, name, tmp_path / name)
        (tmp_path / "nbs/references.bib").write_text((root / "nbs/references.bib").read_text())
        (tmp_path / "docs/site.css").write_text((root / "scripts/site.css").read_text())
        monkeypatch.setattr(site, "contents", lambda: ["index.ipynb", ("Part", None, ["other.qmd"])])
        problems, source, done = site.Problems(), tmp_path / "nbs/index.ipynb", tmp_path / "proc/index.ipynb"
        source.write_text(json.dumps(notebook(*cells)))
        exec_nb(source, done, FilterDefaults)
        done.write_text(json.dumps(site.mended(json.loads(done.read_text()), "index.ipynb", problems, quarto=False)))
        (tmp_path / "proc/other.qmd").write_text(
            '---\ntitle: "Other"\ndescription: "d"\n---\n\n## Place {#place}\n\nText with [a link](index.html#a-section).\n'
        )
        site.render({name: site.Page(name, problems) for name in site.flat(site.contents())}, problems)
        site.check(problems, tmp_path / "docs")
        assert problems == []
        return tmp_path / "docs/index.html"

    return build


def test_a_page_is_sound_and_the_same_twice(small):
    page = small(*CELLS)
    text = page.read_text()
    for part in (
        '<html lang="en">',
        '<main id="content"',
        'href="#content"',
        '<nav class="pages"',
        "aria-current=page",
        'rel="next"',
        "<math",
        '<meta name="viewport"',
        "Figure 1</a>",
        "Equation 1</a>",
        'id="eq-one"',
        "Liu et al.",
        "Overview</a>",
        '<div class="table" tabindex="0"',
    ):
        assert part in text, part
    assert len(re.findall("<h1", text)) == 1
    assert '<h2 class="unnumbered" id="bibliography">' in text
    first = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in page.parent.iterdir()}
    small(*CELLS)
    assert first == {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in page.parent.iterdir()}


def test_a_live_output_passes_unchanged(small):
    assert SCRIPT in small(*CELLS).read_text()


def test_a_live_output_wins_over_a_widget(small):
    text = small(*CELLS[:-1], live(**{WIDGET: {"model_id": "a" * 32}})).read_text()
    assert SCRIPT in text
    assert WIDGET not in text


def test_a_widget_alone_is_a_problem(small):
    with pytest.raises(AssertionError, match="a widget without text/html beside it"):
        small(
            v4.new_code_cell(
                "w", outputs=[v4.new_output("display_data", {WIDGET: {"model_id": "a" * 32}, "text/plain": "w"})]
            )
        )


def test_quarto_gets_live_outputs_as_raw_blocks():
    "Then it adds no scripts from elsewhere, and its pandoc hands them on as they are."
    nb = site.mended(
        json.loads(json.dumps(notebook(live(**{WIDGET: {}})) | {"metadata": {"widgets": {"x": 1}}})),
        "index.ipynb",
        site.Problems(),
        quarto=True,
    )
    data = nb["cells"][1]["outputs"][0]["data"]
    assert set(data) == {"text/markdown", "text/plain"}
    assert "widgets" not in nb["metadata"]
    assert pandoc(data["text/markdown"]) == SCRIPT


def test_a_table_with_a_label_keeps_what_follows_it(small):
    assert (
        "<h3"
        in small(
            CELLS[0], live(), v4.new_markdown_cell("| a |\n|---|\n| 1 |\n\n: Told {#tbl-two}\n\n### After")
        ).read_text()
    )


def test_notebooks_refer_to_each_other():
    def mend(text, name="21_condensation.ipynb"):
        problems = site.Problems()
        nb = site.mended(
            {"cells": [dict(cell_type="markdown", source=text)], "metadata": {}}, name, problems, quarto=False
        )
        return nb["cells"][0]["source"], problems

    assert mend("by [@eq-loss](12_losses.ipynb#eq-loss)") == ("by [Equation 3](12_losses.ipynb#eq-loss)", [])
    assert mend("[@eq-none](12_losses.ipynb#eq-none)")[1] == [
        "21_condensation.ipynb: @eq-none refers to nothing in 12_losses.ipynb"
    ]
    assert (
        mend(f"[`segment`]({CUTS}/cli.html#segment) [here]({CUTS}/tree.html#a.b)")[0]
        == "[`segment`](experiment.html#segment) [here](tree.html#a)"
    )
    assert mend("`cuts.tree`\n\n```\n`cuts.tree`\n```")[0] == "[`cuts.tree`](tree.html)\n\n```\n`cuts.tree`\n```"


def test_documented_names_are_those_of_their_own_module():
    cell = dict(
        cell_type="code",
        source="#| echo: false\nshow_doc(segment)",
        outputs=[dict(output_type="execute_result", data={"text/markdown": "[source](x/cli.py#L1)"}, metadata={})],
    )
    shown = site.mended({"cells": [cell], "metadata": {}}, "50_experiment.ipynb", site.Problems(), False)["cells"][0][
        "outputs"
    ][0]["data"]["text/markdown"]
    assert "cuts/experiment.py#L" in shown
    assert "\n### segment\n" in shown
    assert "api_experiment.html#segment" in shown


def test_contents_are_in_the_order_of_the_paper():
    order = site.flat(site.contents())
    assert len(order) == len(set(order))
    assert set(site.notebooks()) <= set(order)
    assert order[0] == "index.ipynb"
    at = [
        order.index(n)
        for n in (
            "00_images.ipynb",
            "10_patches.ipynb",
            "21_condensation.ipynb",
            "30_metrics.ipynb",
            "50_experiment.ipynb",
            "60_retina.ipynb",
            "70_your_images.ipynb",
            "api.qmd",
            "59_cli.ipynb",
            "02_config.ipynb",
            "80_faq.ipynb",
            "cite.qmd",
            "changelog.qmd",
        )
    ]
    assert at == sorted(at)


# How it looks ------------------------------------------------------------------------------------------------------------
def luminance(colour: str) -> float:  # #rrggbb
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return sum(
        w * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
        for w, c in zip((0.2126, 0.7152, 0.0722), parts)
    )


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_have_contrast():
    "WCAG 2.2 AA: 4.5 for text on both grounds, 3 for what marks the focus."
    assert round(contrast("#000000", "#ffffff")) == 21
    light, dark = (
        {k: v for k, v in re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", block)}
        for block in re.findall(r":root\s*\{(.*?)\}", (root / "scripts/site.css").read_text(), re.S)
    )
    assert set(light) == set(dark)
    for name, theme in (("light", light), ("dark", dark)):
        for ground in ("page", "panel"):
            for colour in set(theme) - {"page", "panel", "line", "accent"}:
                assert contrast(theme[colour], theme[ground]) >= 4.5, f"{name}: {colour} on {ground}"
            assert contrast(theme["accent"], theme[ground]) >= 3, f"{name}: accent on {ground}"
    rest = re.sub(r":root\s*\{.*?\}", "", (root / "scripts/site.css").read_text(), flags=re.S)
    assert set(re.findall(r"(?<!-)color:\s*([^;}]+)", rest)) <= {f"var(--{c})" for c in light}  # no other colour is set


@pytest.mark.parametrize(
    "viewport", [dict(width=390, height=844), dict(width=1280, height=900)], ids=["telephone", "desk"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(small, page, viewport, scheme):
    "From a file, without a network: scripts run, nothing is wider than the screen, the first key leads to the text, lists fold on a telephone."
    page.goto(small(*CELLS).as_uri())
    page.wait_for_function('document.getElementById("live").textContent == "alive 2|4"')
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box["x"] >= 0
    assert box["y"] >= 0
    page.keyboard.press("Enter")
    page.wait_for_function('document.activeElement.id == "content"')
    assert page.locator("nav.pages > details").evaluate("d => d.open") == (viewport["width"] > 900)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    page.locator("nav.turn a").first.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.locator("nav.turn a").first.evaluate("a => getComputedStyle(a).outlineStyle") == "solid"
    assert page.faults == []
