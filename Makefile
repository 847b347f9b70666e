# Everything runs in .venv, which is made on first use and again when pyproject.toml changes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# What the program needs; what its tests need besides.
READY  := $(VENV)/.ready
TESTED := $(VENV)/.ready-to-test

.PHONY: help install demo build docs site pictures test test-all test-cluster test-kill test-memory compare fuzz same-set simulate soak bench-quick bench-ring bench-stages bench-spider bench-extract bench-frontier bench-checkpoint bench-jobs bench-cluster bench-hosts bench-breadth bench-web bench-store bench-docs bench-outages bench-traps bench lint types check clean

help:
	@echo "make demo         crawl the built-in demo site"
	@echo "make compare      crawl the demo site with every strategy, in about three minutes: output/compare"
	@echo "make build        make a wheel and a source archive: dist/"
	@echo "make test         run the quick tests, in about seven minutes on two cores"
	@echo "make test-all     those and the thorough ones (the long ones are test-kill and test-memory)"
	@echo "make check        lint, types and all tests: what CI runs"
	@echo "make test-cluster 60 crawls of several rings, with processes, machines, disks and commands lost at random (an hour)"
	@echo "make test-kill    kill -9 the crawler at 40 instants and at every named point"
	@echo "make test-memory  memory of a crawl of 200,000 and of 1,000,000 URLs"
	@echo "make fuzz         the properties of tests/fuzz with many new examples (CRAWLER_FUZZ_EXAMPLES=20000 each)"
	@echo "make same-set     20,000 simulated webs with random answers, parsers, kills, shards and lost disks: the URLs that they must have"
	@echo "make simulate     2,000 simulated crawls on many machines, and what befalls these: their promises (half an hour)"
	@echo "make soak         healthy hosts alone and beside hostile ones: all habits at once (4 runs of a minute), then attacks by 1 to 1,000 hosts (an hour)"
	@echo "make docs         write again what documents and types take from the code: options, fields, hostile behaviours"
	@echo "make site         the documentation as a site: output/site/index.html"
	@echo "make pictures     the pictures of display, report and dashboard in docs/img, taken of the demo (needs chromium)"
	@echo "make bench        our crawler beside wget2, spider-rs, Crawlee and Scrapy: a table and a chart (10 to 15 minutes)"
	@echo "make bench-quick  fails if a page costs 15 % more CPU time than the recorded baseline (about a minute)"
	@echo "make bench-ring   what a page costs with everything on, plain and over TLS, and how long a start takes"
	@echo "make bench-stages what each stage of a page costs by itself"
	@echo "make bench-spider  a BeautifulSoup spider on one parser process and on two"
	@echo "make bench-extract the same over stored pages, with crawler extract"
	@echo "make bench-frontier 10 million URLs over 100,000 hosts: rate, memory, start (8 minutes, 3 GB of disk)"
	@echo "make bench-checkpoint  what a checkpoint of a shard costs, of 200,000 to 1.6 million URLs (5 minutes)"
	@echo "make bench-jobs   how quickly a job of a million URLs answers: explain, lists of URLs, memory (a minute)"
	@echo "make bench-outages  outages of 1 to 60 s of many kinds: what a crawl loses, and how long it takes to come back (15 minutes)"
	@echo "make bench-traps  labelled sites: what is lost of honest large ones, and when traps without numbers end (10 minutes)"
	@echo "make bench-cluster  a crawl as 1, 2 and 4 shards on this machine, against a lone ring (a quarter of an hour)"
	@echo "make bench-hosts  10,000 hosts: rate against what politeness allows, and how late the event loop is"
	@echo "make bench-breadth 1,000,000 hosts with one page each: rate, memory, start (half an hour or more, 5 GB of disk)"
	@echo "make bench-web     pages of 242 KB from 2,000 slow hosts, plain and over TLS, beside peers: tables and pictures (20 minutes)"
	@echo "make bench-store  a crawl with the durable store and with one in memory, in turns"
	@echo "make bench-docs   every HTML page of documentation packages behind nginx, against wget2 and a walk with lxml"
	@echo "make bench-text   main text beside trafilatura, resiliparse and others: words kept, words of menus, time (10 minutes)"
	@echo "make clean        remove the virtual environment and caches"

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	$(BIN)/python -m compileall -q crawler  # as an installed package is; containers often forbid to do it at the start
	@touch $(READY)

$(TESTED): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(TESTED)

install: $(TESTED)

demo: $(READY)
	$(BIN)/crawler demo

build: $(TESTED)
	$(BIN)/hatchling build

compare: $(TESTED)
	$(BIN)/crawler compare

test: $(TESTED)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow and not thorough'

# What fails beside others is tried once more by itself. It is told as unsteady then, and fails if it fails again.
test-all: $(TESTED)
	@$(BIN)/python -m pytest -n 2 --dist worksteal --cache-clear || \
	    { echo "=== once more, one by one: what passes now is unsteady, and wants mending ==="; \
	      $(BIN)/python -m pytest --last-failed --last-failed-no-failures none; }

# What stands in the documents and is known to the code: each of these tests writes it when it is asked to.
docs: export CRAWLER_WRITE_DOCS = 1
docs: $(TESTED)
	$(BIN)/python -m pytest -q tests/cli/test_written.py tests/docs/test_records.py tests/docs/test_robustness.py tests/serve/test_metrics.py

site: $(TESTED)
	$(BIN)/python -m website.build

pictures: $(TESTED)
	$(BIN)/python -m website.pictures

test-cluster: $(TESTED)
	$(BIN)/python -u -m tests.cluster.failures 60

test-kill: $(TESTED)
	$(BIN)/python -m pytest -m slow --timeout 1800 tests/ring/test_kill.py

test-memory: $(TESTED)
	$(BIN)/python -m pytest -m slow --timeout 3600 -s tests/ring/test_memory.py

# One process and no time limit, so that what each target did is told: examples, time for each, why it stopped.
fuzz: export CRAWLER_FUZZ_EXAMPLES ?= 20000
fuzz: $(TESTED)
	$(BIN)/python -m pytest --timeout 0 --hypothesis-show-statistics --durations 0 --durations-min 1 tests/fuzz

same-set: export CRAWLER_FUZZ_EXAMPLES ?= 20000
same-set: $(TESTED)
	$(BIN)/python -m pytest --timeout 0 -s tests/frontier/test_same_set.py tests/frontier/test_shards.py

simulate: $(TESTED)
	$(BIN)/python -m bench.simulate

soak: $(TESTED)
	$(BIN)/python -m bench.soak
	$(BIN)/python -m bench.neighbours

bench: $(TESTED)
	$(BIN)/python -m bench.race

bench-quick: $(TESTED)
	$(BIN)/python -m bench.quick

bench-ring: $(TESTED)
	$(BIN)/python -m bench.ring

bench-stages: $(TESTED)
	$(BIN)/python -m bench.stages

bench-spider: $(TESTED)
	$(BIN)/python -m bench.spider

bench-extract: $(TESTED)
	$(BIN)/python -m bench.extract

bench-frontier: $(TESTED)
	$(BIN)/python -m bench.frontier

bench-checkpoint: $(TESTED)
	$(BIN)/python -m bench.checkpoint

bench-jobs: $(TESTED)
	$(BIN)/python -m bench.jobs

bench-traps: $(TESTED)
	$(BIN)/python -m bench.traps

bench-outages: $(TESTED)
	$(BIN)/python -m bench.outages

bench-cluster: $(TESTED)
	$(BIN)/python -m bench.cluster

bench-hosts: $(TESTED)
	$(BIN)/python -m bench.hosts

bench-breadth: $(TESTED)
	$(BIN)/python -m bench.breadth

bench-web: $(TESTED)
	$(BIN)/python -m bench.web

bench-store: $(TESTED)
	$(BIN)/python -m bench.store_cost

bench-docs: $(TESTED)
	$(BIN)/python -m bench.documentation

# ARTICLES="checkout …" adds the pages of two public corpora, which bench/text.py names.
bench-text: $(TESTED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check cssselect justext lxml_html_clean readability-lxml resiliparse trafilatura
	$(BIN)/python -m bench.text --articles $(ARTICLES)

lint: $(TESTED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TESTED)
	$(BIN)/mypy

check: lint types test-all

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
