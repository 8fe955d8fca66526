# The program `subledger` with its exact dependencies, as a user without rights.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/subledger
ENV PATH=/opt/subledger/bin:$PATH
WORKDIR /src
COPY requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY domain domain
COPY projections projections
COPY consumers consumers
COPY infra infra
RUN pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
ENV PATH=/opt/subledger/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A volume that is mounted here for the first time is made with these folders' owner and mode.
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin subledger \
    && install --directory --owner=subledger --group=subledger --mode=0700 /data /keys
COPY --from=build /opt/subledger /opt/subledger
USER subledger
WORKDIR /data
ENTRYPOINT ["subledger"]
CMD ["--help"]
