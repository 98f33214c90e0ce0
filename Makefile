# Everything a contributor or CI runs. `make help` lists it; each target does its own set-up first.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
# One shell a recipe: a lock taken in its first line holds to its end.
.ONESHELL:
MAKEFLAGS += --no-builtin-rules --warn-undefined-variables
.DEFAULT_GOAL := help

# --- Settings (make NAME=value) --------------------------------------------------------------------------------------

# The interpreter that makes the environments: 3.11 or newer.
PYTHON ?= python3
# Processes that run tests.
WORKERS ?= $(shell nproc | awk '{ print ($$1 < 4) ? $$1 : 4 }')
# More words for pytest: make test-unit PYTEST_ARGS='-k margin'
PYTEST_ARGS ?=
# More words for the resolver: make lock LOCK_ARGS=--upgrade
LOCK_ARGS ?=
# Where `make test-e2e` keeps archives of images.
E2E_IMAGES ?= .e2e-images
# Where `make cluster-up` keeps its state, and kubectl and helm for it.
CLUSTER ?= .cluster
# Where `make quickstart` writes.
QUICKSTART_OUT ?= quickstart-out

# Measured on Linux x86_64, Python 3.11.
DOWNLOAD_BASE := 0.2 GB
DOWNLOAD_LOCAL := 3.2 GB (torch comes with its CUDA libraries)
DISK_LOCAL := 6 GB

# --- Paths -----------------------------------------------------------------------------------------------------------

VENV := .venv
BENCH_VENV := .venv-bench
BIN := $(VENV)/bin
UV := $(BIN)/uv
TOOLS := .tools
export PATH := $(CURDIR)/$(TOOLS):$(PATH)

# The modules that compute and decide without touching the world; their coverage is a gate. Of the operator all counts
# but process, probes, queue_depths and __main__: wiring, ports and signals, which tests/integration runs for real.
PURE_OPERATOR := builders policies plan status history requests observed parts vote_sources cache child_views election \
	job_events job_identity kinds metrics settings tokens workqueue act observe reconciler workers sweeps handlers kopf_settings \
	event_recorder kube job_services service_calls service_channels
PURE := labelplane_api $(addprefix labelplane_operator.,$(PURE_OPERATOR)) labelplane_aggregation.models labelplane_aggregation.sources \
	labelplane_scoring.strategies labelplane_scoring.uncertainty labelplane_scoring.stability labelplane_distillation.losses \
	labelplane_report labelplane_core.tasks
SCRIPTS := generate-protos make-digits make-glosses

# A file of tests stays in one process, with the servers that its tests share; the longest is begun first.
SHARED := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# A second make in the same tree waits instead of installing into the same folder at the same time.
# uv holds .lock in the environment itself, so ours has another name.
LOCKED = mkdir -p $(VENV) && exec 9>$(VENV)/.make.lock && flock 9

.PHONY: help quickstart demo test test-unit test-integration test-e2e cluster-up cluster-down chart coverage images \
	soak bench simulate verify generate samples lint fmt \
	tools lock hooks clean

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^## / { printf "\n%s\n", substr($$0, 4) } \
		/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Try it

quickstart: $(VENV)/.local ## Label the digits sample with a torch model: the main job (downloads 3.2 GB the first time)
	$(BIN)/labelplane run manifests/samples/digits.yaml --data manifests/samples/digits --out $(QUICKSTART_OUT)

demo: $(VENV)/.base ## Show the loop on made-up data, without torch (downloads 0.2 GB the first time)
	$(BIN)/labelplane demo

## Test

test: coverage ## Run unit, contract and integration tests, with the coverage gate
	$(BIN)/pytest tests/contract tests/integration $(SHARED) $(PYTEST_ARGS)

test-unit: $(VENV)/.dev ## Run unit tests: no network, no process
	$(BIN)/pytest tests/unit -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

coverage: $(VENV)/.dev $(TOOLS)/.stamp ## Run unit tests; fail when they cover under 95 % of the pure modules
	$(BIN)/pytest tests/unit -n $(WORKERS) --dist worksteal $(addprefix --cov=,$(PURE)) --cov-report=term:skip-covered \
		--cov-fail-under=95 $(PYTEST_ARGS)

test-integration: $(VENV)/.dev $(TOOLS)/.stamp ## Run the tests that start processes and real parts
	$(BIN)/pytest tests/integration $(SHARED) $(PYTEST_ARGS)

chart: $(VENV)/.dev $(TOOLS)/.stamp ## Run the tests of the Helm chart: values, objects, alerts, a real API server
	$(BIN)/pytest tests/unit/chart tests/integration/chart $(PYTEST_ARGS)

test-e2e: $(VENV)/.dev $(TOOLS)/.stamp ## Install the chart on a real node of this machine and run jobs there (root; builds images the first time)
	hack/install-parts.sh e2e
	hack/e2e-images $(E2E_IMAGES)
	LABELPLANE_E2E_IMAGES=$(abspath $(E2E_IMAGES)) hack/in-own-network $(abspath $(BIN)/pytest) tests/e2e $(PYTEST_ARGS)

cluster-up: $(VENV)/.dev $(TOOLS)/.stamp ## Keep a cluster of one real node with the images, to work with by kubectl (root)
	hack/install-parts.sh e2e
	hack/e2e-images $(E2E_IMAGES)
	hack/cluster up $(CLUSTER) $(E2E_IMAGES)

cluster-down: ## Take the cluster of cluster-up down
	hack/cluster down $(CLUSTER)

soak: $(VENV)/.dev $(TOOLS)/.stamp ## Run the long tests: kill and continue over and over, 10,000 faults around the operator
	LABELPLANE_FAULTS=10000 $(BIN)/pytest tests/soak tests/integration/operator/test_faults.py --timeout=0 $(PYTEST_ARGS)

bench: $(BENCH_VENV)/.bench $(TOOLS)/.stamp ## Measure against peers, interleaved in one run; writes tests/bench/results
	@mkdir -p tests/bench/results
	for script in tests/bench/bench_*.py; do
		name=$$(basename $$script .py)
		echo "== $$name"
		$(BENCH_VENV)/bin/python $$script --json tests/bench/results/$$name.json
	done

simulate: $(VENV)/.dev ## Play 100 million items on 1,000 nodes through the scaling policy; writes docs/scaling-simulation.md
	$(BIN)/python tests/simulate/simulate_scaling.py --processes $(WORKERS)

## Change it

verify: $(VENV)/.dev $(TOOLS)/.stamp ## Regenerate what is committed, compare, and lint: what CI checks before the tests
	@PYTHON=$(BIN)/python hack/verify generated lint

lint: $(VENV)/.dev $(TOOLS)/.stamp ## Check style, types, layers and protos
	@PYTHON=$(BIN)/python hack/verify lint

fmt: $(VENV)/.dev $(TOOLS)/.stamp ## Format Python and protos, fix what the linter can
	@$(TOOLS)/buf format -w protos
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

generate: $(VENV)/.dev $(TOOLS)/.stamp ## Write protos/gen, the CRD and its reference, the chart's schema and README, manifests/base
	$(BIN)/python hack/generate-protos
	$(BIN)/python -m labelplane_api.crd
	$(BIN)/python hack/chart-docs
	$(BIN)/python hack/render-manifests

samples: $(VENV)/.dev ## Write the sample data sets (manifests/samples; glosses need Debian's wordnet-base)
	$(BIN)/python hack/make-digits
	$(BIN)/python hack/make-glosses

images: $(VENV)/.dev ## Build the images with docker, podman or buildah (BASE, PREFIX, TAG, TORCH: hack/build-images tells)
	hack/build-images

tools: $(TOOLS)/.stamp ## Build the programs that tests and checks use, into .tools (cached by version)

hooks: $(VENV)/.dev ## Run `make fmt lint` before every commit
	$(BIN)/pre-commit install

lock: $(VENV)/.uv ## Resolve pyproject.toml into requirements/*.txt, with hashes
	@UV=$(UV) hack/lock $(LOCK_ARGS)

clean: ## Remove environments, tools and caches of this folder
	rm -rf $(VENV) $(BENCH_VENV) $(TOOLS) .coverage* htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find operator services cli tests protos -name __pycache__ -type d -prune -exec rm -rf {} +

# --- Set-up: each stamp says that its step ended well -----------------------------------------------------------------

$(VENV)/.uv: requirements/uv.txt
	@$(LOCKED)
	hack/make-venv $(PYTHON) $(VENV)
	touch $@

$(VENV)/.base: requirements/base.txt requirements/build.txt pyproject.toml | $(VENV)/.uv
	@$(LOCKED)
	echo "Installing labelplane into $(VENV): downloads about $(DOWNLOAD_BASE)."
	UV=$(UV) hack/install-locked $(VENV) base
	touch $@

$(VENV)/.local: requirements/local.txt requirements/build.txt pyproject.toml | $(VENV)/.uv
	@$(LOCKED)
	echo "Installing labelplane with torch into $(VENV): downloads about $(DOWNLOAD_LOCAL), takes $(DISK_LOCAL) of disk."
	UV=$(UV) hack/install-locked $(VENV) local
	touch $@

$(VENV)/.dev: requirements/dev.txt requirements/build.txt pyproject.toml | $(VENV)/.uv
	@$(LOCKED)
	echo "Installing labelplane with torch, tests and linters into $(VENV): downloads about $(DOWNLOAD_LOCAL), takes $(DISK_LOCAL) of disk."
	UV=$(UV) hack/install-locked $(VENV) dev
	touch $@

$(BENCH_VENV)/.bench: requirements/bench.txt requirements/build.txt pyproject.toml | $(VENV)/.uv
	@$(LOCKED)
	echo "Installing labelplane with torch and its peers into $(BENCH_VENV): downloads about $(DOWNLOAD_LOCAL), takes $(DISK_LOCAL) of disk."
	$(PYTHON) -m venv $(BENCH_VENV)
	UV=$(UV) hack/install-locked $(BENCH_VENV) bench
	touch $@

$(TOOLS)/.stamp: hack/build-tools hack/build-parts $(wildcard hack/tools/*/*) $(wildcard requirements/parts/*.txt) | $(VENV)/.uv
	@hack/build-tools $(TOOLS)
	UV=$(UV) PYTHON=$(PYTHON) hack/build-parts $(TOOLS)
	touch $@
