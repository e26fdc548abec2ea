# Two commands matter: `make demo` and `make test`. Each sets the environment up first if it has to.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Pages are also opened in a real browser, where there are Chromium and its driver.
BROWSER := $(and $(shell command -v chromium || command -v chromium-browser || command -v google-chrome),$(shell command -v chromedriver))
WITHOUT_BROWSER := $(if $(BROWSER),, and not browser)
# Processes that share the default test suite; each takes about 2 GB.
TEST_PROCESSES ?= 2

.PHONY: demo test test-slow check lint types plan clean

$(VENV)/.installed: requirements.lock pyproject.toml
	@if command -v uv >/dev/null; then uv=uv; uv venv -q --allow-existing --python $(PYTHON) $(VENV); \
	else $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install -q --disable-pip-version-check uv && uv=$(BIN)/uv; fi; \
	VIRTUAL_ENV=$(VENV) $$uv pip install -q -r requirements.lock && \
	VIRTUAL_ENV=$(VENV) $$uv pip install -q --no-deps -e . sweeps==0.3.0 && touch $@

demo: $(VENV)/.installed  ## train and evaluate two tiny multimodal LLMs, then draw Figure 6
	$(BIN)/python run.py -m encoder=siglip,dinov2 connector=sva
	$(BIN)/python analysis/plot_fig6.py

test: $(VENV)/.installed lint types  ## what CI runs: linter, type checker, default test suite
	@[ -n "$(BROWSER)" ] || echo "no chromium with chromedriver here: tests of pages in a browser are left out"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow$(WITHOUT_BROWSER)" -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.installed  ## real training, killed sweeps, clusters, full disks; about 25 minutes
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/pyright

check: test test-slow  ## everything

clean:  ## remove results and caches, keep the environment
	rm -rf runs outputs multirun figures
