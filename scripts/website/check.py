"What is wrong with the pages that were built, and with the notebooks that they were built from."

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit


from notebooks.stamps import is_stale

from . import library, places
from .cells import REF
from .exports import undocumented
from .html_reader import Reader
from .places import site_url
from .problems import Problems

PAGE_BYTES = 4_000_000
UNRESOLVED = re.compile(  # a reference or a citation that Quarto, pandoc or nobody has resolved
    rf"\?@[\w-]+|(?<![\w/.])@{REF}|\?\?\?|(?<![\w/.@])@[a-z]+\d{{4}}\w*|(?<=\x00)[a-z]+\d{{4}}[a-z]\w*\?(?=\x00)"
)
ELSEWHERE = re.compile(
    r"""(?:\bimport\s*\(?|\bfrom|@import(?:\s+url\()?|\burl\(|importScripts\()\s*["']?(https?:)?//[\w.]+"""
)


# A page --------------------------------------------------------------------------------------------------------------
def check_references(problems: Problems, name: str, page: Reader):
    for reference in UNRESOLVED.findall("\x00".join(page.visible)):
        problems.add(name, f"unresolved: {reference}")


def check_network(problems: Problems, name: str, page: Reader):
    "A page loads nothing from elsewhere."
    for link in page.loads:
        if urlsplit(link).scheme in ("http", "https") or link.startswith("//"):
            problems.add(name, f"loads {link[:90]} from the network")
    for script in page.scripts:
        if m := ELSEWHERE.search(script):
            problems.add(name, f"a script or style loads from the network: {m[0][:90]}")


def loaded_files(path: Path, page: Reader) -> set[Path]:
    "The files that a page loads, without those that all pages of Quarto share."
    links = [urlsplit(link) for link in page.loads]
    files = {(path.parent / unquote(link.path)).resolve() for link in links if not link.scheme}
    return {file for file in files if file.is_file() and "site_libs" not in file.parts}


def check_weight(problems: Problems, path: Path, page: Reader):
    weight = path.stat().st_size + sum(file.stat().st_size for file in loaded_files(path, page))
    if weight > PAGE_BYTES:
        problems.add(
            path.name,
            f"{weight / 1e6:.1f} MB with all that it shows, at most {PAGE_BYTES / 1e6:.0f} MB: "
            "show fewer or smaller pictures, or put what is inlined on a page of its own",
        )


def check_link(problems: Problems, folder: Path, readers: dict[Path, Reader], path: Path, link: str) -> bool:
    "A link within the site leads to a file that is there, and to a place on it; whether it does."
    if link == site_url() or link.startswith(site_url() + "/"):
        link, path = link[len(site_url()) + 1 :] or "index.html", folder / "index.html"
    url = urlsplit(link)
    if url.scheme or url.netloc:
        return True
    target = (path.parent / unquote(url.path)).resolve() if url.path else path
    if target.is_dir():
        target = target / "index.html"
    name = path.relative_to(folder).as_posix()
    if not target.exists():
        problems.add(name, f"link to {link}, which is not there")
        return False
    if url.fragment and target in readers and unquote(url.fragment) not in readers[target].anchors | {"top"}:
        problems.add(name, f"link to {link}: no such place on that page")
        return False
    return True


# The site ------------------------------------------------------------------------------------------------------------
def check(problems: Problems, folder: Path) -> int:  # number of pages
    "Everything that can be said of the pages alone."
    readers = {path: Reader(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    right = set()  # (folder, link) that were looked at: every page has the links of the navigation
    for path, page in readers.items():
        check_references(problems, path.name, page)
        for words in page.unseen:
            problems.add(path.name, f"picture without alternative text: {words}")
        for link in page.links + page.loads:
            within = not urlsplit(link).path  # it leads elsewhere from every page
            if (path.parent, link) not in right and check_link(problems, folder, readers, path, link) and not within:
                right.add((path.parent, link))
        check_network(problems, path.name, page)
        check_weight(problems, path, page)
    for path in sorted(folder.rglob("*.css")):
        style = re.sub(r"url\(\s*[\"']?data:[^)]*\)", "", path.read_text(encoding="utf-8"))
        if m := ELSEWHERE.search(style):
            problems.add(path.relative_to(folder), f"loads from the network: {m[0][:90]}")
    return len(readers)


def check_sources(problems: Problems):
    "Exports have docstrings, and outputs are those of the code."
    for module, notebook in library.modules().items():
        for name in undocumented(library.entries(module)):
            problems.add(notebook, f"{name} is exported without a docstring")
    for name in places.notebooks():
        if is_stale(places.nbs / name):
            remedy = f"make prepare (or scripts/execute.py nbs/{name})"
            problems.add(name, f"its code or a module it uses changed since it ran: {remedy}")
