"Whether the outputs of a notebook are those of its code."

import hashlib
import json
from pathlib import Path

from .cells import is_off, is_slow, source_of, what_it_does
from .dependencies import definitions_used, scripts_used


def short_hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def stamp(nb: dict) -> dict[str, str]:
    "Hashes of what outputs depend on: `code` the cells that always run and what they use, `slow` the slow cells."
    code = [c for c in nb["cells"] if c["cell_type"] == "code"]
    slow = [source_of(c) for c in code if is_slow(c)]
    cells = [source_of(c) for c in code if not is_slow(c) and not is_off(c)]
    source = "\n".join(cells)
    used = [f"{module}.{name}\n{text}" for (module, name), text in definitions_used(source).items()]
    shown = [path.read_text(encoding="utf-8") for path in scripts_used(source)]
    marks = {"code": short_hash(*map(what_it_does, cells), *used, *shown)}
    return marks | ({"slow": short_hash(*map(what_it_does, slow))} if slow else {})


def is_stale(path: Path) -> bool:
    "Whether the code, or a definition that it uses, has changed since the notebook ran."
    nb = json.loads(path.read_text(encoding="utf-8"))
    return nb["metadata"].get("cuts", {}).get("code") != stamp(nb)["code"]


def slow_is_stale(path: Path) -> bool:
    "Whether the slow cells have changed since they ran."
    nb = json.loads(path.read_text(encoding="utf-8"))
    return nb["metadata"].get("cuts", {}).get("slow") != stamp(nb).get("slow")
