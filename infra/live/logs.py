"""Structured logs of the long-running processes: one JSON object a line on stderr, or words on a terminal."""

import logging
import sys

import structlog
from structlog.types import Processor


def configure(process: str) -> None:
    """Sets the form of this process's logs; kafka-python and the persistence module speak through it too."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    on_terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processor=renderer
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("infra").setLevel(logging.INFO)
    # It says several lines of every attempt to connect; whoever needs the connection says once what that meant.
    logging.getLogger("kafka").setLevel(logging.ERROR)
    for chatter in ("kafka.net", "kafka.cluster"):
        logging.getLogger(chatter).setLevel(logging.CRITICAL)
