"""Mutated files of every format: each is read or refused by name. Nothing crashes, hangs or takes more than a gigabyte.

python tests/test_fuzz.py 20000            all readers together
python tests/test_fuzz.py 2000 .tif .dcm   some of them
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from mutants import MEMORY, SECONDS, mutant


class Worker:
    "A process that reads the mutants number `first` to `last`."

    def __init__(self, folder, kinds, first, last):
        self.last, own_folder = last, Path(folder) / str(first)
        own_folder.mkdir(exist_ok=True)
        self.log = own_folder / "log.txt"
        script = Path(__file__).with_name("mutants.py")
        command = [sys.executable, str(script), str(own_folder), str(first), str(last), *kinds]
        env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.DEVNULL, env=env)
        self.size, self.heard = 0, time.monotonic()  # of its log, and when it last grew

    def ended(self) -> bool:
        "Whether it has ended; one that says nothing for long is killed, for a hang in C hears no alarm."
        if self.process.poll() is not None:
            return True
        size, now = self.log.stat().st_size, time.monotonic()
        if size != self.size:
            self.size, self.heard = size, now
        elif now - self.heard > 3 * SECONDS:
            self.process.kill()
        return False

    def lines(self, *words: str) -> list[str]:
        "What it said that begins with one of these words."
        return [line for line in self.log.read_text().splitlines() if line.startswith(words)]


def fuzz(n, kinds=(), workers=1):
    "Read `n` mutants in processes of their own; (faults, counts, largest memory of a process in bytes, seconds)."
    faults, counts, memory, start = [], Counter(read=0, refused=0), 0, time.monotonic()
    with tempfile.TemporaryDirectory() as tmp:
        running = [Worker(tmp, kinds, n * k // workers, n * (k + 1) // workers) for k in range(workers)]
        while running:
            time.sleep(0.05)
            for worker in [worker for worker in running if worker.ended()]:
                running.remove(worker)
                faults += worker.lines("raised", "unnamed")
                if summary := worker.lines("memory"):
                    _, used, counted = summary[0].split(" ", 2)
                    memory = max(memory, int(used))
                    counts.update(json.loads(counted))
                    continue
                begun = worker.lines("at ")  # it died: note where, and go on behind
                status = worker.process.returncode
                faults.append(f"died with status {status}: {begun[-1] if begun else 'before the first'}")
                if begun and (number := int(begun[-1].split()[1])) + 1 < worker.last:
                    running.append(Worker(tmp, kinds, number + 1, worker.last))
    return faults, counts, memory, time.monotonic() - start


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_mutants_are_read_or_refused():
    faults, counts, memory, _ = fuzz(300)
    assert not faults, "\n".join(faults)
    assert sum(counts.values()) == 300
    assert min(counts.values()) > 12, counts  # they are neither all good nor all hopeless
    assert 0 < memory < MEMORY


def test_a_mutant_differs():
    rng = random.Random(0)
    data = bytes(range(200))
    assert sum(mutant(data, rng) != data for _ in range(100)) > 80


if __name__ == "__main__":
    faults, counts, memory, seconds = fuzz(int(sys.argv[1]), sys.argv[2:], workers=2)
    print("\n".join(faults))
    print(f"{sum(counts.values())} mutants, {counts['read']} read, {counts['refused']} refused, {len(faults)} faults")
    print(f"{memory / 2**20:.0f} MB at most, {seconds:.0f} s")
