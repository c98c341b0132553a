#!/usr/bin/env python
"""Run the notebooks and keep their outputs; made so that the same code gives the same file on another machine.

python scripts/execute.py                    every notebook
python scripts/execute.py nbs/20_*.ipynb     these
python scripts/execute.py --stale            those whose code, or a module they use, changed since they last ran
python scripts/execute.py --check            only say which those are; exit 1 if there are any
python scripts/execute.py --diff             run, write nothing, and say which would change
python scripts/execute.py --slow             `#| slow` cells too; otherwise they are skipped and keep their outputs
"""

import argparse, ast, base64, difflib, hashlib, io, json, os, re, struct, sys, tempfile, time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

root = Path(__file__).resolve().parents[1]
nbs, lib = root / "nbs", root / "cuts"
js = lib / "show" / "js"  # the scripts of the explorer and of live elements
if str(root) not in sys.path:
    sys.path.insert(0, str(root))
THREADS = "2"
SECONDS, NOTEBOOK_KB, FIGURE_KB = 30, 500, 150  # the aims; what exceeds them is pointed out


# What a notebook's outputs depend on -------------------------------------------------------------------------------
def directives(source: str) -> set[str]:  # of one code cell
    "The names of the `#|` directives that a cell begins with, `eval: false` as it stands."
    found = set()
    for line in source.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            break
        if m := re.match(r"\s*#\|\s*(eval:\s*false|[\w-]+)", line):
            found.add(re.sub(r":\s*", ": ", m[1]))
    return found


def is_slow(cell):
    return cell["cell_type"] == "code" and "slow" in directives("".join(cell["source"]))


def is_off(cell):
    return cell["cell_type"] == "code" and "eval: false" in directives("".join(cell["source"]))


def code_lines(source: str) -> str:
    "The lines of `source` that do something: no comments, no blank lines, nothing after the last letter of a line."
    return "\n".join(
        line.rstrip() for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")
    )


def parsed(source: str) -> ast.Module:
    "The syntax tree of a cell, its lines of magic left out."
    return ast.parse("\n".join("" if re.match(r"\s*[%!]", line) else line for line in source.splitlines()))


def imported(source: str) -> set[str]:  # names of modules of `cuts`
    "The modules of `cuts` that `source` imports or reaches through `cuts.name`."
    from cuts import _home

    try:
        tree = parsed(source)
    except SyntaxError:
        return {p.stem for p in lib.glob("*.py")}  # unreadable to us: depends on everything
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names if a.name.startswith("cuts.")}
        elif isinstance(node, ast.ImportFrom):
            base = (
                "cuts" if node.level and not node.module else f"cuts.{node.module}" if node.level else node.module or ""
            )
            if base == "cuts":
                names |= {f"cuts.{_home.get(a.name, a.name)}" for a in node.names}
            elif base.startswith("cuts."):
                names.add(base)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cuts":
            names.add(f"cuts.{_home.get(node.attr, node.attr)}")
    return {n.split(".")[1] for n in names if (lib / f"{n.split('.')[1]}.py").exists()}


@cache
def module_source(name: str) -> str:
    return (lib / f"{name}.py").read_text(encoding="utf-8")


def modules_used(source: str) -> list[str]:
    "The modules of `cuts` behind `source`, with those that they import in turn, sorted."
    seen, todo = set(), imported(source)
    while todo:
        seen |= (new := todo - seen)
        todo = set().union(*(imported(module_source(n)) for n in new)) - seen if new else set()
    return sorted(seen)


def scripts_used(source: str) -> list[Path]:
    "The files whose text stands in the outputs: the scripts of elements, what these import, and what they share."
    named = set(re.findall(r'"([\w/-]+\.js)"', source)) | ({"explorer/index.js"} if ".element()" in source else set())
    scripts, todo = set(), {path for name in named if (path := js / name).is_file()}
    while todo:
        scripts |= todo
        todo = {imported for path in todo for imported in script_imports(path)} - scripts
    return sorted(scripts | {js / "elements.js", js / "elements.css"}) if scripts else []


def script_imports(path: Path) -> list[Path]:
    "The modules, style sheets and templates that a script imports."
    names = re.findall(r' from "\./([\w.-]+)";$', path.read_text(encoding="utf-8"), re.M)
    return [imported for name in names if (imported := path.with_name(name)).is_file()]


def short_hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def stamp(nb: dict) -> dict[str, str]:
    "Hashes of what the outputs depend on: `code` is every cell that always runs and the modules it uses, `slow` the slow cells."
    cells = ["".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "code" and not is_slow(c) and not is_off(c)]
    slow = ["".join(c["source"]) for c in nb["cells"] if is_slow(c)]
    source = "\n".join(cells)
    marks = {
        "code": short_hash(
            *map(code_lines, cells),
            *(code_lines(module_source(m)) for m in modules_used(source)),
            *(path.read_text(encoding="utf-8") for path in scripts_used(source)),
        )
    }
    return marks | ({"slow": short_hash(*map(code_lines, slow))} if slow else {})


def is_stale(path: Path) -> bool:
    nb = json.loads(path.read_text(encoding="utf-8"))
    return nb["metadata"].get("cuts", {}).get("code") != stamp(nb)["code"]


def slow_is_stale(path: Path) -> bool:
    nb = json.loads(path.read_text(encoding="utf-8"))
    return nb["metadata"].get("cuts", {}).get("slow") != stamp(nb).get("slow")


# Running one ---------------------------------------------------------------------------------------------------------
def environment(
    scratch: str, slow: bool = False
) -> dict[str, str]:  # scratch: a folder for what a kernel leaves behind
    """This environment, less what is this machine's or this user's, with threads and instruction sets fixed.

    Slow cells measure, and write tables that the others read: with them the machine shows what it can, on the data that it has."""
    if slow:
        return dict(os.environ) | {
            "PYTHONPATH": str(root),
            "TQDM_DISABLE": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "IPYTHONDIR": scratch,
        }
    import matplotlib
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    wide = [f for f in __cpu_dispatch__ if (f.startswith("AVX512") or f == "X86_V4") and __cpu_features__.get(f)]
    ours = (
        "CUTS_",
        "PYTHON",
        "MPL",
        "IPYTHON",
        "KMP_",
        "GOMP_",
        "OMP_",
        "MKL_",
        "OPENBLAS_",
        "NPY_",
        "TORCH_",
        "PYTORCH_",
        "ATEN_",
        "DNNL_",
        "ONEDNN_",
        "SKLEARN_",
        "JOBLIB_",
        "LOKY_",
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "LANGUAGE"):
        env.pop(name, None)
    env |= dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"], THREADS)
    env["OPENBLAS_NUM_THREADS"] = "1"  # it takes no more threads than there are cores, and sums differently with two
    env |= {
        "OMP_WAIT_POLICY": "PASSIVE",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "COMPATIBLE",
        "OPENBLAS_CORETYPE": "Haswell",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(root),
        "TQDM_DISABLE": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": matplotlib.get_data_path(),
        "IPYTHONDIR": scratch,
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
    }
    return env | ({"NPY_DISABLE_CPU_FEATURES": " ".join(wide)} if wide else {})


QUIET = """import warnings, tqdm.notebook
warnings.filterwarnings("ignore", message="This DataLoader will create") # on a machine with a single core
def quiet(init): return lambda self, *args, **kwargs: init(self, *args, **kwargs | {"disable": True})
tqdm.notebook.tqdm_notebook.__init__ = quiet(tqdm.notebook.tqdm_notebook.__init__)
del quiet, warnings, tqdm
"""  # TQDM_DISABLE alone does not reach a bar that is made with `disable=None`


def plain_png(data: bytes) -> bytes:
    "A PNG without its text and time chunks, which name the program that wrote it and its version."
    out, i = [data[:8]], 8
    while i < len(data):
        n, kind = struct.unpack(">I4s", data[i : i + 8])
        if kind not in (b"tEXt", b"zTXt", b"iTXt", b"tIME"):
            out.append(data[i : i + 12 + n])
        i += 12 + n
    return b"".join(out)


def light_png(data: bytes) -> bytes:
    "A picture in the 256 colours that suit it best, about a third of the size; as it is where one would see the difference."
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        if (
            picture.mode not in ("RGB", "RGBA")
            or picture.mode == "RGBA"
            and picture.getchannel("A").getextrema() != (255, 255)
        ):
            return data
        true = picture.convert("RGB")
    few = true.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    if np.abs(np.asarray(true, np.int16) - np.asarray(few.convert("RGB"), np.int16)).mean() > 2:
        return data  # smooth colours: bands would show
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    return min(out.getvalue(), data, key=len)


def plain_text(text: str) -> str:
    "Text without the places of this machine: a cell's file, temporary folders, the checkout, the environment, the home folder."
    text = re.sub(r"\S*ipykernel_\d+[\\/]\d+\.py", "<cell>", text)
    named = [(sys.prefix, "<environment>"), (str(root), "."), (str(Path.home()), "~")]
    named += [
        (str(Path(tempfile.gettempdir(), "tmp")), "<temporary>"),
        (str(Path(tempfile.gettempdir()).resolve() / "tmp"), "<temporary>"),
    ]
    for place, name in sorted(
        set(named), key=lambda n: -len(n[0])
    ):  # whole paths only: a checkout in /data is no part of ./data
        rest = r"\w{8}(?!\w)" if name == "<temporary>" else r"(?![\w-])"
        if len(place) > 3:
            text = re.sub(r"(?<![\w.~/\\$-])" + re.escape(place) + rest, lambda _: name, text)
    return re.sub(r"<environment>[\\/]lib[\\/]python3\.\d+[\\/]site-packages", "<packages>", text)


def normalise(nb: dict, widgets: list[str]) -> dict:  # widgets: ids of the models in the order they were made
    "What one run has and the next has not, taken out of the outputs."
    text = json.dumps(nb)
    for i, model in enumerate(widgets):
        text = text.replace(model, f"{i:032x}")
    nb = json.loads(text)
    for cell in (c for c in nb["cells"] if c["cell_type"] == "code"):  # which stream came first is a matter of buffers
        at = [i for i, o in enumerate(cell["outputs"]) if o.get("output_type") == "stream"]
        for i, output in zip(at, sorted((cell["outputs"][i] for i in at), key=lambda o: o["name"], reverse=True)):
            cell["outputs"][i] = output
    for output in (o for c in nb["cells"] if c["cell_type"] == "code" for o in c["outputs"]):
        if "text" in output:
            output["text"] = plain_text("".join(output["text"])).splitlines(keepends=True)
        for kind, value in output.get("data", {}).items():
            if kind == "image/png":
                output["data"][kind] = base64.b64encode(plain_png(light_png(base64.b64decode("".join(value))))).decode()
            elif kind.startswith("text/"):
                output["data"][kind] = plain_text("".join(value)).splitlines(keepends=True)
    return nb


def split_title(nb):  # a notebook node
    "Give what follows title and subtitle a cell of its own: nbdev makes front matter of the title's cell and drops the rest of it."
    i, cell = next(
        ((i, c) for i, c in enumerate(nb.cells) if c.cell_type == "markdown" and c.source.startswith("# ")), (0, None)
    )
    if not cell:
        return
    head = re.match(r"# .*\n*(?:> .*\n*)?(?:- .*: .*\n*)*", cell.source + "\n")[0]
    if rest := cell.source[len(head) :].strip():
        from nbformat.v4 import new_markdown_cell

        cell.source = head.strip()
        nb.cells.insert(i + 1, new_markdown_cell(rest, id=short_hash(cell.id, "rest")[:8]))


def run(path: Path, slow: bool, timeout: int):
    "The notebook at `path`, executed and normalised, as the text of its file."
    import nbformat
    from execnb.nbio import dict2nb, nb2str
    from nbclient import NotebookClient
    from nbdev.clean import clean_nb
    from nbdev.config import get_config

    class Client(NotebookClient):
        "Skips the cells that keep their outputs."

        async def async_execute_cell(self, cell, cell_index, **kwargs):
            if is_off(cell) or is_slow(cell) and not slow:
                return cell
            return await super().async_execute_cell(cell, cell_index, **kwargs)

    nb = nbformat.read(path, as_version=4)
    split_title(nb)
    kept = [c for c in nb.cells if c.cell_type == "code" and (is_off(c) or is_slow(c) and not slow)]
    if any("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for c in kept for o in c.outputs):
        raise ValueError(
            f"{path.name}: a skipped cell shows a widget, whose state would be lost. Make the cell quick, or show a picture."
        )
    marks = nb.metadata.pop("cuts", {})
    nb.metadata.pop("widgets", None)
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
    plain = normalise(json.loads(nbformat.writes(nb)), list(client.widget_state))
    new = stamp(plain)
    if "slow" in new and not slow:
        new["slow"] = marks.get("slow", "not run yet")
    plain["metadata"]["cuts"] = new
    cfg = get_config(path=str(root))
    plain = dict2nb(plain)
    clean_nb(plain, allowed_metadata_keys=cfg.allowed_metadata_keys.split(), clean_ids=cfg.clean_ids)
    return nb2str(plain)


def first_difference(old: str, new: str) -> str:
    "What two texts of a notebook differ in: the first lines, or by how much a picture does."
    for a, b in zip(json.loads(old)["cells"], json.loads(new)["cells"]):
        if a.get("outputs") != b.get("outputs") and (said := picture_difference(a, b)):
            return said
    lines = [
        line[:160]
        for line in difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
        if line[:2] not in ("--", "++", "@@")
    ]
    return "\n".join(lines[:12])


def picture_difference(a: dict, b: dict) -> str:  # cells; "" if their pictures are the same
    import numpy as np
    from PIL import Image

    pixels = lambda cell: [
        np.asarray(Image.open(io.BytesIO(base64.b64decode("".join(o["data"]["image/png"])))).convert("RGB"), int)
        for o in cell["outputs"]
        if "image/png" in o.get("data", {})
    ]
    for x, y in zip(pixels(a), pixels(b)):
        if x.shape != y.shape:
            return f"  cell {a['id']}: a picture of {x.shape[:2]} became one of {y.shape[:2]}"
        if (x != y).any():
            return f"  cell {a['id']}: {(x != y).any(-1).sum()} of {x[..., 0].size} pixels of a picture differ, by {np.abs(x - y).max()} of 255 at most"
    return ""


def work(
    path: Path, slow: bool, timeout: int, write: bool
) -> tuple[str, str]:  # "error" | "changed" | "unchanged", and a line on it
    "Run one notebook, write it if it changed, and report."
    start, old = time.time(), path.read_text(encoding="utf-8")
    try:
        text = run(path, slow, timeout)
        if slow:  # the other cells once more, as everybody runs them
            with tempfile.TemporaryDirectory() as folder:
                ran = Path(folder) / path.name
                ran.write_text(text, encoding="utf-8")
                text = run(ran, False, timeout)
    except Exception as e:
        return "error", f"{path.name}: {type(e).__name__}\n{str(e)[-6000:]}"
    seconds, size = time.time() - start, len(text.encode()) / 1000
    state = "unchanged" if text == old else "changed"
    if write and text != old:
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    figures = [len(base64.b64decode(b)) / 1000 for b in re.findall(r'"image/png": "([^"]+)"', text)]
    notes = (
        [f"more than {SECONDS} s"] * (seconds > SECONDS)
        + [f"more than {NOTEBOOK_KB} kB"] * (size > NOTEBOOK_KB)
        + [f"a figure of {kb:.0f} kB" for kb in figures if kb > FIGURE_KB]
    )
    line = f"{path.name}: {state}, {seconds:.0f} s, {size:.0f} kB" + (f" ({'; '.join(notes)})" if notes else "")
    return state, line if write or state == "unchanged" else f"{line}\n{first_difference(old, text)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all in nbs/")
    for flag in ("stale", "check", "diff", "slow"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="notebooks at a time")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one cell (with --slow there is no limit)")
    args = parser.parse_args()
    missing = [str(p) for p in args.notebooks if not p.is_file()]
    if missing:
        parser.error(f"no such notebook: {', '.join(missing)}")
    paths = [p.resolve() for p in args.notebooks] or sorted(p for p in nbs.glob("*.ipynb"))
    if args.check:
        stale, slow = [p.name for p in paths if is_stale(p)], [p.name for p in paths if slow_is_stale(p)]
        for name in slow:
            print(f"{name}: its slow cells changed since they last ran (scripts/execute.py --slow nbs/{name})")
        for name in stale:
            print(f"{name}: stale, its code or a module it uses changed since it ran (scripts/execute.py nbs/{name})")
        print(f"{len(paths) - len(stale)} of {len(paths)} notebooks are up to date.")
        return int(bool(stale))
    if args.stale:
        paths = [p for p in paths if is_stale(p) or args.slow and slow_is_stale(p)]
    states = []
    with ProcessPoolExecutor(args.jobs) as pool:
        timeout = None if args.slow else args.timeout
        for job in [pool.submit(work, p, args.slow, timeout, not args.diff) for p in paths]:
            state, line = job.result()
            states.append(state)
            print(line, flush=True)
    print(", ".join(f"{states.count(s)} {s}" for s in ("unchanged", "changed", "error")))
    return int("error" in states or args.diff and "changed" in states)


if __name__ == "__main__":
    sys.exit(main())
