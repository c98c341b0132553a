"Every fault that the check of the site must find is planted in a small page and found."

import re

import pytest
from website.check import check
from website.problems import Problems

CUTS = "https://chenliu-1996.github.io/CUTS"


def html(body: str, head: str = "") -> str:
    return f'<!DOCTYPE html><html lang="en"><head><title>T</title>{head}</head><body><main>{body}</main></body></html>'


SOUND = {
    "index.html": html(
        '<h2 id="here">Here</h2><a href="other.html#place">on</a> '
        '<a href="https://example.org/x#y">away</a> <a href="#here">up</a>'
        f'<a href="{CUTS}/other.html#place">by its whole address</a><code>@fig-shown as code</code> me@example2024.org'
        '<img src="p.png" alt="a picture"><svg role="img" aria-label="drawn"></svg>'
        '<svg><title>told</title></svg><svg aria-hidden="true"></svg>',
        '<link rel="stylesheet" href="s.css"><link rel="canonical" href="https://example.org">'
        '<script>const a = "@fig-in-a-script"</script>',
    ),
    "other.html": html('<p id="place">There</p><a href="index.html">back</a>'),
    "p.png": "png",
    "s.css": 'a { background: url("data:image/svg+xml;utf8,<svg xmlns=http://www.w3.org>") }',
}


def problems_of(folder, **changed: str) -> list[str]:
    "What the check finds in the sound site with some of its files changed."
    for name, text in (SOUND | changed).items():
        (folder / name).write_text(text, encoding="utf-8")
    problems = Problems()
    check(problems, folder)
    return problems


def test_a_sound_site_has_no_problem(tmp_path):
    assert problems_of(tmp_path) == []


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
    problems = problems_of(tmp_path, **{"index.html": html(body)})
    assert len(problems) == 1 or fault == "a place on this page" and problems, problems
    assert re.search(message, problems[0])
    assert problems[0].startswith("index.html: ")


def test_pictures_count_for_the_weight_of_a_page(tmp_path):
    assert problems_of(tmp_path, **{"p.png": "x" * 4_100_000}) == [
        "index.html: 4.1 MB with all that it shows, at most 4 MB: "
        "show fewer or smaller pictures, or put what is inlined on a page of its own"
    ]


def test_style_sheets_load_nothing_from_elsewhere(tmp_path):
    assert problems_of(tmp_path, **{"s.css": "@import url(https://fonts.example.org/a.css);"}) == [
        "s.css: loads from the network: @import url(https://fonts.example.org"
    ]
