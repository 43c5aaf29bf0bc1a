# Thin: each target is one script, so that `sh scripts/NAME` works without make.
.DEFAULT_GOAL := help
.PHONY: help setup run demo test chaos bench lint format lock catalog revision

help:  ## Show these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## Install everything that tests and lint need
	@sh scripts/setup --dev

run:  ## Install what is missing and serve
	@sh scripts/run

demo:  ## Fill the data folder with invented people, then serve
	@sh scripts/run demo
	@sh scripts/run

test:  ## Run all tests; ARGS go to pytest, as in ARGS='-k booking'
	@sh scripts/test $(ARGS)

chaos:  ## Break the parts of a running server and compare what everybody saw; ARGS='--seed 7'
	@sh scripts/chaos $(ARGS)

bench:  ## Measure this server and its peers; ARGS=--quick is short, ARGS=--growth draws curves
	@sh scripts/bench $(ARGS)

lint:  ## Check style, format and types
	@sh scripts/lint

format:  ## Bring the Python files into format
	@sh scripts/format

lock:  ## Pin requirements*.in again; ARGS=--upgrade takes newer releases
	@sh scripts/lock $(ARGS)

catalog:  ## Derive the client's types and tables and docs/DOMAINS.md
	@sh scripts/run catalog

revision:  ## Draft the migration that the declared tables need; ARGS=NAME names it
	@sh scripts/run revision $(ARGS)
