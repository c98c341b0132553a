"Progress bars in a terminal: what is left on the screen when a bar ran inside another."

import os
import re
import sys

import pytest

pty = pytest.importorskip("pty", reason="POSIX only")

SEGMENT = """
import tempfile
from cuts.data.phantoms import phantoms
from cuts.runs.one_image import make_config
from cuts.runs.steps import segment_dataset

small = dict(epochs=2, crop=24, batch_size=4, min_batches=1, n_anchors=8, precision="float32", device="cpu")
config = make_config(n_landmarks=60, spectral_landmarks=40, method="condensation", **small)
segment_dataset(phantoms("nested", 2, (40, 40)), tempfile.mkdtemp(), config)
"""


def in_terminal(code: str) -> str:
    "What a Python program writes to a terminal of a hundred columns."
    import fcntl
    import struct
    import termios

    process, terminal = pty.fork()
    if not process:
        os.execvp(sys.executable, [sys.executable, "-c", code])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    written = b""
    try:
        while part := os.read(terminal, 65536):
            written += part
    except OSError:  # how Linux says that the program has ended
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, written.decode()
    return written.decode()


def screen(written: str) -> list[str]:
    "The lines that stand on a screen after all that was written."
    lines, row, column = [""], 0, 0
    for move in re.findall(r"\x1b\[A|\x1b\[\d*\w|\r|\n|[^\x1b\r\n]+", written):
        if move == "\x1b[A":
            row = max(0, row - 1)
        elif move == "\r":
            column = 0
        elif move == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
        elif not move.startswith("\x1b"):
            line = lines[row].ljust(column)
            lines[row], column = line[:column] + move + line[column + len(move) :], column + len(move)
    return [line.strip() for line in lines if line.strip()]


def test_bars_of_trainings_are_gone_when_the_images_are_done():
    written = in_terminal(SEGMENT)
    assert written.count("stage 1: ") > 2  # they were shown
    left = screen(written)
    assert len(left) == 1, left
    assert left[0].startswith("stage 2: 100%")
