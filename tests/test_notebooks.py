"Every notebook runs from top to bottom, its `#| slow` and `#| notest` cells excepted."

import os
from pathlib import Path

import forks
import pytest

root = Path(__file__).resolve().parents[1]
LIMIT = 300  # seconds, on a busy machine; the aim is 30 on two idle cores
notebooks = sorted((root / "nbs").glob("*.ipynb"), key=lambda p: -p.stat().st_size)  # the longest first, about


def run(path, home):
    "What `nbdev_test --path` does."
    os.environ |= {"IPYTHONDIR": str(home), "TQDM_DISABLE": "1"}
    os.environ.pop("MPLBACKEND", None)
    os.chdir(root)
    from nbdev.test import nbdev_test

    nbdev_test(str(path), n_workers=0)


@pytest.mark.parametrize("path", notebooks, ids=lambda p: p.stem)
def test_notebook(path, tmp_path):
    status = forks.wait(forks.start(run, path, tmp_path, said=tmp_path / "said"), LIMIT)
    if status != 0:
        pytest.fail(
            f"{path.name}{f' ran longer than {LIMIT} s' if status is None else ''}\n{(tmp_path / 'said').read_text()[-6000:]}",
            pytrace=False,
        )
