# Each target runs one script, so `sh scripts/NAME` works without make.
.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-all mutants chaos bench lint format lock catalog revision

help:  ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## Install everything that tests and lint need
	@sh scripts/setup --dev

run:  ## Install what is missing and serve
	@sh scripts/run

demo:  ## Fill the data folder with demo data, then serve
	@sh scripts/run demo
	@sh scripts/run

test:  ## Run all tests; ARGS go to pytest, as in ARGS='-k booking'
	@sh scripts/test $(ARGS)

test-all:  ## Run all tests, each one on SQLite and on PostgreSQL
	@sh scripts/test --all-variants $(ARGS)

mutants:  ## Take features out one by one, and show which test fails; ARGS='part of a name'
	@sh scripts/mutants $(ARGS)

chaos:  ## Kill and freeze parts of running servers, then check the data; ARGS='--seed 7'
	@sh scripts/chaos $(ARGS)

bench:  ## Compare the costs with other servers; ARGS=--quick is short, ARGS=--growth draws curves
	@sh scripts/bench $(ARGS)

lint:  ## Check style, format and types
	@sh scripts/lint

format:  ## Format the Python files
	@sh scripts/format

lock:  ## Pin the requirements again; ARGS=--upgrade uses newer releases
	@sh scripts/lock $(ARGS)

catalog:  ## Generate the client's types and tables, and docs/DOMAINS.md
	@sh scripts/run catalog

revision:  ## Draft a migration for the declared tables; ARGS=NAME names it
	@sh scripts/run revision $(ARGS)
