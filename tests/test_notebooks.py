"Every notebook runs from top to bottom, its `#| slow` and `#| notest` cells excepted."
import os
from pathlib import Path

import forks
import pytest

root = Path(__file__).resolve().parents[1]
LIMIT = 300  # seconds, on a busy machine; the aim is 30 on two idle cores
notebooks = sorted((root/"nbs").glob("*.ipynb"), key=lambda p: -p.stat().st_size)  # the longest first, about


def run(path, home):
    "What `nbdev_test --path` does."
    os.environ |= {"IPYTHONDIR": str(home), "TQDM_DISABLE": "1"}; os.environ.pop("MPLBACKEND", None); os.chdir(root)
    from nbdev.test import nbdev_test
    nbdev_test(str(path), n_workers=0)


@pytest.mark.parametrize("path", notebooks, ids=lambda p: p.stem)
def test_notebook(path, tmp_path):
    process = forks.start(run, path, tmp_path, said=tmp_path/"said"); process.join(LIMIT)
    if late := process.exitcode is None: forks.kill(process)
    if late or process.exitcode: pytest.fail(f"{path.name}{f' ran longer than {LIMIT} s' * late}\n{(tmp_path/'said').read_text()[-6000:]}", pytrace=False)
