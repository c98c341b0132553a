#!/usr/bin/env python
"""Train the network of hints that comes with the package, on drawn pictures: half an hour on two cores.

python scripts/hints.py --jobs 2                                   what `make hints` does
python scripts/hints.py --lessons 60 --out elsewhere               a short one, to try
"""

import argparse
import csv
import logging
import time
from pathlib import Path

from cuts.evaluate.hint_lessons import hints_file, make_lessons, train_hints
from cuts.files.atomic import write_atomic

root = Path(__file__).resolve().parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lessons", type=int, default=1600, help="drawn pictures")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 2], help="each time the lessons are gone through")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes that draw and segment")
    parser.add_argument("--out", type=Path, help="folder; without it the package's own files are replaced")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    start, rows = time.monotonic(), []
    weights = args.out / "hints.safetensors" if args.out else root / "cuts/segmentation/hints.safetensors"
    history = args.out / "history.csv" if args.out else root / "data/hints/history.csv"

    def report(record, learner):
        rows.append(record | dict(loss=round(record["loss"], 4)))
        logging.info("%s, %.0f s", rows[-1], time.monotonic() - start)
        for path in (weights, history):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(weights, hints_file(learner))
        with open(history, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    lessons = make_lessons(args.lessons, seed=args.seed, n_jobs=args.jobs)
    logging.info("%d lessons, %.0f s", len(lessons), time.monotonic() - start)
    train_hints(lessons, args.epochs, args.seed, report)


if __name__ == "__main__":
    main()
