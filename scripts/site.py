#!/usr/bin/env python
"""The site in _docs/, and the files that go with it.

  python scripts/site.py             build: with Quarto where it is installed, else with pandoc; check what was built
  python scripts/site.py --check     only check what stands in _docs/
  python scripts/site.py --sidebar   write nbs/sidebar.yml and nbs/nbdev.yml, which Quarto reads
  python scripts/site.py --readme    write README.md from nbs/index.ipynb

Beside the pages stands try.html, on which an image is dropped (notebook 43a).

The check fails on a reference or citation that is not resolved, a link within the site that leads nowhere, a picture
without alternative text, anything that a page would fetch from the network, a page above 4 MB with all that it shows,
an exported name without docstring, a notebook whose outputs are stale, and (with pandoc) on whatever pandoc warns of.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))
from website import order, pandoc, places, processing
from website.check import check, check_sources
from website.problems import Problems
from website.readme import write_readme

from cuts.show.drop import write_drop_page


def check_all(problems: Problems) -> int:  # number of pages
    "Every page is there, and nothing is wrong with the pages and their sources."
    pages = order.flat(order.contents())
    missing = [name for name in pages if not (places.docs / places.page_of(name)).exists()]
    for name in missing:
        problems.add(name, "its page was not made")
    # where a page is missing, the links to it would only say so again
    count = len(pages) - len(missing) if missing else check(problems, places.docs)
    check_sources(problems)
    return count


def report(problems: Problems, pages: int):
    for line in problems:
        print(line)
    if problems:
        print("The pages are built, but what stands above is wrong with them.")
        print(f"{places.docs.name}/: {pages} pages, {len(problems)} problems")
    else:
        print(f"{places.docs.name}/: {pages} pages, every link and reference resolved")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("check", "sidebar", "readme"):
        parser.add_argument(f"--{flag}", action="store_true")
    args = parser.parse_args()
    os.chdir(places.root)  # nbdev looks for settings.ini from the working folder upwards
    if args.sidebar:
        order.write_sidebar()
    if args.readme:
        write_readme()
    if args.sidebar or args.readme:
        return 0
    problems = Problems()
    if not args.check:
        build = processing.build_with_quarto if shutil.which("quarto") else pandoc.build
        build(problems)
        write_drop_page(places.docs / "try.html")
    report(problems, check_all(problems))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
