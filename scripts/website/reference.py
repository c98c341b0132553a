"""The reference of every exported name, as markdown.

nbs/exports.qmd.py prints it while nbdev makes its pages, so Quarto and pandoc get the same."""

import json
import re
from pathlib import Path

from . import library
from .exports import Argument, Entry
from .places import page_of


# Text ----------------------------------------------------------------------------------------------------------------
def escaped(text: str) -> str:
    "Plain text so that markdown shows it as it is; what stands in backticks stays code, $x^2$ a formula."
    parts = re.split(r"(`[^`\n]+`|\$[^\s$](?:[^$\n]*[^\s$])?\$(?!\d))", text)
    return "".join(p if i % 2 else re.sub(r"([\\*_\[\]<>$~^@#|'\"`{}])", r"\\\1", p) for i, p in enumerate(parts))


def api_address(name: str, module: str, of_class: str = "") -> str | None:
    "The place in the reference of a name as the pages of `module` write it; None if it has none."
    if of_class and f"{of_class}.{name}" in library.methods(module):
        return f"api_{module}.html#{of_class}.{name}"
    name = re.sub(r"^cuts\.", "", name)
    parent, _, last = name.rpartition(".")
    if name in library.modules():
        return f"api_{name}.html"
    if parent in library.modules() and last in {entry.name for entry in library.entries(parent)}:
        return f"api_{parent}.html#{last}"
    first = name.split(".")[0]
    exporter = library.owner(first, module)
    if exporter and (name == first or name in library.methods(exporter)):
        return f"api_{exporter}.html#{name}"
    return None


def linked(text: str, module: str, of_class: str = "") -> str:  # of_class: the class whose method is told of
    "Escaped text in which names in backticks lead to where they are documented, and equations to theirs."

    def link_name(m):
        address = api_address(m[1], module, of_class)
        return f"[`{m[1]}`]({address})" if address else m[0]

    def link_equation(m):
        number = library.equations(module).get(m[1])
        return f"[Equation {number}]({page_of(library.modules()[module])}#{m[1]})" if number else m[0]

    text = re.sub(r"`([A-Za-z_][\w.]*)`", link_name, escaped(text))
    return re.sub(r"\\@(eq-[\w-]*\w)", link_equation, text)


def described(text: str, module: str, of_class: str = "") -> str:
    "A docstring as markdown: paragraphs, and lists of attributes with their names set as code."
    blocks = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.splitlines()
        if len(lines) > 1 and set(lines[1].strip()) == {"-"}:
            pairs = [(name.strip(), rest.strip()) for name, _, rest in (line.partition(":") for line in lines[2:])]
            listed = "\n".join(f"- `{name}`: {linked(rest, module, of_class)}" for name, rest in pairs)
            blocks.append(f"{lines[0]}\n\n{listed}")
        elif any(re.match(r"\s{2,}", line) for line in lines):  # indented: the lines stay lines
            blocks.append("\\\n".join(linked(line, module, of_class) for line in lines))
        else:
            blocks.append(linked(" ".join(lines), module, of_class))
    return "\n\n".join(blocks)


def first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n")[0].split())
    without_code = re.sub(r"`[^`]*`", lambda m: "x" * len(m[0]), paragraph)
    m = re.match(r".*?[.!?](?=\s+[A-Z`]|$)", without_code)
    return paragraph[: m.end()] if m else paragraph


# One name ------------------------------------------------------------------------------------------------------------
def argument_list(args: list[Argument], module: str, of_class: str = "") -> str:
    "What is said of the parameters; those that share a line share what is said."
    groups = []
    for arg in args:
        if arg.name == "*" or not arg.description:
            continue
        if groups and groups[-1][-1].description == arg.description:
            groups[-1].append(arg)
        else:
            groups.append([arg])
    return "\n\n".join(
        ", ".join(f"`{arg}`" for arg in group) + f"\n:   {linked(group[0].description, module, of_class)}"
        for group in groups
    )


def explanation_url(entry: Entry, module: str) -> str:
    "Where the notebook of a module explains one of its names; constants have no place of their own there."
    place = "" if entry.kind == "constant" else f"#{entry.name.lower()}"
    return page_of(library.modules()[module]) + place


def entry_page(entry: Entry, module: str, level: int = 2) -> str:
    "One name: heading, signature, docstring, parameters, result, links."
    short, of_class = entry.name.split(".")[-1], entry.name.split(".")[0] if entry.kind == "class" or level > 2 else ""
    body = [
        f"{'#' * level} `{short}` {{#{entry.name}}}",
        f"```python\n{entry.signature}\n```",
        described(entry.description, module, of_class),
        argument_list(entry.arguments, module, of_class),
    ]
    if entry.returns:
        body.append(f"**Returns**\n:   {linked(entry.returns, module, of_class)}")
    if level == 2:
        source = library.code_url(module, entry.line)
        body.append(f"[explained]({explanation_url(entry, module)}) · [source]({source})")
    members = [entry_page(member, module, level + 1) for member in entry.members]
    return "\n\n".join([part for part in body if part] + members)


def commented(entry: Entry) -> str:
    "A signature, a parameter a line, with what is said of each beside it."
    has_descriptions = any(arg.description for arg in entry.arguments)
    if entry.kind == "property" or not has_descriptions and not entry.returns:
        return entry.signature
    if "\n" not in entry.signature and not has_descriptions:
        return f"{entry.signature}  # {entry.returns}"
    tail = ")" if entry.kind == "class" else entry.signature[entry.signature.rindex(")") :]
    if entry.kind == "function" and (m := re.search(r"\) -> ([^\n]*)$", entry.signature)):
        tail = f") -> {m[1]}"
    lines = [(f"    {arg},", arg.description) for arg in entry.arguments] + [(tail, entry.returns)]
    column = max((len(code) for code, comment in lines if comment and len(code) <= 52), default=0)
    body = [f"{code:{column}}  # {comment}" if comment else code for code, comment in lines]
    return "\n".join([entry.signature.split("(")[0] + "(", *body])


def shown(module: str, name: str) -> str | None:  # None: not exported
    "A documented name as its notebook shows it, below the cell that exports it."
    entry = next((entry for entry in library.entries(module) if entry.name == name), None)
    if not entry:
        return None
    links = f"[API](api_{module}.html#{name}) · [source]({library.code_url(module, entry.line)})"
    return "\n\n".join(
        [
            "---",
            f'[{links}]{{style="float:right; font-size:smaller"}}',
            f"### {name}",
            f"```python\n{commented(entry)}\n```",
            described(entry.description, module, name if entry.kind == "class" else ""),
        ]
    )


# Pages ---------------------------------------------------------------------------------------------------------------
def front_matter(title: str, description: str) -> str:
    fields = dict(title=title, description=description)
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in fields.items()]
    return f"---\n{''.join(lines)}---\n\n"


def module_page(module: str) -> str:  # the text of api_NAME.qmd
    "All that a module exports."
    notebook = library.modules()[module]
    title, subtitle = library.title_of(notebook)
    entries = sorted(library.entries(module), key=lambda entry: entry.kind == "constant")  # constants last
    names = " · ".join(f"[`{entry.name}`](#{entry.name})" for entry in entries)
    intro = (
        f"What stands behind these names is told in [{escaped(title)}]({page_of(notebook)}), "
        "the notebook that this module is exported from. All modules: [API](exports.html)."
    )
    body = [intro, names, *(entry_page(entry, module) for entry in entries)]
    return front_matter(f"cuts.{module}", subtitle) + "\n\n".join(body) + "\n"


def index_line(entry: Entry, module: str) -> str:
    "An exported name and the first sentence of what is said of it."
    sentence = f": {linked(first_sentence(entry.description), module)}" if entry.description else ""
    return f"- [`{entry.name}`](api_{module}.html#{entry.name}){sentence}"


def api_index() -> str:  # markdown, without front matter
    "Every module and every exported name, a line each."
    handed_on = sorted(library.homes().items(), key=lambda home: home[0].lower())
    names = ", ".join(f"[`{name}`](api_{module}.html#{name})" for name, module in handed_on)
    parts = [
        "Every name that the package exports, by module in the order of the notebooks. "
        f"Most people need only what `cuts` itself hands on: {names}. "
        "The rest is imported from its module, such as `from cuts.stage2.tree import salient_levels`."
    ]
    for module, notebook in library.modules().items():
        parts.append(f"## [`cuts.{module}`](api_{module}.html) {{#{module}}}")
        parts.append(f"{escaped(library.title_of(notebook)[1])}.")
        parts.append("\n".join(index_line(entry, module) for entry in library.entries(module)))
    return "\n\n".join(parts) + "\n"


def write_modules(folder: Path):
    "api_NAME.qmd of every module."
    for module in library.modules():
        (Path(folder) / f"api_{module}.qmd").write_text(module_page(module), encoding="utf-8")
