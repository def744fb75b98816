# townlet_jax: every target sets up what it needs, once.
# Needs CPython 3.11-3.13 with venv and pip, and make. Choose another interpreter with `make PYTHON=/path/to/python ...`.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=

# An NVIDIA GPU that answers gets the CUDA build of the same jax; `make BUILD=cpu ...` says no to that.
BUILD ?= $(shell if nvidia-smi -L >/dev/null 2>&1; then echo cuda; else echo cpu; fi)
LOCK := $(if $(filter cuda,$(BUILD)),requirements-cuda.lock,requirements.lock)
PACKAGES := $(VENV)/packages-$(BUILD)
STAMP := $(VENV)/ready-$(BUILD)

.DEFAULT_GOAL := help
.PHONY: help setup demo story town test test-slow lint bench docs lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with the locked packages (the other targets do this themselves)

$(PACKAGES): $(LOCK)
	@set -e; \
	test='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	found=; \
	for candidate in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3); do \
	  if "$$candidate" -c "$$test" >/dev/null 2>&1; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "townlet_jax needs CPython 3.11, 3.12 or 3.13 with the modules venv and ensurepip; none was found" \
	    "$(if $(PYTHON),at PYTHON=$(PYTHON),on the PATH): install one or run make PYTHON=/path/to/python." >&2; \
	  exit 2; \
	fi; \
	echo "Setting up $(VENV) with $$("$$found" --version) and the $(BUILD) build of jax"; \
	rm -rf $(VENV); \
	"$$found" -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK); \
	touch $@

$(STAMP): $(PACKAGES) pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

RUN ?= runs/demo-$(shell date +%Y%m%d-%H%M%S)
UPDATES ?= 100

demo: $(STAMP) ## Train agents for some minutes, compare them with the script, write a report
	$(BIN)/python -m train.ppo configs/train/options.yaml updates=$(UPDATES) --save-every 20 --out $(RUN)
	$(BIN)/townlet evaluate --policy scripted --policy $(RUN) --towns 32 --days 4 --out $(RUN)
	$(BIN)/townlet render default --policy $(RUN) --ticks 960 --out $(RUN)/town.gif
	$(BIN)/python -m train.report $(RUN)

story: $(STAMP) ## Tell the demo story of the default town, and show it in the dashboard on a terminal
	@$(BIN)/python scripts/story.py $$(if [ -t 0 ] && [ -t 1 ]; then echo --watch; fi)

town: $(STAMP) ## Let 1,024 default towns live one day
	$(BIN)/townlet run configs/default.yaml --towns 1024 --days 1 --policy scripted

test: lint ## Lint, type-check and run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0

test-slow: $(STAMP) ## Run the tests that take minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0 -m slow

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP) ## Run the quick benchmarks, under 10 minutes; results go to benchmarks/results/
	$(BIN)/townlet bench quick
	$(BIN)/python -m benchmarks.tables

docs: $(STAMP) ## Draw docs/town.svg and write the README's table from benchmarks/results/
	$(BIN)/python -m townlet_jax.ui.svg_map configs/default.yaml docs/town.svg
	$(BIN)/python -m benchmarks.tables

lock: $(STAMP) ## Resolve the lock files again (maintainers)
	$(BIN)/python -m pip install --quiet uv
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
	  --upgrade --generate-hashes --extra dev pyproject.toml -o requirements.lock
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
	  --upgrade --generate-hashes --extra dev --extra cuda --constraint requirements.lock pyproject.toml -o requirements-cuda.lock

clean: ## Remove everything that make made
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
