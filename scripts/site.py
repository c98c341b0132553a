#!/usr/bin/env python
"""The site in _docs/, and the files that go with it.

  python scripts/site.py             build: with Quarto where it is installed, else with pandoc; check what was built
  python scripts/site.py --sidebar   write nbs/sidebar.yml and nbs/nbdev.yml, which Quarto reads
  python scripts/site.py --readme    write README.md from nbs/index.ipynb

The check fails on links within the site that lead nowhere, pictures without alternative text, and (with pandoc) on unresolved
references and citations and on whatever pandoc warns of.
"""
import argparse, base64, html, json, os, re, shutil, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

root = Path(__file__).resolve().parents[1]
nbs, proc, docs, here = root/"nbs", root/"_proc", root/"_docs", root/"scripts"
BANDS = ["Data", "Stage 1: embedding", "Stage 2: condensation", "Evaluation", "Results, to look at", "Running it", "Reproduction", "Tutorials"]
KINDS = {"fig": "Figure", "tbl": "Table", "eq": "Equation", "sec": "Section"}
REF = r"(?:fig|tbl|eq|sec)-[\w-]*\w"


class Problems(list):
    "What is wrong with the site, a line each."
    def add(self, page, message): self.append(f"{page}: {message}")


# Pages -----------------------------------------------------------------------------------------------------------
def page_name(notebook: str) -> str: # file name of a notebook
    "The name of its page: no number, as nbdev has it."
    return re.sub(r"^\d+[a-zA-Z]*_", "", notebook).removesuffix(".ipynb") + ".html"

def notebooks() -> list[str]:
    "The notebooks in reading order: the index first, then by number."
    return sorted((p.name for p in nbs.glob("*.ipynb")), key=lambda n: (n != "index.ipynb", n))

def banded() -> list[tuple[str | None, list[str]]]:
    "The notebooks by band: (title, names); the index stands alone under None."
    names, bands = notebooks(), []
    if "index.ipynb" in names: bands.append((None, ["index.ipynb"]))
    for i, title in enumerate(BANDS):
        if here := [n for n in names if re.match(rf"{i}\d", n)]: bands.append((title, here))
    return bands

def write_sidebar():
    "What Quarto needs to know beside _quarto.yml."
    from nbdev.quarto import refresh_quarto_yml
    refresh_quarto_yml()
    contents = [dict(section=title, contents=names) if title else names[0] for title, names in banded()]
    text = yaml.safe_dump({"website": {"sidebar": {"contents": contents}}}, sort_keys=False, allow_unicode=True)
    (nbs/"sidebar.yml").write_text("# Written by scripts/site.py --sidebar.\n" + text, encoding="utf-8")


# From a cell to markdown -------------------------------------------------------------------------------------------
def source_of(cell) -> str: return "".join(cell.get("source", ""))

def split_directives(source: str) -> tuple[dict[str, str], str]:
    "The `#| key: value` lines at the head of a code cell, and the code without them."
    lines, options = source.splitlines(), {}
    while lines and (not lines[0].strip() or re.match(r"\s*#\|", lines[0])):
        if m := re.match(r"\s*#\|\s*([\w-]+):?\s*(.*)$", lines.pop(0)):
            value = yaml.safe_load(m[2]) if m[2].strip() else True
            options[m[1]] = str(value).lower() if isinstance(value, bool) else str(value)
    return options, "\n".join(lines).rstrip()

def fence(text: str, kind: str) -> str: # a fenced block of class `kind`
    ticks = "`"*max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {{{kind}}}\n{text}\n{ticks}\n"

def outside_code(text: str, change) -> str:
    "`change` every part of a markdown text that is neither a fenced block nor inline code."
    parts = re.split(r"(^(?P<f>`{3,}|~{3,}).*?^(?P=f)[`~]*\s*$|(?P<t>`+)(?!`).+?(?<!`)(?P=t)(?!`))", text, flags=re.M | re.S)
    return "".join(part if i % 4 == 1 else change(part) for i, part in enumerate(parts) if i % 4 < 2 and part)

class Page:
    "A processed notebook on its way to markdown: its title, its numbered figures, tables and equations, its text."
    def __init__(self, name: str, problems: Problems):
        self.name, self.html, self.problems = name, page_name(name), problems
        self.files = docs/f"{self.html.removesuffix('.html')}_files"
        nb = json.loads((proc/name).read_text(encoding="utf-8"))
        front = next((source_of(c) for c in nb["cells"] if c["cell_type"] == "raw" and source_of(c).startswith("---")), "---\n---")
        meta = yaml.safe_load(front.strip().strip("-")) or {}
        self.title, self.description = meta.get("title", name), meta.get("description", "")
        if "title" not in meta: problems.add(name, "no title: the first markdown cell begins with '# '")
        self.cells = [c for c in nb["cells"] if c["cell_type"] != "raw"]
        self.widgets = nb["metadata"].get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
        self.numbers = self._number()

    def _number(self) -> dict[str, str]: # label → what a reference to it reads
        "Number each kind of label in its order on the page."
        found, count = {}, dict.fromkeys(KINDS, 0)
        for cell in self.cells:
            text = source_of(cell)
            labels = re.findall(rf"\{{#({REF})[^}}]*\}}", text) if cell["cell_type"] == "markdown" else \
                     re.findall(rf"^#\|\s*label:\s*({REF})", text, re.M)
            for label in labels:
                kind = label.split("-")[0]
                count[kind] += 1
                if label in found: self.problems.add(self.name, f"label {label} is used twice")
                found[label] = f"{KINDS[kind]} {count[kind]}"
                if kind == "sec" and (m := re.search(rf"^#+\s+(.*?)\s*\{{#{label}", text, re.M)): found[label] = f"“{m[1]}”"
        return found

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
        text = re.sub(r"\]\((?![a-z]+:)([^)\s#]+\.ipynb)(#[^)\s]*)?\)", lambda m: f"]({page_name(Path(m[1]).name)}{m[2] or ''})", text)
        return re.sub(rf"\]\({re.escape(site_url())}/([^)]*)\)", r"](\1)", text)

    def prose(self, text: str) -> str:
        "A markdown cell: numbered equations and tables, references, links."
        for line, after in zip(text.splitlines(), text.splitlines()[1:]):
            if re.match(r"(?![-*+|>#\s]|\d+\.)\S", line) and re.match(r"([-*+]|1\.)\s+\S", after):
                self.problems.add(self.name, f"a list needs an empty line before it: {after[:50]!r}")
        text = re.sub(rf"(\$\$(?:[^$]|\\\$)+\$\$)\s*\{{#(eq-[\w-]+)\}}",
                      lambda m: f"\n\n::: {{#{m[2]} .equation}}\n{m[1]}\n\n[({self.numbers[m[2]].split()[-1]})]{{.number}}\n:::\n\n", text)
        text = re.sub(rf"^(:\s+)(.*?)\s*\{{#(tbl-[\w-]+)\}}\s*$", lambda m: f"{m[1]}[{self.numbers[m[3]]}:]{{#{m[3]}}} {m[2]}", text, flags=re.M)
        return outside_code(text, self.refer)

    def output(self, out: dict, options: dict[str, str], place: str) -> str: # place: names the file of a picture
        "One output as markdown."
        if out["output_type"] == "error": self.problems.add(self.name, f"a cell shows an error: {out.get('ename')}")
        if out["output_type"] == "stream": return fence(re.sub(r"\x1b\[[0-9;]*m", "", "".join(out["text"])).rstrip("\n"), ".output")
        data = {k: "".join(v) if isinstance(v, (str, list)) else v for k, v in out.get("data", {}).items()}
        if "application/vnd.jupyter.widget-view+json" in data:
            view = json.dumps(data["application/vnd.jupyter.widget-view+json"])
            return fence(f'<div class="output"><script type="application/vnd.jupyter.widget-view+json">{view}</script></div>', "=html")
        if kind := next((k for k in ("image/svg+xml", "image/png", "image/jpeg") if k in data), None):
            file = self.files/f"{place}.{kind.split('/')[1].split('+')[0].replace('jpeg', 'jpg')}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data[kind].encode() if "svg" in kind else base64.b64decode(data[kind]))
            if not options.get("fig-alt"): self.problems.add(self.name, f"the picture of {options.get('label', 'a cell without label')} has no fig-alt")
            size = out.get("metadata", {}).get(kind, {}).get("width")
            return f'<img src="{file.relative_to(docs).as_posix()}" alt="{html.escape(options.get("fig-alt", ""))}"' + (f' width="{size}">' if size else ">")
        if "text/html" in data: return fence(f'<div class="output">\n{data["text/html"]}\n</div>', "=html")
        if "text/markdown" in data: return self.prose(data["text/markdown"]) + "\n"
        if "text/latex" in data: return data["text/latex"] + "\n"
        return fence(data.get("text/plain", ""), ".output") if data.get("text/plain") else ""

    def code(self, cell: dict, i: int) -> str:
        "A code cell: its source, its outputs, and the caption under them."
        options, source = split_directives(source_of(cell))
        if options.get("include") == "false": return ""
        parts = []
        if source and options.get("echo") != "false":
            block = fence(source, f".{cell['metadata'].get('language', 'python')}")
            fold = options.get("code-fold", "false")
            parts.append(block if fold == "false" else f"<details{' open' if fold == 'show' else ''}><summary>{options.get('code-summary', 'Code')}</summary>\n\n{block}\n</details>")
        shown = [] if options.get("output") == "false" else [self.output(o, options, f"{options.get('label', f'cell-{i}')}-{j}") for j, o in enumerate(cell.get("outputs", []))]
        label, caption = options.get("label", ""), options.get("fig-cap") or options.get("tbl-cap")
        pictures = [s for s in shown if s.startswith("<img")]
        if label.startswith("fig-") and not pictures and "fig-cap" in options: self.problems.add(self.name, f"{label} has no picture")
        if caption and shown:
            words = f"**{self.numbers[label]}:** " if label in self.numbers else ""
            shown = [s for s in shown if s not in pictures] if pictures else shown
            body = "\n".join(pictures) if pictures else "\n\n".join(shown)
            figure = f'<figure id="{label}">\n\n{body}\n\n<figcaption>\n\n{words}{outside_code(caption, self.refer)}\n\n</figcaption>\n</figure>'
            shown = [*shown, figure] if pictures else [figure]
        return "\n\n".join([*parts, *shown]) + "\n"

    def markdown(self) -> str:
        return "\n\n".join(self.prose(source_of(c)) if c["cell_type"] == "markdown" else self.code(c, i) for i, c in enumerate(self.cells))


# From markdown to the site -----------------------------------------------------------------------------------------
def site_url() -> str:
    from nbdev.config import get_config
    return get_config().doc_host.rstrip("/") + get_config().doc_baseurl.rstrip("/")

def navigation(pages: dict[str, Page], current: str) -> str:
    "The list of pages by band, the current one marked."
    def item(name): return f'<li><a href="{pages[name].html}"{" aria-current=page" if name == current else ""}>{html.escape(pages[name].title)}</a></li>'
    return "\n".join((f"<h2>{html.escape(t)}</h2>" if t else "") + "<ul>" + "".join(map(item, names)) + "</ul>" for t, names in banded())

def turn(pages: dict[str, Page], current: str) -> str:
    "Links to the page before and the page after."
    order = list(pages)
    i = order.index(current)
    def link(name, words): return f'<a href="{pages[name].html}">{words.format(html.escape(pages[name].title))}</a>'
    return (link(order[i - 1], "← {}") if i else "<span></span>") + (link(order[i + 1], "{} →") if i + 1 < len(order) else "")

def widget_scripts(page: Page) -> str:
    "The state of a page's widgets, and the manager that shows them, as Quarto embeds them."
    if not page.widgets.get("state"): return ""
    return ('<script src="https://cdn.jsdelivr.net/npm/requirejs@2.3.6/require.min.js"></script>\n'
            '<script src="https://cdn.jsdelivr.net/npm/@jupyter-widgets/html-manager@1.0.14/dist/embed-amd.js"></script>\n'
            f'<script type="application/vnd.jupyter.widget-state+json">{json.dumps(page.widgets)}</script>')

def pandoc(page: Page, pages: dict[str, Page]) -> str: # what pandoc had to say, empty if nothing
    "One page, from markdown to _docs/."
    import pypandoc
    meta = {"title": page.title, "pagetitle": page.title if page.name == "index.ipynb" else f"{page.title} – CUTS", "description": page.description,
            "site": "CUTS", "bibliography": str(nbs/"references.bib"), "link-citations": True, "reference-section-title": "References", "lang": "en"}
    raw = {"pages": navigation(pages, page.name), "turn": turn(pages, page.name), "header-includes": widget_scripts(page)}
    (docs/".meta").mkdir(exist_ok=True)
    file = docs/".meta"/f"{page.html}.json"
    file.write_text(json.dumps(meta), encoding="utf-8")
    command = [pypandoc.get_pandoc_path(), "--from", "markdown", "--to", "html5", "--standalone", "--template", str(here/"site.html"), "--mathml",
               "--citeproc", "--toc", "--toc-depth=3", "--fail-if-warnings", "--metadata-file", str(file), "--output", str(docs/page.html)]
    for key, value in raw.items(): command += ["--variable", f"{key}={value}"]
    done = subprocess.run(command, input=page.markdown(), text=True, capture_output=True, cwd=docs)
    return done.stderr.strip() or (f"pandoc exited {done.returncode}" if done.returncode else "")

def build(problems: Problems):
    "The site by pandoc, from the notebooks as nbdev processes them."
    from nbdev.doclinks import _build_modidx
    from nbdev.serve import proc_nbs
    _build_modidx()
    proc_nbs(n_workers=0, force=True)
    shutil.rmtree(docs, ignore_errors=True)
    docs.mkdir()
    shutil.copy(here/"site.css", docs/"site.css")
    if (nbs/"images").is_dir(): shutil.copytree(nbs/"images", docs/"images")
    pages = {name: Page(name, problems) for name in notebooks()}
    with ThreadPoolExecutor(2) as pool:
        for page, said in zip(pages.values(), pool.map(lambda p: pandoc(p, pages), pages.values())):
            for line in said.splitlines(): problems.add(page.name, line)
    shutil.rmtree(docs/".meta")
    if "index.ipynb" not in pages: shutil.copy(docs/next(iter(pages.values())).html, docs/"index.html")


# What was built, checked --------------------------------------------------------------------------------------------
class Reader(HTMLParser):
    "Collects the anchors, links and pictures of a page."
    def __init__(self): super().__init__(); self.anchors, self.links, self.bare = set(), [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs[k] for k in ("id", "name") if attrs.get(k)}
        self.links += [attrs[k] for k in ("href", "src") if attrs.get(k) and tag in ("a", "img", "link", "script")]
        if tag == "img" and not (attrs.get("alt") or "").strip(): self.bare.append(attrs.get("src", "?")[:60])

def check(problems: Problems) -> int: # number of pages
    "Links within the site lead somewhere, pictures have alternative text, no reference was left as it was written."
    read = {}
    for path in sorted(docs.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        read[path] = Reader()
        read[path].feed(text)
        visible = re.sub(r"<(script|style|pre|code)\b.*?</\1>", "", text, flags=re.S)
        for left in re.findall(rf"\?@{REF}|(?<![\w/])@{REF}|\?\?\?", visible): problems.add(path.name, f"unresolved: {left}")
    for path, page in read.items():
        for src in page.bare: problems.add(path.name, f"picture without alternative text: {src}")
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc: continue
            target = (path.parent/unquote(url.path)).resolve() if url.path else path
            if target.is_dir(): target = target/"index.html"
            if not target.exists(): problems.add(path.name, f"link to {link}, which is not there")
            elif url.fragment and target in read and not {unquote(url.fragment), unquote(url.fragment).split(".")[0]} & read[target].anchors:  # nbdev links a method by its class
                problems.add(path.name, f"link to {link}: no such place on that page")
    return len(read)


# README.md ---------------------------------------------------------------------------------------------------------
def readme() -> tuple[str, dict[Path, bytes]]: # README.md, and the pictures that it shows
    "README.md as nbs/index.ipynb has it, with its outputs; links and pictures as seen from the top folder."
    nb, parts, pictures, figures = json.loads((nbs/"index.ipynb").read_text(encoding="utf-8")), [], {}, {}
    for cell in nb["cells"]:
        options, source = split_directives(source_of(cell)) if cell["cell_type"] == "code" else ({}, source_of(cell))
        if cell["cell_type"] == "raw" or "hide" in options or options.get("include") == "false": continue
        if label := options.get("label"): figures[label] = f"Figure {len(figures) + 1}"
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"\]\((?![a-z]+:|#|/)", "](nbs/", source))
            continue
        if source and options.get("echo") != "false": parts.append(f"```python\n{source}\n```")
        for i, out in enumerate(cell["outputs"] if options.get("output") != "false" else []):
            data = {k: "".join(v) for k, v in out.get("data", {}).items() if isinstance(v, (str, list))}
            if "image/png" in data:
                file = nbs/"images"/f"{options.get('label', f'readme-{len(pictures)}')}{f'-{i}' if i else ''}.png"
                pictures[file] = base64.b64decode(data["image/png"])
                parts.append(f"![{options.get('fig-alt', '')}]({file.relative_to(root).as_posix()})")
            elif text := "".join(out.get("text", "")) or data.get("text/plain", ""): parts.append(f"```text\n{text.rstrip()}\n```")
        if options.get("fig-cap"): parts.append(f"*{options['fig-cap']}*")
    text = "<!-- Made from nbs/index.ipynb by scripts/site.py -- edit there. -->\n\n" + "\n\n".join(p.strip() for p in parts if p.strip()) + "\n"
    text = outside_code(text, lambda t: re.sub(rf"@({REF})", lambda m: figures.get(m[1], m[0]), t))
    if left := re.findall(r"\[-?@[\w-]+", text): raise SystemExit(f"nbs/index.ipynb: {left[0]}]: README.md has no bibliography, write the reference out.")
    return text, pictures

def write_readme():
    text, pictures = readme()
    for file, data in pictures.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    (root/"README.md").write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sidebar", action="store_true")
    parser.add_argument("--readme", action="store_true")
    args = parser.parse_args()
    os.chdir(root)  # nbdev looks for settings.ini from the working folder upwards
    if args.sidebar: write_sidebar()
    if args.readme: write_readme()
    if args.sidebar or args.readme: return 0
    problems = Problems()
    if shutil.which("quarto"):
        write_sidebar()
        write_readme()  # newer than the notebook, so nbdev lets it be
        subprocess.run([sys.executable, "-c", "from nbdev.quarto import nbdev_docs; nbdev_docs(n_workers=0)"], check=True)
    else: build(problems)
    unwritten = [n for n in notebooks() if not (docs/page_name(n)).exists()]  # links to them would only say it again
    pages = check(problems) if not unwritten else len(notebooks()) - len(unwritten)
    for line in problems: print(line)
    print(f"{docs.name}/: {pages} pages, {len(problems)} problems" if problems else f"{docs.name}/: {pages} pages, every link and reference resolved")
    return int(bool(problems))


if __name__ == "__main__": sys.exit(main())
