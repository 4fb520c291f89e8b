# One way to run each thing. `make help` lists them.

# One cache of built crates for all checkouts: the AWS SDK's are slow to build.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/foregate/target
BINARIES := $(CARGO_TARGET_DIR)/debug
CLOUD := .venv/bin/python tests/local_cloud/cloud.py
VENV := .venv/.installed
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

.PHONY: help
help: ## list what there is
	@grep -E '^[a-z.]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

.PHONY: demo
demo: build $(VENV) ## show the main job on a local cloud of its own; SCENARIO=eks-service: one of examples/
	@trap '$(CLOUD) down --dir .local/demo' EXIT; \
	LOCAL_CLOUD_HEALTHY_AFTER_SECONDS=3 $(CLOUD) up --dir .local/demo --binaries $(BINARIES); \
	. .local/demo/env; $(BINARIES)/demo $(SCENARIO)

.PHONY: up
up: build $(VENV) ## start the local cloud and deploy template.yaml to it; then: . .local/env
	@$(CLOUD) up --dir .local --binaries $(BINARIES)

.PHONY: down
down: $(VENV) ## end the local cloud
	@$(CLOUD) down --dir .local

.PHONY: test
test: lint recordings build ## everything: lint, unit tests, and the deployed functions on a local cloud of their own
	@trap '$(CLOUD) down --dir .local/test' EXIT; \
	$(CLOUD) up --dir .local/test --binaries $(BINARIES); \
	. .local/test/env; TIMEFORMAT='cargo test: %1R s'; time cargo test --workspace --locked; \
	TIMEFORMAT='aws-check: %1R s'; time $(AWS_CHECK).local; \
	.venv/bin/python tests/calls.py .local/test

.PHONY: calls
calls: $(VENV) ## what the last `make test` asked of AWS: allowed by AWS's models and by the roles, and all of it needed
	@.venv/bin/python tests/calls.py .local/test

# Settings by ARGS: --load-balancer-arn, --tenant-account, --profile, --region; --help says more.
AWS_CHECK := PYTHONPATH=tests .venv/bin/python -m aws_check
.PHONY: aws-check
aws-check: $(VENV) ## ask a real AWS account what Foregate assumes of AWS; it asks before it begins; ARGS=--help
	@$(AWS_CHECK) $(ARGS)

.PHONY: aws-assumptions
aws-assumptions: $(VENV) ## write the table of assumptions into docs/aws-assumptions.md
	@$(AWS_CHECK) --write-table

.PHONY: unit
unit: checkout ## the tests that need no local cloud
	cargo test --workspace --locked --lib --bins --test house --test simulation --test simulation_nodes --test simulation_rules --test simulation_routes --test simulation_links --test simulation_catalog

.PHONY: recordings
recordings: $(VENV) ## the local cloud against recordings of what AWS answered
	@TIMEFORMAT='recordings: %1R s'; time .venv/bin/python -m unittest discover -s tests/recordings -t .

.PHONY: lint
lint: checkout $(VENV) ## formatting, clippy, cfn-lint, the golden documents and their templates, what AWS asks of the template and its policies
	cargo fmt --all --check
	@TIMEFORMAT='clippy: %1R s'; time cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	@TIMEFORMAT='cfn-lint: %1R s'; time .venv/bin/cfn-lint template.yaml $$(grep -l AWSTemplateFormatVersion examples/*/*.yaml)
	@.venv/bin/python tests/golden_documents.py
	@.venv/bin/python tests/velocity.py
	@$(AWS_CHECK) --check-table
	@.venv/bin/python tests/template.py
	@TIMEFORMAT='policies: %1R s'; time .venv/bin/python tests/iam.py
	@.venv/bin/python -m unittest --quiet tests/test_iam.py tests/test_calls.py
	@cd tests/local_cloud && $(CURDIR)/.venv/bin/python -m unittest discover --quiet

# One build of the whole workspace, and a template that points at what it made: `sam deploy -t .local/package/template.yaml` needs
# nothing else. In its own target directory: release builds with other features would push the tests' crates out.
ARCHITECTURE ?= x86_64
FUNCTIONS := $(notdir $(wildcard functions/*))
.PHONY: package
package: ## build the functions for AWS and the template that deploys them (half an hour, the first time); ARCHITECTURE=arm64
	@command -v cargo-lambda >/dev/null || { echo "cargo-lambda is missing: pip install cargo-lambda"; exit 1; }
	CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/package cargo lambda build --release --locked --workspace $(FUNCTIONS:%=--bin %) \
		--$(subst x86_64,x86-64,$(ARCHITECTURE)) --output-format zip --lambda-dir $(CURDIR)/.local/package
	sed -E 's#^( +CodeUri: )functions/(.+)#\1\2/bootstrap.zip#; s#^( +Default: )x86_64#\1$(ARCHITECTURE)#' template.yaml > .local/package/template.yaml
	@echo "deploy it: sam deploy --guided --template .local/package/template.yaml"

# Its own environment: it brings a hundred packages along, and no test needs them.
CHECKOV := 3.3.30
.PHONY: checkov
checkov: ## security rules for the examples; what is skipped says why where it stands
	@[ -x .local/checkov/bin/checkov ] || { python3 -m venv .local/checkov; .local/checkov/bin/pip install --quiet checkov==$(CHECKOV); }
	.local/checkov/bin/checkov --directory examples --framework cloudformation terraform --compact --quiet --skip-download

# Checkouts share a cache, and cargo tells what is new by the files' times alone: what another checkout built last would
# pass for this one's if it is younger than the files here.
.PHONY: checkout
checkout:
	@mkdir -p $(CARGO_TARGET_DIR); stamp=$(CARGO_TARGET_DIR)/.checkout; \
	if [ "$$(cat $$stamp 2>/dev/null)" != "$(CURDIR)" ]; then \
		find functions shared tests benches -name '*.rs' -exec touch {} +; echo "$(CURDIR)" > $$stamp; fi

# Always the whole workspace: with a part of it, cargo would choose other features for shared crates and build the SDK
# a second time.
.PHONY: build
build: checkout ## build everything
	@echo "building into $(CARGO_TARGET_DIR) (the first time takes minutes: the AWS SDK is large)"
	@TIMEFORMAT='build: %1R s'; time cargo build --workspace --locked

.PHONY: bench
bench: checkout ## how long functions think (a release build: minutes, the first time)
	cargo bench --workspace --locked

# The stamp comes last: an installation that broke off is done again.
$(VENV): requirements.txt
	@echo "installing the local cloud's Python packages into .venv"
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.PHONY: venv
venv: $(VENV) ## the Python packages of the local cloud, in .venv

.PHONY: clean
clean: ## end what runs here and remove what the local cloud left; cargo's cache stays, other checkouts share it
	@for dir in .local .local/demo .local/test; do [ ! -e $$dir/state.json ] || $(CLOUD) down --dir $$dir; done
	rm -rf .local .venv

.PHONY: pin
pin: ## pin anew what requirements.in asks for
	rm -rf .local/pin && python3 -m venv .local/pin
	.local/pin/bin/pip install --quiet -r requirements.in
	{ echo "# Made by make pin from requirements.in."; .local/pin/bin/pip freeze; } > requirements.txt
