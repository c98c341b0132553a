"What two runs of a notebook differ in."

import base64
import difflib
import io
import json

import numpy as np
from PIL import Image


def first_difference(old: str, new: str) -> str:
    "What two texts of a notebook differ in: the first lines, or by how much a picture does."
    for a, b in zip(json.loads(old)["cells"], json.loads(new)["cells"], strict=False):
        if a.get("outputs") != b.get("outputs") and (difference := picture_difference(a, b)):
            return difference
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    return "\n".join([line[:160] for line in lines if line[:2] not in ("--", "++", "@@")][:12])


def pictures(cell: dict) -> list[np.ndarray]:  # [H, W, 3] each
    "The pictures that a cell shows."
    encoded = [o["data"]["image/png"] for o in cell["outputs"] if "image/png" in o.get("data", {})]
    files = (io.BytesIO(base64.b64decode("".join(text))) for text in encoded)
    return [np.asarray(Image.open(file).convert("RGB"), int) for file in files]


def picture_difference(a: dict, b: dict) -> str:  # cells; "" if their pictures are the same
    "By how much the pictures of two cells differ."
    for x, y in zip(pictures(a), pictures(b), strict=False):
        if x.shape != y.shape:
            return f"  cell {a['id']}: a picture of {x.shape[:2]} became one of {y.shape[:2]}"
        if (x != y).any():
            count = (x != y).any(-1).sum()
            return (
                f"  cell {a['id']}: {count} of {x[..., 0].size} pixels of a picture differ, "
                f"by {np.abs(x - y).max()} of 255 at most"
            )
    return ""
