"The pages of the site in their order, and the sidebar that says so to Quarto."

import re

import yaml

from . import library, places

METHOD = [("Data", 0), ("Stage 1: embedding", 1), ("Stage 2: condensation", 2)]
EXPERIMENTS = [("Evaluation", 3), ("To look at", 4), ("Running it", 5)]
REFERENCE = ["59_cli.ipynb", "02e_config.ipynb"]  # what one looks up, wherever its number puts it


def band(number: int) -> list[str]:
    "The notebooks of a band of ten, without those that are looked up."
    return [name for name in places.notebooks() if re.match(rf"{number}\d", name) and name not in REFERENCE]


def contents() -> list:  # of page names and of (title, its own page or None, contents)
    "The site in the order of the paper: the method, the experiments, the results, and what one looks up."

    def group(title, parts):
        return (title, None, [(name, None, band(number)) for name, number in parts if band(number)])

    api = ("API", "api.qmd", [f"api_{module}.qmd" for module in library.modules()])
    return [
        "index.ipynb",
        group("Method", METHOD),
        group("Experiments", EXPERIMENTS),
        ("Results beside the published", None, band(6)),
        ("Tutorials", None, band(7)),
        ("Reference", None, [api, *(name for name in REFERENCE if name in places.notebooks())]),
        *band(8),
        *band(9),
        "cite.qmd",
        "changelog.qmd",
    ]


def flat(items: list) -> list[str]:
    "The pages of such contents, in reading order."
    pages = []
    for item in items:
        if isinstance(item, str):
            pages.append(item)
        else:
            _, own_page, inside = item
            pages += [own_page] * bool(own_page) + flat(inside)
    return pages


def sidebar_entry(item) -> str | dict:
    "An item of the contents as Quarto wants it."
    if isinstance(item, str):
        return item
    title, own_page, inside = item
    return (
        {"section": title} | ({"href": own_page} if own_page else {}) | {"contents": list(map(sidebar_entry, inside))}
    )


def write_sidebar():
    "What Quarto needs to know beside _quarto.yml."
    from nbdev.quarto import refresh_quarto_yml

    refresh_quarto_yml()
    sidebar = {"website": {"sidebar": {"contents": list(map(sidebar_entry, contents()))}}}
    text = yaml.safe_dump(sidebar, sort_keys=False, allow_unicode=True)
    (places.nbs / "sidebar.yml").write_text("# Written by scripts/site.py --sidebar.\n" + text, encoding="utf-8")
