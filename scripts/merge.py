#!/usr/bin/env python
"""Git's merge driver for notebooks: cells that both sides changed are kept side by side, and the file stays a notebook.

python scripts/merge.py --install            name the driver in this clone's own .git/config; .gitattributes asks for it
python scripts/merge.py BASE OURS THEIRS     what git calls: OURS becomes the merged notebook, status 1 is a conflict

`nbdev_merge` does the same, but hands the subject of a commit to a shell: rebasing a commit whose subject has an
apostrophe then loses that commit's cells without a word.
"""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

root = Path(__file__).resolve().parents[1]
DRIVER = "merge.nbdev-merge"


def merge(base: str, ours: str, theirs: str) -> int:
    "Merge line by line, and where that is a conflict cell by cell, into `ours`. Returns 0, or 1 where cells differ."
    labels = ["-L", "HEAD", "-L", "BASE", "-L", "THEIRS"]
    status = subprocess.run(["git", "merge-file", *labels, ours, base, theirs]).returncode
    if not 0 < status < 128:  # 0: a clean merge; above: git could not even try
        return status
    from nbdev.merge import nbdev_fix

    return int(nbdev_fix.__wrapped__(ours, noprint=True))


def command(python: str = sys.executable) -> str:
    "What git runs in the top folder. Where this environment or this file is gone, it merges lines as without a driver."
    python = shlex.quote(python)
    return (
        f"if [ -x {python} ] && [ -f scripts/merge.py ]; then {python} scripts/merge.py %O %A %B; "
        "else git merge-file %A %O %B; fi"
    )


def is_checkout(folder: Path) -> bool:
    "Whether `folder` is the top of a git checkout; not so an unpacked archive, even inside of another repository."
    try:
        top = subprocess.run(["git", "rev-parse", "--show-toplevel"], cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:  # no git on this machine
        return False
    return top.returncode == 0 and os.path.samefile(top.stdout.rstrip("\n"), folder)


def install(folder: Path = root) -> str:
    "Name the driver in the configuration of this clone. Returns what was done."
    if not is_checkout(folder):
        return f"{folder} is not a git checkout: no merge driver for notebooks is needed"
    for key, value in (("name", "cells of notebooks side by side"), ("driver", command())):
        subprocess.run(["git", "config", "--local", f"{DRIVER}.{key}", value], cwd=folder, check=True)
    return "git merges notebooks cell by cell in this clone"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="name the driver in this clone's configuration")
    parser.add_argument("files", nargs="*", metavar="BASE OURS THEIRS")
    args = parser.parse_args()
    if args.install and not args.files:
        print(install())
        return 0
    if args.install or len(args.files) != 3:
        parser.error("expected --install alone, or the three files BASE OURS THEIRS")
    return merge(*args.files)


if __name__ == "__main__":
    sys.exit(main())
