# `make` alone says what there is.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
BUILD := .build
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header
# What is selected may all be in the other half: pytest says so, and ends with 5.
SELECTED = $(if $(ARGS),$(ARGS) || test $$? = 5)

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/stamp $(BIN)/hoist ## Make the virtual environment, exactly as locked, with `hoist` in it

# The first Python that is new enough; PYTHON=... chooses another.
$(VENV)/stamp: requirements-dev.txt
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Setting up $(VENV) with $$python"; $$python -m venv $(VENV); exit; \
	  fi; \
	done; echo "Python 3.11 or newer is needed: make setup PYTHON=/path/to/python" >&2; exit 1
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The command line, as it stands in cli/: nothing is built apart, and nothing fetched for it.
$(BIN)/hoist: $(VENV)/stamp pyproject.toml
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: run
run: setup ## Run Hoist on this machine (HOIST_PORT=, HOIST_STATE=, HEROKU_API_URL=)
	@exec $(BIN)/python -m local run

.PHONY: demo
demo: setup ## Watch promotions survive what stuck the old design
	@exec $(BIN)/python -m local demo

.PHONY: test
test: test-unit ## Run the tests, but for the three slow kinds below (ARGS="-k stalled")
	@for stage in local prod; do $(BIN)/python -m infra.package --stage $$stage >/dev/null || exit 1; done
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder tests/e2e tests/integration $(SELECTED)

.PHONY: test-unit
test-unit: setup ## Run those that need neither a server nor a process (seconds)
	@$(MAKE) --no-print-directory --jobs 2 $(APART) one-half other-half

# Two processes that know nothing of each other: telling of every test, pytest-xdist takes longer.
HALF := tests/unit/usecases tests/unit/cli
# Each prints when it has ended, where make is new enough for that.
APART := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: one-half other-half
one-half:
	@$(BIN)/python -m pytest $(HALF) $(SELECTED)
other-half:
	@$(BIN)/python -m pytest tests/unit $(addprefix --ignore=,$(HALF)) $(SELECTED)

.PHONY: test-fuzz
test-fuzz: setup ## Send the contract's requests, and others, to the local stack (two minutes)
	$(BIN)/python -m pytest tests/fuzz $(ARGS)

# Other lives for every commit, and the same for the same.
SEED ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1)

.PHONY: test-life
test-life: setup ## Live a minute of whatever may happen (SEED=1)
	$(BIN)/python -m bench.life --steps 60000 --seed $(SEED)

.PHONY: test-browser
test-browser: setup ## Try the operator's page in Chromium (ARGS="-k keyboard")
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder tests/browser $(ARGS)

.PHONY: bench
bench: setup ## Measure what docs/performance.md claims (twenty minutes)
	$(BIN)/python -m bench.cold
	$(BIN)/python -m bench.accept
	$(BIN)/python -m bench.bursts --local
	$(BIN)/python -m bench.sweep
	$(BIN)/python -m bench.cost
	$(BIN)/python -m bench.kills
	$(BIN)/python -m bench.guesses

.PHONY: soak
soak: setup ## Live a million steps, and try what the contract promises 20,000 times (half an hour)
	$(BIN)/python -m bench.life
	$(BIN)/python -m bench.soak

.PHONY: check
check: lint lint-infra lint-lock ## All that CI checks besides the tests

.PHONY: lint
lint: setup ## Check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: lint-infra
lint-infra: setup ## Check the template that would be deployed
	$(BIN)/python -m infra.package --stage prod
	$(BIN)/cfn-lint $(BUILD)/prod/sam.json

# Resolved again from what is locked: any difference means that pyproject.toml says otherwise.
.PHONY: lint-lock
lint-lock: setup
	@mkdir -p $(BUILD)/locked
	@cp requirements.txt requirements-dev.txt $(BUILD)/locked
	@$(LOCK) --output-file $(BUILD)/locked/requirements.txt
	@$(LOCK) --extra dev --constraint requirements.txt --output-file $(BUILD)/locked/requirements-dev.txt
	@for file in requirements.txt requirements-dev.txt; do \
	  cmp -s $$file $(BUILD)/locked/$$file || { echo "$$file is not what pyproject.toml asks for: make lock" >&2; exit 1; }; \
	done

.PHONY: format
format: setup ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: lock
lock: setup ## Lock the requirements that pyproject.toml asks for (ARGS="--upgrade")
	$(LOCK) $(ARGS) --output-file requirements.txt
	$(LOCK) $(ARGS) --extra dev --constraint requirements.txt --output-file requirements-dev.txt

.PHONY: package
package: setup ## Build what would be deployed (STAGE=dev)
	$(BIN)/python -m infra.package --stage $(or $(STAGE),dev)

.PHONY: deploy
deploy: setup ## Deploy to AWS (STAGE=prod RUNBOOK_URL=https://... ON_CALL_EMAIL=...)
	$(if $(STAGE),,$(error Which stage? make deploy STAGE=prod))
	$(BIN)/python -m infra.deploy --stage $(STAGE) $(if $(RUNBOOK_URL),--parameter RunbookUrl=$(RUNBOOK_URL)) \
	  $(if $(ON_CALL_EMAIL),--parameter OnCallEmail=$(ON_CALL_EMAIL))

.PHONY: operator
operator: setup ## Say who may call (STAGE=prod ARGS="add pat --role promoter"; ARGS=--help)
	$(if $(STAGE),,$(error Which stage? make operator STAGE=prod ARGS=list))
	@$(BIN)/python -m infra.operators --stage $(STAGE) $(ARGS)

.PHONY: backup
backup: setup ## Copy a stage's tables into files (STAGE=prod ARGS=../hoist-2026-11-22)
	$(if $(and $(STAGE),$(ARGS)),,$(error Of which stage, and where to? make backup STAGE=prod ARGS=../hoist-2026-11-22))
	@$(BIN)/python -m infra.restore --stage $(STAGE) export $(ARGS)

.PHONY: restore
restore: setup ## Take a stage's data back to an earlier moment: docs/restore.md (STAGE=prod ARGS=stop; ARGS=--help)
	$(if $(STAGE),,$(error Which stage? make restore STAGE=prod ARGS=--help))
	@$(BIN)/python -m infra.restore --stage $(STAGE) $(ARGS)

.PHONY: clean
clean: ## Remove what can be built again; local stacks keep their data
	rm -rf $(BUILD) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
