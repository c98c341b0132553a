"The site by pandoc: each page in a template with its navigation."

import html
import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from . import order, places, processing
from .page import Page
from .problems import Problems


# What stands around a page -------------------------------------------------------------------------------------------
def short_title(page: Page) -> str:
    return "Overview" if page.name == "index.ipynb" else page.title


def navigation(pages: dict[str, Page], contents: list, current: str) -> str:
    "The pages as nested lists, the current one marked; a section with a page of its own opens when one is inside it."

    def link(name):
        mark = " aria-current=page" if name == current else ""
        return f'<a href="{pages[name].html}"{mark}>{html.escape(short_title(pages[name]))}</a>'

    def listed(items):
        return "<ul>" + "".join(map(entry, items)) + "</ul>"

    def entry(item):
        if isinstance(item, str):
            return f"<li>{link(item)}</li>"
        title, own_page, inside = item
        if not own_page:
            return f'<li><span class="section">{html.escape(title)}</span>{listed(inside)}</li>'
        is_open = " open" if current in inside else ""
        modules = f"<details{is_open}><summary>Modules</summary>{listed(inside)}</details>"
        return f"<li>{link(own_page)}{modules}</li>"

    return listed(contents)


def turn(pages: dict[str, Page], current: str) -> str:
    "Links to the page before and the page after."
    names = list(pages)
    i = names.index(current)

    def link(name, words, rel):
        title = html.escape(short_title(pages[name]))
        return f'<a rel="{rel}" href="{pages[name].html}">{words.format(title)}</a>'

    before = link(names[i - 1], "← {}", "prev") if i else "<span></span>"
    return before + (link(names[i + 1], "{} →", "next") if i + 1 < len(names) else "")


def origin(name: str) -> str:
    "Where a page comes from, for those who want to change it."
    if name.startswith("api_"):
        return ""
    file = f"nbs/{name}" if (places.nbs / name).exists() else f"nbs/{name}.py"
    return f'<p class="origin">Made from <a href="{places.code_url(file)}">{file}</a></p>'


# From markdown to HTML -----------------------------------------------------------------------------------------------
def metadata(page: Page) -> dict:
    "What pandoc is told of a page beside its text."
    return {
        "title": page.title,
        "pagetitle": page.title if page.name == "index.ipynb" else f"{page.title} – CUTS",
        "description": page.description,
        "site": "CUTS",
        "bibliography": str(places.nbs / "references.bib"),
        "link-citations": True,
        "reference-section-title": "References",
        "lang": "en",
    }


def run_pandoc(page: Page, pages: dict[str, Page], contents: list) -> str:  # what pandoc had to say, empty if nothing
    "One page, from markdown to _docs/."
    import pypandoc

    meta = places.docs / ".meta" / f"{page.html}.json"
    meta.parent.mkdir(exist_ok=True)
    meta.write_text(json.dumps(metadata(page)), encoding="utf-8")
    options = ["--from=markdown", "--to=html5", "--standalone", "--mathml", "--citeproc", "--fail-if-warnings"]
    options += [f"--template={places.scripts / 'site.html'}", f"--lua-filter={places.scripts / 'site.lua'}"]
    options += ["--toc", "--toc-depth=3", "--columns=9999", "--wrap=preserve"]
    options += [f"--metadata-file={meta}", f"--output={places.docs / page.html}"]
    variables = {"pages": navigation(pages, contents, page.name), "turn": turn(pages, page.name)}
    variables["origin"] = origin(page.name)
    options += [f"--variable={name}={value}" for name, value in variables.items()]
    command = [pypandoc.get_pandoc_path(), *options]
    done = subprocess.run(command, input=page.markdown(), text=True, capture_output=True, cwd=places.docs)
    return done.stderr.strip() or (f"pandoc exited {done.returncode}" if done.returncode else "")


def render(pages: dict[str, Page], problems: Problems):
    "Every page by pandoc."
    contents = order.contents()  # read from all notebooks, so once
    with ThreadPoolExecutor(2) as pool:
        complaints = pool.map(lambda page: run_pandoc(page, pages, contents), pages.values())
        for page, complaint in zip(pages.values(), complaints, strict=True):
            for line in complaint.splitlines():
                problems.add(page.name, line)
    shutil.rmtree(places.docs / ".meta")


def build(problems: Problems):
    "The whole site."
    processing.process(problems, quarto=False)
    shutil.rmtree(places.docs, ignore_errors=True)
    places.docs.mkdir()
    shutil.copy(places.scripts / "site.css", places.docs / "site.css")
    if (places.nbs / "images").is_dir():
        shutil.copytree(places.nbs / "images", places.docs / "images")
    render({name: Page(name, problems) for name in order.flat(order.contents())}, problems)
