# Every target does its own set-up, on a machine with nothing but Python 3.11 or newer and make.
#   make demo    serve the page            make test    run the tests
#   make check   lint, types, house rules  make bench   measure the speed here
#   make setup   only install              make clean   remove what was installed
#   make space   the demo as a Space gets it, in an environment of its own

PYTHON ?= python3
BIN := .venv/bin
TORCH := $(shell grep '^torch' requirements.txt)

# PyPI's torch for Linux carries 2 GB of CUDA libraries; without an NVIDIA GPU the CPU build is wanted. Its index is
# given as one more, so that pip goes on without it where it cannot be reached. What torch needs comes with the rest.
ifeq ($(shell uname -s),Linux)
ifeq ($(shell command -v nvidia-smi 2>/dev/null),)
TORCH_INDEX := --extra-index-url https://download.pytorch.org/whl/cpu --retries 1
endif
endif

# Idle OpenMP threads sleep instead of spinning: on a shared machine several times faster.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test check space bench setup clean
demo: .venv/.installed
	$(BIN)/python app.py

# Two processes: the tests wait for servers and browsers half of their time. All of a file's tests run in one of them.
test: .venv/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy app.py autochrome dataset_builder training tests
	$(BIN)/mypy --explicit-package-bases metric_spaces
	$(BIN)/python -m pytest tests/test_house.py

space: .venv/.installed-dev
	AUTOCHROME_FRESH_SPACE=1 $(BIN)/python -m pytest tests/test_deploy_space.py -k clone_and_serve

bench: .venv/.installed
	$(BIN)/autochrome benchmark

setup: .venv/.installed-dev

clean:
	rm -rf .venv

.venv/.installed: pyproject.toml requirements.txt | .venv/.torch
	$(BIN)/python -m pip install -e .
	@touch $@

.venv/.installed-dev: pyproject.toml requirements.txt | .venv/.torch
	$(BIN)/python -m pip install -e '.[dev]'
	@touch .venv/.installed $@

.venv/.torch: requirements.txt | $(BIN)/pip
	$(BIN)/python -m pip install --no-deps $(TORCH_INDEX) '$(TORCH)'
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Autochrome needs Python 3.11 or newer, and '$(PYTHON)' is older or missing." >&2; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: its modules venv and ensurepip are missing." >&2; \
	  echo "On Debian and Ubuntu install them with: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
