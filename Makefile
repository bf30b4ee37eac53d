# `make` alone lists the targets. Needs git, make and Python 3.11; everything else is installed into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS = 1
export DO_NOT_TRACK = 1

.DEFAULT_GOAL := help
.PHONY: help install demo smoke camvid test slow check format server test-detectron2

help:  ## this list
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

install:  ## .venv from the locked requirements
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 is needed, none was found: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@"$(PYTHON)" install.py

demo: install  ## the whole journey on the built-in street world: reports/sample-street/index.html
	@python -m flows.make sample-street

smoke: install  ## the same in a few minutes, too small to look at
	@python -m flows.make smoke

camvid: install  ## the journey on CamVid: make camvid DATA=folder with images/ and labels/
	@test -n "$(DATA)" || { echo "error: say where the frames are: make camvid DATA=FOLDER (with images/ and labels/)"; exit 1; }
	@python -m flows.make camvid --path "$(DATA)"

check: install  ## ruff, mypy, import-linter
	ruff check .
	ruff format --check .
	python -m mypy
	python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

test: check  ## all checks, and all tests but the slow ones
	OMP_NUM_THREADS=1 python -m pytest -q -n 2 --dist loadfile -m "not slow and not browser"
	python -m pytest -q -m "browser and not slow"  # alone: they watch videos play

test-detectron2:  ## tests that need detectron2, where it is installed: make test-detectron2 PYTHON=/path/to/its/python
	OMP_NUM_THREADS=1 "$(PYTHON)" -m pytest -q -m detectron2

slow: install  ## the slow tests: whole journeys both ways, in clones of what is committed
	OMP_NUM_THREADS=1 python -m pytest -q -m slow

format: install  ## ruff's formatting and fixes
	ruff check --fix .
	ruff format .

server: install  ## Prefect server with UI, serving the deployments
	@python -m flows.server
