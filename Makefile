# Everything happens in .venv; a stamp file per set of packages keeps repeated calls fast.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check
# Extra flags for the program behind a target: make test ARGS="-k golden -x", make matrix ARGS="-s tests-3.12"
ARGS   ?=
TORCH  ?=
# What is compiled once need not be by each of the many processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs pictures api bench soak fuzz faults properties mutation matrix wheel release-check clean

help: ## list the targets
	@awk -F ':.*## ' '/^##@ /{print "\n" substr($$0, 5)} /^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ See what it does
demo: $(VENV)/.demo ## write goldens of a real TTS, compare, plant a bug, read the report
	$(BIN)/python examples/tts_real/demo.py

##@ Before a change lands (.ci/run does all of these)
test: $(VENV)/.test $(if $(TORCH),$(VENV)/.torch) ## run the whole test suite; TORCH=1 adds torch and its tests
	@$(BIN)/python -m compileall -q pytest_audioparity
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.lint ## ruff, mypy --strict, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.test ## build the documentation as a site in build/site, without warnings
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

matrix: $(VENV)/.lint ## the wheel on oldest and newest packages; ARGS="-t nightly" is the rest of the matrix, ARGS=-l lists it
	$(BIN)/nox $(ARGS)

##@ What a change may have to write again
pictures: $(VENV)/.test ## draw the pictures of the documentation again (needs chromium)
	$(PIP) --group pictures
	$(BIN)/python docs/pictures/layers.py
	$(BIN)/python docs/pictures/findings.py
	$(BIN)/python docs/pictures/measures.py
	$(BIN)/python docs/pictures/photographs.py

api: $(VENV)/.test ## write the list of public names again, after a wanted change
	$(BIN)/python -m tests.public_api --write

##@ Proof that takes longer
bench: $(VENV)/.test ## benchmarks, as ratios against peers in the same run
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/.test ## 2000 failing tests with large stages: memory and disk stay bounded
	$(BIN)/python -m benchmarks soak $(ARGS)

fuzz: $(VENV)/.test ## broken files for every reader: no traceback, no hang, no code, no write elsewhere
	$(BIN)/python -m tests.fuzz $(ARGS)

faults: $(VENV)/.test ## what each planted cause is named, and what is mistaken for another
	$(BIN)/python -m tests.faults.confusion $(ARGS)

properties: $(VENV)/.test ## 20 times as many drawn examples of the properties of numbers, verdicts and reports
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest tests/properties $(ARGS)

mutation: $(VENV)/.test ## change our own core a little, many times: which tests notice?
	$(PIP) --group mutation
	$(BIN)/python -m tests.mutation $(ARGS)

##@ A release (CONTRIBUTING.md says how)
wheel: $(VENV)/.lint ## build the distribution into dist/
	rm -rf build/lib dist
	$(BIN)/python -m build

release-check: $(VENV)/.release wheel ## what the package index gets: its metadata, its files, its version and their notes
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m tests.release dist $(if $(TAG),--tag $(TAG))

##@ Other
clean: ## remove .venv and everything built
	rm -rf $(VENV) .nox build dist *.egg-info

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

$(VENV)/.release: $(VENV)/.base pyproject.toml
	$(PIP) --group release
	touch $@
