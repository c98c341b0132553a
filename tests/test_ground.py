"What the whole stands on: the import graph, exports, outputs, packaging, and what lies at the top."

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from notebooks.cells import directives, parsed
from notebooks.stamps import is_stale
from repository import notebooks, root
from website import order
from website.readme import readme


# The package ---------------------------------------------------------------------------------------------------------
def python(code: str, **env) -> str:
    command = [sys.executable, "-c", code]
    env = os.environ | env
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=env).stdout


TIMED_IMPORT = """
import sys, time
start = time.perf_counter()
import cuts
dir(cuts)
print(time.perf_counter() - start, "torch" in sys.modules, "numpy" in sys.modules)
"""


def test_import_is_light():
    runs = [python(TIMED_IMPORT).split() for _ in range(3)]
    assert {tuple(loaded) for _, *loaded in runs} == {("False", "False")}, "torch or numpy is imported"
    assert min(float(seconds) for seconds, *_ in runs) < 0.5


def test_lazy_names_arrive():
    import cuts

    assert set(cuts.__all__) == set(cuts._home)
    assert set(cuts.__all__) <= set(dir(cuts))
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", cuts.__version__)
    for name in cuts.__all__:
        assert callable(getattr(cuts, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cuts.nothing


def test_lazy_names_are_told_to_editors():
    "The imports under TYPE_CHECKING name the same objects as `_home`."
    import cuts

    block = next(n for n in ast.parse((root / "cuts/__init__.py").read_text()).body if isinstance(n, ast.If))
    assert {a.name: node.module for node in block.body for a in node.names} == cuts._home


EXTRAS = {"dev", "phate", "medical", "explore", "examples"}


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
    assert {key.removesuffix("_requirements") for key in cfg if key.endswith("_requirements")} >= EXTRAS
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

    assert set(metadata("cuts-segmentation").get_all("Provides-Extra")) >= EXTRAS


def test_versions_agree():
    import cuts
    import yaml

    cited = yaml.safe_load((root / "CITATION.cff").read_text())["version"]
    described = json.loads((root / "codemeta.json").read_text())
    assert settings()["version"] == cuts.__version__
    assert str(cited) == cuts.__version__
    assert described["version"] == cuts.__version__
    assert described["identifier"] == settings()["dist_name"]


def recipe():
    "The recipe of conda, rendered as its tools do."
    import jinja2
    import yaml

    text = (root / "recipe/meta.yaml").read_text()
    return yaml.safe_load(
        jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text).render(PYTHON="python")
    )


def test_the_recipe_renders_and_asks_for_what_the_package_needs():
    said = recipe()
    assert said["package"] == {"name": settings()["dist_name"], "version": settings()["version"]}
    assert said["build"]["entry_points"] == [settings()["console_scripts"].replace("=", " = ")]
    as_conda = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
    wanted = {f"python >={settings()['min_python']}"}
    for requirement in settings()["requirements"].split():
        name, version = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
        wanted.add(f"{as_conda.get(name, name)} {version}".strip())
    assert set(said["requirements"]["run"]) == wanted


def test_a_release_is_built_as_here_and_needs_no_secret():
    import yaml

    said = yaml.safe_load((root / ".github/workflows/release.yml").read_text())
    assert said[True] == {"push": {"tags": ["v*"]}}  # YAML takes the word on for a truth value
    assert "make wheel" in [step.get("run") for step in said["jobs"]["build"]["steps"]]
    assert said["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in (root / ".github/workflows/release.yml").read_text()


def test_the_changelog_begins_with_this_version():
    versions = re.findall(r"^## \[(.+?)\] - (unreleased|\d{4}-\d\d-\d\d)$", (root / "CHANGELOG.md").read_text(), re.M)
    assert versions[0][0] == settings()["version"]
    assert [version for version, date in versions[1:] if date == "unreleased"] == []


# The notebooks -------------------------------------------------------------------------------------------------------
def test_export_matches_the_notebooks(tmp_path):
    for name in ("settings.ini", "nbs", "cuts"):
        (shutil.copytree if (root / name).is_dir() else shutil.copy)(root / name, tmp_path / name)
    for path in (tmp_path / "cuts").rglob("*.py"):
        if path not in (tmp_path / "cuts/__init__.py", tmp_path / "cuts/__main__.py"):  # those written by hand
            path.unlink()
    subprocess.run(
        [sys.executable, "-c", "from nbdev.doclinks import nbdev_export; nbdev_export()"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    here, there = (
        {p.relative_to(d).as_posix(): p.read_text() for p in (d / "cuts").rglob("*.py")} for d in (root, tmp_path)
    )
    assert here.keys() == there.keys()
    assert [n for n in here if here[n] != there[n]] == [], "not what the notebooks export: make export"


@pytest.mark.parametrize("path", notebooks, ids=lambda p: p.stem)
def test_outputs_are_not_stale(path):
    assert not is_stale(path), (
        f"its code or a definition it uses changed since it ran: make prepare (or scripts/execute.py nbs/{path.name})"
    )


@pytest.mark.parametrize("path", notebooks, ids=lambda p: p.stem)
def test_notebook_is_fit_for_the_site(path):
    "What nbdev would drop or stumble over when it makes the pages."
    nb = json.loads(path.read_text(encoding="utf-8"))
    title = next("".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "markdown")
    assert re.fullmatch(r"# .+(\n+> .+)?(\n+- .+: .+)*\s*", title), (
        "the first markdown cell holds the title, its '>' line and nothing else: nbdev drops the rest"
    )
    for i, cell in enumerate(c for c in nb["cells"] if c["cell_type"] == "code"):
        source = "".join(cell["source"])
        marks = directives(source)
        if any("image/png" in o.get("data", {}) for o in cell["outputs"]) and "hide" not in marks:
            complaint = f"code cell {i} shows a picture without label, fig-cap or fig-alt"
            assert {"fig-cap", "fig-alt", "label"} <= marks, complaint
        if marks & {"export", "exporti", "exports", "eval: false"}:
            continue
        kinds = {type(n) for n in ast.walk(parsed(source))}
        assert not kinds & {ast.Import, ast.ImportFrom} or not kinds & {ast.Expr, ast.Assign}, (
            f"code cell {i} imports and does other things; nbdev runs such cells out of order: "
            f"move its imports to a cell of imports\n{source[:300]}"
        )


def test_quarto_configuration_is_linked():
    link = root / "nbs/_quarto.yml"
    complaint = (
        "nbs/_quarto.yml is no link to _quarto.yml: this checkout has turned it into a text file "
        "(git config core.symlinks true, then check it out again)"
    )
    assert link.is_symlink(), complaint
    assert link.resolve() == root / "_quarto.yml", complaint


def test_sidebar_lists_every_page():
    listed = re.findall(r"\S+\.(?:ipynb|qmd)", (root / "nbs/sidebar.yml").read_text())
    assert listed == order.flat(order.contents()), "make prepare"
    assert {p.name for p in notebooks} <= set(listed), "make prepare"


def test_readme_is_what_the_index_says():
    text, pictures = readme()
    assert (root / "README.md").read_text() == text, "README.md is not what nbs/index.ipynb says: make prepare"
    for file, data in pictures.items():
        assert file.read_bytes() == data


def test_every_citation_has_its_entry():
    keys = set(re.findall(r"^@\w+\{([^,]+),", (root / "nbs/references.bib").read_text(), re.M))
    for path in notebooks:
        cells = json.loads(path.read_text())["cells"]
        prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        cited = set(re.findall(r"(?<![\w/`.])@([a-z]+\d{4}\w+)", prose))
        assert cited <= keys, f"{path.name} cites {sorted(cited - keys)}, not in nbs/references.bib"


# The repository ------------------------------------------------------------------------------------------------------
def tracked() -> list[Path]:
    """The files under version control that are there.

    In an unpacked archive these are all files that git would not ignore by name."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [root / name for name in listed.stdout.split("\0") if name and os.path.lexists(root / name)]
    skip = {".git", ".venv", "_docs", "_proc", "demo", "runs", "build", "dist"}
    skip |= {"__pycache__", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache"}
    return [p for p in root.rglob("*") if p.is_file() and not skip & set(p.relative_to(root).parts)]


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
    "codemeta.json",
    "recipe",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "MANIFEST.in",
    "Makefile",
    "constraints.txt",
    "ruff.toml",
    "mypy.ini",
    "SECURITY.md",
    ".pre-commit-config.yaml",
    ".editorconfig",
    ".gitignore",
    ".gitattributes",
    ".binder",
    ".ci",
    ".github",
    "scripts",
    "tests",
}


def test_top_level_holds_what_belongs_there():
    assert {p.relative_to(root).parts[0] for p in tracked()} == TOP


def test_no_file_is_large():
    "But for the weights that come with the package, of two megabytes at most."
    limits = {root / "cuts/stage1/prior.safetensors": 2_000_000}
    large = [
        f"{p.relative_to(root)} ({p.stat().st_size // 1000} kB)"
        for p in tracked()
        if not p.is_symlink() and p.stat().st_size > limits.get(p, 1_000_000)
    ]
    assert large == []
