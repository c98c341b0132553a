"""What a module exports, read from its source; nothing is imported.

Comments beside parameters are their documentation, as nbdev has it."""

import ast
import io
import re
import textwrap
import tokenize
from dataclasses import dataclass, field

WIDTH = 88  # of a signature on one line
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


# What is exported ----------------------------------------------------------------------------------------------------
@dataclass
class Argument:
    "A parameter of a function or a field of a class."

    name: str  # with its stars
    annotation: str = ""
    default: str = ""
    description: str = ""  # the comment beside it

    def __str__(self):
        annotation = f": {self.annotation}" if self.annotation else ""
        equals = " = " if self.annotation else "="
        return self.name + annotation + (equals + self.default if self.default else "")


@dataclass
class Entry:
    "One exported name, or a public method of one."

    name: str  # a method's with that of its class
    kind: str  # function, class, property, constant
    line: int  # where it is defined
    description: str = ""  # its docstring; of a constant the comment
    signature: str = ""
    arguments: list[Argument] = field(default_factory=list)
    returns: str = ""  # what the comment says of the result
    members: list["Entry"] = field(default_factory=list)


@dataclass
class Source:
    "The text of a module, with what its comments and its annotations say."

    text: str
    comments: dict[int, str]  # line → comment
    helps: dict[str, tuple[str, str]] = field(default_factory=dict)  # name of an `Annotated[…]` → annotation, help


def comments(text: str) -> dict[int, str]:  # line → comment
    "The comments of a module by line."
    return {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }


# Annotations and parameters ------------------------------------------------------------------------------------------
def annotation_text(node) -> str:
    "An annotation as it was written, without quotes round names and with spaces round bars."
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)
    return re.sub(r"\s*\|\s*", " | ", text)


def help_texts(metadata: list, helps: dict[str, tuple[str, str]]) -> list[str]:
    "What the metadata of an `Annotated[…]` says in words: `help=…` of its calls, then the help of names it mentions."
    calls = [node for node in metadata if isinstance(node, ast.Call)]
    keywords = [keyword for call in calls for keyword in call.keywords if keyword.arg == "help"]
    direct = [keyword.value.value for keyword in keywords if isinstance(keyword.value, ast.Constant)]
    names = [name for node in metadata for name in ast.walk(node) if isinstance(name, ast.Name)]
    return direct + [helps[name.id][1] for name in names if name.id in helps]


def annotated(node, helps: dict[str, tuple[str, str]]) -> tuple[str, str]:
    "An annotation as text, and what `Annotated[…, help=…]` says of it."
    if node is None:
        return "", ""
    if isinstance(node, ast.Name) and node.id in helps:
        return helps[node.id]
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
        kind, *metadata = node.slice.elts
        return annotation_text(kind), next(iter(help_texts(metadata, helps)), "")
    return annotation_text(node), ""


def header_end(node, source: Source) -> int:
    "The line on which the head of a function ends: that of the colon outside of all brackets."
    lines, depth = source.text.splitlines(keepends=True)[node.lineno - 1 :], 0
    for token in tokenize.generate_tokens(iter(lines).__next__):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if token.string == ":" and not depth:
                return node.lineno + token.start[0] - 1
    return node.lineno


def parameters(node) -> list[tuple]:  # of (stars, parameter, its default or None)
    "The parameters of a function in the order in which they stand."
    positional = node.args.posonlyargs + node.args.args
    defaults = [None] * (len(positional) - len(node.args.defaults)) + node.args.defaults
    listed = [("", parameter, default) for parameter, default in zip(positional, defaults, strict=True)]
    if node.args.vararg:
        listed.append(("*", node.args.vararg, None))
    keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    listed += [("", parameter, default) for parameter, default in keywords]
    if node.args.kwarg:
        listed.append(("**", node.args.kwarg, None))
    return listed


def argument(stars: str, parameter, default, node, source: Source) -> Argument:
    "One parameter of the function `node`, with its help, or else the comment on its line."
    annotation, description = annotated(parameter.annotation, source.helps)
    line, end = max(parameter.end_lineno, default.end_lineno if default else 0), header_end(node, source)
    if not description and (line < end or node.returns is None and line == end):
        description = source.comments.get(line, "")  # on the last line a comment tells of the result
    return Argument(stars + parameter.arg, annotation, ast.unparse(default) if default else "", description)


def arguments(node, source: Source) -> list[Argument]:  # without self and cls
    "The parameters of a function, each with what is said of it."
    listed = parameters(node)
    positional = node.args.posonlyargs + node.args.args
    if positional and positional[0].arg in ("self", "cls"):
        listed, positional = listed[1:], positional[1:]
    described = [argument(*parameter, node, source) for parameter in listed]
    if node.args.kwonlyargs and not node.args.vararg:
        described.insert(len(positional), Argument("*"))
    return described


# Functions, classes, constants ---------------------------------------------------------------------------------------
def signature(name: str, args: list[Argument], returns: str = "") -> str:
    "`name(arguments) -> returns`, broken where it is long."
    tail = f" -> {returns}" if returns else ""
    text = f"{name}({', '.join(map(str, args))}){tail}"
    if len(text) <= WIDTH:
        return text
    return f"{name}(\n" + "".join(f"    {arg},\n" for arg in args) + f"){tail}"


def function_entry(node, source: Source, owner: str = "") -> Entry:  # owner: the class of a method
    "A function, a method or a property."
    decorators = {ast.unparse(decorator).split("(")[0].split(".")[-1] for decorator in node.decorator_list}
    name = f"{owner}.{node.name}" if owner else node.name
    returns = annotation_text(node.returns) if node.returns else ""
    description = ast.get_docstring(node) or ""
    of_result = source.comments.get(header_end(node, source), "") if node.returns else ""
    if decorators & {"property", "cached_property"}:
        text = f"{name}: {returns}" if returns else name
        return Entry(name, "property", node.lineno, description, text, [], of_result)
    args = arguments(node, source)
    return Entry(name, "function", node.lineno, description, signature(name, args, returns), args, of_result)


def class_fields(node, source: Source) -> list[Argument]:
    "The annotated public fields of a class."
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and not n.target.id.startswith("_")]
    return [
        Argument(
            n.target.id,
            annotation_text(n.annotation),
            ast.unparse(n.value) if n.value else "",
            source.comments.get(n.end_lineno, ""),
        )
        for n in fields
        if "ClassVar" not in ast.unparse(n.annotation)
    ]


def is_public_method(node) -> bool:
    "Whether a definition in a class is one that people call; the setter of a property is not."
    if any(ast.unparse(decorator).endswith(".setter") for decorator in node.decorator_list):
        return False
    return not node.name.startswith("_") or node.name == "__call__"


def class_entry(node, source: Source) -> Entry:
    "A class: what makes one, its fields, its public methods."
    methods = [n for n in node.body if isinstance(n, FUNCTIONS)]
    init = next((n for n in methods if n.name == "__init__"), None)
    args = arguments(init, source) if init else class_fields(node, source)
    bases = ", ".join(base for base in map(ast.unparse, node.bases) if base != "object")
    if args:
        text = f"class {signature(node.name, args)}" + (f"  # {bases}" if bases else "")
    else:
        text = f"class {node.name}({bases})"
    members = [function_entry(n, source, node.name) for n in methods if is_public_method(n)]
    return Entry(node.name, "class", node.lineno, ast.get_docstring(node) or "", text, args, "", members)


def comment_above(node, source: Source) -> str:
    "The lines of comment that stand alone above a statement."
    lines, line, above = source.text.splitlines(), node.lineno - 1, []
    while line in source.comments and not lines[line - 1].split("#")[0].strip():
        if source.comments[line].startswith(("%%", "nbs/")):  # where nbdev says which cell this is
            break
        above.insert(0, source.comments[line])
        line -= 1
    return " ".join(above)


def constant_entry(name: str, node, source: Source) -> Entry:
    "A name that stands for a value: the comment beside or above it says what it is."
    lines = (ast.get_source_segment(source.text, node) or name).splitlines()
    beside = source.comments.get(node.lineno) or source.comments.get(node.end_lineno)
    text = "\n".join(lines[:12] + ["…"] * (len(lines) > 12))
    if len(text) > 700:
        text = textwrap.shorten(text, 700, placeholder=" …")
    return Entry(name, "constant", node.lineno, beside or comment_above(node, source), text)


# The module ----------------------------------------------------------------------------------------------------------
def assigned_names(node) -> list[str]:
    "The names that an assignment gives values to; none for any other statement."
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def annotation_helps(tree: ast.Module) -> dict[str, tuple[str, str]]:
    "The names of a module that stand for an `Annotated[…]`, with its annotation and its help."
    return {
        node.targets[0].id: annotated(node.value, {})
        for node in tree.body
        if assigned_names(node) and isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Annotated[")
    }


def exported(text: str) -> list[Entry]:  # in the order of the file
    "Every name of `__all__` of a module."
    tree = ast.parse(text)
    source = Source(text, comments(text), annotation_helps(tree))
    names = next((ast.literal_eval(n.value) for n in tree.body if "__all__" in assigned_names(n)), [])
    entries = {}
    for node in tree.body:
        if isinstance(node, FUNCTIONS) and node.name in names:
            entries[node.name] = function_entry(node, source)
        elif isinstance(node, ast.ClassDef) and node.name in names:
            entries[node.name] = class_entry(node, source)
        for name in assigned_names(node):
            if name in names:
                entries.setdefault(name, constant_entry(name, node, source))
    return list(entries.values())


def undocumented(entries: list[Entry]) -> list[str]:  # names
    "The exported functions and classes without a docstring."
    return [entry.name for entry in entries if entry.kind in ("function", "class") and not entry.description]
