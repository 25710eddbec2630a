# driftwarden: two commands for a newcomer, `make demo` and `make test`; the rest is for its developers.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 5

.PHONY: demo test oracle-sweep property-sweep attribution-sweep story-sweep fault-sweep daemon-run operations-trial redmine-contract lint format types check install bench docs wheel wheel-demo lock clean

demo: $(VENV)/.installed ## the main job on an embedded cloud, checked against its own story
	$(BIN)/driftwarden demo --out demo-out

test: $(VENV)/.installed ## the whole test suite
	DRIFTWARDEN_TF_PLUGIN_DIR="$$(scripts/provider-mirror)" $(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

oracle-sweep: $(VENV)/.installed ## random expressions and configurations, and all root modules, against the real terraform
	$(BIN)/python scripts/oracle_sweep.py
	DRIFTWARDEN_TF_PLUGIN_DIR="$$(scripts/provider-mirror)" $(BIN)/pytest -m sweep tests/declared

property-sweep: $(VENV)/.installed ## every property with all of its examples; `make test` tries 30 % of them
	DRIFTWARDEN_EXAMPLES=100 $(BIN)/pytest -n $(JOBS) --dist loadfile -m "hypothesis and not sweep"

attribution-sweep: $(VENV)/.installed ## who changed what, among thousands of decoys: twenty more estates
	$(BIN)/pytest -m sweep tests/attribution

operations-trial: $(VENV)/.installed ## every command of docs/operations.md and docs/install.md, on a machine that is this one under other mounts; takes root
	$(MAKE) --no-print-directory wheel
	$(BIN)/python scripts/operations_trial.py

redmine-contract: $(VENV)/.installed ## the contract of ticket systems over a real Redmine, which it installs where it may
	scripts/redmine $(BIN)/pytest -m sweep tests/tickets -k "redmine_real or redmine-server"
	DRIFTWARDEN_REDMINE_FORMATTING=common_mark scripts/redmine $(BIN)/pytest -m sweep tests/tickets -k redmine_real

story-sweep: $(VENV)/.installed ## an estate adopted with 2,000 old drifts; every call of an apply, as the recorder tells it
	$(BIN)/pytest -m sweep tests/stories tests/demo

fault-sweep: $(VENV)/.installed ## dies at hundreds of writes, failing disks, clocks, leaders and clouds: a table of what held
	$(BIN)/pytest -m "sweep or not sweep" tests/faults
	$(BIN)/pytest -m sweep tests/daemon tests/store tests/events tests/test_focus_truth.py

daemon-run: $(VENV)/.installed ## half an hour of hundreds of changes, and 30 days' schedule: exactly the expected cases
	$(BIN)/python scripts/long_run.py

lint: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(VENV)/.installed
	$(BIN)/mypy

check: lint types test

install: $(VENV)/.installed

# A Python's own pip may take a minute longer to find 140 files in an index than this one; it would do, too.
$(VENV)/.installed: requirements.lock requirements-pip.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("driftwarden needs Python 3.11 or later, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	-$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-pip.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

bench: $(VENV)/.installed ## ratios against `terraform plan`; needs terraform and the AWS provider
	$(BIN)/python benchmarks/scan.py
	$(BIN)/python benchmarks/declared.py
	$(BIN)/python benchmarks/trail.py
	PYTHONPATH=. $(BIN)/python benchmarks/attribution.py
	$(BIN)/python benchmarks/verdicts.py

docs: $(VENV)/.installed ## the generated pages in docs/
	$(BIN)/python scripts/generate_docs.py

wheel: $(VENV)/.installed
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

lock: ## after a change of dependencies; needs uv
	uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade --output-file requirements.lock

clean:
	rm -rf $(VENV) dist demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis

wheel-demo: $(VENV)/.installed ## the built wheel outside the repository, with nothing but what it depends on: rules, templates and estate ship inside it
	rm -rf dist
	$(MAKE) --no-print-directory wheel
	outside=$$(mktemp -d) && $(PYTHON) -m venv --without-pip $$outside/venv \
	  && $(BIN)/pip --python $$outside/venv/bin/python install --quiet --disable-pip-version-check --no-compile --no-deps dist/*.whl \
	  && $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >$$outside/dependencies.pth \
	  && mv $$outside/dependencies.pth "$$($$outside/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
	  && (cd $$outside && venv/bin/driftwarden demo --out demo) ; status=$$? ; rm -rf $$outside ; exit $$status
