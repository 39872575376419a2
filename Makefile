# make demo   phrases -> synthetic speech -> training -> integer TFLite -> detections in a long recording  (sets up .venv by itself)
# make test   the whole test suite                                                      (sets up .venv by itself)
# make tables writes the tables of README.md and docs/ again, from what was recorded in docs/results and docs/measured
# make bench  training speed against the same model in PyTorch                          (adds the extra `parity`)

PYTHON ?= python3
VENV   ?= .venv
EXTRAS ?= train,synth,dev
PYTEST_ARGS ?=
# Processes that share the tests, file by file, such as 2; 0 runs all in one. Each takes up to 2 GB of memory.
WORKERS ?= 2

PY := $(VENV)/bin/python

.PHONY: demo test tables bench lint clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed-$(EXTRAS)
	$(PY) tools/demo.py

test: $(VENV)/.installed-$(EXTRAS)
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

bench: EXTRAS := train,synth,dev,parity
bench:
	$(MAKE) $(VENV)/.installed-$(EXTRAS) EXTRAS=$(EXTRAS)
	$(PY) tools/bench_train.py

tables: $(VENV)/.installed-$(EXTRAS)
	$(PY) tools/models_table.py
	$(PY) tools/document_tables.py

lint: $(VENV)/.installed-$(EXTRAS)
	$(VENV)/bin/ruff check .

# One stamp per set of extras: asking for another set, or a changed pyproject.toml, installs again.
$(VENV)/.installed-$(EXTRAS): pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing kws_tf[$(EXTRAS)] into $(VENV): about 700 MB of wheels, 3 GB on disk, a minute or more"
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf $(VENV) runs/demo build *.egg-info
