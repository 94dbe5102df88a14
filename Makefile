# `make demo` and `make test` need python3.11 with venv, make, and a package registry.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo docs test test-integration lint format install clean

demo: $(VENV)/.build
	$(BIN)/edgeffnet build --device rpi4 --max-latency 50ms

# The bundle that most tests look at takes minutes, and is built once for all of them.
BUNDLE := build/test-bundle
# So are the steps that several tests' builds have in common.
TEST_CACHE := $(abspath build/test-cache)
# A file's tests share what they build: they stay together.
PYTEST = EDGEFFNET_TEST_BUNDLE=$(BUNDLE) EDGEFFNET_TEST_CACHE=$(TEST_CACHE) $(BIN)/python -m pytest --dist loadfile --numprocesses

$(BUNDLE)/manifest.json: $(VENV)/.dev $(shell find edgeffnet calib converters -name '*.py')
	rm -rf $(TEST_CACHE)
	EDGEFFNET_CACHE=$(TEST_CACHE) $(BIN)/edgeffnet build --device rpi4 --variant lite0 --max-latency 50ms \
	    --output $(BUNDLE) --force

test: $(BUNDLE)/manifest.json
	$(PYTEST) 2 tests --ignore tests/integration -m 'not slow'

test-integration: $(BUNDLE)/manifest.json
# One more than cores: these wait a good part of their time for servers and signals.
	$(PYTEST) 3 tests/integration
	$(PYTEST) 2 tests --ignore tests/integration -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Strict: a page that is missing, or a link that leads nowhere, is an error.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/.build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "cannot make a virtual environment: apt install python3.11-venv, or set PYTHON=" >&2; exit 1; }

$(VENV)/.build: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[build]'
	touch $@

$(VENV)/.dev: $(VENV)/.build
	$(PIP) --editable '.[build,dev,mcu]'
# Without their dependencies: torchvision and timm would exchange torch for another build, mediapipe asks for an
# OpenCV with windows.
	$(PIP) --no-deps torchvision==0.28.0 timm==1.0.31
	$(PIP) --no-deps mediapipe==1.2.3 opencv-contrib-python-headless==5.0.0.93
	touch $@

$(VENV)/.docs: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) out build *.egg-info .pytest_cache .mypy_cache .ruff_cache
