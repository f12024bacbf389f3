# The whole developer interface. Every target sets up what it needs: a virtual environment in .venv, the pinned
# packages of constraints.txt and the native build.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := CMakeLists.txt $(shell find native -type f)

.PHONY: help install demo test lint bench reproduce certify compare search-evidence system payload chaos fuzz verify-export docs clean

help:
	@echo "make demo             train dense and sparse split networks on digits and send the test set over a slow link"
	@echo "make test             all tests"
	@echo "make lint             ruff, mypy, import contracts"
	@echo "make bench            kernels and training step against Torch and sparse peers; writes docs/results/performance.md"
	@echo "make reproduce        the 30 networks of the paper's tables on MNIST, 5 seeds; writes docs/results/paper.md"
	@echo "make certify          certified thresholds against their promises, 1,000 times on MNIST; writes certify.json"
	@echo "make compare          sparse networks of the paper beside other ways to as many edges; writes docs/results/comparisons.md"
	@echo "make search-evidence  three searches of 8 minutes, and what they found beside the paper's dense rows; writes docs/results/search.md"
	@echo "make system           the demo on MNIST: sparse against dense networks of equal accuracy; writes docs/results/system.md"
	@echo "make payload          bytes a sample on the wire and what they cost, MNIST, 5 seeds; writes docs/results/payload.md"
	@echo "make chaos            100 kills of device and server on the worst of links, two minutes; writes chaos.json"
	@echo "make verify-export    exported C beside its reference, bit for bit, on emulated processors; writes verify-export.json"
	@echo "make fuzz             a minute of hostile bytes for every codec's decoder and the reader of requests"
	@echo "make docs             write docs/cli.md anew from --help"
	@echo "make install          into .venv; then .venv/bin/offramp --help"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt tools/preflight.sh $(NATIVE)
	@sh tools/preflight.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing offramp and its pinned packages into $(VENV) (the first time takes a few minutes)"
	@PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/offramp demo

test: install
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	@PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install -qq --disable-pip-version-check 'offramp[bench]'
	$(BIN)/python -m benchmarks --json bench.json --markdown docs/results/performance.md

docs: install
	$(BIN)/python tools/generate_cli_docs.py

reproduce: install
	$(BIN)/offramp reproduce --seeds 5 --markdown docs/results/paper.md

certify: install
	$(BIN)/offramp certify --json-file certify.json --markdown docs/results/certify.md

compare: install
	$(BIN)/offramp compare --markdown docs/results/comparisons.md

search-evidence: install
	for limit in 620 2100 8320; do \
	  $(BIN)/offramp search --data mnist --max-params $$limit --minutes 8 -o offramp-search-$$limit || exit 1; done
	$(BIN)/offramp search-evidence offramp-search-620 offramp-search-2100 offramp-search-8320 \
	  --reproduced docs/results/paper.csv --markdown docs/results/search.md

system: install
	$(BIN)/offramp demo --data mnist --markdown docs/results/system.md

payload: install
	$(BIN)/offramp payload --markdown docs/results/payload.md

chaos: install
	$(BIN)/python -m benchmarks.chaos --json chaos.json --markdown docs/results/chaos.md

verify-export: install
	$(BIN)/offramp verify --json-file verify-export.json --markdown docs/results/verify-export.md

fuzz: install
	$(BIN)/python tools/fuzz_codecs.py --seconds 60

clean:
	rm -rf $(VENV) build
