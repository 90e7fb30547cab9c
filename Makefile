# The one door. Everything else is `.venv/bin/harness …` (see `make help` and README.md).
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
INSTALLED := .venv/.installed
HARNESS := .venv/bin/harness
SOURCES := __main__.py client components harness lambdas policies tests

# Importing the AWS SDK for Pulumi takes seconds unless its byte code may be kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: local
local: $(INSTALLED) ## Bring the whole system up on this machine and answer one ticket
	@$(HARNESS) local

.PHONY: test
test: $(INSTALLED) ## Run every test, those on the running stack included
	@$(HARNESS) test

.PHONY: down
down: $(INSTALLED) ## Stop the local stack; its data stays under .local/
	@$(HARNESS) down

.PHONY: lint
lint: $(INSTALLED) ## Check style, types and the GitHub workflows
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)
	.venv/bin/mypy
	@$(HARNESS) workflows

.PHONY: audit
audit: $(INSTALLED) ## Look up known vulnerabilities of the locked packages
	@$(HARNESS) audit

.PHONY: format
format: $(INSTALLED) ## Put the sources into shape
	.venv/bin/ruff check --fix $(SOURCES)
	.venv/bin/ruff format $(SOURCES)

.PHONY: docs
docs: $(INSTALLED) ## Write the generated documents
	@$(HARNESS) docs

.PHONY: bench
bench: $(INSTALLED) ## Measure what the README promises, on the running stack
	@$(HARNESS) bench

.PHONY: proof
proof: $(INSTALLED) ## Prove at length that no ticket is lost, doubled or stuck
	@$(HARNESS) proof

.PHONY: policy-proof
policy-proof: $(INSTALLED) ## Prove that nothing weaker than our stacks passes the policies
	@$(HARNESS) policies --mutants

.PHONY: mutations
mutations: $(INSTALLED) ## Take away one safeguard after the other: a test must notice each
	@$(HARNESS) mutations

COMPILE := cd requirements && ../.venv/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url

.PHONY: lock
lock: $(INSTALLED) ## Resolve requirements/*.in anew into requirements/*.txt
	$(COMPILE) --overrides lambda-overrides.txt lambda.in -o lambda.txt
	$(COMPILE) dev.in -c lambda.txt -o dev.txt
	$(COMPILE) emulator.in -o emulator.txt
	$(COMPILE) go.in -o go.txt
	$(COMPILE) java.in -o java.txt
	$(COMPILE) peer.in -o peer.txt

.PHONY: clean
clean: ## Remove what was built here; caches shared between clones stay
	@test ! -x $(HARNESS) || $(HARNESS) down
	rm -rf .local .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(INSTALLED): requirements/dev.txt pyproject.toml harness/install.sh
	@PYTHON="$(PYTHON)" sh harness/install.sh
	@touch $@
