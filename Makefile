# Every target sets up what it needs: a bare python3 and a package registry are enough.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
UV := .uv/bin/uv
# Flags for the pipeline: make run ARGS="--training.epochs 3"
ARGS ?=
# The container image: cpu, gpu or serving, and what to call it
TARGET ?= cpu
IMAGE ?= gpt2-alpaca-pipeline:$(TARGET)
# Tests compute in pytest's own process with what a run's processes for training and exporting get.
TEST_SETTINGS = env $$($(PYTHON) -m modules.cpu_environment)

.PHONY: image wheel help setup run demo hub serve answers lm-eval sabotage report runs compare test test-unit test-e2e test-browser test-airflow test-parity test-hub-client test-jax test-arithmetic test-mongodb test-load fault-matrix lint types tensorboard sample requirements configuration pictures clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: ## Make .venv from the lock file (EXTRAS="gpu jax jax-gpu onnx signing")
	@python3 bootstrap.py

run: setup ## Run the pipeline: data checks, training, publishing (ARGS="--profile ...")
	@$(PYTHON) local_runner.py $(ARGS)

demo: setup ## Serve the published Space and print its address
	@$(PYTHON) -m hub.demo $(ARGS)

serve: setup ## Serve the published model over HTTP (ARGS="NAME@REVISION --port 8000")
	@$(PYTHON) -m serving $(ARGS)

hub: setup ## Serve the local Hub and print its address
	@$(PYTHON) -m hub $(ARGS)

answers: setup ## Ask the published model the held-out questions and print the table
	@$(PYTHON) -m benchmarks.held_out_answers $(ARGS)

report: setup ## Make a run's page anew from the metadata store (ARGS="--run RUN_ID", by default the newest)
	@$(PYTHON) -m pipeline.report show $(ARGS)

runs: setup ## List the runs
	@$(PYTHON) -m pipeline.report list $(ARGS)

compare: setup ## Tell what changed from one run to another (ARGS="RUN_ID RUN_ID")
	@$(PYTHON) -m pipeline.report compare $(ARGS)

lm-eval: setup ## Score the newest model with your lm-evaluation-harness (ARGS="--tasks arc_easy")
	@$(PYTHON) -m benchmarks.lm_eval $(ARGS)

sabotage: setup ## A good run, then three sabotaged ones that must not be published (10 minutes)
	@$(PYTHON) -m benchmarks.evaluation_sabotage $(ARGS)

test: setup ## Run all tests that this machine can run
	@$(TEST_SETTINGS) $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not hub_client and not mongodb and not soak" $(ARGS)

test-unit: setup ## Run the fast tests only
	@$(TEST_SETTINGS) $(PYTHON) -m pytest -m "not e2e and not browser and not airflow and not hub_client and not mongodb and not soak" $(ARGS)

test-e2e: setup ## Run the pipeline tests only
	@$(TEST_SETTINGS) $(PYTHON) -m pytest -m e2e $(ARGS)

test-browser: setup ## Drive the demo in a headless Chromium
	@$(PYTHON) -m pytest -m browser $(ARGS)

test-airflow: setup ## Import and run the DAG in a real Airflow (made in .airflow)
	@test -x .airflow/bin/airflow || { $(UV) venv --quiet --clear --python 3.11 .airflow && $(UV) pip install --quiet --python .airflow/bin/python -r tests/airflow/requirements.txt; }
	@$(PYTHON) -m pytest -m airflow $(ARGS)

test-parity: setup ## Load what was published with Transformers on PyTorch and with an older Hub client (makes .venv-parity)
	@set -e; export UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}"; for name in parity parity-hub1; do \
	  $(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-$$name; \
	  $(UV) pip install --quiet --python .venv-$$name/bin/python -r tests/parity/$$name.txt; done
	@$(PYTHON) -m pytest -m parity $(ARGS)

test-hub-client: setup ## Run huggingface_hub's own tests against the local Hub (makes .venv-hub-client)
	@$(PYTHON) -m tests.hub_client.environment
	@$(PYTHON) -m pytest -m hub_client $(ARGS)

test-jax: setup ## Train on JAX, on one and on several devices, and compare with TensorFlow (makes .venv-jax from the lock)
	@test .venv-jax/.ready -nt uv.lock || { UV_PROJECT_ENVIRONMENT=.venv-jax $(UV) sync --frozen --quiet --extra hub --extra jax --python 3.11 && touch .venv-jax/.ready; }
	@.venv-jax/bin/python -m pytest tests/jax $(ARGS)

test-arithmetic: setup ## Run the tests that depend on arithmetic under every library, instruction set and number of threads
	@$(PYTHON) -m tests.arithmetic $(ARGS)

test-mongodb: setup ## Read from a MongoDB server, made in .venv-mongodb
	@test -x .venv-mongodb/bin/secantusd-py || { $(UV) venv --quiet --clear --python 3.11 .venv-mongodb && $(UV) pip install --quiet --no-config --python .venv-mongodb/bin/python secantusdb==0.7.0b3; }
	@$(PYTHON) -m pytest -m mongodb $(ARGS)

test-load: setup ## Send load to the published Space and to the server
	@$(PYTHON) -m pytest -m "load or soak" $(ARGS)

fault-matrix: setup ## Publish with every fault at every request, and tell whether all end whole (20 minutes)
	@$(PYTHON) -m tests.publishing.fault_matrix $(ARGS)

lint: setup ## Check style and formatting
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: setup ## Check types
	@.venv/bin/mypy

tensorboard: setup ## Show the training curves of all runs
	@$(PYTHON) -m tensorboard.main --logdir output/tfx $(ARGS)

sample: setup ## Write the sample data set anew
	@$(PYTHON) -m data.sample.generate $(ARGS)

requirements: setup ## Export requirements.txt from uv.lock
	@$(UV) export --frozen --quiet --no-dev --extra hub --extra demo --extra datasets --extra prepare --extra serving --no-hashes --no-annotate --no-emit-project --output-file requirements.txt

configuration: setup ## Write docs/configuration.md anew from the settings
	@$(PYTHON) -m pipeline.config.reference

pictures: setup ## Make the pictures in docs/pictures/ anew from a finished run (ARGS="--output-dir output")
	@$(PYTHON) -m tests.browser.pictures $(ARGS)

wheel: setup ## Build the wheel that other projects install, in dist/
	@$(UV) build --wheel

image: ## Build the container image (TARGET=gpu or serving, IMAGE=registry/name:tag); needs Docker
	docker build --target $(TARGET) --tag $(IMAGE) .

clean: ## Remove what runs and tools made (not .venv)
	rm -rf output dist tests/artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis
