"What is kept of a run: nothing that this run has and the next has not."

import base64
import io
import json
import re
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from . import places
from .stamps import short_hash

TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"tIME")


def plain_png(data: bytes) -> bytes:
    "A PNG without its text and time chunks, which name the program that wrote it and its version."
    pieces, start = [data[:8]], 8
    while start < len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        if kind not in TEXT_CHUNKS:
            pieces.append(data[start : start + 12 + length])
        start += 12 + length
    return b"".join(pieces)


def light_png(data: bytes) -> bytes:
    "A picture in the 256 colours that suit it best, a third of the size; as it is where one would see the difference."
    with Image.open(io.BytesIO(data)) as picture:
        if picture.mode not in ("RGB", "RGBA"):
            return data
        if picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255):
            return data
        true = picture.convert("RGB")
    reduced = true.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    if np.abs(np.asarray(true, np.int16) - np.asarray(reduced.convert("RGB"), np.int16)).mean() > 2:
        return data  # smooth colours: bands would show
    file = io.BytesIO()
    reduced.save(file, "PNG", optimize=True)
    return min(file.getvalue(), data, key=len)


def plain_text(text: str) -> str:
    "Text without this machine's places: a cell's file, temporary folders, the checkout, the environment, the home."
    text = re.sub(r"(?<!\S)\S*ipykernel_\d+[\\/]\d+\.py", "<cell>", text)
    scratch = Path(tempfile.gettempdir())
    named = {(sys.prefix, "<environment>"), (str(places.root), "."), (str(Path.home()), "~")}
    named |= {(str(folder / "tmp"), "<temporary>") for folder in (scratch, scratch.resolve())}
    for place, name in sorted(named, key=lambda pair: -len(pair[0])):
        rest = r"\w{8}(?!\w)" if name == "<temporary>" else r"(?![\w-])"  # whole paths: /data is no part of ./data
        if len(place) > 3:
            text = re.sub(r"(?<![\w.~/\\$-])" + re.escape(place) + rest, lambda _, name=name: name, text)
    text = re.sub(r"<environment>[\\/]lib[\\/]python3\.\d+[\\/]site-packages", "<packages>", text)
    return re.sub(r"((?:\./cuts|<packages>)[\w./-]*\.py):\d+", r"\1", text)  # lines move when others change


def sort_streams(outputs: list[dict]) -> None:
    "Standard output before the messages: which came first is a matter of buffers."
    where = [i for i, output in enumerate(outputs) if output.get("output_type") == "stream"]
    ordered = sorted((outputs[i] for i in where), key=lambda output: output["name"], reverse=True)
    for i, output in zip(where, ordered, strict=True):
        outputs[i] = output


def plain_output(output: dict) -> None:
    "One output, without what varies."
    if "text" in output:
        output["text"] = plain_text("".join(output["text"])).splitlines(keepends=True)
    for kind, value in output.get("data", {}).items():
        if kind == "image/png":
            picture = base64.b64decode("".join(value))
            output["data"][kind] = base64.b64encode(plain_png(light_png(picture))).decode()
        elif kind.startswith("text/"):
            output["data"][kind] = plain_text("".join(value)).splitlines(keepends=True)


def normalise(nb: dict, widgets: list[str]) -> dict:  # widgets: ids of the models in the order they were made
    "What one run has and the next has not, taken out of the outputs."
    text = json.dumps(nb)
    for i, model in enumerate(widgets):
        text = text.replace(model, f"{i:032x}")
    nb = json.loads(text)
    for cell in nb["cells"]:
        if cell["cell_type"] == "code":
            sort_streams(cell["outputs"])
            for output in cell["outputs"]:
                plain_output(output)
    return nb


def split_title(nb) -> None:  # a notebook node
    "Give what follows title and subtitle a cell of its own: nbdev makes front matter of the title's cell."
    titles = (i for i, c in enumerate(nb.cells) if c.cell_type == "markdown" and c.source.startswith("# "))
    if (where := next(titles, None)) is None:
        return
    cell = nb.cells[where]
    head = re.match(r"# .*\n*(?:> .*\n*)?(?:- .*: .*\n*)*", cell.source + "\n")[0]
    if rest := cell.source[len(head) :].strip():
        from nbformat.v4 import new_markdown_cell

        cell.source = head.strip()
        nb.cells.insert(where + 1, new_markdown_cell(rest, id=short_hash(cell.id, "rest")[:8]))
