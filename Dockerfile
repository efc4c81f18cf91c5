# The image of every component on Kubeflow, and of `run-node` tasks elsewhere. Targets: `cpu` (the default), `gpu`, and
# `serving`, the HTTP server alone, without TensorFlow.
#
#   make image                       gpt2-alpaca-pipeline:cpu
#   make image TARGET=gpu            gpt2-alpaca-pipeline:gpu
#   make image TARGET=serving        gpt2-alpaca-pipeline:serving
#
# The digest is that of python:3.11-slim-bookworm, an index of all platforms. To move to a newer one:
#   docker buildx imagetools inspect python:3.11-slim-bookworm
ARG PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${PYTHON_IMAGE} AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONPATH=/app \
    PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/home/app \
    TF_CPP_MIN_LOG_LEVEL=1 \
    HF_HUB_DISABLE_PROGRESS_BARS=1
WORKDIR /app

# ----------------------------------------------------------------------------------------------------- Environments

FROM base AS build
# pyfarmhash, which TFX needs, has no wheel.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
RUN python -m pip install --no-cache-dir uv==0.13.9
ENV UV_PYTHON=/usr/local/bin/python3.11 \
    UV_PYTHON_DOWNLOADS=never \
    UV_NO_CACHE=1 \
    UV_COMPILE_BYTECODE=1
COPY pyproject.toml uv.lock /app/
COPY compat /app/compat

FROM build AS build-cpu
RUN uv sync --frozen --no-dev --extra hub

FROM build AS build-gpu
RUN uv sync --frozen --no-dev --extra hub --extra gpu

FROM build AS build-serving
RUN uv sync --frozen --no-default-groups --extra serving

# ---------------------------------------------------------------------------------------------------------- Runtime

FROM base AS user
# A number, so that Kubernetes can tell that it is not root; group 0, so that a cluster may choose another user.
RUN useradd --uid 1000 --gid 0 --create-home --home-dir /home/app app \
    && chmod -R g=u /home/app

FROM user AS serving
COPY LICENSE /app/
COPY publishing /app/publishing
COPY serving /app/serving
COPY --from=build-serving /app/.venv /app/.venv
USER 1000:0
# Needs SERVING_API_KEYS. docker run … IMAGE NAME@REVISION --endpoint https://huggingface.co
ENTRYPOINT ["python", "-m", "serving", "--host", "0.0.0.0", "--work-dir", "/home/app/models"]

FROM user AS runtime
COPY LICENSE local_runner.py kubeflow_runner.py /app/
COPY data /app/data
COPY hub /app/hub
COPY modules /app/modules
COPY pipeline /app/pipeline
COPY publishing /app/publishing
COPY serving /app/serving
COPY space /app/space

FROM runtime AS gpu
COPY --from=build-gpu /app/.venv /app/.venv
USER 1000:0

FROM runtime AS cpu
COPY --from=build-cpu /app/.venv /app/.venv
USER 1000:0
