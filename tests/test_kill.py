"""`cuts run` killed at random moments, and started again: what it ends with is what an undisturbed run gives.

python tests/test_kill.py 50        more moments than the test has
"""

import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import pytest

# One server imports what takes seconds; each run is forked from it.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["torch._dynamo", "pandas", "skimage.measure", "sklearn.cluster", "matplotlib.figure"])
HANG = 1200  # seconds: not a measure of speed, but the end of waiting

SETTINGS = ["--epochs", "6", "--seeds", "1,2", "--methods", "otsu,slic,cuts", "-q"]
for setting in ("num_kernels=4", "n_landmarks=100", "spectral_landmarks=100", "crop=24"):
    SETTINGS += ["--set", setting]


def images(folder):
    "Three small pictures, two of them with a truth."
    import numpy as np
    from cuts.data.phantoms import nested_phantom
    from cuts.io.writing import write_labels
    from cuts.io.rasters import write_picture

    (folder / "labels").mkdir(parents=True)
    for i in range(3):
        picture, truth = nested_phantom((40, 44), i)
        write_picture(folder / f"{i}.png", picture)
        if i:
            write_labels(folder / "labels" / f"{i}.png", (truth[0] == 1).astype(np.int32))
    return folder


def command(source, out):
    "What `cuts run` does, its words in a file."
    log = os.open(out.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    sys.argv = ["cuts", "run", str(source), "--out", str(out), *SETTINGS]
    from cuts.cli.command import main

    main()


def start(source, out):
    process = PROCESSES.Process(target=command, args=(source, out))
    process.start()
    return process


def end(process, out):
    process.join(HANG)
    assert process.exitcode == 0, f"{process.exitcode}: " + out.with_suffix(".log").read_text()


def kill_after(process, seconds) -> bool:
    "Kill a process that still runs after so many seconds; whether it did."
    process.join(seconds)
    if process.exitcode is not None:
        return False
    process.kill()
    process.join()
    return True


def results(out):
    "Every file but locks and manifests, whose records tell when they were written."
    return {
        p.relative_to(out).as_posix(): p.read_bytes()
        for p in sorted(out.rglob("*"))
        if p.is_file() and "manifest" not in p.parts and p.name != ".lock"
    }


def temporary(out):
    return [p for p in out.rglob("*") if p.is_file() and p.name.startswith(".") and p.name != ".lock"]


def moment_of_death(moments, deaths, seconds):
    "Seconds into a run of so many `seconds`: at any time, and every other time near its end."
    return moments.uniform(0, seconds) if deaths % 2 else moments.uniform(0.6, 1) * seconds


def killed(n, folder, seed=0):
    "(differing files, deaths that met a running process, seconds of the undisturbed run, files left half-written)."
    source, moments = images(folder / "in"), random.Random(seed)
    first = PROCESSES.Process(target=int)  # it takes longer: the server is started
    first.start()
    first.join()
    begin, out = time.monotonic(), folder / "whole"
    end(start(source, out), out)
    seconds, whole = time.monotonic() - begin, results(out)
    deaths, rounds, differ = 0, 0, set()
    while deaths < n:
        out = folder / f"killed-{rounds}"
        rounds, before, begin = rounds + 1, deaths, time.monotonic()  # a run that ends begins anew elsewhere
        while True:
            process = start(source, out)
            if deaths < n and kill_after(process, moment_of_death(moments, deaths, seconds)):
                deaths += 1
                continue
            end(process, out)
            break
        if deaths == before:  # it took less time than the first, and was over before its moment came
            seconds = min(seconds, time.monotonic() - begin)
        resumed = results(out)
        differ |= {name for name in {*resumed, *whole} if resumed.get(name) != whole.get(name)}
    return differ, deaths, seconds, temporary(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a process that can safely be forked")
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path):
    differ, _, _, left = killed(5, tmp_path)
    assert not differ, sorted(differ)
    assert not left, left  # what a dead writer left is swept away


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as tmp:
        differ, deaths, seconds, left = killed(int(sys.argv[1]), Path(tmp))
        print(f"{deaths} deaths; the undisturbed run takes {seconds:.1f} s")
        print(f"{len(differ)} files differ {sorted(differ)[:5]}; {len(left)} left over")
