"A page on its way from a processed notebook, or from a text, to markdown that pandoc takes."

import json
import re
from itertools import pairwise
from pathlib import Path

import yaml

from . import code_cells, places
from .cells import REF, cell_source, numbered, outside_code
from .places import page_of, site_url
from .problems import Problems

CROSS_REFERENCE = re.compile(rf"\[(?P<minus>-?)@(?P<label>{REF})\]|(?<![\w`])(?P<short>-?)@(?P<bare>{REF})")
NOTEBOOK_LINK = re.compile(r"\]\((?![a-z]+:)([^)\s#]+\.ipynb)(#[^)\s]*)?\)")
EQUATION = re.compile(r"(\$\$(?:[^$]|\\\$)+\$\$)\s*\{#(eq-[\w-]+)\}")
TABLE_CAPTION = re.compile(r"^(:[ \t]+)(.*?)[ \t]*\{#(tbl-[\w-]+)\}[ \t]*$", re.M)
PARAGRAPH_LINE = r"(?![-*+|>#\s]|\d+\.)\S"
LIST_ITEM = r"([-*+]|1\.)\s+\S"


def read_source(path: Path) -> list[dict]:
    "The cells of a processed notebook; the front matter and the text of anything else as two cells."
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return json.loads(text)["cells"]
    _, head, body = re.split(r"^---$", text, maxsplit=2, flags=re.M)
    return [dict(cell_type="raw", source=f"---{head}---"), dict(cell_type="markdown", source=body)]


def front_matter(cells: list[dict]) -> dict:
    raw = [cell_source(cell) for cell in cells if cell["cell_type"] == "raw"]
    text = next((source for source in raw if source.startswith("---")), "---\n---")
    return yaml.safe_load(text.strip().strip("-")) or {}


class Page:
    "A page: its title, its numbered figures, tables and equations, its text."

    def __init__(self, name: str, problems: Problems):
        self.name, self.html, self.problems = name, page_of(name), problems
        self.files = places.docs / f"{self.html.removesuffix('.html')}_files"  # of pictures
        cells = read_source(places.proc / name)
        meta = front_matter(cells)
        self.title, self.description = meta.get("title", name), meta.get("description", "")
        if "title" not in meta:
            self.complain("no title: the first markdown cell begins with '# '")
        self.cells = [cell for cell in cells if cell["cell_type"] != "raw"]
        self.numbers, twice = numbered(self.cells)
        for label in twice:
            self.complain(f"label {label} is used twice")

    def complain(self, message: str):
        self.problems.add(self.name, message)

    def refer(self, text: str) -> str:
        "Cross references and links between notebooks, resolved."

        def cross_reference(m):
            short, label = m["minus"] or m["short"], m["label"] or m["bare"]
            if label not in self.numbers:
                self.complain(f"@{label} refers to nothing on this page")
                return label
            words = self.numbers[label]
            return f"[{words.split()[-1] if short else words}](#{label})"

        def page_link(m):
            return f"]({page_of(Path(m[1]).name)}{m[2] or ''})"

        text = NOTEBOOK_LINK.sub(page_link, CROSS_REFERENCE.sub(cross_reference, text))
        return re.sub(rf"\]\({re.escape(site_url())}/([^)]*)\)", r"](\1)", text)

    def prose(self, text: str) -> str:
        "A markdown cell: numbered equations and tables, references, links."

        def equation(m):
            number = self.numbers[m[2]].split()[-1]
            return f"\n\n::: {{#{m[2]} .equation}}\n{m[1]}\n\n[({number})]{{.number}}\n:::\n\n"

        def table_caption(m):
            return f"{m[1]}[{self.numbers[m[3]]}:]{{#{m[3]}}} {m[2]}"

        for line, after in pairwise(text.splitlines()):
            if re.match(PARAGRAPH_LINE, line) and re.match(LIST_ITEM, after):
                self.complain(f"a list needs an empty line before it: {after[:50]!r}")
        text = TABLE_CAPTION.sub(table_caption, EQUATION.sub(equation, text))
        return outside_code(text, self.refer)

    def markdown(self) -> str:
        return "\n\n".join(
            self.prose(cell_source(cell)) if cell["cell_type"] == "markdown" else code_cells.markdown(self, cell, i)
            for i, cell in enumerate(self.cells)
        )
