# `make demo` and `make test` need python3.11 with venv, make, and a package registry.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-integration lint format install clean

demo: $(VENV)/.build
	$(BIN)/edgeffnet build --device rpi4 --max-latency 50ms

test: $(VENV)/.dev
	$(BIN)/python -m pytest tests --ignore tests/integration -m 'not slow'

test-integration: $(VENV)/.dev
	$(BIN)/python -m pytest tests/integration
	$(BIN)/python -m pytest tests --ignore tests/integration -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

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

clean:
	rm -rf $(VENV) out build *.egg-info .pytest_cache .mypy_cache .ruff_cache
