# The names of these targets are stable. `make demo` and `make test` need nothing set up before.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.requirements
# The emulator insists on one version of botocore, the playbooks do not: it has an environment of its own.
LAB_VENV := .lab/emulator-venv
LAB_STAMP := $(LAB_VENV)/.requirements
LAB_REQUIREMENTS := lab/requirements.txt tests/emulator/requirements.txt
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Anything may be set in the caller's shell; the checkout's own settings are what these targets are about.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Where this is set, every one of the many short Python processes of a run would compile all that it imports: half of its time.
unexport PYTHONDONTWRITEBYTECODE
LAB_INVENTORY := -i inventories/lab

.PHONY: help setup venv demo demo-down lint test test-unit test-lab test-all test-soak test-diff test-matrix test-trixie bench docs build

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: venv ## Make the virtual environments, check Docker, Terraform and the rest
	@lab/lab doctor

venv: $(STAMP) $(LAB_STAMP)

$(STAMP): tests/requirements.txt tests/constraints.txt
	@tests/bin/make-venv $(PYTHON) $(VENV) tests/constraints.txt tests/requirements.txt
	@touch $@

$(LAB_STAMP): $(LAB_REQUIREMENTS) lab/constraints.txt
	@tests/bin/make-venv $(PYTHON) $(LAB_VENV) lab/constraints.txt $(LAB_REQUIREMENTS)
	@touch $@

demo: setup ## Everything up on this machine, to a healthy, deployed application
	@lab/lab up
	@ansible-playbook $(LAB_INVENTORY) playbooks/site.yml
	@lab/lab welcome

demo-down: venv ## Stop the demo and remove what it made (base images stay)
	@lab/lab down

lint: venv ## yamllint, ruff, mypy, terraform fmt, ansible-lint, ansible-test sanity
	@tests/bin/lint

# A process for each processor; each begins at its own place, and takes from the others' rest when it is done.
test-unit: venv ## Decisions, tested on recorded answers
	@pytest tests/unit -n logical --maxprocesses 8 --dist worksteal
	@$(LAB_VENV)/bin/pytest tests/emulator

test-lab: venv ## The core of the lab's tests: every playbook, a night, a recovery, faults (tests/lab/tiers.py)
	@tests/bin/test-lab --tier core $(addprefix --also ,$(ALSO))

test: test-unit test-lab ## Both

test-all: test-unit venv ## All tests but those that take hours
	@tests/bin/test-lab

test-soak: venv ## What takes hours
	@tests/bin/test-lab --tier soak

test-diff: venv ## What a change takes from tests and refusals: BASE=<commit> (else where this branch left main), MOVES=1 for what only moved
	@tests/bin/test-diff $(if $(MOVES),--moves) $(BASE)

test-matrix: venv ## With the oldest and newest Python, Ansible, boto3 and Terraform: unit tests, a first day
	@tests/bin/test-matrix

test-trixie: ## make demo in Debian 13 (root; debootstrap)
	@tests/bin/test-trixie demo

bench: venv ## Times of a release, beside the same work done in other ways
	@tests/bin/bench

docs: venv ## Reference pages from the modules' and roles' own documentation, and the layers' from the imports
	@tests/bin/make-reference
	@tests/bin/draw-layers
	@tests/bin/draw-findings

build: venv ## The collection's artifact, in build/
	@ansible-galaxy collection build --force --output-path build .
