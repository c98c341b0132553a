#!/usr/bin/env python
"""Every notebook and everything in tests/, on `-j` workers; the last line counts what passed and failed.

python scripts/test.py                     all
python scripts/test.py -j 1 -k 20_diff     what pytest's other options choose
"""

import argparse
import os
import signal
import sys
from pathlib import Path

root = Path(__file__).resolve().parents[1]
# plugins that come with packages: no test uses them, and each process would import those packages for their sake
NOT_USED = [
    part for name in ("anyio", "napari", "napari-plugin-engine", "npe2", "zarr") for part in ("-p", f"no:{name}")
]


class Tally:
    "A pytest plugin that counts each test once, whatever phase it fails in."

    def __init__(self):
        self.outcomes = {}

    def pytest_runtest_logreport(self, report):
        counts = report.when == "call" or report.outcome != "passed"
        if counts and self.outcomes.get(report.nodeid) != "failed":
            self.outcomes[report.nodeid] = report.outcome

    def pytest_collectreport(self, report):
        if report.failed:
            self.outcomes[report.nodeid] = "failed"

    def line(self) -> str:
        count = list(self.outcomes.values()).count
        return f"{count('passed')} passed, {count('failed')} failed"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    args, rest = parser.parse_known_args()
    os.chdir(root)
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a job in the background is started deaf to Ctrl-C, which some tests send
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ |= {"MPLBACKEND": "Agg", "TQDM_DISABLE": "1"}
    import pytest

    tally = Tally()
    spread = ["-n", str(args.jobs), "--dist", "worksteal"] if args.jobs > 1 else []
    ours = ["tests", "-q", "-ra", "--durations=8", "-p", "no:cacheprovider", *NOT_USED]
    status = pytest.main([*ours, *spread, *rest], plugins=[tally])
    passed = sum(o == "passed" for o in tally.outcomes.values())
    if status == 0 and not passed:
        status = 5  # nothing ran
    print(f"\n{tally.line()}", flush=True)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
