"Every notebook runs from top to bottom, its `#| slow` and `#| notest` cells excepted."
import os, signal, subprocess, sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parents[1]
LIMIT = 300  # seconds, on a busy machine; the aim is 30 on two idle cores
notebooks = sorted((root/"nbs").glob("*.ipynb"), key=lambda p: -p.stat().st_size)  # the longest first, about


@pytest.mark.parametrize("path", notebooks, ids=lambda p: p.stem)
def test_notebook(path, tmp_path):
    env = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"} | {"IPYTHONDIR": str(tmp_path), "TQDM_DISABLE": "1"}
    command = [sys.executable, "-c", "import sys; from nbdev.test import nbdev_test; nbdev_test(sys.argv[1], n_workers=0)", str(path)]
    run = subprocess.Popen(command, cwd=root, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, start_new_session=True)
    try: out, _ = run.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)  # its workers too
        pytest.fail(f"{path.name} ran longer than {LIMIT} s\n{run.communicate()[0][-3000:]}", pytrace=False)
    if run.returncode: pytest.fail(f"{path.name}\n{out[-6000:]}", pytrace=False)
