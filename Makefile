# Each target makes the virtual environment it needs: again when pyproject.toml has changed, else at once.
PYTHON ?= python3
PYTHONS := 3.11 3.12 3.13
# The tests' processes; more than the machine has cores gains nothing.
WORKERS ?= 2

TEST_GROUPS := --group test
ALL_GROUPS := --group test --group check --group bench

PIP = $(@D)/bin/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test test-pythons check bench bench-fleet grid serve $(PYTHONS:%=test-python-%)

demo: .venv/.installed
	@mkdir -p build
	.venv/bin/flexiciency demo --json build/demo.json

test: .venv/.installed
	.venv/bin/pytest -q --numprocesses $(WORKERS)

check: .venv/.installed
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/pytest -q tests/test_layers.py tests/test_documents.py tests/contract

bench: .venv/.installed
	.venv/bin/python -m tests.benchmarks.run

# A national DSO: a million PoDs. About ten minutes and 10 GB of disk; its figures go beside those of `bench`.
bench-fleet: .venv/.installed
	.venv/bin/python -m tests.benchmarks.fleet

# Factors by power flow against a brute-force scan; SimBench brings 380 MB of grids, so nothing else installs it.
grid: .venv-grid/.installed
	.venv-grid/bin/pytest -q -s tests/grid/simbench_grids.py

serve: .venv/.installed
	.venv/bin/flexiciency serve

# The tests on each supported Python that is on the PATH or among pyenv's; those not found are named.
test-pythons: $(PYTHONS:%=test-python-%)

# The first interpreter of version $* that starts; a pyenv shim of a version that is not selected does not.
FIND_PYTHON = for python in python$* "$$HOME"/.pyenv/versions/$*.*/bin/python$*; do \
	if "$$python" -c "" 2>/dev/null; then echo "$$python"; break; fi; done

$(PYTHONS:%=test-python-%): test-python-%:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then echo "Python $*: not found, not tested"; exit 0; fi; \
	echo "Python $*: $$python"; \
	"$(MAKE)" --no-print-directory .venv-$*/.installed PYTHON="$$python" && \
	.venv-$*/bin/pytest -q --numprocesses $(WORKERS)

# $(call install,groups): pip is brought up to date first, since an old one knows no dependency groups.
define install
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
		"Name another: make PYTHON=python3.13 …"; exit 1; }
@$(@D)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(@D) || { \
	echo "No virtual environment can be made with $(PYTHON); on Debian: apt install python3-venv"; exit 1; }
@echo "Installing into $(@D) …"
@$(PIP) install --upgrade pip
@$(PIP) install --editable '.[demo]' $(1)
@touch $@
endef

.venv/.installed: pyproject.toml
	$(call install,$(ALL_GROUPS))

.venv-grid/.installed: pyproject.toml
	$(call install,$(TEST_GROUPS) --group grid)

.venv-%/.installed: pyproject.toml
	$(call install,$(TEST_GROUPS))
