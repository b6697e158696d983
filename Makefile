# make demo: trains on the embedded data and writes a report. make test: runs every test. Both set up .venv.
PYTHON ?= python3
BIN = .venv/bin
READY = .venv/.ready
# Tests run in two processes with a thread each: threads of both on two cores would wait for each other.

# Bytecode is kept whatever the shell says: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE =

.PHONY: setup demo test test-all lint docs clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,docs,peers,photographs]'
	touch $(READY)

demo: $(READY)
	rm -rf runs/demo
	$(BIN)/isometry train glyphs --out runs/demo

test: $(READY) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-all: $(READY) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --threads 2

docs: $(READY)
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv runs site docs/catalogue build dist *.egg-info
