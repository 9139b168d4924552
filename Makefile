# The whole interface for working on and with Vanwatch; `make help` lists it. CI calls the same targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-done
NIGHTLY_LOG ?= $(or $(VANWATCH_HOME),.)/state/nightly.log
ARGS ?=

# A system Python is never changed: uv is taken where it works, else put into a folder of its own, by a venv or,
# where the system has no venv module, by pip's --target, which externally managed systems allow.
define FIND_UV
uv --version >/dev/null 2>&1 && UV=uv; \
[ -n "$$UV" ] || { [ -x .venv-uv/bin/uv ] && UV=.venv-uv/bin/uv; } || \
{ echo "fetching uv into .venv-uv"; \
  { $(PYTHON) -m venv .venv-uv >/dev/null 2>&1 && .venv-uv/bin/python -m pip install --quiet uv; } || \
  { rm -rf .venv-uv && $(PYTHON) -m pip install --quiet --target .venv-uv uv; } || \
  { echo "uv could not be fetched; install it yourself and run make again" >&2; exit 1; }; \
  UV=.venv-uv/bin/uv; }
endef

.PHONY: help setup demo gallery nightly test check bench notebook clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## install everything into .venv; runs again only when the locked versions change

$(STAMP): requirements.lock pyproject.toml
	@export UV_PYTHON_DOWNLOADS=never; UV=; $(FIND_UV); set -e; \
	[ -x $(BIN)/python ] || $$UV venv --quiet --python 3.11 $(VENV) 2>/dev/null || \
	  $$UV venv --quiet --python '>=3.11' $(VENV) || \
	  { echo "Vanwatch needs Python 3.11 or newer; install it and run make again" >&2; exit 1; }; \
	echo "installing the locked versions into $(VENV) (several minutes the first time)"; \
	$$UV pip sync --quiet --python $(BIN)/python --compile-bytecode requirements.lock; \
	$$UV pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(STAMP) ## simulate a world, serve it from a local STAC API, run nights on it, show what was found
	@$(BIN)/vanwatch demo $(ARGS)

gallery: $(STAMP) ## the pictures of the readme, from a run of the demo; needs Debian's chromium and qgis
	@[ -d demo/out/latest ] || $(BIN)/vanwatch demo; $(BIN)/python -m tests.gallery demo docs/images

nightly: $(STAMP) ## what cron calls: one night over all enabled areas; quiet unless something failed
	@mkdir -p "$$(dirname "$(NIGHTLY_LOG)")" && touch "$(NIGHTLY_LOG)" || \
	{ echo "$(NIGHTLY_LOG): cannot be written, so no night was run; check the rights and room of its folder" >&2; exit 2; }; \
	$(BIN)/vanwatch nightly $(ARGS) >> "$(NIGHTLY_LOG)" 2>&1; code=$$?; \
	if [ $$code -ne 0 ]; then tail -n 25 "$(NIGHTLY_LOG)" >&2; \
	echo "vanwatch nightly ended with code $$code (1: some part failed, the rest is delivered; 2: wrong input," \
	"nothing was changed; 3: done, but an area is blind or its catalogue silent for too long); the whole log: $(NIGHTLY_LOG)" >&2; fi; exit $$code

test: $(STAMP) ## run the tests, a file on each core; ARGS='-n 0' for all in one process
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP) ## lint, format, types, layers of imports, areas and profiles
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vanwatch aoi check

bench: $(STAMP) ## measure speed and memory
	@$(BIN)/python -m benchmarks $(ARGS)

notebook: $(STAMP) ## open the notebooks
	@$(BIN)/jupyter lab notebooks

clean: ## remove caches and build results; keeps .venv, state/ and out/
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
	@find pipeline models tests -name __pycache__ -type d -prune -exec rm -rf {} +
