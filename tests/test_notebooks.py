"Every notebook runs from top to bottom, its `#| slow` and `#| notest` cells excepted."
import os, subprocess, sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parents[1]
LIMIT = 300  # seconds, on a busy machine; the aim is 30 on two idle cores
notebooks = sorted((root/"nbs").glob("*.ipynb"), key=lambda p: -p.stat().st_size)  # the longest first, about


@pytest.mark.parametrize("path", notebooks, ids=lambda p: p.stem)
def test_notebook(path, tmp_path):
    env = os.environ | {"IPYTHONDIR": str(tmp_path), "MPLBACKEND": "Agg", "TQDM_DISABLE": "1"}
    command = [sys.executable, "-c", "from nbdev.test import nbdev_test; nbdev_test()", "--path", str(path), "--n_workers", "0"]
    try: run = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as e: pytest.fail(f"{path.name} ran longer than {LIMIT} s\n{(e.stderr or b'').decode()[-3000:]}", pytrace=False)
    if run.returncode: pytest.fail(f"{path.name}\n{run.stdout[-3000:]}\n{run.stderr[-6000:]}", pytrace=False)
