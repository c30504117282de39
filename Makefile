# The names of these targets are stable. `make demo` and `make test` need nothing set up before.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.requirements
REQUIREMENTS := lab/requirements.txt tests/requirements.txt
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Anything may be set in the caller's shell; the checkout's own settings are what these targets are about.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Where this is set, every one of the many short Python processes of a run would compile all that it imports: half of its time.
unexport PYTHONDONTWRITEBYTECODE
LAB_INVENTORY := -i inventories/lab

.PHONY: help setup venv demo demo-down lint test test-unit test-lab test-soak bench docs build

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: venv ## Make the virtual environment, check (and on Debian as root: install) Docker and Terraform
	@lab/lab doctor

venv: $(STAMP)

$(STAMP): $(REQUIREMENTS) tests/constraints.txt
	@tests/bin/make-venv $(PYTHON) $(VENV) tests/constraints.txt $(REQUIREMENTS)
	@touch $@

demo: setup ## Everything up on this machine, to a healthy, deployed application
	@lab/lab up
	@ansible-playbook $(LAB_INVENTORY) playbooks/site.yml
	@lab/lab welcome

demo-down: venv ## Stop the demo and remove what it made (base images stay)
	@lab/lab down

lint: venv ## yamllint, ruff, terraform fmt, ansible-lint, ansible-test sanity
	@tests/bin/lint

test-unit: venv ## Decisions, tested on recorded answers
	@pytest tests/unit

test-lab: venv ## The real thing: playbooks against a lab of their own
	@tests/bin/test-lab

test: test-unit test-lab ## Both

test-soak: venv ## What takes long by nature
	@tests/bin/test-lab -m soak

bench: venv ## Times of a release, beside the same work done in other ways
	@tests/bin/bench

docs: venv ## Reference pages from the modules' and roles' own documentation
	@tests/bin/make-reference

build: venv ## The collection's artifact, in build/
	@ansible-galaxy collection build --force --output-path build .
