"Every notebook runs from top to bottom, its `#| slow` cells excepted, and shows what is committed."

import os
import warnings

import pytest
from notebooks.running import work
from repository import notebooks

HANG = 1200  # seconds for one cell: not a measure of speed, but the end of waiting
LONGEST_FIRST = sorted(notebooks, key=lambda p: -p.stat().st_size)  # the longest first, about


@pytest.mark.parametrize("path", LONGEST_FIRST, ids=lambda p: p.stem)
def test_notebook(path):
    state, line = work(path, slow=False, timeout=HANG, write=False)
    if state == "error" or state == "changed" and os.environ.get("CI"):
        pytest.fail(line, pytrace=False)
    if state == "changed":  # another processor or system may draw a pixel differently
        warnings.warn(f"shows something else than what is committed: {line}", stacklevel=1)
