"""The notebooks as nbdev processes them, in _proc/, made fit for a site that is read without a network.

Links become links within the site, labels of other notebooks become numbers, and live outputs need no scripts from
elsewhere."""

import json
import re
import shutil
import subprocess

from . import library, order, places, reference
from .cells import REF, cell_source, fence, numbered, read_cells
from .code_cells import WIDGET
from .places import page_of, site_url
from .problems import Problems


# Links ---------------------------------------------------------------------------------------------------------------
def relative(text: str, module: str) -> str:  # module: of the page, "" if it has none
    "Links that nbdev makes with the whole address of the site, as links within it, each to the module that is meant."

    def within_site(m):
        code, place = m["code"], m["place"]
        name = (code or "").split(".")[-1]
        exporter = library.owner(name, module) if code and "#" in place else None
        if exporter in library.modules() and len(library.owners()[name]) > 1 and "." not in code:
            place = f"{page_of(library.modules()[exporter])}#{name.lower()}"
        place = re.sub(r"(#[^.]*)\..*", r"\1", place)  # a method has no place of its own there, its class has
        return f"[`{code}`]({place or 'index.html'})" if code else f"]({place or 'index.html'})"

    link = rf"(?:\[`(?P<code>[^`\]]+)`)?\]\({re.escape(site_url())}/?(?P<place>[^)\s]*)\)"
    return re.sub(link, within_site, text)


def module_links(text: str, module: str) -> str:
    "`cuts.name` leads to the page of that module, as nbdev lets names lead to theirs."

    def link(m):
        notebook = library.modules().get(m[1]) if m[1] != module else None
        return f"[{m[0]}]({page_of(notebook)})" if notebook else m[0]

    blocks = re.split(r"(^(?P<f>`{3,}|~{3,}).*?^(?P=f)[`~]*\s*$|^#.*$)", text, flags=re.M | re.S)
    return "".join(
        block if i % 3 else re.sub(r"(?<![\[`])`cuts\.([\w.]+)`(?![\]`])", link, block)
        for i, block in enumerate(blocks)
        if i % 3 != 2 and block
    )


def refer_to_others(text: str, name: str, problems: Problems) -> str:
    "`[@label](other.ipynb#label)` in the notebook `name`, with what the label is called there."

    def refer(m):
        label, notebook = m[1], m[2]
        words = numbered(read_cells(places.nbs / notebook))[0] if (places.nbs / notebook).exists() else {}
        if label not in words:
            problems.add(name, f"@{label} refers to nothing in {notebook}")
        return f"[{words.get(label, label)}]({notebook}#{label})"

    return re.sub(rf"\[@({REF})\]\(([\w-]+\.ipynb)#\1\)", refer, text)


# Notebooks -----------------------------------------------------------------------------------------------------------
def mend_output(data: dict, source: str, module: str, quarto: bool):
    "The data of an output, in place; `source` is the code of its cell."
    if "text/html" in data:
        data.pop(WIDGET, None)
    if "text/html" in data and quarto:  # else Quarto would add scripts from elsewhere for their sake
        data["text/markdown"] = fence("".join(data.pop("text/html")), "=html")
    elif "text/markdown" in data:
        documented = re.search(r"^show_doc\((\w+)\)$", source, re.M)
        text = reference.shown(module, documented[1]) if documented else None
        data["text/markdown"] = text or relative("".join(data["text/markdown"]), module)


def mended(nb: dict, name: str, problems: Problems, quarto: bool) -> dict:
    "A processed notebook made fit for a site that is read without a network, and whose pages refer to each other."
    module = next((module for module, notebook in library.modules().items() if notebook == name), "")
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            text = refer_to_others(module_links(cell_source(cell), module), name, problems)
            cell["source"] = relative(text, module)
        for output in cell.get("outputs", []):
            if "data" in output:
                mend_output(output["data"], cell_source(cell), module, quarto)
    outputs = [output for cell in nb["cells"] for output in cell.get("outputs", [])]
    if not any(WIDGET in output.get("data", {}) for output in outputs):
        nb["metadata"].pop("widgets", None)
    return nb


def process(problems: Problems, quarto: bool):
    "The notebooks as nbdev processes them, and the pages that are made of other files, in _proc/."
    from nbdev.doclinks import _build_modidx
    from nbdev.serve import proc_nbs

    _build_modidx()
    proc_nbs(n_workers=0, force=True)
    for path in sorted(places.proc.glob("*.ipynb")):
        nb = mended(json.loads(path.read_text(encoding="utf-8")), path.name, problems, quarto)
        path.write_text(json.dumps(nb, ensure_ascii=False), encoding="utf-8")


def build_with_quarto(problems: Problems):
    "The site by Quarto: what `nbdev_docs` does, with notebooks that need no network."
    order.write_sidebar()
    process(problems, quarto=True)
    if (places.nbs / "images").is_dir():
        shutil.copytree(places.nbs / "images", places.proc / "images", dirs_exist_ok=True)
    subprocess.run(["quarto", "render", "--no-cache"], cwd=places.proc, check=True)
    shutil.rmtree(places.docs, ignore_errors=True)
    shutil.move(places.proc / places.docs.name, places.docs)
