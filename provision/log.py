"""Structured logs: one JSON object (or, in a terminal, one readable line) an event."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog

from bootstrap_core.secrets import Secret

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")


def configure(level: str, style: str) -> None:
    """Set up logging for the process; ``style`` is json, console or auto (as the output is).

    Values of type ``Secret`` are masked by their own ``repr``; exceptions are logged with their
    traceback, which leaves the process no other way.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    readable = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer = (
        # The plain traceback: the default one prints local variables, secrets among them.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if readable
        else structlog.processors.JSONRenderer(default=_to_text)
    )
    shared: list[structlog.typing.Processor] = [
        _with_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not readable:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer)
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


def _with_request_id(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Name the request that is being answered."""
    if request_id := REQUEST_ID.get():
        event["request_id"] = request_id
    return event


def _to_text(value: object) -> str:
    return str(value) if isinstance(value, Secret) else repr(value)
