"What a page without Python makes of an image, in Node.js or in a browser, and how far two segmentations agree."

import json
import shutil
import subprocess

import numpy as np
import pytest
from repository import root
from scipy.optimize import linear_sum_assignment

from cuts.io.reading import as_image

SCRIPTS = root / "cuts/show/js/drop"
PRIOR, HINTS = root / "cuts/stage1/prior.safetensors", root / "cuts/segmentation/hints.safetensors"

_SCRIPT = """
import { readFileSync } from "node:fs";
const [folder, prior, hints, names] = process.argv.slice(1);
const modules = await Promise.all(names.split(" ").map(name => import(`${folder}/${name}.js`)));
const js = Object.assign({}, ...modules);
const bytes = path => new Uint8Array(readFileSync(path)).buffer;
js.priorFile = () => bytes(prior);
js.hintsFile = () => bytes(hints);
let text = "";
for await (const part of process.stdin) text += part;
const given = JSON.parse(text);
const plain = (_, x) => ArrayBuffer.isView(x) ? Array.from(x) : x === Infinity ? 1e300 : x;
console.log(JSON.stringify(await (async () => { BODY })(), plain));
"""


def run_node(modules: str, body: str, **given):
    "What a piece of JavaScript returns that sees modules of the page as `js`, and `given`."
    command = ["node", "--input-type=module", "-e", _SCRIPT.replace("BODY", body), str(SCRIPTS), PRIOR, HINTS, modules]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def given_image(x: np.ndarray) -> dict:  # of [H,W] or [H,W,3] uint8
    "An image as a test hands it to JavaScript: numbers in [-1, 1], the channels of a pixel side by side."
    data = np.moveaxis(as_image(x).data, 0, -1)
    height, width, channels = data.shape
    return dict(height=height, width=width, channels=channels, values=data.ravel().tolist())


IMAGE = "const image = { ...given.image, values: Float32Array.from(given.image.values) };"


def agreement(a: np.ndarray, b: np.ndarray) -> float:  # of two label maps
    "The part of the pixels that lie in regions of both maps that are each other's, whatever their numbers."
    (_, a), (_, b) = np.unique(a, return_inverse=True), np.unique(b, return_inverse=True)
    shared = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(shared, (a.ravel(), b.ravel()), 1)
    return float(shared[linear_sum_assignment(-shared)].sum() / a.size)


def labels(parent, leaves, k: int) -> np.ndarray:  # of each pixel
    "The finest partition of at most `k` regions of a tree that JavaScript made."
    region = np.arange(len(parent))
    while (late := region >= k).any():
        region[late] = np.asarray(parent)[region[late]]
    return region[np.asarray(leaves)]


needs_node = pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")
