"The command `cuts` in this process, small pictures to try it on, and what it leaves on the disk."

import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from cuts.cli.command import app
from cuts.data.fundus import fundus_phantom
from cuts.io.writing import write_labels
from cuts.io.rasters import write_picture

resource = pytest.importorskip("resource", reason="POSIX only")

TINY = ["--epochs", "1", "--device", "cpu"]
for setting in (
    "crop=24",
    "batch_size=4",
    "n_anchors=8",
    "min_batches=1",
    "precision=float32",
    "n_landmarks=60",
    "spectral_landmarks=40",
):
    TINY += ["--set", setting]
MAIN = [sys.executable, "-P", "-c", "from cuts.cli.command import main; main()"]


def cuts(*args):
    "Status and output of a command in this process; an exception that escapes is a failure."
    result = CliRunner().invoke(app, [str(a) for a in args], prog_name="cuts")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output or "--debug" in args
    return result.exit_code, result.output


def picture(path, seed=0, shape=(32, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, fundus_phantom(shape, seed)[0])


def write_example(folder, name, seed):
    "A picture, and its truth in the folder labels/."
    image, truth = fundus_phantom((32, 36), seed)
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    write_picture(folder / f"{name}.png", image)
    write_labels(folder / "labels" / f"{name}.png", truth)


def contents(folder):
    "Every file's content, without the folder's locks."
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.endswith("lock")
    }


def segmentations(folder):
    "The content of every segmentation in a folder."
    return {name: content for name, content in contents(folder).items() if name.endswith(".npz")}


def snapshot(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name[0] != "."}


def naming_imports(arguments, modules):
    "Code that runs a command, and names on the error stream those of some modules that it imported."
    return f"""
import sys
from cuts.cli.command import main
try:
    main({arguments})
finally:
    print([module for module in {modules} if module in sys.modules], file=sys.stderr)
"""


def cpu_seconds(code, good):
    "The fewest CPU seconds of three runs: the machine may be busy, and children of other tests end meanwhile."
    best = np.inf
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        complaint = done.stdout + done.stderr
        assert done.returncode == 0, complaint
        assert good(done), complaint
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best
