"The plan of the house: which room may use which, and that every room can be read in one sitting."

import ast
import re
from pathlib import Path

import pytest
from notebooks.dependencies import from_import, module_path, plain_import
from repository import notebooks, root

ORDER = [
    "files",
    "device",
    "io",
    "config",
    "data",
    "stage1",
    "stage2",
    "segmentation",
    "evaluate",
    "show",
    "runs",
    "api",
    "integrations",
    "cli",
]
DELEGATES = {  # the only imports that point upward: `Segmentation.show` and `.explore`, inside the methods
    ("segmentation.picture", "show.trajectory"),
    ("segmentation.picture", "show.tree_colors"),
    ("segmentation.picture", "show.explorer"),
}
FOREIGN = {  # what the arrays at the bottom know nothing of
    "files": {"torch", "cuts.config"},
    "io": {"torch", "cuts.config"},
    "stage2": {"cuts.config", "cuts.io", "cuts.data"},
}
LINES, MODULE, FUNCTION, CLASS = 120, 400, 40, 150


def module_names() -> list[str]:
    "The modules of the package, dotted below `cuts`."
    by_hand = ("__init__.py", "__main__.py", "_modidx.py")
    files = (p for p in (root / "cuts").rglob("*.py") if p.name not in by_hand)
    return sorted(".".join(p.relative_to(root / "cuts").with_suffix("").parts) for p in files)


MODULES = module_names()


def room(module: str) -> int:
    "The place of a module's folder in the order."
    return ORDER.index(module.split(".")[0])


def imports(module: str) -> set[tuple[str, bool]]:  # (module imported, whether inside a function)
    "What a module of `cuts` imports from `cuts`."
    tree = ast.parse(module_path(module).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {(other, id(node) in inside) for other, _ in from_import(node, module).values()}
        elif isinstance(node, ast.Import):
            names |= {(other, id(node) in inside) for other, _ in plain_import(node).values()}
    return names


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    "The circles of a graph, each as the path that closes it."
    circles, done = [], set()

    def visit(node, path):
        if node in path:
            circles.append([*path[path.index(node) :], node])
        elif node not in done:
            for other in sorted(graph.get(node, ())):
                visit(other, [*path, node])
            done.add(node)

    for node in sorted(graph):
        visit(node, [])
    return circles


# Who may use whom ----------------------------------------------------------------------------------------------------
def test_every_room_has_its_place():
    assert {module.split(".")[0] for module in MODULES} == set(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downward(module):
    upward = {(module, other) for other, _ in imports(module) if room(other) > room(module)}
    assert upward <= DELEGATES


def test_the_two_exceptions_are_inside_a_function():
    for module, other in DELEGATES:
        assert (other, True) in imports(module)
        assert (other, False) not in imports(module)


def test_imports_have_no_circle():
    graph = {m: {other for other, _ in imports(m) if (m, other) not in DELEGATES} for m in MODULES}
    assert cycles(graph) == []


def test_cycles_finds_one():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]


@pytest.mark.parametrize("folder", FOREIGN)
def test_the_bottom_knows_nothing_of_the_top(folder):
    for module in (m for m in MODULES if m.split(".")[0] == folder):
        tree = ast.parse(module_path(module).read_text(encoding="utf-8"))
        named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        named |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
        named |= {f"cuts.{other}" for other, _ in imports(module)}
        foreign = {n for n in named for f in FOREIGN[folder] if n == f or n.startswith(f"{f}.")}
        assert not foreign, module


# A notebook a module -------------------------------------------------------------------------------------------------
def exported_module(path: Path) -> str | None:
    "The module that a notebook exports, dotted below `cuts`."
    match = re.search(r"#\|\s*default_exp\s+([\w.]+)", path.read_text(encoding="utf-8"))
    return match and match[1]


def test_every_module_has_its_notebook():
    exported = {path.stem: module for path in notebooks if (module := exported_module(path))}
    assert sorted(exported.values()) == MODULES
    for stem, module in exported.items():
        assert re.fullmatch(r"\d\d[a-z]?_" + module.split(".")[-1], stem), f"{stem} exports {module}"


# Read in one sitting -------------------------------------------------------------------------------------------------
SOURCES = [module_path(m) for m in MODULES] + sorted((root / "scripts").rglob("*.py"))


def too_long(path: Path) -> list[str]:
    "The lines, functions and classes of a file that are longer than they may be, and the file itself."
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    tree = ast.parse(text)
    exports = next((n for n in tree.body if isinstance(n, ast.Assign) and "__all__" in ast.unparse(n.targets[0])), None)
    wrapped = range(exports.lineno, exports.end_lineno + 1) if exports else ()  # by nbdev, which allows ten more
    long = [(i, len(line)) for i, line in enumerate(lines, 1) if len(line) > LINES and i not in wrapped]
    complaints = [f"line {i} has {columns} columns" for i, columns in long]
    if len(lines) > MODULE:
        complaints.append(f"{len(lines)} lines")
    for node in ast.walk(tree):
        most = {ast.FunctionDef: FUNCTION, ast.AsyncFunctionDef: FUNCTION, ast.ClassDef: CLASS}.get(type(node))
        if most and (n := node.end_lineno - node.lineno + 1) > most:
            complaints.append(f"{node.name} has {n} lines, at most {most} are allowed")
    return complaints


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(root).as_posix())
def test_it_can_be_read_in_one_sitting(path):
    assert too_long(path) == []


def test_what_is_too_long_is_found(tmp_path):
    path = tmp_path / "long.py"
    path.write_text("class A:\n    def f(self):\n" + "        pass\n" * 400 + f"x = '{'-' * 120}'\n")
    complaints = " ".join(too_long(path))
    for part in ("403 lines", "f has 401 lines", "A has 402 lines", "line 403 has 126 columns"):
        assert part in complaints
