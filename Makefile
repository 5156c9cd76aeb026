# Everything happens in .venv; a stamp file per set of packages keeps repeated calls fast.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check
# Extra flags for pytest: make test ARGS="-k golden -x"
ARGS   ?=
TORCH  ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs pictures bench wheel clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1: /p' $(MAKEFILE_LIST) | sed 's/: /\t/' | expand -t 16

demo: $(VENV)/.demo ## write goldens of a real TTS, compare, plant a bug, read the report
	$(BIN)/python examples/tts_real/demo.py

test: $(VENV)/.test $(if $(TORCH),$(VENV)/.torch) ## run the whole test suite; TORCH=1 adds torch and its tests
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.lint ## ruff, mypy --strict, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.test ## build the documentation as a site in build/site, without warnings
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pictures: $(VENV)/.test ## draw the pictures of the documentation again (needs chromium)
	$(PIP) --group pictures
	$(BIN)/python docs/pictures/findings.py
	$(BIN)/python docs/pictures/measures.py
	$(BIN)/python docs/pictures/photographs.py

bench: $(VENV)/.test ## benchmarks, as ratios against peers in the same run
	$(BIN)/python -m benchmarks

wheel: $(VENV)/.lint ## build the distribution into dist/
	rm -rf build/lib dist
	$(BIN)/python -m build --wheel

clean: ## remove .venv and everything built
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/.base:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	touch $@

$(VENV)/.demo: $(VENV)/.base pyproject.toml
	$(PIP) --editable . --group demo
	touch $@

$(VENV)/.test: $(VENV)/.base pyproject.toml
	$(PIP) --editable '.[pesq]' --group test --group docs
	# For the models in them and the code; with what they ask for they would bring torch, librosa and more.
	$(PIP) --no-deps silero-vad==6.2.3 Resemblyzer==0.1.4 moshi-mlx==0.3.0 rustymimi==0.4.1
	# Plugins that load themselves: not among our packages, for the pages and tests alone that compare with them.
	$(PIP) --no-deps --upgrade --target $(VENV)/peers pytest-regressions==2.11.0 pytest-datadir==1.9.0 syrupy==7.0.2 \
	  pytest-torch==1.1.1 polygraphy==0.53.6
	touch $@

$(VENV)/.torch: $(VENV)/.test
	$(PIP) --group torch --group mimi
	$(PIP) --no-deps moshi==0.2.13  # it asks for an older torch
	touch $@

$(VENV)/.lint: $(VENV)/.base pyproject.toml
	$(PIP) --editable . --group lint
	touch $@
