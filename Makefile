# Set-up, tests and JupyterLab, each in environments under this folder: nothing else on the machine is changed, except
# that on Debian, as root, what is missing of python3-venv, a C compiler and Chromium is installed with apt-get.

PYTHON ?= python3
LAB_ARGS ?=
PYTEST_ARGS ?=
# Most tests wait for kernels and clocks: two run beside each other, a file in one of them.
PARALLEL := -n 2 --dist loadfile
PEERS := codecarbon==3.3.2 zeus==0.16.0

VENV := .venv
COLAB := .venv-colab
BENCH := .venv-bench
PIP_INSTALL := -m pip install --quiet --quiet --disable-pip-version-check
PATH_WITH_VENV = PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
ALLOW_ROOT := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

.DEFAULT_GOAL := help
.PHONY: help lab test unit-colab lint lint-labextension format screenshots binder-check bench clean

help: ## list what can be made
	@echo "make TARGET, with PYTHON=... (3.10 or newer) to choose the interpreter:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile

lab: $(VENV)/.lab-ready ## open JupyterLab on the quickstart notebook (LAB_ARGS="--no-browser --port 8899")
	$(VENV)/bin/python -m jupyterlab $(ALLOW_ROOT) --LabApp.default_url=/lab/tree/binder/quickstart.ipynb $(LAB_ARGS)

test: $(VENV)/.dev-ready $(COLAB)/.ready lint lint-labextension unit-colab ## all checks and tests, kernels also with Colab's pins
	CARBON_MAGIC_TEST_PYTHONS="$(CURDIR)/$(VENV)/bin/python:$(CURDIR)/$(COLAB)/bin/python" \
	    sh .ci/pytest $(VENV)/bin/python $(PARALLEL) tests/unit tests/kernel tests/bench $(PYTEST_ARGS)
	sh .ci/pytest $(VENV)/bin/python tests/browser $(PYTEST_ARGS)

unit-colab: $(COLAB)/.ready
	sh .ci/pytest $(COLAB)/bin/python $(PARALLEL) tests/unit -q

lint: $(VENV)/.dev-ready ## ruff and mypy
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

lint-labextension: $(VENV)/.dev-ready ## prettier, eslint, types and unit tests of JupyterLab's extension
	cd labextension && $(PATH_WITH_VENV) && export PATH && jlpm install --immutable && jlpm build:lib && jlpm lint && jlpm test

format: $(VENV)/.dev-ready ## rewrite the sources as ruff formats them
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

screenshots: $(VENV)/.dev-ready ## take the README's pictures of JupyterLab, docs/images/*.png
	$(VENV)/bin/python tools/take_screenshots.py

binder-check: $(VENV)/.dev-ready ## run binder's postBuild in a fresh environment and open the quickstart there
	PYTHON="$(PYTHON)" sh .ci/binder-check $(VENV)/bin/python

bench: $(BENCH)/.ready ## the budget table, measured beside CodeCarbon
	$(BENCH)/bin/python tests/bench/overhead.py
	$(BENCH)/bin/python tests/bench/accuracy.py

clean: ## remove the environments and everything that was built
	rm -rf $(VENV) $(COLAB) $(BENCH) carbon_magic/labextension labextension/node_modules labextension/lib \
	    labextension/src/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What JupyterLab's extension is built from; pip builds it where it is older.
LABEXTENSION := $(wildcard labextension/*.json labextension/yarn.lock labextension/src/*.ts labextension/style/* \
    labextension/schema/* carbon_magic/views/browser/*)

# The environments. Each stamp is newer than the files that say what belongs in its environment.

define new_environment
	@PYTHON="$(PYTHON)" sh .ci/prepare $(1)
endef

$(VENV)/.lab-ready: pyproject.toml .ci/prepare $(LABEXTENSION)
	$(call new_environment,$(VENV))
	@echo "Once: JupyterLab, and carbon-magic's extension for it, into $(VENV). That takes some minutes."
	@$(VENV)/bin/python $(PIP_INSTALL) -e '.[lab,quickstart]'
	@touch $@

$(VENV)/.dev-ready: pyproject.toml .ci/prepare $(LABEXTENSION)
	@PYTHON="$(PYTHON)" sh .ci/prepare $(VENV) node chromium
	$(VENV)/bin/python $(PIP_INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.lab-ready

$(COLAB)/.ready: pyproject.toml tests/colab/requirements.txt .ci/prepare
	$(call new_environment,$(COLAB))
	CARBON_MAGIC_NO_LABEXTENSION=1 $(COLAB)/bin/python $(PIP_INSTALL) -r tests/colab/requirements.txt -e .
	@touch $@

$(BENCH)/.ready: pyproject.toml .ci/prepare
	$(call new_environment,$(BENCH))
	CARBON_MAGIC_NO_LABEXTENSION=1 $(BENCH)/bin/python $(PIP_INSTALL) $(PEERS) ipykernel -e '.[quickstart]'
	@touch $@
