# Everything sets itself up: Python 3.11 or newer and make are all that has to be there.
#
#   make serve                                             the bundled model, on http://localhost:8000
#   make serve EXTRA=gpu MODEL=Qwen/Qwen3-0.6B PORT=8000   a Hugging Face model or a local folder, on a GPU

EXTRA ?= cpu
MODEL ?=
NAME  ?= $(notdir $(MODEL))
PORT  ?= 8000
ARGS  ?=

BIN := .venv/bin

# Some environments switch bytecode off; without it every start compiles thousands of modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

##@ Use
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: .venv/$(EXTRA).stamp ## install everything into .venv (EXTRA=cpu or EXTRA=gpu)

serve: venv ## serve the bundled model, or MODEL=..., on PORT=8000
	$(BIN)/hearth serve --port $(PORT) $(if $(MODEL),--model $(NAME)=vllm:$(MODEL)) $(ARGS)

test: lint ## lint, types, import contracts, all tests
	$(BIN)/pytest

lint: venv ## ruff, mypy, import contracts
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: venv ## let ruff lay the code out
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

clean: ## remove everything that make made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache tests/node/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/$(EXTRA).stamp: pyproject.toml
	touch $@

.PHONY: help venv serve test lint fmt clean
