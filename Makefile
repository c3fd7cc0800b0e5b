# Everything happens in .venv, made from the lock file and reused until the lock changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock"

.PHONY: demo test test-fast bench pictures licences sbom lint format lock

demo: $(READY)  ## a made-up organization, scanned; the report goes to out/demo/
	@$(BIN)/keyvigil demo

test: lint  ## everything, on all cores and one more: many tests wait for processes
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

test-fast: $(READY)  ## the tests that need no server process, browser or build
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal -m "not slow"

bench: $(READY)  ## figures, not verdicts
	$(BIN)/pytest tests/bench -q --override-ini python_files="bench_*.py"

pictures: $(READY)  ## those in the README, of the demo's report
	$(BIN)/python -m tests.browser.pictures

licences: $(READY)  ## docs/licences.md, of the locked wheels
	@$(BIN)/python -m deploy.release.licences

sbom: $(READY)  ## dist/keyvigil.cdx.json: the locked run-time distributions as CycloneDX
	@$(BIN)/python -m deploy.release.sbom

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

lock: $(READY)  ## write all lock files again; then run make licences
	$(COMPILE) pyproject.toml --all-extras --output-file requirements.lock
	$(COMPILE) pyproject.toml --group dev --output-file requirements-dev.lock
	$(COMPILE) --group build --output-file requirements-build.lock
	$(COMPILE) --group deploy --output-file tests/deploy/tools.lock

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "KeyVigil needs Python 3.11 or newer; say make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
