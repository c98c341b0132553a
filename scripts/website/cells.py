"The cells of a notebook: their source, the directives of code cells, labels and their numbers, code in markdown."

import json
import re
from pathlib import Path

import yaml

KINDS = {"fig": "Figure", "tbl": "Table", "eq": "Equation", "sec": "Section"}
REF = r"(?:fig|tbl|eq|sec)-[\w-]*\w"


def read_cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def cell_source(cell: dict) -> str:
    return "".join(cell.get("source", ""))


def split_directives(source: str) -> tuple[dict[str, str], str]:
    "The `#| key: value` lines at the head of a code cell, and the code without them."
    lines, options = source.splitlines(), {}
    while lines and (not lines[0].strip() or re.match(r"\s*#\|", lines[0])):
        if m := re.match(r"\s*#\|\s*([\w-]+):?\s*(.*)$", lines.pop(0)):
            value = yaml.safe_load(m[2]) if m[2].strip() else True
            options[m[1]] = str(value).lower() if isinstance(value, bool) else str(value)
    return options, "\n".join(lines).rstrip()


def fence(text: str, kind: str) -> str:
    "A fenced block of class `kind`."
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {{{kind}}}\n{text}\n{ticks}\n"


def outside_code(text: str, change) -> str:
    "`change` every part of a markdown text that is neither a fenced block nor inline code."
    parts = re.split(
        r"(^(?P<f>`{3,}|~{3,}).*?^(?P=f)[`~]*\s*$|(?P<t>`+)(?!`).+?(?<!`)(?P=t)(?!`))", text, flags=re.M | re.S
    )
    return "".join(part if i % 4 == 1 else change(part) for i, part in enumerate(parts) if i % 4 < 2 and part)


def labels_of(cell: dict) -> list[str]:
    "The labels that a cell gives to figures, tables, equations and sections."
    if cell["cell_type"] == "markdown":
        return re.findall(rf"\{{#({REF})[^}}]*\}}", cell_source(cell))
    return re.findall(rf"^#\|\s*label:\s*({REF})", cell_source(cell), re.M)


def section_title(label: str, text: str) -> str | None:
    heading = re.search(rf"^#+\s+(.*?)\s*\{{#{label}", text, re.M)
    return heading[1] if heading else None


def numbered(cells: list[dict]) -> tuple[dict[str, str], list[str]]:
    "What a reference to each label of a page reads, such as “Figure 2”; and the labels that are used twice."
    words, twice, count = {}, [], dict.fromkeys(KINDS, 0)
    for cell in cells:
        for label in labels_of(cell):
            kind = label.split("-")[0]
            count[kind] += 1
            if label in words:
                twice.append(label)
            title = section_title(label, cell_source(cell)) if kind == "sec" else None
            words[label] = f"“{title}”" if title is not None else f"{KINDS[kind]} {count[kind]}"
    return words, twice
