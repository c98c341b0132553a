"""Build what is released, check it, and try it in an environment that has nothing else.

python scripts/wheel.py            a wheel and an archive of the source in dist/, checked
python scripts/wheel.py --try      and `cuts demo` from the wheel, installed into an empty environment
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
INSTALL = ("-m", "pip", "install", "-q", "--no-compile")  # these environments are used once
SHIPPED = (".safetensors", ".js", ".css", ".html")  # of each at least one is in the wheel


def run(*command, **options) -> None:
    "Run a command; exit with its status if it fails."
    print("$", *command, flush=True)
    if status := subprocess.run([str(part) for part in command], **options).returncode:
        sys.exit(f"{command[0]} ended with status {status}")


def environment(folder: Path) -> Path:
    "The interpreter of a new environment."
    venv.create(folder, with_pip=True)
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def build(folder: Path) -> Path:
    "Build and check; the wheel."
    python = environment(folder / "builder")
    run(python, *INSTALL, "--upgrade", "build", "twine", "setuptools")
    shutil.rmtree(DIST, ignore_errors=True)
    run(python, "-m", "build", "--no-isolation", "--outdir", DIST, ROOT, stdout=subprocess.DEVNULL)
    run(python, "-m", "twine", "check", "--strict", *sorted(DIST.iterdir()))
    return next(DIST.glob("*.whl"))


def check_contents(wheel: Path) -> None:
    "Every module and every file that modules read is in the wheel, and nothing of the tests."
    packed = set(ZipFile(wheel).namelist())
    kept = subprocess.run(
        ["git", "ls-files", "cuts"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    if missing := sorted(set(kept) - packed):
        sys.exit(f"{wheel.name} lacks {', '.join(missing[:5])}: see MANIFEST.in")
    for ending in SHIPPED:
        if not any(name.endswith(ending) for name in packed):
            sys.exit(f"{wheel.name} has no file {ending}")
    if strange := [name for name in packed if not re.match(r"cuts/|cuts_segmentation-[\w.]+\.dist-info/", name)]:
        sys.exit(f"{wheel.name} holds {', '.join(strange[:5])}, which is no part of the package")


def try_out(wheel: Path, folder: Path) -> None:
    "The demonstration from the wheel, in an environment with what it asks for and nothing else."
    python, pins = environment(folder / "empty"), (ROOT / "constraints.txt").read_text()
    run(python, *INSTALL, re.search(r"^torch==.*$", pins, re.M)[0])
    run(python, *INSTALL, "-c", ROOT / "constraints.txt", wheel)
    run(python.parent / "cuts", "demo", "--quiet", "--out", folder / "demo", cwd=folder)
    code = "import importlib.util as u, cuts; print(cuts.__file__); assert not u.find_spec('nbdev')"
    run(python, "-P", "-c", code, cwd=folder)
    made = [path for path in (folder / "demo").rglob("*") if path.is_file()]
    print(f"cuts demo made {len(made)} files")
    if not made:
        sys.exit("cuts demo made no file")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--try", action="store_true", dest="is_tried")
    is_tried = parser.parse_args().is_tried
    with tempfile.TemporaryDirectory() as name:
        wheel = build(Path(name))
        check_contents(wheel)
        if is_tried:
            try_out(wheel, Path(name))
        print(f"{wheel.relative_to(ROOT)}: as it should be")
