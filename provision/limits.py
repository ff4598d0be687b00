"""What one caller may take of the service: every limit on connections and requests, in one place.

``docs/reference/limits.md`` shows this table; ``make docs`` writes it.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen


def _limit(default: float, meaning: str, answer: str, setting: str = "") -> Any:  # noqa: ANN401
    """Return a field; ``answer`` is what follows beyond it, ``setting`` what changes it."""
    about = {"meaning": meaning, "answer": answer, "setting": setting}
    return field(default=default, metadata=about)


@frozen
class ServingLimits:
    """Limits of the HTTP server; sizes are in bytes, times in seconds."""

    url: int = _limit(16 * 1024, "bytes of a request's URL", "414")
    head: int = _limit(64 * 1024, "bytes of a request's head: first line and headers", "431")
    headers: int = _limit(100, "headers of a request", "431")
    body: int = _limit(1024 * 1024, "bytes of a body; 64 KiB for most requests", "413")
    connections: int = _limit(
        4096,
        "connections at a time; fewer if the process may open fewer files",
        "the connection that has waited longest is closed",
        "max_connections",
    )
    connections_by_address: int = _limit(
        1024,
        "connections at a time from one address (IPv6: one /64), proxies that are named excepted",
        "that address's connection that has waited longest is closed",
        "max_connections_by_address",
    )
    idle_time: float = _limit(
        5, "seconds between two requests on a connection", "closed", "idle_time"
    )
    head_time: float = _limit(
        10,
        "seconds until a request's head is complete, or from connecting to a first request",
        "408, or closed where nothing was sent",
        "head_time",
    )
    body_time: float = _limit(60, "seconds until a request's body is complete", "408", "body_time")
    answer_time: float = _limit(
        60, "seconds without the caller reading its answer", "closed", "answer_time"
    )
    handshake_time: float = _limit(10, "seconds of a TLS handshake", "closed")
