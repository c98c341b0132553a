#!/usr/bin/env python
"""Train the prior that comes with the package, on drawn pictures: an hour and a half on two cores.

torchrun --standalone --nproc-per-node 2 scripts/prior.py          what `make prior` does
python scripts/prior.py --steps 200 --out elsewhere                a short one, to try
"""

import argparse
import csv
import logging
import time
from pathlib import Path

from cuts.stage1.parallel import one_world
from cuts.stage1.pretraining import pretrain
from cuts.stage1.prior import save_prior

root = Path(__file__).resolve().parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6500)
    parser.add_argument("--batch-size", type=int, default=8, help="pictures a step, of each process")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder; without it the package's own files are replaced")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    world, start, rows = one_world("cpu"), time.monotonic(), []
    weights = args.out / "prior.safetensors" if args.out else root / "cuts/stage1/prior.safetensors"
    history = args.out / "history.csv" if args.out else root / "data/prior/history.csv"

    def report(record, prior):
        pictures = record["step"] * args.batch_size * world.size
        losses = {name: round(record[name], 4) for name in ("contrast", "reconstruction")}
        rows.append(dict(step=record["step"], pictures=pictures, **losses))
        logging.info("%s, %.0f s", rows[-1], time.monotonic() - start)
        for path in (weights, history):
            path.parent.mkdir(parents=True, exist_ok=True)
        save_prior(prior, weights)
        with open(history, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    silent = lambda record, prior: None  # noqa: E731
    pretrain(args.steps, args.batch_size, seed=args.seed, world=world, report=silent if world.rank else report)


if __name__ == "__main__":
    main()
