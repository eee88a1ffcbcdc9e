# Everything sets itself up: Python 3.11 or newer and make are all that has to be there.
#
#   make serve                                             the bundled model, on http://localhost:8000
#   make serve EXTRA=gpu MODEL=Qwen/Qwen3-0.6B PORT=8000   a Hugging Face model or a local folder, on a GPU

EXTRA ?= cpu
MODEL ?=
PORT  ?= 8000
ARGS  ?=

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do command -v $$p && break; done)
BIN    := .venv/bin
NPM    := tests/node/node_modules/.stamp
# Thousands of tests with deadlines meet whatever else the machine does. What fails twice is broken.
AGAIN := Once more, by itself, what failed:
# One folder for each version of Replicate's client: they cannot share an environment.
REPLICATE := tests/clients/replicate/.versions/.stamp

# Some environments switch bytecode off; without it every start compiles thousands of modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv serve test lint fmt clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@sed -n 's/^#   /  /p' $(MAKEFILE_LIST)

venv: .venv/$(EXTRA).stamp ## install into .venv; EXTRA=cpu, gpu, or none (no engine of its own)

serve: venv ## serve the bundled model, or MODEL=..., on PORT=8000; ARGS=... for the rest
	$(BIN)/hearth serve --port $(PORT) $(if $(MODEL),--model $(notdir $(MODEL:/=))=vllm:$(MODEL)) $(ARGS)

test: $(NPM) $(REPLICATE) lint ## lint, types, import contracts, and every test
	@$(BIN)/pytest || { test $$? = 1 && echo "$(AGAIN)" && $(BIN)/pytest --last-failed --last-failed-no-failures none; }

lint: venv ## ruff, mypy, import contracts
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fmt: venv ## let ruff lay the code out
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format --quiet

clean: ## remove what make made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis tests/node/node_modules $(dir $(REPLICATE))
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/$(EXTRA).stamp: pyproject.toml uv.lock scripts/venv.py
	@$(PYTHON) scripts/venv.py $(EXTRA)

$(NPM): tests/node/package-lock.json tests/node/unpack-chromium.mjs | venv
	@echo "npm: the SDKs of OpenAI and Replicate and a headless Chromium for the tests; 100 MB the first time"
	@cd tests/node && export PATH="$(CURDIR)/$(BIN):$$PATH" NODE_USE_SYSTEM_CA=1 && npm ci --loglevel=error --no-audit --no-fund --no-update-notifier && node unpack-chromium.mjs
	@touch $@

$(REPLICATE): $(wildcard tests/clients/replicate/requirements/*.txt) | venv
	@rm -rf $(@D)
	@for file in $^; do $(BIN)/pip install --quiet --no-deps --require-hashes --target $(@D)/$$(basename $$file .txt) -r $$file || exit; done
	@touch $@
