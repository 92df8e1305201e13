# Set-up, tests and JupyterLab, each in environments under this folder: nothing else on the machine is changed, except
# that on Debian, as root, what is missing of python3-venv and a C compiler is installed with apt-get.

PYTHON ?= python3
LAB_ARGS ?=
PYTEST_ARGS ?=
PEERS := codecarbon==3.3.2 zeus==0.16.0

VENV := .venv
COLAB := .venv-colab
BENCH := .venv-bench
PIP_INSTALL := -m pip install --quiet --quiet --disable-pip-version-check
ALLOW_ROOT := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

.DEFAULT_GOAL := help
.PHONY: help lab test unit-colab lint format bench clean

help: ## list what can be made
	@echo "make TARGET, with PYTHON=... (3.10 or newer) to choose the interpreter:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

lab: $(VENV)/.lab-ready ## open JupyterLab on the quickstart notebook (LAB_ARGS="--no-browser --port 8899")
	$(VENV)/bin/python -m jupyterlab $(ALLOW_ROOT) --LabApp.default_url=/lab/tree/binder/quickstart.ipynb $(LAB_ARGS)

test: $(VENV)/.dev-ready $(COLAB)/.ready lint unit-colab ## all checks and tests, kernels also with Colab's pins
	CARBON_MAGIC_TEST_PYTHONS="$(CURDIR)/$(VENV)/bin/python:$(CURDIR)/$(COLAB)/bin/python" \
	    $(VENV)/bin/python -m pytest $(PYTEST_ARGS)

unit-colab: $(COLAB)/.ready
	$(COLAB)/bin/python -m pytest tests/unit -q

lint: $(VENV)/.dev-ready ## ruff and mypy
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

format: $(VENV)/.dev-ready ## rewrite the sources as ruff formats them
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

bench: $(BENCH)/.ready ## the budget table, measured beside CodeCarbon
	$(BENCH)/bin/python tests/bench/overhead.py
	$(BENCH)/bin/python tests/bench/accuracy.py

clean: ## remove the environments and everything that was built
	rm -rf $(VENV) $(COLAB) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments. Each stamp is newer than the files that say what belongs in its environment.

define new_environment
	@PYTHON="$(PYTHON)" sh .ci/prepare $(1)
endef

$(VENV)/.lab-ready: pyproject.toml .ci/prepare
	$(call new_environment,$(VENV))
	$(VENV)/bin/python $(PIP_INSTALL) -e '.[lab,quickstart]'
	@touch $@

$(VENV)/.dev-ready: pyproject.toml .ci/prepare
	$(call new_environment,$(VENV))
	$(VENV)/bin/python $(PIP_INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.lab-ready

$(COLAB)/.ready: pyproject.toml tests/colab/requirements.txt .ci/prepare
	$(call new_environment,$(COLAB))
	$(COLAB)/bin/python $(PIP_INSTALL) -r tests/colab/requirements.txt -e .
	@touch $@

$(BENCH)/.ready: pyproject.toml .ci/prepare
	$(call new_environment,$(BENCH))
	$(BENCH)/bin/python $(PIP_INSTALL) $(PEERS) ipykernel -e '.[quickstart]'
	@touch $@
