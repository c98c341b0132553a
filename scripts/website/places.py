"Where the notebooks, the pages on their way and the finished site are, on this disk and on the web."

import re
from configparser import ConfigParser
from functools import cache
from pathlib import Path

root = Path(__file__).resolve().parents[2]
scripts, nbs, proc, docs = root / "scripts", root / "nbs", root / "_proc", root / "_docs"


@cache
def settings(folder: Path = root) -> dict[str, str]:
    config = ConfigParser(delimiters="=")
    config.read(folder / "settings.ini", encoding="utf-8")
    return dict(config["DEFAULT"])


def site_url() -> str:
    return settings()["doc_host"].rstrip("/") + settings()["doc_baseurl"].rstrip("/")


def code_url(path: str) -> str:
    "The address of a file of the repository."
    return f"{settings()['git_url']}/blob/{settings()['branch']}/{path}"


def notebooks() -> list[str]:
    return sorted(path.name for path in nbs.glob("*.ipynb"))


def page_of(source: str) -> str:
    "The page of a notebook or of another source: no number, as nbdev has it."
    return re.sub(r"^\d+[a-zA-Z]*_", "", source).rsplit(".", 1)[0] + ".html"
