"Processes that write into a run folder, and what they leave behind."

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and limits")


def python(code, *args, **options):
    "A Python process that works on the same modules."
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def kill(process):
    process.kill()
    process.communicate()


def leftovers(folder):
    "Files that somebody has begun to write."
    return list(Path(folder).rglob(".writing-*"))
