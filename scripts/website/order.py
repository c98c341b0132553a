"The pages of the site in their order, and the sidebar that says so to Quarto."

import re

import yaml

from . import library, places

METHOD = [  # the sections of the paper, and the folders of the package that they tell of
    ("Data: images and their formats", ["io"]),
    ("Data: sets of images", ["data"]),
    ("Stage 1: embedding", ["stage1"]),
    ("Stage 2: condensation", ["stage2"]),
    ("From vectors to a picture", ["segmentation"]),
]
EXPERIMENTS = [
    ("Evaluation", ["evaluate"]),
    ("To look at", ["show"]),
    ("Running it", ["api", "runs"]),
    ("In other programs", ["integrations"]),
]
REFERENCE = [("The command line", ["cli"]), ("Settings", ["config"]), ("Files and devices", ["files", "device"])]


def band(number: int) -> list[str]:
    "The notebooks of a band of ten that export no module."
    exporting = set(library.module_notebooks(places.nbs).values())
    return [name for name in places.notebooks() if re.match(rf"{number}\d", name) and name not in exporting]


def of_folders(folders: list[str]) -> list[str]:
    "The notebooks of some folders of the package, by their numbers in each."
    notebooks = library.module_notebooks(places.nbs).items()
    return [name for folder in folders for module, name in notebooks if module.split(".")[0] == folder]


def contents() -> list:  # of page names and of (title, its own page or None, contents)
    "The site in the order of the paper: the method, the experiments, the results, and what one looks up."

    def parts(titles):
        return [(title, None, pages) for title, folders in titles if (pages := of_folders(folders))]

    api = ("API", "exports.qmd", [f"api_{module}.qmd" for module in library.modules()])
    return [
        "index.ipynb",
        ("Method", None, parts(METHOD)),
        ("Experiments", None, parts(EXPERIMENTS)),
        ("Results beside the published", None, band(6)),
        ("Tutorials", None, band(7)),
        ("Reference", None, [api, *parts(REFERENCE)]),
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
