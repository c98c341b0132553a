"""Which definitions of the package stand behind a piece of code.

A notebook depends on the functions, classes and constants that it names, on those that these name, and so on: a change
of one function concerns the notebooks that reach it, and no others of its module.
"""

import ast
import re
import symtable
from dataclasses import dataclass, field
from functools import cache

from .cells import parsed
from .places import lib, scripts

EVERYTHING = "*"  # in the place of a name: all of a module
Reference = tuple[str, str]  # module, dotted below `cuts`, and a name in it or EVERYTHING


@dataclass
class Module:
    "The top of a module, statement by statement."

    sources: dict[str, list[str]] = field(default_factory=dict)  # name → statements that define it; "" what runs anyway
    needs: dict[str, set[Reference]] = field(default_factory=dict)  # name → what these refer to


def module_path(name: str):
    "The file of a module, dotted below `cuts`."
    return lib / (name.replace(".", "/") + ".py")


def is_module(name: str) -> bool:
    return bool(name) and module_path(name).is_file()


def absolute(node: ast.ImportFrom, module: str) -> str:  # module: that of the statement; "" outside of the package
    "What a statement imports from, dotted from the top."
    if not node.level:
        return node.module or ""
    parents = module.split(".")[: -node.level]
    return ".".join(["cuts", *parents, *([node.module] if node.module else [])])


def from_import(node: ast.ImportFrom, module: str) -> dict[str, Reference]:
    "What `from … import …` takes from the package."
    from cuts import _home

    base = absolute(node, module)
    if base != "cuts" and not base.startswith("cuts."):
        return {}
    below = base.removeprefix("cuts").removeprefix(".")
    names = {}
    for alias in node.names:
        inner = f"{below}.{alias.name}".removeprefix(".")
        home = below or _home.get(alias.name, "")
        if is_module(home):
            names[alias.asname or alias.name] = (home, EVERYTHING if alias.name == "*" else alias.name)
        elif is_module(inner):
            names[alias.asname or alias.name] = (inner, EVERYTHING)
    return names


def plain_import(node: ast.Import) -> dict[str, Reference]:
    "What `import cuts.…` takes from the package."
    below = {alias.asname or alias.name: alias.name.removeprefix("cuts.") for alias in node.names}
    return {name: (module, EVERYTHING) for name, module in below.items() if is_module(module)}


def attribute(node: ast.Attribute) -> dict[str, Reference]:
    "What `cuts.name` takes from the package."
    from cuts import _home

    if isinstance(node.value, ast.Name) and node.value.id == "cuts" and node.attr in _home:
        return {f"cuts.{node.attr}": (_home[node.attr], node.attr)}
    return {}


def imports(tree: ast.AST, module: str = "") -> dict[str, Reference]:
    "Local name → what it stands for, for all that is taken from the package anywhere in the tree."
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= plain_import(node)
        elif isinstance(node, ast.ImportFrom):
            names |= from_import(node, module)
        elif isinstance(node, ast.Attribute):
            names |= attribute(node)
    return names


def globals_of(source: str) -> set[str]:
    "The names that a piece of code reads from its module."
    names = set()

    def visit(table, top):
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (top or symbol.is_global()):
                names.add(symbol.get_name())
        for child in table.get_children():
            visit(child, False)

    visit(symtable.symtable(source, "<cell>", "exec"), True)
    return names


def defined(statement: ast.stmt) -> list[str]:
    "The names that a statement at the top of a module defines."
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return []


@cache
def read_module(name: str) -> Module:
    "A module, taken to pieces."
    tree = ast.parse(module_path(name).read_text(encoding="utf-8"))
    statements = [s for s in tree.body if not isinstance(s, (ast.Import, ast.ImportFrom))]
    known = imports(ast.Module([s for s in tree.body if s not in statements], []), name)
    own = {n for s in statements for n in defined(s)}
    module = Module()
    for statement in statements:
        names = defined(statement)
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if docstring or "__all__" in names:
            continue
        source = ast.unparse(statement)
        needs = set(imports(statement, name).values())
        for used in globals_of(source):
            if used in known:
                needs.add(known[used])
            elif used in own:
                needs.add((name, used))
        for key in names or [""]:
            module.sources.setdefault(key, []).append(source)
            module.needs.setdefault(key, set()).update(needs - {(name, key)})
    return module


def references(source: str) -> set[Reference]:
    "What a notebook's code takes from the package."
    try:
        return set(imports(parsed(source)).values())
    except SyntaxError:  # unreadable to us: depends on everything
        return {(".".join(p.relative_to(lib).with_suffix("").parts), EVERYTHING) for p in lib.rglob("*.py")}


def definitions_used(source: str) -> dict[Reference, str]:
    "The definitions of the package behind `source`, and what each of them says."
    seen: dict[Reference, str] = {}
    todo = references(source)
    while todo:
        name, what = reference = todo.pop()
        if reference in seen or not is_module(name):
            continue
        module = read_module(name)
        if what != EVERYTHING and what not in module.sources:
            what = EVERYTHING  # handed on, or made at run time
        if what == EVERYTHING:
            seen[reference] = ""
            todo |= {(name, key) for key in module.sources}
            continue
        seen[reference] = "\n".join(module.sources[what])
        todo |= module.needs[what]
        if "" in module.sources:
            todo.add((name, ""))
    return {reference: text for reference, text in sorted(seen.items()) if text}


def modules_used(source: str) -> list[str]:
    "The modules of which something stands behind `source`."
    return sorted({name for name, _ in definitions_used(source)})


def scripts_used(source: str) -> list:
    "The files whose text stands in the outputs: the scripts of elements, what these import, and what they share."
    named = set(re.findall(r'"([\w/-]+\.js)"', source)) | ({"explorer/index.js"} if ".element()" in source else set())
    files, todo = set(), {path for name in named if (path := scripts / name).is_file()}
    while todo:
        files |= todo
        todo = {imported for path in todo for imported in script_imports(path)} - files
    return sorted(files | {scripts / "elements.js", scripts / "elements.css"}) if files else []


def script_imports(path) -> list:
    "The modules, style sheets and templates that a script imports."
    names = re.findall(r' from "\./([\w.-]+)";$', path.read_text(encoding="utf-8"), re.M)
    return [imported for name in names if (imported := path.with_name(name)).is_file()]
