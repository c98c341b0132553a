"""Pages of the site that are made of other files: the reference of every exported name, how to cite, and what changed.

The scripts nbs/*.qmd.py print them while nbdev makes its pages, so Quarto and pandoc get the same. The reference is read from the
source of the modules, nothing is imported: comments beside parameters are their documentation, as nbdev has it.
"""

import ast
import io
import json
import re
import sys
import textwrap
import tokenize
from configparser import ConfigParser
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

root = Path(__file__).resolve().parents[1]
WIDTH = 88  # of a signature on one line


# What a module exports -----------------------------------------------------------------------------------------------
@dataclass
class Argument:
    "A parameter of a function or a field of a class."

    name: str  # with its stars
    kind: str = ""  # its annotation
    default: str = ""
    told: str = ""  # the comment beside it

    def __str__(self):
        return (
            self.name
            + (f": {self.kind}" if self.kind else "")
            + (f"{' = ' if self.kind else '='}{self.default}" if self.default else "")
        )


@dataclass
class Entry:
    "One exported name, or a public method of one."

    name: str  # a method's with that of its class
    sort: str  # function, class, property, constant
    line: int  # where it is defined
    told: str = ""  # its docstring; of a constant the comment
    signature: str = ""
    arguments: list[Argument] = field(default_factory=list)
    returns: str = ""  # what the comment says of the result
    members: list["Entry"] = field(default_factory=list)


def comments(source: str) -> dict[int, str]:  # line → text
    "The comments of a module by line."
    return {
        t.start[0]: t.string.lstrip("#").strip()
        for t in tokenize.generate_tokens(io.StringIO(source).readline)
        if t.type == tokenize.COMMENT
    }


def header_end(node, source: str) -> int:
    "The line on which the head of a function ends: that of the colon outside of all brackets."
    lines, depth = source.splitlines(keepends=True)[node.lineno - 1 :], 0
    for t in tokenize.generate_tokens(iter(lines).__next__):
        if t.type == tokenize.OP:
            depth += (t.string in "([{") - (t.string in ")]}")
            if t.string == ":" and not depth:
                return node.lineno + t.start[0] - 1
    return node.lineno


def annotated(node, helps: dict[str, tuple[str, str]]) -> tuple[str, str]:
    "An annotation as text, and what `Annotated[…, help=…]` says of it."
    if node is None:
        return "", ""
    if isinstance(node, ast.Name) and node.id in helps:
        return helps[node.id]
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
        said = [
            k.value.value
            for c in node.slice.elts[1:]
            if isinstance(c, ast.Call)
            for k in c.keywords
            if k.arg == "help" and isinstance(k.value, ast.Constant)
        ]
        alias = [
            helps[n.id][1]
            for c in node.slice.elts[1:]
            for n in ast.walk(c)
            if isinstance(n, ast.Name) and n.id in helps
        ]
        return annotation_text(node.slice.elts[0]), (said + alias + [""])[0]
    return annotation_text(node), ""


def annotation_text(node) -> str:
    "An annotation as it was written, without quotes round names and with tight bars."
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)
    return re.sub(r"\s*\|\s*", " | ", text)


def arguments(node, source: str, notes: dict[int, str], helps: dict) -> list[Argument]:  # without self and cls
    "The parameters of a function, each with the comment on its line."
    a, found, end = node.args, [], header_end(node, source)
    places = a.posonlyargs + a.args
    defaults = [None] * (len(places) - len(a.defaults)) + a.defaults
    listed = (
        [("", p, d) for p, d in zip(places, defaults)]
        + [("*", a.vararg, None)] * bool(a.vararg)
        + [("", p, d) for p, d in zip(a.kwonlyargs, a.kw_defaults)]
        + [("**", a.kwarg, None)] * bool(a.kwarg)
    )
    for star, p, default in listed:
        if p.arg in ("self", "cls") and not found and p is (places or [None])[0]:
            continue
        kind, said = annotated(p.annotation, helps)
        last = max(p.end_lineno, default.end_lineno if default else 0)
        told = notes.get(last, "") if last < end or node.returns is None and last == end else ""
        found.append(Argument(star + p.arg, kind, ast.unparse(default) if default else "", said or told))
    if a.kwonlyargs and not a.vararg:
        found.insert(len(places) - (len(listed) - len(found)), Argument("*"))
    return found


def signature(name: str, args: list[Argument], returns: str = "") -> str:
    "`name(arguments) -> returns`, broken where it is long."
    tail = f" -> {returns}" if returns else ""
    text = f"{name}({', '.join(map(str, args))}){tail}"
    if len(text) <= WIDTH:
        return text
    return f"{name}(\n" + "".join(f"    {a},\n" for a in args) + f"){tail}"


def function(node, source, notes, helps, owner: str = "") -> Entry:  # owner: the class of a method
    "A function or a method."
    marks = {ast.unparse(d).split("(")[0].split(".")[-1] for d in node.decorator_list}
    end, name = header_end(node, source), (f"{owner}." if owner else "") + node.name
    back = annotation_text(node.returns) if node.returns else ""
    told, said = ast.get_docstring(node) or "", notes.get(end, "") if node.returns else ""
    if marks & {"property", "cached_property"}:
        return Entry(name, "property", node.lineno, told, f"{name}: {back}" if back else name, [], said)
    args = arguments(node, source, notes, helps)
    return Entry(name, "function", node.lineno, told, signature(name, args, back), args, said)


def class_entry(node, source, notes, helps) -> Entry:
    "A class: what makes one, its fields, its public methods."
    defs = [n for n in node.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    fields = [
        Argument(
            n.target.id,
            annotation_text(n.annotation),
            ast.unparse(n.value) if n.value else "",
            notes.get(n.end_lineno, ""),
        )
        for n in node.body
        if isinstance(n, ast.AnnAssign)
        and not n.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(n.annotation)
    ]
    made = next((n for n in defs if n.name == "__init__"), None)
    args = arguments(made, source, notes, helps) if made else fields
    bases = [ast.unparse(b) for b in node.bases if ast.unparse(b) != "object"]
    text = (
        f"class {node.name}({', '.join(bases)})"
        if not args
        else f"class {signature(node.name, args)}" + (f"  # {', '.join(bases)}" if bases else "")
    )
    methods = [
        function(n, source, notes, helps, node.name) for n in defs if not n.name.startswith("_") or n.name == "__call__"
    ]
    methods = [
        m
        for m in methods
        if not any(ast.unparse(d).endswith(".setter") for n in defs if n.lineno == m.line for d in n.decorator_list)
    ]
    return Entry(node.name, "class", node.lineno, ast.get_docstring(node) or "", text, args, "", methods)


def constant(name: str, node, source: str, notes: dict[int, str]) -> Entry:
    "A name that stands for a value: the comment beside or above it says what it is."
    lines = (ast.get_source_segment(source, node) or name).splitlines()
    above, i = [], node.lineno - 1
    while (
        i in notes and not source.splitlines()[i - 1].split("#")[0].strip() and not notes[i].startswith(("%%", "nbs/"))
    ):
        above.insert(0, notes[i])
        i -= 1
    told = notes.get(node.lineno) or notes.get(node.end_lineno) or " ".join(above)
    text = "\n".join(lines[:12] + ["…"] * (len(lines) > 12))
    return Entry(
        name, "constant", node.lineno, told, textwrap.shorten(text, 700, placeholder=" …") if len(text) > 700 else text
    )


def exported(source: str) -> list[Entry]:  # in the order of the file
    "Every name of `__all__` of a module."
    tree, notes = ast.parse(source), comments(source)
    named = lambda n: (
        [t.id for t in (n.targets if isinstance(n, ast.Assign) else [n.target]) if isinstance(t, ast.Name)]
        if isinstance(n, (ast.Assign, ast.AnnAssign))
        else []
    )
    names = next((ast.literal_eval(n.value) for n in tree.body if "__all__" in named(n)), [])
    helps = {
        n.targets[0].id: annotated(n.value, {})
        for n in tree.body
        if named(n) and isinstance(n, ast.Assign) and ast.unparse(n.value).startswith("Annotated[")
    }
    found = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in names:
            found[node.name] = function(node, source, notes, helps)
        elif isinstance(node, ast.ClassDef) and node.name in names:
            found[node.name] = class_entry(node, source, notes, helps)
        else:
            for name in named(node):
                if name in names and name != "__all__":
                    found.setdefault(name, constant(name, node, source, notes))
    return list(found.values())


def undocumented(entries: list[Entry]) -> list[str]:  # names
    "The exported functions and classes without a docstring."
    return [e.name for e in entries if e.sort in ("function", "class") and not e.told]


# All modules -----------------------------------------------------------------------------------------------------------
@cache
def settings(folder: Path = root) -> dict[str, str]:
    config = ConfigParser(delimiters="=")
    config.read(folder / "settings.ini", encoding="utf-8")
    return dict(config["DEFAULT"])


def module_notebooks(
    nbs: Path = root / "nbs",
) -> dict[str, str]:  # module → file name of its notebook, in the order of their numbers
    "Which notebook each module is exported from."
    found = {}
    for path in sorted(nbs.glob("*.ipynb")):
        if m := re.search(r"#\|\s*default_exp\s+(\w+)", path.read_text(encoding="utf-8")):
            found[m[1]] = path.name
    return found


@cache
def source_of(module: str) -> str:
    return (root / "cuts" / f"{module}.py").read_text(encoding="utf-8")


@cache
def entries(module: str) -> list[Entry]:
    return exported(source_of(module))


@cache
def modules() -> dict[str, str]:  # module → notebook
    return {m: n for m, n in module_notebooks().items() if (root / "cuts" / f"{m}.py").exists() and entries(m)}


def code_url(module: str, line: int) -> str:
    return f"{settings()['git_url']}/blob/{settings()['branch']}/cuts/{module}.py#L{line}"


@cache
def homes() -> dict[str, str]:  # name → module
    "The names that `cuts` itself hands on."
    sys.path.insert(0, str(root))
    from cuts import _home

    return _home


@cache
def owners() -> dict[str, list[str]]:  # name → modules that export it
    found = {}
    for module in modules():
        for e in entries(module):
            found.setdefault(e.name, []).append(module)
    return found


def owner(name: str, module: str = "") -> str | None:
    "The module that is meant by a name on the pages of `module`: its own, what `cuts` hands on, the one that has it, and commands last."
    at = owners().get(name, [])
    if module in at or not at:
        return module if at else None
    return homes()[name] if homes().get(name) in at else next((m for m in at if m != "cli"), at[0])


def page_of(notebook: str) -> str:
    "The page of a notebook or of another source: no number, as nbdev has it."
    return re.sub(r"^\d+[a-zA-Z]*_", "", notebook).rsplit(".", 1)[0] + ".html"


def title_of(notebook: str) -> tuple[str, str]:  # title and subtitle
    for cell in json.loads((root / "nbs" / notebook).read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (m := re.match(r"# (.+)", text)):
            under = re.search(r"^> (.+)", text, re.M)
            return m[1].strip(), under[1].strip() if under else ""
    return notebook, ""


# As markdown -----------------------------------------------------------------------------------------------------------
def escaped(text: str) -> str:
    "Plain text so that markdown shows it as it is; what stands in backticks stays code, $x^2$ a formula."
    parts = re.split(r"(`[^`\n]+`|\$[^\s$](?:[^$\n]*[^\s$])?\$(?!\d))", text)
    return "".join(p if i % 2 else re.sub(r"([\\*_\[\]<>$~^@#|'\"`{}])", r"\\\1", p) for i, p in enumerate(parts))


@cache
def members(module: str) -> set[str]:
    return {m.name for e in entries(module) for m in e.members}


@cache
def equations(module: str) -> dict[str, str]:  # label → number on the page of the module
    text = "\n".join(
        "".join(c["source"])
        for c in json.loads((root / "nbs" / modules()[module]).read_text(encoding="utf-8"))["cells"]
        if c["cell_type"] == "markdown"
    )
    return {label: str(i + 1) for i, label in enumerate(re.findall(r"\{#(eq-[\w-]+)", text))}


def linked(text: str, module: str, inside: str = "") -> str:  # inside: the class whose method is told of
    "Escaped text in which names in backticks lead to where they are documented, and equations to theirs."

    def one(m):
        if inside and f"{inside}.{m[1]}" in members(module):
            return f"[`{m[1]}`](api_{module}.html#{inside}.{m[1]})"
        name = re.sub(r"^cuts\.", "", m[1])
        where, _, rest = name.rpartition(".")
        if name in modules():
            return f"[`{m[1]}`](api_{name}.html)"
        if where in modules() and rest in {e.name for e in entries(where)}:
            return f"[`{m[1]}`](api_{where}.html#{rest})"
        first = name.split(".")[0].split("(")[0]
        if not (at := owner(first, module)) or "(" in name:
            return m[0]
        anchor = name if name in members(at) else first if name == first else None
        return f"[`{m[1]}`](api_{at}.html#{anchor})" if anchor else m[0]

    text = re.sub(r"`([A-Za-z_][\w.]*)`", one, escaped(text))
    return re.sub(
        r"\\@(eq-[\w-]*\w)",
        lambda m: (
            f"[Equation {equations(module)[m[1]]}]({page_of(modules()[module])}#{m[1]})"
            if m[1] in equations(module)
            else m[0]
        ),
        text,
    )


def described(told: str, module: str, inside: str = "") -> str:
    "A docstring as markdown: paragraphs, and lists of attributes with their names set as code."
    blocks = []
    for block in re.split(r"\n\s*\n", told):
        lines = block.splitlines()
        if len(lines) > 1 and set(lines[1].strip()) == {"-"}:
            pairs = [(name.strip(), rest.strip()) for name, _, rest in (line.partition(":") for line in lines[2:])]
            blocks.append(
                f"{lines[0]}\n\n" + "\n".join(f"- `{name}`: {linked(rest, module, inside)}" for name, rest in pairs)
            )
        else:
            blocks.append(
                "\\\n".join(linked(line, module, inside) for line in lines)
                if any(re.match(r"\s{2,}", line) for line in lines)
                else linked(" ".join(lines), module, inside)
            )
    return "\n\n".join(blocks)


def argument_list(args: list[Argument], module: str, inside: str = "") -> str:
    "What is said of the parameters; those that share a line share what is said."
    groups = []
    for a in args:
        if a.name == "*" or not a.told:
            continue
        if groups and groups[-1][-1].told == a.told:
            groups[-1].append(a)
        else:
            groups.append([a])
    return "\n\n".join(
        ", ".join(f"`{a}`" for a in group) + f"\n:   {linked(group[0].told, module, inside)}" for group in groups
    )


def entry_page(e: Entry, module: str, level: int = 2) -> str:
    "One name: heading, signature, docstring, parameters, result, links."
    short, inside = e.name.split(".")[-1], e.name.split(".")[0] if e.sort == "class" or level > 2 else ""
    links = f"[source]({code_url(module, e.line)})"
    if level == 2:
        links = (
            f"[explained]({page_of(modules()[module])}{'' if e.sort == 'constant' else '#' + e.name.lower()}) · "
            + links
        )
    body = [
        f"{'#' * level} `{short}` {{#{e.name}}}",
        f"```python\n{e.signature}\n```",
        described(e.told, module, inside),
        argument_list(e.arguments, module, inside),
    ]
    if e.returns:
        body.append(f"**Returns**\n:   {linked(e.returns, module, inside)}")
    if level == 2:
        body.append(links)
    return "\n\n".join([b for b in body if b] + [entry_page(m, module, level + 1) for m in e.members])


def commented(e: Entry) -> str:
    "A signature, a parameter a line, with what is said of each beside it."
    if e.sort == "property" or not any(a.told for a in e.arguments) and not e.returns:
        return e.signature
    if "\n" not in e.signature and not any(a.told for a in e.arguments):
        return f"{e.signature}  # {e.returns}"
    head, tail = (
        e.signature.split("(")[0] + "(",
        e.signature[e.signature.rindex(")") :] if not e.signature.startswith("class") else ")",
    )
    if e.sort == "function" and (back := re.search(r"\) -> ([^\n]*)$", e.signature)):
        tail = f") -> {back[1]}"
    lines = [(f"    {a},", a.told) for a in e.arguments] + [(tail, e.returns)]
    column = max((len(code) for code, told in lines if told and len(code) <= 52), default=0)
    return "\n".join([head] * bool(head) + [f"{code:{column}}  # {told}" if told else code for code, told in lines])


def shown(module: str, name: str) -> str | None:  # None: not exported
    "A documented name as its notebook shows it, below the cell that exports it."
    if not (e := next((e for e in entries(module) if e.name == name), None)):
        return None
    links = f'[[API](api_{module}.html#{name}) · [source]({code_url(module, e.line)})]{{style="float:right; font-size:smaller"}}'
    return "\n\n".join(
        [
            "---",
            links,
            f"### {name}",
            f"```python\n{commented(e)}\n```",
            described(e.told, module, name if e.sort == "class" else ""),
        ]
    )


def first_sentence(told: str) -> str:
    text = " ".join(told.split("\n\n")[0].split())
    m = re.match(r".*?[.!?](?=\s+[A-Z`]|$)", re.sub(r"`[^`]*`", lambda m: "x" * len(m[0]), text))
    return text[: m.end()] if m else text


def front(title: str, description: str) -> str:
    return f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\ndescription: {json.dumps(description, ensure_ascii=False)}\n---\n\n"


def module_page(module: str) -> str:  # the text of api_NAME.qmd
    "All that a module exports."
    title, under = title_of(modules()[module])
    here = entries(module)
    rest, constants = [e for e in here if e.sort != "constant"], [e for e in here if e.sort == "constant"]
    names = " · ".join(f"[`{e.name}`](#{e.name})" for e in rest + constants)
    intro = f"What stands behind these names is told in [{escaped(title)}]({page_of(modules()[module])}), the notebook that this module is exported from. All modules: [API](api.html)."
    return (
        front(f"cuts.{module}", under)
        + "\n\n".join([intro, names, *(entry_page(e, module) for e in rest + constants)])
        + "\n"
    )


def api_index() -> str:  # markdown, without front matter
    "Every module and every exported name, a line each."
    handed = ", ".join(f"[`{n}`](api_{m}.html#{n})" for n, m in sorted(homes().items(), key=lambda x: x[0].lower()))
    parts = [
        "Every name that the package exports, by module in the order of the notebooks. Most people need only what `cuts` itself hands on: "
        + handed
        + ". The rest is imported from its module, such as `from cuts.tree import salient_levels`."
    ]
    for module in modules():
        _, under = title_of(modules()[module])
        lines = [
            f"- [`{e.name}`](api_{module}.html#{e.name})"
            + (f": {linked(first_sentence(e.told), module)}" if e.told else "")
            for e in entries(module)
        ]
        parts += [f"## [`cuts.{module}`](api_{module}.html) {{#{module}}}", escaped(under) + ".", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def write_modules(folder):
    "api_NAME.qmd of every module."
    for module in modules():
        (Path(folder) / f"api_{module}.qmd").write_text(module_page(module), encoding="utf-8")


# How to cite, what changed ---------------------------------------------------------------------------------------------
def citation() -> dict:
    import yaml

    return yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))


def cite() -> str:  # markdown, without front matter
    "The paper and the software, as BibTeX and as a line, from CITATION.cff."
    cff = citation()
    paper, start = cff["preferred-citation"], str(cff["version"])
    names = [(a["family-names"], a["given-names"]) for a in paper["authors"]]
    line = ", ".join(f"{family} {''.join(p[0] for p in given.replace('.', '').split())}" for family, given in names)
    journal = paper.get("collection-title") or paper["conference"]["name"]
    bib = "\n".join(
        [
            "@inproceedings{liu2024cuts,",
            f"  title     = {{{paper['title'].replace('CUTS', '{CUTS}')}}},",
            f"  author    = {{{' and '.join(f'{family}, {given}' for family, given in names)}}},",
            f"  booktitle = {{{journal.split(',')[0].replace('–', '--')}}},",
            f"  series    = {{Lecture Notes in Computer Science}}, volume = {{{paper['volume']}}},",
            f"  pages     = {{{paper['start']}--{paper['end']}}}, year = {{{paper['year']}}}, publisher = {{{paper['publisher']['name']}}},",
            f"  doi       = {{{paper['doi']}}}",
            "}",
        ]
    )
    soft = "\n".join(
        [
            "@software{cuts_software,",
            f"  title   = {{{cff['title'].replace('CUTS', '{CUTS}')}}},",
            f"  author  = {{{{{cff['authors'][0]['name']}}}}},",
            f"  version = {{{start}}},",
            f"  url     = {{{cff['repository-code']}}},",
            f"  license = {{{cff['license']}}}",
            "}",
        ]
    )
    return (
        "\n\n".join(
            [
                "If you use the method, cite the paper; where it matters which program computed a number, cite the program as well, with its version (`cuts info` prints it).",
                "## The paper",
                f"{line} ({paper['year']}). *{paper['title']}*. {journal}, volume {paper['volume']}, pages {paper['start']}–{paper['end']}. {paper['publisher']['name']}. "
                f"[doi:{paper['doi']}](https://doi.org/{paper['doi']}), [arXiv:2209.11359](https://arxiv.org/abs/2209.11359).",
                f"```bibtex\n{bib}\n```",
                "## The program",
                f"```bibtex\n{soft}\n```",
                "The same stands in `CITATION.cff` at the top of the repository, which GitHub and reference managers read.",
                "## What it stands on",
                "Diffusion condensation is that of @brugnone2019coarse and @huguet2023timeinhomogeneous, its use on biological data that of @kuchroo2022multiscale, "
                "the diffusion potential that of @moon2019visualizing, the contrastive loss that of @chen2020simple.",
            ]
        )
        + "\n"
    )


def changes() -> str:  # markdown, without front matter
    "CHANGELOG.md without its title."
    return re.sub(r"\A# .*\n+", "", (root / "CHANGELOG.md").read_text(encoding="utf-8"))
