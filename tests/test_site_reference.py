"The reference of exported names, how to cite and what changed: pages that are made of other files."

import ast
import json
import re

import nbformat.v4 as v4
from markup import pandoc
from notebooks.stamps import stamp
from website import check, citation, library, places, reference
from website.exports import exported, undocumented
from website.problems import Problems

SOURCE = """
from dataclasses import dataclass
__all__ = ["LIMIT", "Size", "twice", "Pair"]
LIMIT = 7 # the most there may be
Size = Annotated[int, Option(help="How large.")]
_hidden = 1
def twice(x:"int|None",  # the number
          y=(1, 2), z=3, # the rest
          *, size:Size=4,
          **more         # further settings
         ) -> list[int]: # its double
    "Twice a number."
@dataclass
class Pair(Base):
    "Two of a kind, see `twice`."
    a: int = 0 # the first
    b: str = field(default_factory=str)
    _c: int = 0
    def sum(self, other:int=1) -> int: # of both
        "Their sum."
    @property
    def first(self) -> int: return self.a
    def _private(self): pass
"""


def test_modules_are_read_without_importing_them():
    limit, size, twice, pair = exported(SOURCE)
    assert (limit.kind, limit.description, limit.signature) == ("constant", "the most there may be", "LIMIT = 7")
    assert twice.signature == "twice(x: int | None, y=(1, 2), z=3, *, size: int = 4, **more) -> list[int]"
    assert [(a.name, a.description) for a in twice.arguments] == [
        ("x", "the number"),
        ("y", "the rest"),
        ("z", "the rest"),
        ("*", ""),
        ("size", "How large."),
        ("**more", "further settings"),
    ]
    assert (twice.description, twice.returns) == ("Twice a number.", "its double")
    assert pair.signature == "class Pair(a: int = 0, b: str = field(default_factory=str))  # Base"
    assert pair.arguments[0].description == "the first"
    assert [(m.name, m.kind, m.returns) for m in pair.members] == [
        ("Pair.sum", "function", "of both"),
        ("Pair.first", "property", ""),
    ]
    assert undocumented(exported(SOURCE.replace('"Two of a kind, see `twice`."', ""))) == ["Pair"]


def test_a_signature_says_what_each_parameter_is():
    assert reference.commented(exported(SOURCE)[2]).splitlines() == [
        "twice(",
        "    x: int | None,  # the number",
        "    y=(1, 2),       # the rest",
        "    z=3,            # the rest",
        "    *,",
        "    size: int = 4,  # How large.",
        "    **more,         # further settings",
        ") -> list[int]      # its double",
    ]


def test_text_stays_what_it_is():
    text = r"a * b_c [D + C] <x> $5 ~y ^z @fig #h |q| \n 'one' {t} `code *x*`"
    shown = "<p>a * b_c [D + C] &lt;x&gt; $5 ~y ^z @fig #h |q| \\n 'one' {t} <code>code *x*</code></p>"
    assert pandoc(reference.escaped(text)) == shown
    assert pandoc(reference.escaped("$A or $B, $5 or $6")) == "<p>$A or $B, $5 or $6</p>"
    assert "$" not in re.sub("<[^>]+>", "", pandoc(reference.escaped(r"the walk $P_{ij}^t$ of $t$ steps_")))


def test_names_are_linked_to_the_module_that_is_meant():
    link = reference.linked
    assert link("`segment`", "api") == "[`segment`](api_api.html#segment)"
    assert link("`segment`", "cli.running") == "[`segment`](api_cli.running.html#segment)"
    assert link("`segment`", "io.reading") == "[`segment`](api_api.html#segment)"  # what `cuts` hands on
    assert link("`cuts.stage2.tree`", "io.reading") == "[`cuts.stage2.tree`](api_stage2.tree.html)"
    method = "[`fit`](api_stage2.condensation.html#DiffusionCondensation.fit)"
    assert link("`fit`", "stage2.condensation", "DiffusionCondensation") == method
    assert link("`nothing` of `x`", "io.reading") == "`nothing` of `x`"
    assert link("(@eq-condense)", "stage2.condensation") == "([Equation 1](condensation.html#eq-condense))"


def test_every_export_is_in_the_reference():
    index = reference.api_index()
    for module in library.modules():
        assignments = [n for n in ast.parse(library.source_of(module)).body if isinstance(n, ast.Assign)]
        names = next(ast.literal_eval(n.value) for n in assignments if ast.unparse(n.targets[0]) == "__all__")
        page = reference.module_page(module)
        for name in names:
            assert f"{{#{name}}}" in page, f"{module}.{name}"
            assert f"(api_{module}.html#{name})" in index, f"{module}.{name}"


def test_exports_have_docstrings():
    missing = {module: undocumented(library.entries(module)) for module in library.modules()}
    assert {module: names for module, names in missing.items() if names} == {}


def test_citation_and_changes_follow_their_files():
    cff = citation.citation()
    text = citation.cite()
    assert cff["preferred-citation"]["title"] in text
    assert str(cff["version"]) in text
    assert text.count("```bibtex") == 2
    assert "# Changes" not in citation.changes()
    assert "## [0.1.0]" in citation.changes()


def test_undocumented_exports_and_stale_notebooks_are_found(tmp_path, monkeypatch):
    nb = v4.new_notebook(cells=[v4.new_code_cell("x = 1")], metadata={"cuts": {"code": "0" * 16}})
    (tmp_path / "10_thing.ipynb").write_text(json.dumps(nb))
    monkeypatch.setattr(places, "nbs", tmp_path)
    monkeypatch.setattr(library, "modules", lambda: {"thing": "10_thing.ipynb"})
    monkeypatch.setattr(library, "entries", lambda module: exported(SOURCE.replace('"Twice a number."', "pass")))
    problems = Problems()
    check.check_sources(problems)
    assert len(problems) == 2
    assert problems[0] == "10_thing.ipynb: twice is exported without a docstring"
    assert "changed since it ran: make prepare" in problems[1]
    (tmp_path / "10_thing.ipynb").write_text(json.dumps(nb | {"metadata": {"cuts": stamp(nb)}}))
    monkeypatch.setattr(library, "entries", lambda module: exported(SOURCE))
    problems = Problems()
    check.check_sources(problems)
    assert problems == []
