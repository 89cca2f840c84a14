# Everything a reader, a user or CI calls. `make study` is the whole study on a fresh machine.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
WORKERS ?= $(JOBS)
TARGETS ?= all
DEVICE ?= cpu
BIN := $(VENV)/bin
READY := $(VENV)/.installed
PEERS := $(VENV)/.peers-installed
# One thread per job: two processes with one thread each beat one with two (see docs/architecture.md).
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder
FAST := not (process or workflow or slurm or s3 or slow or long)
# Those that need no package beyond the extras `study` and `optimizers`.
OF_VERSIONS := $(addprefix tests/,curvature optim scaling alignment coordinates transfer/test_judge.py \
	study/training study/storage study/plan/test_load.py study/plan/test_expand.py study/models)
SELECT := $(if $(SCALE),--scale $(SCALE)) $(if $(EXPERIMENTS),--experiments $(EXPERIMENTS))

.PHONY: study figures test test-fast test-workflow test-slurm test-s3 test-all lint docs bench check \
	test-oldest test-newest coordcheck repro push pull install clean-venv

study: $(READY)
	$(BIN)/lrtransfer workflow all --cores $(JOBS) $(SELECT)
	@$(BIN)/lrtransfer claims $(SELECT)

figures: $(READY)
	$(BIN)/lrtransfer figures $(SELECT)

check: $(READY)
	$(BIN)/lrtransfer check $(SELECT)

# Every model, parameterization and optimizer: docs/coordinate-check.md.
coordcheck: $(READY)
	$(BIN)/lrtransfer coordcheck --out results/coordinate_check.csv

# The tiers of the tests: docs/test-all.md. In all of them one worker has all tests on Slurm, of which
# a machine has one, and starts with them: they mostly wait.
test: $(READY)
	$(PYTEST) -m "not long" --durations=20

test-fast: $(READY)
	$(PYTEST) -m "$(FAST)"

test-workflow: $(READY)
	$(PYTEST) -m "workflow and not (slurm or s3 or long)"

test-slurm test-s3: $(READY)
	$(PYTEST) -m "$(@:test-%=%) and not long"

# Everything; then, one test at a time, that none of the fast ones takes over two seconds.
test-all: $(READY)
	$(PYTEST)
	$(BIN)/python -m pytest -m "$(FAST)" --hold-seconds

# What pyproject.toml asks for at its oldest and at its newest, each in an environment of its own; on another
# Python by PYTHON=python3.13. The tests are those of the instruments, of a run and of the plan.
test-oldest: RESOLUTION := lowest-direct
test-newest: RESOLUTION := highest
test-oldest test-newest:
	$(PYTHON) -m venv --clear .venv-$(@:test-%=%)
	.venv-$(@:test-%=%)/bin/python -m pip install --quiet uv
	.venv-$(@:test-%=%)/bin/uv pip install --quiet --python .venv-$(@:test-%=%)/bin/python \
		--resolution $(RESOLUTION) -e ".[study,optimizers]"
	.venv-$(@:test-%=%)/bin/python -m pip install --quiet pytest pytest-xdist hypothesis
	.venv-$(@:test-%=%)/bin/python -m pytest -n $(JOBS) -m "$(FAST)" $(OF_VERSIONS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# NO_MKDOCS_2_WARNING: a notice of the theme about its own future, no fault of ours.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(READY) $(PEERS)
	$(BIN)/python -m benchmarks --targets $(TARGETS) --device $(DEVICE)

repro: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" dvc repro

push pull: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" dvc $@

install: $(READY)

$(READY): requirements.lock requirements-peers.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-peers.lock -e ".[study]"
	touch $@

# The other packages that benchmarks measure. Their own dependencies would replace torch.
$(PEERS): $(READY) requirements-bench.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-bench.lock
	touch $@
