#!/usr/bin/env python
"""Run the notebooks and keep their outputs; made so that the same code gives the same file on another machine.

python scripts/execute.py                    every notebook
python scripts/execute.py nbs/20_*.ipynb     these
python scripts/execute.py --stale            those whose code, or a definition they use, changed since they last ran
python scripts/execute.py --check            only say which those are; exit 1 if there are any
python scripts/execute.py --diff             run, write nothing, and say which would change
python scripts/execute.py --slow             `#| slow` cells too; otherwise they are skipped and keep their outputs
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from notebooks.places import nbs
from notebooks.running import work
from notebooks.stamps import is_stale, slow_is_stale


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all in nbs/")
    for flag in ("stale", "check", "diff", "slow"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="notebooks at a time")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one cell (with --slow there is no limit)")
    args = parser.parse_args()
    missing = [str(p) for p in args.notebooks if not p.is_file()]
    if missing:
        parser.error(f"no such notebook: {', '.join(missing)}")
    return args


def check(paths: list[Path]) -> int:
    "Say which notebooks are stale."
    stale, slow = [p.name for p in paths if is_stale(p)], [p.name for p in paths if slow_is_stale(p)]
    for name in slow:
        print(f"{name}: its slow cells changed since they last ran (scripts/execute.py --slow nbs/{name})")
    for name in stale:
        print(f"{name}: stale, its code or a definition it uses changed (scripts/execute.py nbs/{name})")
    print(f"{len(paths) - len(stale)} of {len(paths)} notebooks are up to date.")
    return int(bool(stale))


def main() -> int:
    args = arguments()
    paths = [p.resolve() for p in args.notebooks] or sorted(nbs.glob("*.ipynb"))
    if args.check:
        return check(paths)
    if args.stale:
        paths = [p for p in paths if is_stale(p) or args.slow and slow_is_stale(p)]
    states = []
    with ProcessPoolExecutor(args.jobs) as pool:
        timeout = None if args.slow else args.timeout
        for job in [pool.submit(work, p, args.slow, timeout, not args.diff) for p in paths]:
            state, line = job.result()
            states.append(state)
            print(line, flush=True)
    print(", ".join(f"{states.count(s)} {s}" for s in ("unchanged", "changed", "error")))
    return int("error" in states or args.diff and "changed" in states)


if __name__ == "__main__":
    sys.exit(main())
