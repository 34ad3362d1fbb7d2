# make run · make test · make check · make bench · make clean
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CONFIG ?= train_configs/quickstart.yaml

.PHONY: help setup run test check format bench clean

help:
	@echo "make run                    train three levels on the standard library, register, serve, complete"
	@echo "make run CORPUS=path        the same on your own code (folder or git repository; Python or BSL)"
	@echo "make run ONCE=1             end after the completions instead of leaving the endpoint up"
	@echo "make test                   unit, integration and end-to-end tests"
	@echo "make check                  formatting, lint, types, import contracts"
	@echo "make bench                  the commands behind benchmarks/"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("nested-ray needs Python 3.11 or newer, found " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned packages into $(VENV) (once; a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: setup
	$(BIN)/nested-ray run $(CONFIG) $(if $(CORPUS),--corpus "$(CORPUS)") $(if $(ONCE),--once) $(ARGS)

test: setup
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python tests/bench/decode_speed.py
	$(BIN)/nested-ray bench levels syntax
	$(BIN)/nested-ray bench levels architecture

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist
