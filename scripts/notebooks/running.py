"A notebook is run in a kernel of its own, with everything fixed that could make its outputs this machine's."

import base64
import json
import os
import re
import tempfile
import time
from pathlib import Path

from .cells import is_off, is_slow
from .differences import first_difference
from .outputs import normalise, split_title
from .places import nbs, root
from .stamps import stamp

THREADS = "1"
SECONDS, NOTEBOOK_KB, FIGURE_KB = 30, 500, 150  # the aims; what exceeds them is pointed out
INLINE = "module://matplotlib_inline.backend_inline"
OTHERS = """CUTS_ PYTHON MPL IPYTHON KMP_ GOMP_ OMP_ MKL_ OPENBLAS_ NPY_ TORCH_ PYTORCH_ ATEN_ DNNL_ ONEDNN_ SKLEARN_
JOBLIB_ LOKY_"""  # beginnings of variables by which a user sets what we set here
FIXED = {
    **dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"], THREADS),
    "OPENBLAS_NUM_THREADS": "1",  # it takes no more threads than there are cores, and sums differently with two
    "OMP_WAIT_POLICY": "PASSIVE",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Haswell",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
}
QUIET = """import warnings, tqdm.notebook
warnings.filterwarnings("ignore", message="This DataLoader will create") # on a machine with a single core
def quiet(init): return lambda self, *args, **kwargs: init(self, *args, **kwargs | {"disable": True})
tqdm.notebook.tqdm_notebook.__init__ = quiet(tqdm.notebook.tqdm_notebook.__init__)
del quiet, warnings, tqdm
"""  # TQDM_DISABLE alone does not reach a bar that is made with `disable=None`


def environment(scratch: str, slow: bool = False) -> dict[str, str]:  # scratch: a folder for what a kernel leaves
    """This environment, less what is this machine's or this user's, with threads and instruction sets fixed.

    Slow cells measure, and write tables that the others read: with them the machine shows what it can.
    """
    ours = {"PYTHONPATH": str(root), "TQDM_DISABLE": "1", "MPLBACKEND": INLINE, "IPYTHONDIR": scratch}
    if slow:
        return dict(os.environ) | ours
    import matplotlib
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    env = {k: v for k, v in os.environ.items() if not k.startswith(tuple(OTHERS.split()))}
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "LANGUAGE"):
        env.pop(name, None)
    wide = [f for f in __cpu_dispatch__ if (f.startswith("AVX512") or f == "X86_V4") and __cpu_features__.get(f)]
    if wide:
        env["NPY_DISABLE_CPU_FEATURES"] = " ".join(wide)
    return env | FIXED | ours | {"MATPLOTLIBRC": matplotlib.get_data_path()}


def keeps_outputs(cell: dict, slow: bool) -> bool:
    "Whether a cell is skipped."
    return is_off(cell) or is_slow(cell) and not slow


def check_skipped(path: Path, nb, slow: bool) -> None:
    "Refuse skipped cells that show a widget, whose state would be lost."
    kept = [c for c in nb.cells if c.cell_type == "code" and keeps_outputs(c, slow)]
    if any("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for c in kept for o in c.outputs):
        raise ValueError(
            f"{path.name}: a skipped cell shows a widget, whose state would be lost. "
            "Make the cell quick, or show a picture."
        )


def execute(nb, slow: bool, timeout: int | None) -> list[str]:  # ids of the widgets it made, in order
    "Run the cells of a notebook node in a kernel."
    from nbclient import NotebookClient

    from .kernels import forked

    class Client(NotebookClient):
        "Skips the cells that keep their outputs. Where slow cells measure, the kernel is started as everybody's is."

        def create_kernel_manager(self):
            manager = super().create_kernel_manager()
            return manager if slow else forked(manager)

        async def async_execute_cell(self, cell, cell_index, **kwargs):
            if keeps_outputs(cell, slow):
                return cell
            return await super().async_execute_cell(cell, cell_index, **kwargs)

    with tempfile.TemporaryDirectory() as scratch:
        startup = Path(scratch) / "profile_default/startup/quiet.py"
        startup.parent.mkdir(parents=True)
        startup.write_text(QUIET)
        client = Client(
            nb,
            timeout=timeout,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(nbs)}},
        )
        client.execute(env=environment(scratch, slow))
        return list(client.widget_state)


def run(path: Path, slow: bool = False, timeout: int | None = None) -> str:
    "The notebook at `path`, executed and normalised, as the text of its file."
    import nbformat
    from execnb.nbio import dict2nb, nb2str
    from nbdev.clean import clean_nb
    from nbdev.config import get_config

    nb = nbformat.read(path, as_version=4)
    split_title(nb)
    check_skipped(path, nb, slow)
    before = nb.metadata.pop("cuts", {})
    nb.metadata.pop("widgets", None)
    widgets = execute(nb, slow, timeout)
    plain = normalise(json.loads(nbformat.writes(nb)), widgets)
    marks = stamp(plain)
    if "slow" in marks and not slow:
        marks["slow"] = before.get("slow", "not run yet")
    plain["metadata"]["cuts"] = marks
    settings = get_config(path=str(root))
    plain = dict2nb(plain)
    clean_nb(plain, allowed_metadata_keys=settings.allowed_metadata_keys.split(), clean_ids=settings.clean_ids)
    return nb2str(plain)


def run_slow(path: Path) -> str:
    "Run the slow cells as well, and the others once more, as everybody runs them."
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_text(run(path, True), encoding="utf-8")
        return run(copy)


def remarks(text: str, seconds: float) -> list[str]:
    "What exceeds the aims."
    size = len(text.encode()) / 1000
    figures = [len(base64.b64decode(b)) / 1000 for b in re.findall(r'"image/png": "([^"]+)"', text)]
    notes = [f"more than {SECONDS} s"] * (seconds > SECONDS) + [f"more than {NOTEBOOK_KB} kB"] * (size > NOTEBOOK_KB)
    return notes + [f"a figure of {kb:.0f} kB" for kb in figures if kb > FIGURE_KB]


def work(path: Path, slow: bool, timeout: int | None, write: bool) -> tuple[str, str]:
    "Run one notebook and write it if it changed:"
    'its state, "error", "changed" or "unchanged", and a line on it.'
    start, old = time.time(), path.read_text(encoding="utf-8")
    try:
        text = run_slow(path) if slow else run(path, False, timeout)
    except Exception as e:
        return "error", f"{path.name}: {type(e).__name__}\n{str(e)[-6000:]}"
    seconds = time.time() - start
    state = "unchanged" if text == old else "changed"
    if write and text != old:
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    notes = "; ".join(remarks(text, seconds))
    line = f"{path.name}: {state}, {seconds:.0f} s, {len(text.encode()) / 1000:.0f} kB" + (
        f" ({notes})" if notes else ""
    )
    return state, line if write or state == "unchanged" else f"{line}\n{first_difference(old, text)}"
