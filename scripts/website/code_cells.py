"Code cells as markdown: the source, the outputs, and the caption under them."

import base64
import html
import re

from . import places
from .cells import cell_source, fence, outside_code, split_directives

WIDGET = "application/vnd.jupyter.widget-view+json"
PICTURES = {"image/svg+xml": ".svg", "image/png": ".png", "image/jpeg": ".jpg"}
NO_WIDGET = "a widget without text/html beside it, which no page can show without the network"


def markdown(page, cell: dict, number: int) -> str:
    "A code cell of a page; `number` is its place among the cells."
    options, source = split_directives(cell_source(cell))
    if options.get("include") == "false":
        return ""
    parts = []
    if source and options.get("echo") != "false":
        parts.append(source_block(source, options, cell["metadata"].get("language", "python")))
    outputs = cell.get("outputs", []) if options.get("output") != "false" else []
    name = options.get("label", f"cell-{number}")
    shown = [output_block(page, output, options, f"{name}-{i}") for i, output in enumerate(outputs)]
    return "\n\n".join([*parts, *captioned(page, shown, options)]) + "\n"


def source_block(source: str, options: dict[str, str], language: str) -> str:
    "The code of a cell, folded where its directives say so."
    block, fold = fence(source, f".{language}"), options.get("code-fold", "false")
    if fold == "false":
        return block
    summary = f"<summary>{options.get('code-summary', 'Code')}</summary>"
    return f"<details{' open' if fold == 'show' else ''}>{summary}\n\n{block}\n</details>"


def captioned(page, shown: list[str], options: dict[str, str]) -> list[str]:
    "The outputs of a cell, those that its caption tells of in one figure."
    label, caption = options.get("label", ""), options.get("fig-cap") or options.get("tbl-cap")
    is_figure = label.startswith("fig-")
    pictures = [text for text in shown if text.startswith("<img") or is_figure and re.match(r"`{3,} \{=html\}", text)]
    if is_figure and not pictures and "fig-cap" in options:
        page.complain(f"{label} has no picture")
    if not caption or not shown:
        return shown
    body = "\n".join(pictures) if pictures else "\n\n".join(shown)
    number = f"**{page.numbers[label]}:** " if label in page.numbers else ""
    words = f"<figcaption>\n\n{number}{outside_code(caption, page.refer)}\n\n</figcaption>"
    figure = f'<figure id="{label}">\n\n{body}\n\n{words}\n</figure>'
    return [*(text for text in shown if text not in pictures), figure] if pictures else [figure]


def output_block(page, output: dict, options: dict[str, str], place: str) -> str:
    "One output as markdown; `place` names the file of a picture."
    if output["output_type"] == "error":
        page.complain(f"a cell shows an error: {output.get('ename')}")
    if output["output_type"] == "stream":
        return fence(re.sub(r"\x1b\[[0-9;]*m", "", "".join(output["text"])).rstrip("\n"), ".output")
    data = {k: "".join(v) if isinstance(v, (str, list)) else v for k, v in output.get("data", {}).items()}
    if "text/html" in data:
        return fence(f'<div class="output">\n{data["text/html"]}\n</div>', "=html")
    if WIDGET in data:
        page.complain(NO_WIDGET)
    if kind := next((kind for kind in PICTURES if kind in data), None):
        width = output.get("metadata", {}).get(kind, {}).get("width")
        return picture_block(page, data[kind], kind, options, place, width)
    if "text/markdown" in data:
        return page.prose(data["text/markdown"]) + "\n"
    if "text/latex" in data:
        return data["text/latex"] + "\n"
    return fence(data.get("text/plain", ""), ".output") if data.get("text/plain") else ""


def picture_block(page, content: str, kind: str, options: dict[str, str], place: str, width: int | None) -> str:
    "Write a picture beside the page, and show it."
    file = page.files / f"{place}{PICTURES[kind]}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if kind == "image/svg+xml" else base64.b64decode(content))
    if not options.get("fig-alt"):
        page.complain(f"the picture of {options.get('label', 'a cell without label')} has no fig-alt")
    source, alt = file.relative_to(places.docs).as_posix(), html.escape(options.get("fig-alt", ""))
    return f'<img src="{source}" alt="{alt}"' + (f' width="{width}">' if width else ">")
