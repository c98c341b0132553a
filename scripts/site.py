#!/usr/bin/env python
"""The site in _docs/, and the files that go with it.

  python scripts/site.py             build: with Quarto where it is installed, else with pandoc; check what was built
  python scripts/site.py --check     only check what stands in _docs/
  python scripts/site.py --sidebar   write nbs/sidebar.yml and nbs/nbdev.yml, which Quarto reads
  python scripts/site.py --readme    write README.md from nbs/index.ipynb

The check fails on a reference or citation that is not resolved, a link within the site that leads nowhere, a picture without
alternative text, anything that a page would fetch from the network, a page above 4 MB with all that it shows, an exported name
without docstring, a notebook whose outputs are stale, and (with pandoc) on whatever pandoc warns of.
"""

import argparse
import base64
import html
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

sys.path.append(str(Path(__file__).resolve().parent))
import execute
import pages as made

root = Path(__file__).resolve().parents[1]
nbs, proc, docs, here = root / "nbs", root / "_proc", root / "_docs", root / "scripts"
METHOD = [("Data", 0), ("Stage 1: embedding", 1), ("Stage 2: condensation", 2)]
EXPERIMENTS = [("Evaluation", 3), ("To look at", 4), ("Running it", 5)]
REFERENCE = ["59_cli.ipynb", "02_config.ipynb"]  # what one looks up, wherever its number puts it
KINDS = {"fig": "Figure", "tbl": "Table", "eq": "Equation", "sec": "Section"}
REF = r"(?:fig|tbl|eq|sec)-[\w-]*\w"
PAGE_BYTES = 4_000_000


WIDGET = "application/vnd.jupyter.widget-view+json"


class Problems(list):
    "What is wrong with the site, a line each."

    def add(self, page, message):
        self.append(f"{page}: {message}")


# Pages -----------------------------------------------------------------------------------------------------------
page_name = made.page_of


def notebooks() -> list[str]:
    return sorted(p.name for p in nbs.glob("*.ipynb"))


def band(number: int) -> list[str]:  # the notebooks of a band of ten, without those that are looked up
    return [n for n in notebooks() if re.match(rf"{number}\d", n) and n not in REFERENCE]


def contents() -> list:  # of page names and of (title, its own page or None, contents)
    "The site in the order of the paper: the method, the experiments, the results, and what one looks up."

    def group(title, parts):
        return (title, None, [(name, None, band(i)) for name, i in parts if band(i)])

    api = ("API", "api.qmd", [f"api_{m}.qmd" for m in made.modules()])
    return [
        "index.ipynb",
        group("Method", METHOD),
        group("Experiments", EXPERIMENTS),
        ("Results beside the published", None, band(6)),
        ("Tutorials", None, band(7)),
        ("Reference", None, [api, *(n for n in REFERENCE if n in notebooks())]),
        *band(8),
        *band(9),
        "cite.qmd",
        "changelog.qmd",
    ]


def flat(items: list) -> list[str]:
    "The pages of such contents, in reading order."
    return [
        name
        for item in items
        for name in ([item] if isinstance(item, str) else [item[1]] * bool(item[1]) + flat(item[2]))
    ]


def write_sidebar():
    "What Quarto needs to know beside _quarto.yml."
    from nbdev.quarto import refresh_quarto_yml

    def entry(item):
        return (
            item
            if isinstance(item, str)
            else {"section": item[0]} | ({"href": item[1]} if item[1] else {}) | {"contents": list(map(entry, item[2]))}
        )

    refresh_quarto_yml()
    text = yaml.safe_dump(
        {"website": {"sidebar": {"contents": list(map(entry, contents()))}}}, sort_keys=False, allow_unicode=True
    )
    (nbs / "sidebar.yml").write_text("# Written by scripts/site.py --sidebar.\n" + text, encoding="utf-8")


# From a cell to markdown -------------------------------------------------------------------------------------------
def source_of(cell) -> str:
    return "".join(cell.get("source", ""))


def split_directives(source: str) -> tuple[dict[str, str], str]:
    "The `#| key: value` lines at the head of a code cell, and the code without them."
    lines, options = source.splitlines(), {}
    while lines and (not lines[0].strip() or re.match(r"\s*#\|", lines[0])):
        if m := re.match(r"\s*#\|\s*([\w-]+):?\s*(.*)$", lines.pop(0)):
            value = yaml.safe_load(m[2]) if m[2].strip() else True
            options[m[1]] = str(value).lower() if isinstance(value, bool) else str(value)
    return options, "\n".join(lines).rstrip()


def fence(text: str, kind: str) -> str:  # a fenced block of class `kind`
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {{{kind}}}\n{text}\n{ticks}\n"


def outside_code(text: str, change) -> str:
    "`change` every part of a markdown text that is neither a fenced block nor inline code."
    parts = re.split(
        r"(^(?P<f>`{3,}|~{3,}).*?^(?P=f)[`~]*\s*$|(?P<t>`+)(?!`).+?(?<!`)(?P=t)(?!`))", text, flags=re.M | re.S
    )
    return "".join(part if i % 4 == 1 else change(part) for i, part in enumerate(parts) if i % 4 < 2 and part)


def numbered(
    cells: list[dict],
) -> tuple[dict[str, str], list[str]]:  # label → what a reference to it reads; labels used twice
    "Number each kind of label in its order on the page."
    found, twice, count = {}, [], dict.fromkeys(KINDS, 0)
    for cell in cells:
        text = source_of(cell)
        labels = (
            re.findall(rf"\{{#({REF})[^}}]*\}}", text)
            if cell["cell_type"] == "markdown"
            else re.findall(rf"^#\|\s*label:\s*({REF})", text, re.M)
        )
        for label in labels:
            kind = label.split("-")[0]
            count[kind] += 1
            if label in found:
                twice.append(label)
            found[label] = f"{KINDS[kind]} {count[kind]}"
            if kind == "sec" and (m := re.search(rf"^#+\s+(.*?)\s*\{{#{label}", text, re.M)):
                found[label] = f"“{m[1]}”"
    return found, twice


class Page:
    "A page on its way to markdown, a processed notebook or a text: its title, its numbered figures, tables and equations, its text."

    def __init__(self, name: str, problems: Problems):
        self.name, self.html, self.problems = name, page_name(name), problems
        self.files = docs / f"{self.html.removesuffix('.html')}_files"
        cells = self._cells((proc / name).read_text(encoding="utf-8"))
        front = next(
            (source_of(c) for c in cells if c["cell_type"] == "raw" and source_of(c).startswith("---")), "---\n---"
        )
        meta = yaml.safe_load(front.strip().strip("-")) or {}
        self.title, self.description = meta.get("title", name), meta.get("description", "")
        if "title" not in meta:
            problems.add(name, "no title: the first markdown cell begins with '# '")
        self.cells = [c for c in cells if c["cell_type"] != "raw"]
        self.numbers, twice = numbered(self.cells)
        for label in twice:
            problems.add(name, f"label {label} is used twice")

    def _cells(self, text: str) -> list[dict]:
        if self.name.endswith(".ipynb"):
            return json.loads(text)["cells"]
        _, head, body = re.split(r"^---$", text, maxsplit=2, flags=re.M)
        return [dict(cell_type="raw", source=f"---{head}---"), dict(cell_type="markdown", source=body)]

    def refer(self, text: str) -> str:
        "Cross references and links between notebooks, resolved."

        def one(m):
            short, label = m["minus"] or m["short"], m["label"] or m["bare"]
            if label not in self.numbers:
                self.problems.add(self.name, f"@{label} refers to nothing on this page")
                return label
            words = self.numbers[label]
            return f"[{words.split()[-1] if short else words}](#{label})"

        text = re.sub(rf"\[(?P<minus>-?)@(?P<label>{REF})\]|(?<![\w`])(?P<short>-?)@(?P<bare>{REF})", one, text)
        text = re.sub(
            r"\]\((?![a-z]+:)([^)\s#]+\.ipynb)(#[^)\s]*)?\)",
            lambda m: f"]({page_name(Path(m[1]).name)}{m[2] or ''})",
            text,
        )
        return re.sub(rf"\]\({re.escape(site_url())}/([^)]*)\)", r"](\1)", text)

    def prose(self, text: str) -> str:
        "A markdown cell: numbered equations and tables, references, links."
        for line, after in zip(text.splitlines(), text.splitlines()[1:]):
            if re.match(r"(?![-*+|>#\s]|\d+\.)\S", line) and re.match(r"([-*+]|1\.)\s+\S", after):
                self.problems.add(self.name, f"a list needs an empty line before it: {after[:50]!r}")
        text = re.sub(
            r"(\$\$(?:[^$]|\\\$)+\$\$)\s*\{#(eq-[\w-]+)\}",
            lambda m: (
                f"\n\n::: {{#{m[2]} .equation}}\n{m[1]}\n\n[({self.numbers[m[2]].split()[-1]})]{{.number}}\n:::\n\n"
            ),
            text,
        )
        text = re.sub(
            r"^(:[ \t]+)(.*?)[ \t]*\{#(tbl-[\w-]+)\}[ \t]*$",
            lambda m: f"{m[1]}[{self.numbers[m[3]]}:]{{#{m[3]}}} {m[2]}",
            text,
            flags=re.M,
        )
        return outside_code(text, self.refer)

    def output(self, out: dict, options: dict[str, str], place: str) -> str:  # place: names the file of a picture
        "One output as markdown."
        if out["output_type"] == "error":
            self.problems.add(self.name, f"a cell shows an error: {out.get('ename')}")
        if out["output_type"] == "stream":
            return fence(re.sub(r"\x1b\[[0-9;]*m", "", "".join(out["text"])).rstrip("\n"), ".output")
        data = {k: "".join(v) if isinstance(v, (str, list)) else v for k, v in out.get("data", {}).items()}
        if "text/html" in data:
            return fence(f'<div class="output">\n{data["text/html"]}\n</div>', "=html")
        if WIDGET in data:
            self.problems.add(
                self.name, "a widget without text/html beside it, which no page can show without the network"
            )
        if kind := next((k for k in ("image/svg+xml", "image/png", "image/jpeg") if k in data), None):
            file = self.files / f"{place}.{kind.split('/')[1].split('+')[0].replace('jpeg', 'jpg')}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data[kind].encode() if "svg" in kind else base64.b64decode(data[kind]))
            if not options.get("fig-alt"):
                self.problems.add(
                    self.name, f"the picture of {options.get('label', 'a cell without label')} has no fig-alt"
                )
            size = out.get("metadata", {}).get(kind, {}).get("width")
            return f'<img src="{file.relative_to(docs).as_posix()}" alt="{html.escape(options.get("fig-alt", ""))}"' + (
                f' width="{size}">' if size else ">"
            )
        if "text/markdown" in data:
            return self.prose(data["text/markdown"]) + "\n"
        if "text/latex" in data:
            return data["text/latex"] + "\n"
        return fence(data.get("text/plain", ""), ".output") if data.get("text/plain") else ""

    def code(self, cell: dict, i: int) -> str:
        "A code cell: its source, its outputs, and the caption under them."
        options, source = split_directives(source_of(cell))
        if options.get("include") == "false":
            return ""
        parts = []
        if source and options.get("echo") != "false":
            block = fence(source, f".{cell['metadata'].get('language', 'python')}")
            fold = options.get("code-fold", "false")
            parts.append(
                block
                if fold == "false"
                else f"<details{' open' if fold == 'show' else ''}><summary>{options.get('code-summary', 'Code')}</summary>\n\n{block}\n</details>"
            )
        shown = (
            []
            if options.get("output") == "false"
            else [
                self.output(o, options, f"{options.get('label', f'cell-{i}')}-{j}")
                for j, o in enumerate(cell.get("outputs", []))
            ]
        )
        label, caption = options.get("label", ""), options.get("fig-cap") or options.get("tbl-cap")
        pictures = [
            s for s in shown if s.startswith("<img") or label.startswith("fig-") and re.match(r"`{3,} \{=html\}", s)
        ]
        if label.startswith("fig-") and not pictures and "fig-cap" in options:
            self.problems.add(self.name, f"{label} has no picture")
        if caption and shown:
            words = f"**{self.numbers[label]}:** " if label in self.numbers else ""
            shown = [s for s in shown if s not in pictures] if pictures else shown
            body = "\n".join(pictures) if pictures else "\n\n".join(shown)
            figure = f'<figure id="{label}">\n\n{body}\n\n<figcaption>\n\n{words}{outside_code(caption, self.refer)}\n\n</figcaption>\n</figure>'
            shown = [*shown, figure] if pictures else [figure]
        return "\n\n".join([*parts, *shown]) + "\n"

    def markdown(self) -> str:
        return "\n\n".join(
            self.prose(source_of(c)) if c["cell_type"] == "markdown" else self.code(c, i)
            for i, c in enumerate(self.cells)
        )


# From markdown to the site -----------------------------------------------------------------------------------------
def site_url() -> str:
    return made.settings()["doc_host"].rstrip("/") + made.settings()["doc_baseurl"].rstrip("/")


def short_title(page: Page) -> str:
    return "Overview" if page.name == "index.ipynb" else page.title


def navigation(pages: dict[str, Page], current: str) -> str:
    "The pages as nested lists, the current one marked; a section that has a page of its own opens when one is inside it."

    def link(name):
        return f'<a href="{pages[name].html}"{" aria-current=page" if name == current else ""}>{html.escape(short_title(pages[name]))}</a>'

    def listed(items):
        return "<ul>" + "".join(map(item, items)) + "</ul>"

    def item(one):
        if isinstance(one, str):
            return f"<li>{link(one)}</li>"
        title, own, inside = one
        if not own:
            return f'<li><span class="section">{html.escape(title)}</span>{listed(inside)}</li>'
        return f"<li>{link(own)}<details{' open' if current in inside else ''}><summary>Modules</summary>{listed(inside)}</details></li>"

    return listed(contents())


def turn(pages: dict[str, Page], current: str) -> str:
    "Links to the page before and the page after."
    order = list(pages)
    i = order.index(current)

    def link(name, words, rel):
        return f'<a rel="{rel}" href="{pages[name].html}">{words.format(html.escape(short_title(pages[name])))}</a>'

    return (link(order[i - 1], "← {}", "prev") if i else "<span></span>") + (
        link(order[i + 1], "{} →", "next") if i + 1 < len(order) else ""
    )


def origin(name: str) -> str:
    "Where a page comes from, for those who want to change it."
    if name.startswith("api_"):
        return ""
    file = name if (nbs / name).exists() else f"{name}.py"
    return f'<p class="origin">Made from <a href="{made.settings()["git_url"]}/blob/{made.settings()["branch"]}/nbs/{file}">nbs/{file}</a></p>'


def pandoc(page: Page, pages: dict[str, Page]) -> str:  # what pandoc had to say, empty if nothing
    "One page, from markdown to _docs/."
    import pypandoc

    meta = {
        "title": page.title,
        "pagetitle": page.title if page.name == "index.ipynb" else f"{page.title} – CUTS",
        "description": page.description,
        "site": "CUTS",
        "bibliography": str(nbs / "references.bib"),
        "link-citations": True,
        "reference-section-title": "References",
        "lang": "en",
    }
    raw = {"pages": navigation(pages, page.name), "turn": turn(pages, page.name), "origin": origin(page.name)}
    (docs / ".meta").mkdir(exist_ok=True)
    file = docs / ".meta" / f"{page.html}.json"
    file.write_text(json.dumps(meta), encoding="utf-8")
    command = [
        pypandoc.get_pandoc_path(),
        "--from",
        "markdown",
        "--to",
        "html5",
        "--standalone",
        "--template",
        str(here / "site.html"),
        "--mathml",
        "--citeproc",
        "--lua-filter",
        str(here / "site.lua"),
        "--toc",
        "--toc-depth=3",
        "--columns=9999",
        "--wrap=preserve",
        "--fail-if-warnings",
        "--metadata-file",
        str(file),
        "--output",
        str(docs / page.html),
    ]
    for key, value in raw.items():
        command += ["--variable", f"{key}={value}"]
    done = subprocess.run(command, input=page.markdown(), text=True, capture_output=True, cwd=docs)
    return done.stderr.strip() or (f"pandoc exited {done.returncode}" if done.returncode else "")


def relative(text: str, module: str) -> str:  # module: of the page, "" if it has none
    "Links that nbdev makes with the whole address of the site, as links within it, each to the module that is meant."

    def one(m):
        code, place = m["code"], m["place"]
        name = (code or "").split(".")[-1]
        at = made.owner(name, module) if code and "#" in place else None
        if at and at in made.modules() and len(made.owners()[name]) > 1 and "." not in code:
            place = f"{page_name(made.modules()[at])}#{name.lower()}"
        place = re.sub(r"(#[^.]*)\..*", r"\1", place)  # a method has no place of its own there, its class has
        return f"[`{code}`]({place or 'index.html'})" if code else f"]({place or 'index.html'})"

    return re.sub(rf"(?:\[`(?P<code>[^`\]]+)`)?\]\({re.escape(site_url())}/?(?P<place>[^)\s]*)\)", one, text)


def module_links(text: str, module: str) -> str:
    "`cuts.name` leads to the page of that module, as nbdev lets names lead to theirs."

    def one(m):
        return f"[{m[0]}]({page_name(made.modules()[m[1]])})" if m[1] in made.modules() and m[1] != module else m[0]

    blocks = re.split(r"(^(?P<f>`{3,}|~{3,}).*?^(?P=f)[`~]*\s*$|^#.*$)", text, flags=re.M | re.S)
    return "".join(
        b if i % 3 else re.sub(r"(?<![\[`])`cuts\.(\w+)`(?![\]`])", one, b)
        for i, b in enumerate(blocks)
        if i % 3 != 2 and b
    )


def mended(nb: dict, name: str, problems: Problems, quarto: bool) -> dict:
    "A processed notebook made fit for a site that is read without a network, and whose pages refer to each other."
    module = next((m for m, n in made.modules().items() if n == name), "")

    def refer(m):
        there = (
            numbered(json.loads((nbs / m[2]).read_text(encoding="utf-8"))["cells"])[0] if (nbs / m[2]).exists() else {}
        )
        if m[1] not in there:
            problems.add(name, f"@{m[1]} refers to nothing in {m[2]}")
        return f"[{there.get(m[1], m[1])}]({m[2]}#{m[1]})"

    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = relative(
                re.sub(rf"\[@({REF})\]\(([\w-]+\.ipynb)#\1\)", refer, module_links(source_of(cell), module)), module
            )
        for data in (o["data"] for o in cell.get("outputs", []) if "data" in o):
            if "text/html" in data:
                data.pop(WIDGET, None)
            if "text/html" in data and quarto:  # else Quarto would add scripts from elsewhere for their sake
                data["text/markdown"] = fence("".join(data.pop("text/html")), "=html")
            elif "text/markdown" in data:
                name = re.search(r"^show_doc\((\w+)\)$", source_of(cell), re.M)
                data["text/markdown"] = (
                    name and made.shown(module, name[1]) or relative("".join(data["text/markdown"]), module)
                )
    if not any(WIDGET in o.get("data", {}) for c in nb["cells"] for o in c.get("outputs", [])):
        nb["metadata"].pop("widgets", None)
    return nb


def process(problems: Problems, quarto: bool):
    "The notebooks as nbdev processes them, and the pages that are made of other files, in _proc/."
    from nbdev.doclinks import _build_modidx
    from nbdev.serve import proc_nbs

    _build_modidx()
    proc_nbs(n_workers=0, force=True)
    for path in sorted(proc.glob("*.ipynb")):
        nb = mended(json.loads(path.read_text(encoding="utf-8")), path.name, problems, quarto)
        path.write_text(json.dumps(nb, ensure_ascii=False), encoding="utf-8")


def build(problems: Problems):
    "The site by pandoc."
    process(problems, quarto=False)
    shutil.rmtree(docs, ignore_errors=True)
    docs.mkdir()
    shutil.copy(here / "site.css", docs / "site.css")
    if (nbs / "images").is_dir():
        shutil.copytree(nbs / "images", docs / "images")
    render({name: Page(name, problems) for name in flat(contents())}, problems)


def render(pages: dict[str, Page], problems: Problems):
    "Every page by pandoc."
    with ThreadPoolExecutor(2) as pool:
        for page, said in zip(pages.values(), pool.map(lambda p: pandoc(p, pages), pages.values())):
            for line in said.splitlines():
                problems.add(page.name, line)
    shutil.rmtree(docs / ".meta")


def build_with_quarto(problems: Problems):
    "The site by Quarto: what `nbdev_docs` does, with notebooks that need no network."
    write_sidebar()
    process(problems, quarto=True)
    if (nbs / "images").is_dir():
        shutil.copytree(nbs / "images", proc / "images", dirs_exist_ok=True)
    subprocess.run(["quarto", "render", "--no-cache"], cwd=proc, check=True)
    shutil.rmtree(docs, ignore_errors=True)
    shutil.move(proc / docs.name, docs)


# What was built, checked --------------------------------------------------------------------------------------------
class Reader(HTMLParser):
    "Collects what a page points at, what it loads, and what it shows to those alone who see."

    def __init__(self, text: str):
        super().__init__()
        self.anchors, self.links, self.loads, self.unseen, self.scripts, self.visible = set(), [], [], [], [], []
        self.inside, self.drawing = (
            [],
            None,
        )  # elements whose text is not read; a drawing that has not said its title yet
        self.feed(text)
        self._close_drawing()

    def _close_drawing(self):
        if self.drawing:
            self.unseen.append(self.drawing)
        self.drawing = None

    def handle_starttag(self, tag, attrs):
        attrs = {k: v or "" for k, v in attrs}
        if self.drawing and tag == "title":
            self.drawing = None
        self._close_drawing()
        self.anchors |= {attrs[k] for k in ("id", "name") if attrs.get(k)}
        if tag in ("a", "area") and "href" in attrs:
            self.links.append(attrs["href"])
        if tag in ("img", "script", "iframe", "video", "audio", "source", "embed", "track", "input"):
            self.loads += [attrs[k] for k in ("src", "poster") if attrs.get(k)]
        if attrs.get("srcset"):
            self.loads += [part.split()[0] for part in re.split(r",\s+", attrs["srcset"]) if part.strip()]
        if tag == "object" and attrs.get("data"):
            self.loads.append(attrs["data"])
        if tag == "link" and set(attrs.get("rel", "").split()) & {
            "stylesheet",
            "icon",
            "preload",
            "modulepreload",
            "manifest",
        }:
            self.loads.append(attrs.get("href", ""))
        named = (
            any(attrs.get(k, "").strip() for k in ("alt", "aria-label", "aria-labelledby", "title"))
            or attrs.get("aria-hidden") == "true"
        )
        what = (attrs.get("src") or attrs.get("id") or "?")[:60]
        if (
            tag in ("img", "area")
            and not attrs.get("alt", "").strip()
            or tag == "input"
            and attrs.get("type") == "image"
            and not named
        ):
            self.unseen.append(what)
        if (
            tag in ("iframe", "object", "embed", "canvas")
            and not named
            and attrs.get("role") != "img"
            or attrs.get("role") == "img"
            and not named
        ):
            self.unseen.append(f"<{tag}> {what}")
        if tag == "svg" and not named and attrs.get("role") not in ("none", "presentation", "img"):
            self.drawing = f"<svg> {what}"
        if tag in ("script", "style", "pre", "code", "textarea"):
            self.inside.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.visible.append(data)
        elif self.inside[-1] in ("script", "style"):
            self.scripts.append(data)


ELSEWHERE = re.compile(
    r"""(?:\bimport\s*\(?|\bfrom|@import(?:\s+url\()?|\burl\(|importScripts\()\s*["']?(https?:)?//[\w.]+"""
)


def network(links: list[str]) -> list[str]:  # those that need one
    return [link for link in links if urlsplit(link).scheme in ("http", "https") or link.startswith("//")]


def check(problems: Problems, folder: Path | None = None) -> int:  # number of pages
    "Everything that can be said of the pages alone."
    folder = folder or docs
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"))}
    read = {path: Reader(text) for path, text in texts.items()}
    for path, page in read.items():
        visible = "\x00".join(page.visible)
        for left in re.findall(
            rf"\?@[\w-]+|(?<![\w/.])@{REF}|\?\?\?|(?<![\w/.@])@[a-z]+\d{{4}}\w*|(?<=\x00)[a-z]+\d{{4}}[a-z]\w*\?(?=\x00)",
            visible,
        ):
            problems.add(path.name, f"unresolved: {left}")
        for what in page.unseen:
            problems.add(path.name, f"picture without alternative text: {what}")
        for link in page.links:
            check_link(problems, folder, read, path, link)
        for link in page.loads:
            check_link(problems, folder, read, path, link)
        for link in network(page.loads):
            problems.add(path.name, f"loads {link[:90]} from the network")
        for script in page.scripts:
            if m := ELSEWHERE.search(script):
                problems.add(path.name, f"a script or style loads from the network: {m[0][:90]}")
        own = {
            p
            for link in page.loads
            if not urlsplit(link).scheme
            and (p := (path.parent / unquote(urlsplit(link).path)).resolve()).is_file()
            and "site_libs" not in p.parts
        }
        weight = len(texts[path].encode()) + sum(p.stat().st_size for p in own)
        if weight > PAGE_BYTES:
            problems.add(
                path.name,
                f"{weight / 1e6:.1f} MB with all that it shows, at most {PAGE_BYTES / 1e6:.0f} MB: show fewer or smaller pictures, or put what is inlined on a page of its own",
            )
    for path in sorted(folder.rglob("*.css")):
        if m := ELSEWHERE.search(re.sub(r"url\(\s*[\"']?data:[^)]*\)", "", path.read_text(encoding="utf-8"))):
            problems.add(path.relative_to(folder), f"loads from the network: {m[0][:90]}")
    return len(read)


def check_link(problems: Problems, folder: Path, read: dict[Path, Reader], path: Path, link: str):
    "A link within the site leads to a file that is there, and to a place on it."
    if link == site_url() or link.startswith(site_url() + "/"):
        link, path = link[len(site_url()) + 1 :] or "index.html", folder / "index.html"
    url = urlsplit(link)
    if url.scheme or url.netloc:
        return
    target = (path.parent / unquote(url.path)).resolve() if url.path else path
    if target.is_dir():
        target = target / "index.html"
    name = path.relative_to(folder).as_posix()
    if not target.exists():
        problems.add(name, f"link to {link}, which is not there")
    elif url.fragment and target in read and unquote(url.fragment) not in read[target].anchors | {"top"}:
        problems.add(name, f"link to {link}: no such place on that page")


def check_sources(problems: Problems):
    "Exports have docstrings, and outputs are those of the code."
    for module, notebook in made.modules().items():
        for name in made.undocumented(made.entries(module)):
            problems.add(notebook, f"{name} is exported without a docstring")
    for name in notebooks():
        if execute.is_stale(nbs / name):
            problems.add(
                name,
                f"its code or a module it uses changed since it ran: make prepare (or scripts/execute.py nbs/{name})",
            )


# README.md ---------------------------------------------------------------------------------------------------------
def readme() -> tuple[str, dict[Path, bytes]]:  # README.md, and the pictures that it shows
    "README.md as nbs/index.ipynb has it, with its outputs; links and pictures as seen from the top folder."
    nb, parts, pictures, figures = json.loads((nbs / "index.ipynb").read_text(encoding="utf-8")), [], {}, {}
    for cell in nb["cells"]:
        options, source = split_directives(source_of(cell)) if cell["cell_type"] == "code" else ({}, source_of(cell))
        if cell["cell_type"] == "raw" or "hide" in options or options.get("include") == "false":
            continue
        if label := options.get("label"):
            figures[label] = f"Figure {len(figures) + 1}"
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"\]\((?![a-z]+:|#|/)", "](nbs/", source))
            continue
        if source and options.get("echo") != "false":
            parts.append(f"```python\n{source}\n```")
        for i, out in enumerate(cell["outputs"] if options.get("output") != "false" else []):
            data = {k: "".join(v) for k, v in out.get("data", {}).items() if isinstance(v, (str, list))}
            if "image/png" in data:
                file = nbs / "images" / f"{options.get('label', f'readme-{len(pictures)}')}{f'-{i}' if i else ''}.png"
                pictures[file] = base64.b64decode(data["image/png"])
                parts.append(f"![{options.get('fig-alt', '')}]({file.relative_to(root).as_posix()})")
            elif "text/html" in data and options.get("label"):
                parts.append(f"[Live on the site]({site_url()}/index.html#{options['label']})")
            elif text := "".join(out.get("text", "")) or data.get("text/plain", ""):
                parts.append(f"```text\n{text.rstrip()}\n```")
        if options.get("fig-cap"):
            parts.append(f"*{options['fig-cap']}*")
    text = (
        "<!-- Made from nbs/index.ipynb by scripts/site.py -- edit there. -->\n\n"
        + "\n\n".join(p.strip() for p in parts if p.strip())
        + "\n"
    )
    text = outside_code(text, lambda t: re.sub(rf"@({REF})", lambda m: figures.get(m[1], m[0]), t))
    if left := re.findall(r"\[-?@[\w-]+", text):
        raise SystemExit(f"nbs/index.ipynb: {left[0]}]: README.md has no bibliography, write the reference out.")
    return text, pictures


def write_readme():
    text, pictures = readme()
    for file, data in pictures.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    (root / "README.md").write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("check", "sidebar", "readme"):
        parser.add_argument(f"--{flag}", action="store_true")
    args = parser.parse_args()
    os.chdir(root)  # nbdev looks for settings.ini from the working folder upwards
    if args.sidebar:
        write_sidebar()
    if args.readme:
        write_readme()
    if args.sidebar or args.readme:
        return 0
    problems = Problems()
    if not args.check:
        (build_with_quarto if shutil.which("quarto") else build)(problems)
    unwritten = [n for n in flat(contents()) if not (docs / page_name(n)).exists()]
    for name in unwritten:
        problems.add(name, "its page was not made")
    pages = (
        check(problems) if not unwritten else len(flat(contents())) - len(unwritten)
    )  # links to them would only say it again
    check_sources(problems)
    for line in problems:
        print(line)
    if problems:
        print("The pages are built, but what stands above is wrong with them.")
    print(
        f"{docs.name}/: {pages} pages, {len(problems)} problems"
        if problems
        else f"{docs.name}/: {pages} pages, every link and reference resolved"
    )
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
