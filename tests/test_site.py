"""The pages of the site: what is made of notebooks is what it should be.

They can be read on a telephone, in the dark, by keyboard and without a network. test_site_check.py tests what the check
finds, test_site_reference.py the pages that are made of other files."""

import hashlib
import json
import re

import nbformat.v4 as v4
import pytest
from markup import pandoc
from repository import root
from website import order, places, processing
from website.check import check
from website.code_cells import WIDGET
from website.page import Page
from website.pandoc import render
from website.problems import Problems

CUTS = "https://chenliu-1996.github.io/CUTS"


# From notebooks to pages ---------------------------------------------------------------------------------------------
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


def live(**more) -> dict:
    "A cell whose output runs."
    data = {"text/html": SCRIPT, "text/plain": "Live()"} | more
    return v4.new_code_cell(
        '#| label: fig-live\n#| fig-cap: "It runs."\n#| fig-alt: "A box."\nshow()',
        outputs=[v4.new_output("display_data", data)],
    )


LONG = "word_" * 60
PROSE = f"""See @fig-live, @eq-one and [@liu2024cuts].

$$ {" + ".join(f"a_{{{i}}}" for i in range(60))} $$ {{#eq-one}}

| a | b |
|---|---|
| {" ".join([LONG] * 2)} | 2 |

: A table {{#tbl-one}}

## A section

`{LONG}`"""
CELLS = [
    v4.new_markdown_cell(PROSE),
    v4.new_code_cell(f"x = '{LONG}'", outputs=[v4.new_output("stream", text=LONG)]),
    live(),
]


OTHER = """---
title: "Other"
description: "d"
---

## Place {#place}

Text with [a link](index.html#a-section).
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    "Builds a site of one notebook, through nbdev's processing and pandoc; gives its page."

    def build(*cells):
        from nbdev.processors import FilterDefaults
        from nbdev.serve_drv import exec_nb

        for name in ("nbs", "proc", "docs"):
            (tmp_path / name).mkdir(exist_ok=True)
            monkeypatch.setattr(places, name, tmp_path / name)
        (tmp_path / "nbs/references.bib").write_text((root / "nbs/references.bib").read_text())
        (tmp_path / "docs/site.css").write_text((root / "scripts/site.css").read_text())
        (tmp_path / "proc/other.qmd").write_text(OTHER)
        monkeypatch.setattr(order, "contents", lambda: ["index.ipynb", ("Part", None, ["other.qmd"])])
        problems, source, processed = Problems(), tmp_path / "nbs/index.ipynb", tmp_path / "proc/index.ipynb"
        source.write_text(json.dumps(notebook(*cells)))
        exec_nb(source, processed, FilterDefaults)
        nb = processing.mended(json.loads(processed.read_text()), "index.ipynb", problems, quarto=False)
        processed.write_text(json.dumps(nb))
        render({name: Page(name, problems) for name in order.flat(order.contents())}, problems)
        check(problems, tmp_path / "docs")
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
    output = v4.new_output("display_data", {WIDGET: {"model_id": "a" * 32}, "text/plain": "w"})
    with pytest.raises(AssertionError, match="a widget without text/html beside it"):
        small(v4.new_code_cell("w", outputs=[output]))


def test_quarto_gets_live_outputs_as_raw_blocks():
    "Then it adds no scripts from elsewhere, and its pandoc hands them on as they are."
    nb = json.loads(json.dumps(notebook(live(**{WIDGET: {}})) | {"metadata": {"widgets": {"x": 1}}}))
    nb = processing.mended(nb, "index.ipynb", Problems(), quarto=True)
    data = nb["cells"][1]["outputs"][0]["data"]
    assert set(data) == {"text/markdown", "text/plain"}
    assert "widgets" not in nb["metadata"]
    assert pandoc(data["text/markdown"]) == SCRIPT


def test_a_table_with_a_label_keeps_what_follows_it(small):
    table = v4.new_markdown_cell("| a |\n|---|\n| 1 |\n\n: Told {#tbl-two}\n\n### After")
    assert "<h3" in small(CELLS[0], live(), table).read_text()


def test_notebooks_refer_to_each_other():
    def mend(text, name="21_condensation.ipynb"):
        problems = Problems()
        nb = {"cells": [dict(cell_type="markdown", source=text)], "metadata": {}}
        return processing.mended(nb, name, problems, quarto=False)["cells"][0]["source"], problems

    assert mend("by [@eq-loss](12_losses.ipynb#eq-loss)") == ("by [Equation 3](12_losses.ipynb#eq-loss)", [])
    assert mend("[@eq-none](12_losses.ipynb#eq-none)")[1] == [
        "21_condensation.ipynb: @eq-none refers to nothing in 12_losses.ipynb"
    ]
    assert (
        mend(f"[`segment`]({CUTS}/cli.html#segment) [here]({CUTS}/tree.html#a.b)")[0]
        == "[`segment`](api.html#segment) [here](tree.html#a)"
    )
    assert (
        mend("`cuts.stage2.tree`\n\n```\n`cuts.stage2.tree`\n```")[0]
        == "[`cuts.stage2.tree`](tree.html)\n\n```\n`cuts.stage2.tree`\n```"
    )


def test_documented_names_are_those_of_their_own_module():
    cell = dict(
        cell_type="code",
        source="#| echo: false\nshow_doc(segment)",
        outputs=[dict(output_type="execute_result", data={"text/markdown": "[source](x/cli.py#L1)"}, metadata={})],
    )
    nb = processing.mended({"cells": [cell], "metadata": {}}, "56_api.ipynb", Problems(), quarto=False)
    shown = nb["cells"][0]["outputs"][0]["data"]["text/markdown"]
    assert "cuts/api.py#L" in shown
    assert "\n### segment\n" in shown
    assert "api_api.html#segment" in shown


IN_ORDER = [
    "00_image.ipynb",
    "10_patches.ipynb",
    "21_condensation.ipynb",
    "30_masks.ipynb",
    "50_steps.ipynb",
    "60_retina.ipynb",
    "70_your_images.ipynb",
    "exports.qmd",
    "59g_command.ipynb",
    "02e_settings.ipynb",
    "80_faq.ipynb",
    "cite.qmd",
    "changelog.qmd",
]


def test_no_two_pages_have_one_address():
    pages = [places.page_of(name) for name in order.flat(order.contents())]
    assert sorted({page for page in pages if pages.count(page) > 1}) == []


def test_contents_are_in_the_order_of_the_paper():
    pages = order.flat(order.contents())
    assert len(pages) == len(set(pages))
    assert set(places.notebooks()) <= set(pages)
    assert pages[0] == "index.ipynb"
    assert sorted(IN_ORDER, key=pages.index) == IN_ORDER


# How it looks --------------------------------------------------------------------------------------------------------
def luminance(colour: str) -> float:  # #rrggbb
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_have_contrast():
    "WCAG 2.2 AA: 4.5 for text on both grounds, 3 for what marks the focus."
    assert round(contrast("#000000", "#ffffff")) == 21
    style = (root / "scripts/site.css").read_text()
    themes = re.findall(r":root\s*\{(.*?)\}", style, re.S)
    light, dark = (dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", theme)) for theme in themes)
    assert set(light) == set(dark)
    for name, theme in (("light", light), ("dark", dark)):
        for ground in ("page", "panel"):
            for colour in set(theme) - {"page", "panel", "line", "accent"}:
                assert contrast(theme[colour], theme[ground]) >= 4.5, f"{name}: {colour} on {ground}"
            assert contrast(theme["accent"], theme[ground]) >= 3, f"{name}: accent on {ground}"
    rest = re.sub(r":root\s*\{.*?\}", "", style, flags=re.S)
    assert set(re.findall(r"(?<!-)color:\s*([^;}]+)", rest)) <= {f"var(--{c})" for c in light}  # no other colour is set


@pytest.mark.parametrize(
    "viewport", [dict(width=390, height=844), dict(width=1280, height=900)], ids=["telephone", "desk"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(small, page, viewport, scheme):
    """From a file, without a network.

    Scripts run, nothing is wider than the screen, the first key leads to the text, lists fold on a telephone."""
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
