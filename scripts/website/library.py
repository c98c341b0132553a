"The modules of the package: their notebooks, what they export, and which of them is meant by a name."

import re
import sys
from functools import cache
from pathlib import Path

from . import places
from .cells import cell_source, read_cells
from .exports import Entry, exported


def module_file(module: str) -> Path:
    return places.root / "cuts" / f"{module.replace('.', '/')}.py"


def notebook_file(name: str) -> Path:
    return places.root / "nbs" / name


@cache
def source_of(module: str) -> str:
    return module_file(module).read_text(encoding="utf-8")


@cache
def entries(module: str) -> list[Entry]:
    return exported(source_of(module))


def module_notebooks(folder: Path) -> dict[str, str]:
    "Which notebook each module is exported from, in the order of their numbers: module → file name."
    notebook_of = {}
    for path in sorted(folder.glob("*.ipynb")):
        if m := re.search(r"#\|\s*default_exp\s+([\w.]+)", path.read_text(encoding="utf-8")):
            notebook_of[m[1]] = path.name
    return notebook_of


@cache
def modules() -> dict[str, str]:  # module → notebook
    "The modules that export something."
    listed = module_notebooks(places.root / "nbs").items()
    return {module: notebook for module, notebook in listed if module_file(module).exists() and entries(module)}


def code_url(module: str, line: int) -> str:
    file = module_file(module).relative_to(places.root).as_posix()
    return f"{places.code_url(file)}#L{line}"


@cache
def homes() -> dict[str, str]:  # name → module
    "The names that `cuts` itself hands on."
    sys.path.insert(0, str(places.root))
    from cuts import _home

    return _home


@cache
def owners() -> dict[str, list[str]]:  # name → modules that export it
    exporters = {}
    for module in modules():
        for entry in entries(module):
            exporters.setdefault(entry.name, []).append(module)
    return exporters


def owner(name: str, module: str = "") -> str | None:  # module: on whose pages the name stands
    """The module that is meant by a name, None if no module exports it.

    That is the page's own module, else the one that `cuts` hands on, else any that has the name, the commands last."""
    exporters = owners().get(name, [])
    if module in exporters or not exporters:
        return module if exporters else None
    if homes().get(name) in exporters:
        return homes()[name]
    return next((exporter for exporter in exporters if exporter.split(".")[0] != "cli"), exporters[0])


@cache
def methods(module: str) -> set[str]:  # with the names of their classes
    return {member.name for entry in entries(module) for member in entry.members}


@cache
def equations(module: str) -> dict[str, str]:  # label → number
    "How the equations are numbered on the page of a module."
    prose = [cell for cell in read_cells(notebook_file(modules()[module])) if cell["cell_type"] == "markdown"]
    text = "\n".join(cell_source(cell) for cell in prose)
    return {label: str(i + 1) for i, label in enumerate(re.findall(r"\{#(eq-[\w-]+)", text))}


def title_of(notebook: str) -> tuple[str, str]:  # title and subtitle
    for cell in read_cells(notebook_file(notebook)):
        text = cell_source(cell)
        if cell["cell_type"] == "markdown" and (m := re.match(r"# (.+)", text)):
            subtitle = re.search(r"^> (.+)", text, re.M)
            return m[1].strip(), subtitle[1].strip() if subtitle else ""
    return notebook, ""
