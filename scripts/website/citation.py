"""How to cite, from CITATION.cff, and what changed, from CHANGELOG.md.

nbs/cite.qmd.py and nbs/changelog.qmd.py print them."""

import re

from .places import root

METHOD_PAPERS = (
    "Diffusion condensation is that of @brugnone2019coarse and @huguet2023timeinhomogeneous, "
    "its use on biological data that of @kuchroo2022multiscale, "
    "the diffusion potential that of @moon2019visualizing, the contrastive loss that of @chen2020simple."
)


def citation() -> dict:
    import yaml

    return yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))


def paper_authors(paper: dict) -> list[tuple[str, str]]:  # family name, given names
    return [(author["family-names"], author["given-names"]) for author in paper["authors"]]


def journal_of(paper: dict) -> str:
    return paper.get("collection-title") or paper["conference"]["name"]


def paper_bibtex(paper: dict) -> str:
    authors = " and ".join(f"{family}, {given}" for family, given in paper_authors(paper))
    imprint = f"year = {{{paper['year']}}}, publisher = {{{paper['publisher']['name']}}}"
    return "\n".join(
        [
            "@inproceedings{liu2024cuts,",
            f"  title     = {{{paper['title'].replace('CUTS', '{CUTS}')}}},",
            f"  author    = {{{authors}}},",
            f"  booktitle = {{{journal_of(paper).split(',')[0].replace('–', '--')}}},",
            f"  series    = {{Lecture Notes in Computer Science}}, volume = {{{paper['volume']}}},",
            f"  pages     = {{{paper['start']}--{paper['end']}}}, {imprint},",
            f"  doi       = {{{paper['doi']}}}",
            "}",
        ]
    )


def software_bibtex(cff: dict) -> str:
    return "\n".join(
        [
            "@software{cuts_software,",
            f"  title   = {{{cff['title'].replace('CUTS', '{CUTS}')}}},",
            f"  author  = {{{{{cff['authors'][0]['name']}}}}},",
            f"  version = {{{cff['version']}}},",
            f"  url     = {{{cff['repository-code']}}},",
            f"  license = {{{cff['license']}}}",
            "}",
        ]
    )


def paper_line(paper: dict) -> str:
    "The paper as a reference in one line."

    def initials(given):
        return "".join(name[0] for name in given.replace(".", "").split())

    authors = ", ".join(f"{family} {initials(given)}" for family, given in paper_authors(paper))
    pages = f"pages {paper['start']}–{paper['end']}"
    return (
        f"{authors} ({paper['year']}). *{paper['title']}*. {journal_of(paper)}, volume {paper['volume']}, {pages}. "
        f"{paper['publisher']['name']}. [doi:{paper['doi']}](https://doi.org/{paper['doi']}), "
        "[arXiv:2209.11359](https://arxiv.org/abs/2209.11359)."
    )


def cite() -> str:  # markdown, without front matter
    "The paper and the software, as BibTeX and as a line, from CITATION.cff."
    cff = citation()
    paper = cff["preferred-citation"]
    paragraphs = [
        "If you use the method, cite the paper; where it matters which program computed a number, "
        "cite the program as well, with its version (`cuts info` prints it).",
        "## The paper",
        paper_line(paper),
        f"```bibtex\n{paper_bibtex(paper)}\n```",
        "## The program",
        f"```bibtex\n{software_bibtex(cff)}\n```",
        "The same stands in `CITATION.cff` at the top of the repository, which GitHub and reference managers read.",
        "## What it stands on",
        METHOD_PAPERS,
    ]
    return "\n\n".join(paragraphs) + "\n"


def changes() -> str:  # markdown, without front matter
    "CHANGELOG.md without its title."
    return re.sub(r"\A# .*\n+", "", (root / "CHANGELOG.md").read_text(encoding="utf-8"))
