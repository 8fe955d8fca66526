"""What a long-running process tells about itself: `/metrics` for Prometheus, `/health` for whoever restarts it."""

import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sequence
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from consumers.serving import Served

LATENCIES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
READY_SECONDS = 30.0
"""What a process said of itself counts for so long: one that stands still says nothing new."""
REQUEST_SECONDS = 10.0
"""How long somebody who connected may take to say what they want."""
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Health:
    """The endpoint of one process; a context manager. Port 0 serves nothing.

    `/health` answers 200 when `ready(True)` was said lately, else 503, with `{"ready": …, "process": …}`.
    """

    def __init__(self, process: str, host: str, port: int) -> None:
        self.registry = CollectorRegistry()
        self._process = process
        self._address = (host, port)
        self._ready_until = 0.0
        self._server: WSGIServer | None = None
        gauge = Gauge("subledger_ready", "Whether the process does its work.", registry=self.registry)
        gauge.set_function(lambda: self.is_ready)

    def ready(self, is_ready: bool, seconds: float = READY_SECONDS) -> None:
        """Says whether the process does its work; that it does is to be said again within so many seconds."""
        self._ready_until = time.monotonic() + seconds if is_ready else 0.0

    @property
    def is_ready(self) -> bool:
        """Whether it does its work, as far as is known."""
        return time.monotonic() < self._ready_until

    def serve(self) -> None:
        """Starts to answer, in a thread of its own. Raises OSError where the port is taken."""
        host, port = self._address
        if not port:
            return
        self._server = make_server(host, port, self._application(), _Server, _Silent)
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _application(self) -> Callable[..., Iterable[bytes]]:
        metrics = make_wsgi_app(self.registry)

        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/health":
                is_ready = self.is_ready
                start_response(
                    "200 OK" if is_ready else "503 Service Unavailable", [("Content-Type", "application/json")]
                )
                return [orjson.dumps({"ready": is_ready, "process": self._process})]
            if environ["PATH_INFO"] == "/metrics":
                return list(metrics(environ, start_response))
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"there are /health and /metrics\n"]

        return application


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request: whoever connects and says nothing keeps nobody else waiting."""

    daemon_threads = True


class _Silent(WSGIRequestHandler):
    """Requests are no news."""

    timeout = REQUEST_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Says nothing."""


class WriterMetrics:
    """What a writer counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter("subledger_commands", "Commands answered.", ("status",), registry=registry)
        self._refusals = Counter("subledger_refusals", "Commands refused.", ("code",), registry=registry)
        self._facts = Counter("subledger_facts", "Facts committed.", registry=registry)
        self._group = Histogram("subledger_group_commands", "Commands of a commit.", buckets=SIZES, registry=registry)
        self._decided = Histogram("subledger_decide_seconds", "Deciding a group.", buckets=LATENCIES, registry=registry)
        self._commit = Histogram(
            "subledger_commit_seconds", "Committing a group.", buckets=LATENCIES, registry=registry
        )
        self.restarts = Counter("subledger_restarts", "Logs opened anew after a doubt or a loss.", registry=registry)
        self.lag = Gauge("subledger_lag_commands", "Commands that wait.", ("shard",), registry=registry)
        self.shards = Gauge("subledger_shards", "Shards that this process writes.", registry=registry)

    def group(self, served: Sequence[Served], decide_s: float, commit_s: float) -> None:
        """Counts one group."""
        for status, count in Tally(one.outcome["status"] for one in served).items():
            self._outcomes.labels(status).inc(count)
        for code, count in Tally(one.outcome["code"] for one in served if "code" in one.outcome).items():
            self._refusals.labels(code).inc(count)
        self._facts.inc(sum(len(one.outcome.get("events", ())) for one in served))
        self._group.observe(len(served))
        self._decided.observe(decide_s)
        self._commit.observe(commit_s)
