# syntax=docker/dockerfile:1
#
#   docker build -t hearth .                          with vLLM for CPUs
#   docker build -t hearth --build-arg EXTRA=gpu .    with vLLM for NVIDIA GPUs; run it with --gpus all
#   docker build -t hearth --build-arg EXTRA=none .   without an engine of its own
#
#   docker run -p 8000:8000 -e HEARTH_ADMIN_KEY=... hearth    without a key it is reached from inside alone

ARG PYTHON=3.12
ARG EXTRA=cpu

FROM python:${PYTHON}-slim-bookworm AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv
ARG EXTRA
ENV UV_PROJECT_ENVIRONMENT=/opt/hearth UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
WORKDIR /src
COPY pyproject.toml uv.lock ./
# What changes seldom comes first: this layer holds all packages but ours.
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-project $([ "$EXTRA" = none ] || echo --extra "$EXTRA")
COPY README.md LICENSE ./
COPY gateway gateway
COPY engines engines
COPY cache cache
COPY loadtest loadtest
# The chat page links to it.
COPY clients/js/src clients/js/src
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable $([ "$EXTRA" = none ] || echo --extra "$EXTRA")

FROM python:${PYTHON}-slim-bookworm
ARG EXTRA
# vLLM for CPUs wants libnuma; on a GPU, Triton compiles its kernels with a C compiler when the model boots.
RUN case "$EXTRA" in cpu) packages=libnuma1 ;; gpu) packages="gcc libc6-dev" ;; *) exit 0 ;; esac \
    && apt-get update \
    && apt-get install --yes --no-install-recommends $packages \
    && rm -rf /var/lib/apt/lists/*
# Volumes there, for downloaded models and for files, belong to the server's user.
RUN useradd --create-home --uid 10001 hearth \
    && install -d -o hearth -g hearth /home/hearth/.cache /home/hearth/hearth-files
COPY --from=build /opt/hearth /opt/hearth
ENV PATH=/opt/hearth/bin:$PATH PYTHONUNBUFFERED=1 HEARTH_HOST=0.0.0.0 HEARTH_PORT=8000
USER hearth
WORKDIR /home/hearth
EXPOSE 8000
# Ready, and not only alive: a boot takes its time, and counts as starting.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15m --start-interval=2s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
# SIGTERM, which is what `docker stop` sends, drains. Give it ten seconds more than drain_s: docker stop --time 30.
ENTRYPOINT ["hearth"]
CMD ["serve"]
