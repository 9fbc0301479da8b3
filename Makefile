# Thin: anything longer than three lines is in hack/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Tests start very many Python processes: they shall find what others compiled.
unexport PYTHONDONTWRITEBYTECODE
PY := .venv/bin/python
SOURCES := jobrunner/src api/src operator/src simulate/src tools/src
# What decides over jobs is pure, and every branch of it is tested.
PURE := $(foreach module,life due record events limits backoff,--cov=zerog.model.$(module))
# Tests that need a Kubernetes.
ON_CLUSTER := tests/integration/operator tests/chart/cluster
# Tests beside the real Kueue and Karpenter, which take minutes to build.
WITH_NEIGHBOURS := tests/integration/operator/neighbours
# Tests that need a browser. Its driver keeps an event loop: they run in processes of their own.
IN_BROWSER := tests/integration/web
# Tests that need node, Go and what generates clients.
WITH_GENERATORS := tests/integration/clients
# A job that is submitted, runs and has a result, or crashes, or is cancelled; a worker that dies.
CORE := tests/integration/path/test_jobs.py \
	tests/integration/path/test_faults.py::test_a_killed_workers_job_runs_elsewhere_long_before_its_reservation_ends
# What `make test` runs, two at a time, in this order.
SUITES := check test-unit test-integration test-cluster test-web test-chart test-clients test-images
PORT ?=

##@ General
.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: setup ## Start everything, run a job through it, stay up (^C stops)
	@bash hack/run.sh

.PHONY: test
test: setup ## Install what the tests need, pass them all, two suites at a time, and sum up
	@$(PY) hack/suites.py $(SUITES)

.PHONY: test-quick
test-quick: setup ## Lint, types, unit tests and the path's core: after each change (two minutes)
	@$(PY) hack/suites.py typecheck test-unit lint test-core

.PHONY: check
check: setup ## What needs no test: lint, typecheck and verify, at the same time
	@$(MAKE) --no-print-directory --output-sync=target -j 2 lint typecheck verify

##@ Development
.PHONY: setup
setup: ## Install what is missing: beanstalkd, Python packages from the lock
	@bash hack/bootstrap.sh

.PHONY: browser
browser: setup
	@bash hack/browser.sh

.PHONY: format
format: ## Format the code
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .

.PHONY: lint
lint: ## Check style, sizes, imports, phrases
	@$(PY) -m ruff format --check . && $(PY) -m ruff check .
	@$(PY) hack/check_sizes.py
	@$(PY) hack/phrases.py
	@.venv/bin/lint-imports --no-logo
	@$(PY) hack/reference.py --check

.PHONY: typecheck
typecheck: ## Check types, strictly
	@$(PY) -m mypy $(SOURCES) tests hack examples

.PHONY: reference
reference: ## Rewrite the reference that is generated from code
	@$(PY) hack/reference.py

.PHONY: docs
docs: setup ## Build the documentation site into .site/, check its links
	@.venv/bin/zensical build --clean --strict
	@echo "Open file://$(CURDIR)/.site/index.html"

.PHONY: web
web: setup ## Build the web page into the API's package (needs node 20)
	@bash hack/web.sh build

.PHONY: web-check
web-check: setup ## Lint, type-check and unit-test the web page, compare its build with what is committed (needs node 20)
	@bash hack/web.sh check

.PHONY: lock
lock: ## Resolve the dependencies again into the lock files
	@bash hack/lock.sh

.PHONY: image-lock
image-lock: setup ## Build images of Debian's packages as they are now, write down their versions
	@bash hack/images.sh --write

##@ Test
.PHONY: test-unit
test-unit: setup ## Tests that need nothing but Python
	@$(PY) -m pytest -q tests/unit --ignore tests/unit/jobrunner/model -n 2
	@$(PY) -m pytest -q tests/unit/jobrunner/model -n 2 $(PURE) \
		--cov-branch --cov-fail-under=100 --cov-report=term-missing:skip-covered

.PHONY: test-core
test-core: setup ## The path of a job through real processes, on SQLite
	@$(PY) -m pytest -q $(CORE) -k "not couchbase" -n 2

.PHONY: test-integration
test-integration: gocaves shells ## Tests with real servers and processes
	@$(PY) -m pytest -q tests/integration --ignore tests/integration/operator --ignore $(IN_BROWSER) \
		--ignore $(WITH_GENERATORS) -n 4 --dist worksteal

.PHONY: gocaves
gocaves: setup ## Build Couchbase's own mock, for tests (a minute, once)
	@bash hack/gocaves.sh

.PHONY: shells
shells: setup ## Install zsh and fish, which tests ask for completions
	@bash hack/shells.sh

.PHONY: test-web
test-web: browser ## Tests of the web page in a headless Chromium
	@$(PY) -m pytest -q $(IN_BROWSER) -n 2 --dist loadfile

.PHONY: client-tools
client-tools: setup ## Install what generates clients of the API: node, Go, generators
	@bash hack/clients.sh

.PHONY: test-clients
test-clients: client-tools ## Generate clients in three languages, run them against a live API
	@$(PY) -m pytest -q $(WITH_GENERATORS)

.PHONY: screenshots
screenshots: browser ## Retake the docs' pictures of the web page and of the terminal
	@$(PY) -m tests.integration.web.screenshots docs/images
	@$(PY) -m tests.integration.cli.still docs/images

.PHONY: test-chart
test-chart: cluster-binaries ## Tests of what the Helm chart renders
	@$(PY) -m pytest -q tests/chart --ignore tests/chart/cluster -n 2

.PHONY: test-cluster
test-cluster: cluster-binaries ## Tests on a real Kubernetes control plane
	@$(PY) -m pytest -q tests/cluster $(wildcard $(ON_CLUSTER)) --ignore $(WITH_NEIGHBOURS) \
		-n 3 --dist loadfile

.PHONY: test-neighbours
test-neighbours: cluster-binaries ## Tests beside the real Kueue and Karpenter (builds them: minutes)
	@$(PY) -m zerog_tools.cluster.binaries kueue karpenter
	@$(PY) -m pytest -q $(WITH_NEIGHBOURS)

.PHONY: test-kind
test-kind: setup ## Tests on kind, then end to end with real images (docker, podman, or root on Debian)
	@bash hack/kind.sh
	@bash hack/images.sh
	@TEST_CLUSTER=kind $(PY) -m pytest -q tests/cluster $(wildcard $(ON_CLUSTER)) --ignore $(WITH_NEIGHBOURS)
	@$(PY) -m pytest -q tests/e2e -p no:randomly

# What each of the three takes: the seed of another run, an end after minutes or rounds, and where logs of complaints stay.
TRIAL = $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(FOLDER),--folder $(FOLDER))
.PHONY: chaos
chaos: setup ## Break a real system at random, check every job (SEED, MINUTES or ROUNDS, FOLDER)
	@$(PY) -m tests.chaos $(TRIAL)

.PHONY: power
power: setup ## Cut the power at random, check what was answered (the same; needs gcc)
	@$(PY) -m tests.chaos.power $(TRIAL)

.PHONY: fuzz
fuzz: setup ## Throw hostile frames, records, replies and requests (the same)
	@$(PY) -m tests.chaos.fuzz $(TRIAL)

.PHONY: bench
bench: ## Measure ZeroG and its peers side by side
	@bash hack/bench.sh

.PHONY: simulate
simulate: setup ## Play loads under ZeroG and KEDA, write the docs' figures (minutes)
	@$(PY) -m benchmarks.simulate

.PHONY: keda
keda: cluster-binaries ## Measure ZeroG beside the real KEDA, write the docs' table (a quarter of an hour; builds KEDA first)
	@$(PY) -m zerog_tools.cluster.binaries keda-operator keda-adapter
	@$(PY) -m benchmarks.keda

.PHONY: clean
clean: ## Remove everything that was built or installed here
	@rm -rf .venv .tools .zerog .site .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

##@ Generate
.PHONY: generate
generate: cluster-binaries ## Regenerate files that are generated from others
	@$(PY) -m zerog_tools.chart
	@$(PY) hack/client.py

.PHONY: verify
verify: cluster-binaries ## Check that what is made of other files is up to date
	@$(PY) -m zerog_tools.chart --check
	@$(PY) hack/client.py --check
	@"$$($(PY) -m zerog_tools.cluster.binaries actionlint | awk '{print $$2}')" -shellcheck= -pyflakes=
	@if command -v npm >/dev/null; then bash hack/web.sh check; fi

##@ Release
.PHONY: package
package: setup ## Build wheels and chart into dist/ (TAG: refuse another version)
	@bash hack/cluster-go.sh
	@TAG=$(TAG) bash hack/package.sh

.PHONY: reproduce
reproduce: setup ## Build wheels, chart and images twice from nothing, compare byte by byte
	@bash hack/cluster-go.sh >/dev/null
	@$(PY) -m zerog_tools.release.reproduce

##@ Images
.PHONY: images
images: setup ## Build the container images, print where they are
	@bash hack/images.sh

.PHONY: test-images
test-images: setup ## Tests of the images (minutes the first time)
	@bash hack/images.sh >/dev/null || echo "no images were built: the tests fail, or skip where a machine cannot"
	@$(PY) -m pytest -q -rs tests/images

##@ Cluster
.PHONY: cluster
cluster: setup ## Start a cluster, install ZeroG, run a job through it, stay up (^C removes it)
	@bash hack/cluster.sh

.PHONY: cluster-binaries
cluster-binaries: setup ## Build the test clusters' Kubernetes (minutes the first time)
	@bash hack/cluster-binaries.sh
