"What the first lines of a cell say of it."

import ast
import re


def source_of(cell: dict) -> str:
    return "".join(cell["source"])


def directives(source: str) -> set[str]:  # of one code cell
    "The names of the `#|` directives that a cell begins with, `eval: false` as it stands."
    names = set()
    for line in source.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            break
        if match := re.match(r"\s*#\|\s*(eval:\s*false|[\w-]+)", line):
            names.add(re.sub(r":\s*", ": ", match[1]))
    return names


def is_slow(cell: dict) -> bool:
    return cell["cell_type"] == "code" and "slow" in directives(source_of(cell))


def is_off(cell: dict) -> bool:
    return cell["cell_type"] == "code" and "eval: false" in directives(source_of(cell))


def parsed(source: str) -> ast.Module:
    "The syntax tree of a cell, its lines of magic left out."
    return ast.parse("\n".join("" if re.match(r"\s*[%!]", line) else line for line in source.splitlines()))


def what_it_does(source: str) -> str:
    "A cell without its comments and its layout: what a formatter changes is the same code."
    magic = [line.strip() for line in source.splitlines() if re.match(r"\s*[%!]", line)]
    try:
        return "\n".join([*magic, ast.unparse(parsed(source))])
    except SyntaxError:
        return source
