"What the whole stands on: the import graph, exports, outputs, packaging, and what lies at the top."

import ast, importlib.util, os, re, shutil, subprocess, sys
from configparser import ConfigParser
from pathlib import Path

import pytest

root = Path(__file__).resolve().parents[1]


def script(name: str):  # a module of scripts/, under a name that hides no other
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", root / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


execute, site = script("execute"), script("site")
notebooks = sorted((root / "nbs").glob("*.ipynb"))


def tracked() -> list[Path]:
    "The files under version control that are there; in an unpacked archive, all files that git would not ignore by name."
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [p for n in listed.stdout.split("\0") if n and os.path.lexists(p := root / n)]
    skip = {
        ".git",
        ".venv",
        "_docs",
        "_proc",
        "demo",
        "runs",
        "build",
        "dist",
        "__pycache__",
        ".pytest_cache",
        ".hypothesis",
        ".ipynb_checkpoints",
    }
    return [p for p in root.rglob("*") if p.is_file() and not skip & set(p.relative_to(root).parts)]


# The import graph ---------------------------------------------------------------------------------------------------
ALLOWED_UPWARD = {("segmentation", "figures"), ("segmentation", "explorer")}  # show and explore, inside the methods


def bands() -> dict[str, int]:
    "Each module's band, from the number of its notebook."
    found = {}
    for path in notebooks:
        m, name = (
            re.match(r"(\d)\d_", path.name),
            re.search(r"#\|\s*default_exp\s+(\w+)", path.read_text(encoding="utf-8")),
        )
        if name:
            found[name[1]] = int(m[1])
    return found


def imports(module: str) -> list[tuple[str, bool]]:  # (module imported, whether at the top of the file)
    "What a module of `cuts` imports from `cuts`."
    tree = ast.parse((root / "cuts" / f"{module}.py").read_text(encoding="utf-8"))
    inside = {
        id(n) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) for n in ast.walk(f)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [(name, id(node) not in inside) for name in execute.imported(ast.unparse(node))]
    return found


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    "The circles of a graph, each as the path that closes it."
    found, done = [], set()

    def visit(node, path):
        if node in path:
            found.append([*path[path.index(node) :], node])
        elif node not in done:
            for other in sorted(graph.get(node, ())):
                visit(other, [*path, node])
            done.add(node)

    for node in sorted(graph):
        visit(node, [])
    return found


def test_imports_point_downward():
    band = bands()
    upward = {(m, n) for m in band for n, _ in imports(m) if band[n] > band[m]}
    assert upward <= ALLOWED_UPWARD, f"upward imports: {sorted(upward - ALLOWED_UPWARD)}"


def test_the_two_exceptions_are_inside_a_function():
    for module, other in ALLOWED_UPWARD:
        if (root / "cuts" / f"{module}.py").exists():
            assert (other, True) not in imports(module)


def test_imports_have_no_circle():
    graph = {m: {n for n, _ in imports(m) if (m, n) not in ALLOWED_UPWARD} for m in bands()}
    assert cycles(graph) == []


def test_cycles_finds_one():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]


def test_every_module_has_its_notebook():
    modules = {p.stem for p in (root / "cuts").glob("*.py")} - {"__init__", "_modidx"}
    assert modules == set(bands())
    for path in notebooks:
        if m := re.search(r"#\|\s*default_exp\s+(\w+)", path.read_text(encoding="utf-8")):
            assert path.stem[3:] == m[1], path.name


# The package ---------------------------------------------------------------------------------------------------------
def python(code: str, **env) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root, env=os.environ | env
    ).stdout


def test_import_is_light():
    code = "import sys, time; t = time.perf_counter(); import cuts; dir(cuts); print(time.perf_counter() - t, 'torch' in sys.modules, 'numpy' in sys.modules)"
    seconds, torch, numpy = min(python(code).split() for _ in range(3))
    assert float(seconds) < 0.5 and torch == numpy == "False"


def test_lazy_names_arrive():
    import cuts

    assert (
        set(cuts.__all__) == set(cuts._home)
        and set(cuts.__all__) <= set(dir(cuts))
        and re.fullmatch(r"\d+\.\d+\.\d+\S*", cuts.__version__)
    )
    for name in cuts.__all__:
        assert callable(getattr(cuts, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cuts.nothing


def test_lazy_names_are_told_to_editors():
    "The imports under TYPE_CHECKING name the same objects as `_home`."
    import cuts

    block = next(n for n in ast.parse((root / "cuts/__init__.py").read_text()).body if isinstance(n, ast.If))
    assert {a.name: node.module for node in block.body for a in node.names} == cuts._home


def settings():
    config = ConfigParser(delimiters="=")
    config.read(root / "settings.ini")
    return config["DEFAULT"]


def test_requirements_parse_and_are_pinned():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = {
        canonicalize_name(line.split("==")[0]): line.split("==")[1].strip()
        for line in (root / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    cfg = settings()
    assert {"dev", "phate", "medical", "explore", "examples"} <= {
        k.removesuffix("_requirements") for k in cfg if k.endswith("_requirements")
    }
    for key in (k for k in cfg if k.endswith("requirements")):
        for text in cfg[key].split():
            need = Requirement(text)
            name = canonicalize_name(need.name)
            assert name in pins, f"{need.name} is not in constraints.txt: make constraints"
            assert need.specifier.contains(pins[name]), (
                f"constraints.txt has {need.name} {pins[name]}, settings.ini asks for {need.specifier}"
            )
    assert "+" not in pins["torch"]


def test_installed_metadata_has_the_extras():
    from importlib.metadata import metadata

    assert {"dev", "phate", "medical", "explore", "examples"} <= set(metadata("cuts").get_all("Provides-Extra"))


def test_versions_agree():
    import cuts, yaml

    assert (
        settings()["version"] == cuts.__version__ == str(yaml.safe_load((root / "CITATION.cff").read_text())["version"])
    )


# The notebooks -------------------------------------------------------------------------------------------------------
def test_export_matches_the_notebooks(tmp_path):
    for name in ("settings.ini", "nbs", "cuts"):
        (shutil.copytree if (root / name).is_dir() else shutil.copy)(root / name, tmp_path / name)
    for path in (tmp_path / "cuts").glob("*.py"):
        if path.name != "__init__.py":
            path.unlink()
    subprocess.run(
        [sys.executable, "-c", "from nbdev.doclinks import nbdev_export; nbdev_export()"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    here, there = ({p.name: p.read_text() for p in (d / "cuts").glob("*.py")} for d in (root, tmp_path))
    assert here.keys() == there.keys()
    assert [n for n in here if here[n] != there[n]] == [], "not what the notebooks export: make export"


@pytest.mark.parametrize("path", notebooks, ids=lambda p: p.stem)
def test_outputs_are_not_stale(path):
    assert not execute.is_stale(path), (
        f"its code or a module it uses changed since it ran: make prepare (or scripts/execute.py nbs/{path.name})"
    )


@pytest.mark.parametrize("path", notebooks, ids=lambda p: p.stem)
def test_notebook_is_fit_for_the_site(path):
    "What nbdev would drop or stumble over when it makes the pages."
    nb = execute.json.loads(path.read_text(encoding="utf-8"))
    title = next("".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "markdown")
    assert re.fullmatch(r"# .+(\n+> .+)?(\n+- .+: .+)*\s*", title), (
        "the first markdown cell holds the title, its '>' line and nothing else: nbdev drops the rest"
    )
    for i, cell in enumerate(c for c in nb["cells"] if c["cell_type"] == "code"):
        source = "".join(cell["source"])
        marks = execute.directives(source)
        if any("image/png" in o.get("data", {}) for o in cell["outputs"]) and "hide" not in marks:
            assert {"fig-cap", "fig-alt", "label"} <= marks, (
                f"code cell {i} shows a picture without label, fig-cap or fig-alt"
            )
        if marks & {"export", "exporti", "exports", "eval: false"}:
            continue
        kinds = [type(n) for n in ast.walk(execute.parsed(source))]
        mixed = {ast.Import, ast.ImportFrom} & set(kinds) and {ast.Expr, ast.Assign} & set(kinds)
        assert not mixed, (
            f"code cell {i} imports and does other things; nbdev runs such cells out of order: move its imports to a cell of imports\n{source[:300]}"
        )


def test_quarto_configuration_is_linked():
    link = root / "nbs/_quarto.yml"
    assert link.is_symlink() and link.resolve() == root / "_quarto.yml", (
        "nbs/_quarto.yml is no link to _quarto.yml: this checkout has turned it into a text file (git config core.symlinks true, then check it out again)"
    )


def test_sidebar_lists_every_page():
    listed = re.findall(r"\S+\.(?:ipynb|qmd)", (root / "nbs/sidebar.yml").read_text())
    assert listed == site.flat(site.contents()) and {p.name for p in notebooks} <= set(listed), "make prepare"


def test_readme_is_what_the_index_says():
    text, pictures = site.readme()
    assert (root / "README.md").read_text() == text, "README.md is not what nbs/index.ipynb says: make prepare"
    for file, data in pictures.items():
        assert file.read_bytes() == data


def test_every_citation_has_its_entry():
    keys = set(re.findall(r"^@\w+\{([^,]+),", (root / "nbs/references.bib").read_text(), re.M))
    for path in notebooks:
        prose = "\n".join(
            "".join(c["source"]) for c in execute.json.loads(path.read_text())["cells"] if c["cell_type"] == "markdown"
        )
        cited = set(re.findall(r"(?<![\w/`.])@([a-z]+\d{4}\w+)", prose))
        assert cited <= keys, f"{path.name} cites {sorted(cited - keys)}, not in nbs/references.bib"


# Stale or not: the rule itself ---------------------------------------------------------------------------------------
def test_stamp_follows_code_not_prose():
    def nb(*cells):
        return {"cells": [dict(cell_type=k, source=s) for k, s in cells], "metadata": {}}

    plain = execute.stamp(nb(("code", "x = 1\n# a note\n")))
    assert plain == execute.stamp(nb(("markdown", "words"), ("code", "#| fig-cap: another\nx = 1   \n\n")))
    assert plain != execute.stamp(nb(("code", "x = 2")))
    slow = execute.stamp(nb(("code", "x = 1"), ("code", "#| slow\ny = x")))
    assert (
        slow["code"] == plain["code"]
        and slow["slow"] != execute.stamp(nb(("code", "x = 1"), ("code", "#| slow\ny = 2")))["slow"]
    )


def test_modules_used_are_transitive():
    used = set(execute.modules_used("import cuts\ncuts.read_image('x.png')"))
    assert "images" in used and "training" not in used
    assert {"experiment", "training", "images"} <= set(execute.modules_used("from cuts import fit"))
    assert execute.modules_used("import numpy as np") == []


def test_an_element_depends_on_what_its_script_imports():
    def names(source):
        return [path.name for path in execute.scripts_used(source)]

    assert names('Element("flow.js", data)') == ["elements.css", "elements.js", "flow.js"]
    assert {"index.js", "tree.js", "style.css", "template.html", "elements.js"} <= set(names("explorer.element()"))
    assert names("explorer.element()") == names('Element("explorer/index.js", data)')
    assert names("x = 1") == []


def test_outputs_lose_what_varies():
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x02tEXtab\0\0\0\0" + b"\0\0\0\0IEND\xaeB`\x82"
    assert execute.plain_png(png) == b"\x89PNG\r\n\x1a\n\0\0\0\0IEND\xaeB`\x82"
    assert (
        execute.plain_text(f"/var/t/ipykernel_12/345.py:3: UserWarning in {root}/cuts")
        == "<cell>:3: UserWarning in ./cuts"
    )
    with execute.tempfile.TemporaryDirectory() as folder:
        assert execute.plain_text(f"{folder}/a b.png: cannot be read") == "<temporary>/a b.png: cannot be read"
    assert execute.plain_text(f"{sys.prefix}/lib/python3.14/site-packages/a.py:7") == "<packages>/a.py:7"
    streams = [dict(output_type="stream", name=n, text=n) for n in ("stderr", "stdout")]
    assert [
        o["name"]
        for o in execute.normalise({"cells": [dict(cell_type="code", outputs=streams)]}, [])["cells"][0]["outputs"]
    ] == ["stdout", "stderr"]
    old = "a" * 32
    nb = {"cells": [dict(cell_type="code", outputs=[dict(data={"text/plain": f"IPY_MODEL_{old}"})])]}
    assert execute.normalise(nb, [old])["cells"][0]["outputs"][0]["data"]["text/plain"] == [f"IPY_MODEL_{0:032x}"]


def test_places_are_whole_paths(monkeypatch):
    monkeypatch.setattr(execute, "root", execute.Path("/data"))
    for text in ("$CUTS_ROOT/data/retina", "./data", "https://a.b/data", "object/data", "/database"):
        assert execute.plain_text(text) == text
    assert execute.plain_text("in /data/cuts/x.py, '/data'") == "in ./cuts/x.py, '.'"


def test_difference_of_pictures_is_measured():
    import base64, io
    from PIL import Image

    def cell(value):
        Image.new("RGB", (4, 3), (value, 0, 0)).save(out := io.BytesIO(), "PNG")
        return dict(id="abc", outputs=[dict(data={"image/png": base64.b64encode(out.getvalue()).decode()})])

    assert execute.picture_difference(cell(7), cell(7)) == ""
    assert (
        execute.picture_difference(cell(7), cell(9))
        == "  cell abc: 12 of 12 pixels of a picture differ, by 2 of 255 at most"
    )


def test_prose_under_the_title_gets_its_own_cell():
    import nbformat

    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T\n\n> S\n\nProse.\n\n- a list")])
    execute.split_title(nb)
    assert [c.source for c in nb.cells] == ["# T\n\n> S", "Prose.\n\n- a list"]
    execute.split_title(nb)
    assert len(nb.cells) == 2


# The repository ------------------------------------------------------------------------------------------------------
TOP = {
    "nbs",
    "cuts",
    "settings.ini",
    "setup.py",
    "data",
    "_quarto.yml",
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "MANIFEST.in",
    "Makefile",
    "constraints.txt",
    ".gitignore",
    ".gitattributes",
    ".ci",
    ".github",
    "scripts",
    "tests",
}


def test_top_level_holds_what_belongs_there():
    assert {p.relative_to(root).parts[0] for p in tracked()} == TOP


def test_no_file_is_large():
    large = [
        f"{p.relative_to(root)} ({p.stat().st_size // 1000} kB)"
        for p in tracked()
        if not p.is_symlink() and p.stat().st_size > 1_000_000
    ]
    assert large == []
