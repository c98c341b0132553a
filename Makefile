# make demo   from an image to its coarse-to-fine segmentations, with figures, in demo/
# make test   every notebook and every test; the last line counts them
# make lab    JupyterLab in nbs/
# make docs   the site, in _docs/
# make bench  seconds and memory of each stage on this machine
# make clean  remove what the above made, the environment excepted
#
# To work on it:
# make install      .venv with everything, and git's merge driver for notebooks
# make prepare      export the modules, run what is stale, clean, write README.md and the sidebar: before every commit
# make lint         ruff: style and layout of notebooks, tests and scripts
# make types        mypy: types of the modules
# make constraints  pin the whole environment anew
# make wheel        build what is released into dist/, check it, and try it in an empty environment
# make prior        train the prior anew, on drawn pictures: an hour and a half on two cores
# make hints        train the network of hints anew, with a simulated person: half an hour on two cores
#
# Each makes .venv if there is none and installs into it; PYTHON=python3.12 chooses the interpreter, VENV=path another place.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
PIP := $(BIN)/python -m pip --disable-pip-version-check
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help demo test lab docs bench clean install lint types prepare export execute constraints prior hints wheel
help:
	@sed -n 's/^# //p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"CUTS needs Python 3.11 or newer, but $(PYTHON) is {v.major}.{v.minor}. Name another: make PYTHON=python3.12 ...")'
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV)

$(STAMP): settings.ini setup.py constraints.txt | $(BIN)/python
	@$(BIN)/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' || \
	  { echo "Installing $(TORCH) ..."; $(PIP) install -q $(TORCH); }
	@echo "Installing CUTS with everything its notebooks use into $(VENV) (minutes, the first time) ..."
	@here=$$($(BIN)/python -c 'from importlib.metadata import version; print(version("torch"))') && \
	  sed "s/^torch==.*/torch==$$here/" constraints.txt > $(VENV)/constraints.txt  # a torch that is there stays there
	@# editable by a path: a finder loses against any folder named cuts, such as a clone, where Python is started
	@$(PIP) install -q -c $(VENV)/constraints.txt --config-settings editable_mode=compat -e '.[dev]'
	@touch $@

install: $(STAMP)
	@$(BIN)/python scripts/merge.py --install

demo: $(STAMP)
	$(BIN)/cuts demo --out demo

test: $(STAMP)
	@$(BIN)/python scripts/test.py -j $(JOBS)

lab: $(STAMP)
	$(BIN)/jupyter lab nbs

docs: $(STAMP)
	@$(BIN)/python scripts/site.py

bench: $(STAMP)
	$(BIN)/cuts bench

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP)
	$(BIN)/mypy

export: $(STAMP)
	$(BIN)/nbdev_export

execute: export
	$(BIN)/python scripts/execute.py --stale -j $(JOBS)

prepare: execute
	$(BIN)/nbdev_clean
	$(BIN)/python scripts/site.py --readme --sidebar

prior: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/torchrun --standalone --nproc-per-node $(JOBS) scripts/prior.py

hints: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python scripts/hints.py --jobs $(JOBS)

# A fresh environment, what it holds, and back: no local tag on torch, so that every build of that version fits.
constraints: | $(BIN)/python
	rm -rf $(VENV)-pins && $(BIN)/python -m venv $(VENV)-pins
	$(VENV)-pins/bin/python -m pip install -q $(TORCH)
	$(VENV)-pins/bin/python -m pip install -q -e '.[dev]'
	@{ echo "# Every package of the development environment, pinned: what 'make constraints' found in a fresh one on"; \
	   echo "# $$($(VENV)-pins/bin/python -c 'import platform as p; print("Python", p.python_version() + ",", p.system(), p.machine())')."; \
	   $(VENV)-pins/bin/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' | LC_ALL=C sort -f; } > constraints.tmp
	mv constraints.tmp constraints.txt && rm -rf $(VENV)-pins

wheel: $(STAMP)
	$(BIN)/python scripts/wheel.py --try

clean:
	rm -rf _docs _proc demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis nbs/.ipynb_checkpoints
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
