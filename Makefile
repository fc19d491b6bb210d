# Two commands matter: `make demo` and `make test`. Each does its own set-up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ENGINE ?= postgres
DATA   ?= .postrider/$(ENGINE)
RECORDED ?= $(or $(POSTRIDER_DATA),../shared/data)
STAMP  := $(VENV)/.ready

.PHONY: setup demo test check bench lock sbom clean

CONSOLE := app/console/dist/index.html
TIMESCALE := app/machine/timescale_wasm/node_modules/.package-lock.json

setup: $(STAMP) $(CONSOLE) $(TIMESCALE)

$(STAMP): requirements/dev.txt requirements/engines.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	# OSRM and Valhalla for the tests of travel times; where there is no wheel, those tests are skipped.
	$(BIN)/pip install --quiet --python-version 3.12 --only-binary=:all: --no-deps --require-hashes --upgrade \
	  --target $(VENV)/engines -r requirements/engines.txt || echo "no routing engines for this machine"
	touch $@

$(CONSOLE): $(STAMP) app/console/package-lock.json app/console/index.html app/console/schema.html $(shell find app/console/src app/console/public -type f)
	$(BIN)/python app/console/build.py

# TimescaleDB in WebAssembly, for the storage tests and `make demo ENGINE=timescale`.
$(TIMESCALE): $(STAMP) app/machine/timescale_wasm/package-lock.json
	$(BIN)/python -m app.machine.timescale

check: setup
	$(BIN)/python app/console/build.py check
	$(BIN)/python app/doors/proto/build.py check
	$(BIN)/python app/client/build.py check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/squawk sql/migrations/*.sql sql/migrations/*/*.sql sql/queries/*.sql
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/docker-compose -f deploy/compose.yaml --profile maps --profile logs --profile rabbitmq config --quiet
	$(BIN)/python -m pytest -q tests/unit/deploy

# The quick ones first; those with real servers side by side, a file at a time, the longest files first (tests/conftest.py).
# Four at a time on two cores: each waits for servers, leases and intervals as often as it works.
test: setup
	$(BIN)/python -m pytest -n 2 tests/unit
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder tests/integration tests/migration tests/acceptance

demo: setup
	$(BIN)/postrider demo --engine $(ENGINE) --data-dir $(DATA)

bench: setup
	for name in ingest writer nearby history replan matching offer_latency region geofence stays eta eta_answers stock; do \
	  echo "$$name:"; $(BIN)/python -m benchmarks.$$name --json || exit 1; done
	$(BIN)/python -m benchmarks.mdrp $(RECORDED)/mdrp --json
	$(BIN)/python -m benchmarks.pdptw $(RECORDED)/lilim/pdptw100/*.txt --seconds 10 --json
	$(BIN)/python -m benchmarks.rappi $(RECORDED)/rappi --json

# The bill of materials of what the image installs, CycloneDX; CI attaches one of the whole image as well.
sbom: setup
	$(BIN)/cyclonedx-py requirements --output-reproducible --of JSON -o sbom.json requirements/runtime.txt

clean:
	rm -rf $(VENV) app/console/dist

lock:
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q -U --universal --no-header --no-emit-find-links --no-annotate --generate-hashes --python-version 3.11 --extra rabbitmq --extra kafka --extra trace --extra mqtt pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile -q -U --universal --no-header --no-emit-find-links --no-annotate --generate-hashes --python-version 3.11 --extra embedded --extra map --extra rabbitmq --extra kafka --extra trace --extra mqtt --group build --group lint --group test --group bench pyproject.toml -o requirements/dev.txt
