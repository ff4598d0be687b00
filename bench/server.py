"""Servers in processes of their own, as in production: uvicorn with uvloop and httptools."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette

STARTING_SECONDS = 15.0


@contextlib.contextmanager
def serving(make_app: Callable[..., Starlette], *values: object) -> Iterator[int]:
    """Serve the app that ``make_app`` makes of ``values``; give the port."""
    port = _free_port()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(make_app, values, port), daemon=True
    )
    process.start()
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.join(10)


def _serve(make_app: Callable[..., Starlette], values: tuple[object, ...], port: int) -> None:
    uvicorn.run(
        make_app(*values),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


def _wait_for(port: int) -> None:
    until = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
