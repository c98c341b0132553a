"README.md, made from nbs/index.ipynb with its outputs."

import base64
import re
from pathlib import Path

from . import places
from .cells import REF, cell_source, outside_code, read_cells, split_directives
from .places import root, site_url

MARK = "<!-- Made from nbs/index.ipynb by scripts/site.py -- edit there. -->"


class Readme:
    "README.md on its way: its paragraphs, the pictures that it shows, the numbers of its figures."

    def __init__(self, cells: list[dict]):
        self.parts: list[str] = []
        self.pictures: dict[Path, bytes] = {}
        self.figures: dict[str, str] = {}  # label → Figure 1
        for cell in cells:
            if cell["cell_type"] == "markdown":
                self.parts.append(re.sub(r"\]\((?![a-z]+:|#|/)", "](nbs/", cell_source(cell)))
            elif cell["cell_type"] == "code":
                self._add_code(cell)

    def _add_code(self, cell: dict):
        options, source = split_directives(cell_source(cell))
        if "hide" in options or options.get("include") == "false":
            return
        if label := options.get("label"):
            self.figures[label] = f"Figure {len(self.figures) + 1}"
        if source and options.get("echo") != "false":
            self.parts.append(f"```python\n{source}\n```")
        for i, output in enumerate(cell["outputs"] if options.get("output") != "false" else []):
            self._add_output(output, options, i)
        if options.get("fig-cap"):
            self.parts.append(f"*{options['fig-cap']}*")

    def _add_output(self, output: dict, options: dict[str, str], number: int):
        data = {k: "".join(v) for k, v in output.get("data", {}).items() if isinstance(v, (str, list))}
        label = options.get("label")
        if "image/png" in data:
            name = label or f"readme-{len(self.pictures)}"
            file = places.nbs / "images" / f"{name}{f'-{number}' if number else ''}.png"
            self.pictures[file] = base64.b64decode(data["image/png"])
            self.parts.append(f"![{options.get('fig-alt', '')}]({file.relative_to(root).as_posix()})")
        elif "text/html" in data and label:
            self.parts.append(f"[Live on the site]({site_url()}/index.html#{label})")
        elif text := "".join(output.get("text", "")) or data.get("text/plain", ""):
            self.parts.append(f"```text\n{text.rstrip()}\n```")

    def text(self) -> str:
        "The whole file; references to figures are written out."

        def refer(part):
            return re.sub(rf"@({REF})", lambda m: self.figures.get(m[1], m[0]), part)

        paragraphs = [part.strip() for part in self.parts if part.strip()]
        text = outside_code("\n\n".join([MARK, *paragraphs]) + "\n", refer)
        if left := re.findall(r"\[-?@[\w-]+", text):
            raise SystemExit(f"nbs/index.ipynb: {left[0]}]: README.md has no bibliography, write the reference out.")
        return text


def readme() -> tuple[str, dict[Path, bytes]]:  # README.md, and the pictures that it shows
    "README.md as nbs/index.ipynb has it, with its outputs; links and pictures as seen from the top folder."
    page = Readme(read_cells(places.nbs / "index.ipynb"))
    return page.text(), page.pictures


def write_readme():
    text, pictures = readme()
    for file, data in pictures.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    (root / "README.md").write_text(text, encoding="utf-8")
