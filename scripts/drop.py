#!/usr/bin/env python
"""Measure the page that segments without Python: seconds in Chromium, and how far it agrees with Python.

python scripts/drop.py                                             writes nbs/results/drop.csv, some minutes

Beside it stands how far Python agrees with itself when the network's answer and the colours are disturbed in the
seventh digit, the worst of a few times, and on a processor without fused multiplication: what no second program can be
expected to hit.
"""

import argparse
import contextlib
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image as Picture
from playwright.sync_api import sync_playwright
from scipy.optimize import linear_sum_assignment
from skimage import data
from skimage.transform import resize

import cuts
from cuts.data.fundus import fundus_phantom
from cuts.segmentation.content import even_colours, prior_vectors
from cuts.show.drop import write_drop_page

root = Path(__file__).resolve().parents[1]
LEVELS = ("persistent", 4, 8, 16, 32)
NOISE, TIMES = 1e-7, 5
OLDER = dict(ATEN_CPU_CAPABILITY="default", ONEDNN_MAX_CPU_ISA="SSE41")  # as of an x86 processor before 2013
IMAGES = {  # all come with scikit-image, or are drawn
    "camera": (data.camera, (256, 256)),
    "astronaut": (data.astronaut, (256, 256)),
    "eye ground, drawn": (lambda: fundus_phantom((192, 192))[0], (192, 192)),
    "cat": (data.chelsea, (150, 225)),
    "cell": (data.cell, (132, 110)),
    "stained tissue": (data.immunohistochemistry, (128, 128)),
    "astronaut, small": (data.astronaut, (128, 128)),
    "coins": (data.coins, (96, 128)),
    "moon": (data.moon, (64, 64)),
    "coffee": (data.coffee, (400, 600)),
    "astronaut, large": (data.astronaut, (512, 512)),
    "eye ground": (data.retina, (1024, 1024)),
}
SEEN = """() => {
  const { image, plane } = [...document.querySelectorAll("*")].find(e => e.explorer).explorer.session;
  const at = region => Array.from(plane.map, leaf => region[leaf]);
  return [at(image.persistent), ...[4, 8, 16, 32].map(k => at(image.tree.labels(k)))];
}"""


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    "The part of the pixels that lie in regions of both maps that are each other's, whatever their numbers."
    (_, a), (_, b) = (np.unique(x, return_inverse=True) for x in (a, b))
    shared = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(shared, (a.ravel(), b.ravel()), 1)
    return float(shared[linear_sum_assignment(-shared)].sum() / a.size)


def in_browser(page, path: Path) -> tuple[float, list]:
    "Seconds from the choice of a file to the words that it is done, and label maps."
    page.reload()
    status = page.locator(".cuts-element > [role=status]")
    status.wait_for()
    start = time.perf_counter()
    page.locator("input[type=file]").set_input_files(path)
    ready = "() => document.querySelector('.cuts-element > [role=status]').textContent.includes('ready after')"
    page.wait_for_function(ready)
    seconds = time.perf_counter() - start
    page.wait_for_function(f"() => ({SEEN})().length > 0")
    return seconds, [np.array(x) for x in page.evaluate(SEEN)]


@contextlib.contextmanager
def disturbed(seed: int):
    "Inside the `with`, what is known of pixels has noise in the seventh digit."
    rng = np.random.default_rng(seed)

    def noisy(function):
        def answer(image):
            x = function(image)
            return (x * (1 + NOISE * rng.standard_normal(x.shape))).astype(np.float32)

        return answer

    with contextlib.ExitStack() as stack:
        for function in (prior_vectors, even_colours):
            stack.enter_context(patch(f"cuts.segmentation.content.{function.__name__}", noisy(function)))
        yield


def on_an_older_processor(path: Path) -> list:
    "Label maps that Python makes in a process that knows fewer instructions."
    code = (
        "import sys, numpy as np, cuts; seg = cuts.segment(sys.argv[1], method='condensation'); "
        f"np.save(sys.argv[2], np.stack([seg.map(level) for level in {LEVELS!r}]))"
    )
    maps = path.with_suffix(".npy")
    subprocess.run([sys.executable, "-c", code, path, maps], env=os.environ | OLDER, check=True)
    return list(np.load(maps))


def measure(page, name: str, path: Path) -> dict:
    start = time.perf_counter()
    seg = cuts.segment(path, method="condensation")
    row = dict(image=name, rows=seg.spatial[0], columns=seg.spatial[1], channels=seg.image.n_channels)
    row["python_seconds"] = round(time.perf_counter() - start, 2)
    seconds, maps = in_browser(page, path)
    row["browser_seconds"] = round(seconds, 1)
    for level, shown in zip(LEVELS, maps, strict=True):
        row[f"browser_{level}"] = round(agreement(seg.map(level).ravel(), shown), 4)
    others = []
    for seed in range(TIMES):
        with disturbed(seed):
            others.append(cuts.segment(path, method="condensation"))
    for level in LEVELS:
        row[f"noise_{level}"] = round(min(agreement(seg.map(level), other.map(level)) for other in others), 4)
    for level, older in zip(LEVELS, on_an_older_processor(path), strict=True):
        row[f"older_{level}"] = round(agreement(seg.map(level), older), 4)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=root / "nbs/results/drop.csv")
    out, rows = parser.parse_args().out, []
    path = os.environ.get("CUTS_CHROMIUM", "/usr/bin/chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as api:
        write_drop_page(page_file := Path(folder) / "try.html")
        browser = api.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(page_file.as_uri())
        for i, (name, (load, size)) in enumerate(IMAGES.items()):
            x = np.rint(255 * resize(load(), size, anti_aliasing=True)).astype(np.uint8)
            Picture.fromarray(x).save(file := Path(folder) / f"{i}.png")
            rows.append(measure(page, name, file))
            print(rows[-1], file=sys.stderr)
        browser.close()
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
