"""``provision serve``: sockets, TLS, signals, and the words that greet a new operator."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shlex
import signal
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from provision import log
from provision.app import Service, open_service
from provision.build_info import release
from provision.cli.address import address
from provision.errors import StartError
from provision.settings import Settings
from provision.settings_reader import Loaded, load

BACKLOG = 2048
GARBAGE = (20_000, 20, 20)
"""Objects between two collections: a request makes thousands, and hardly any in a circle."""
EXAMPLE_ID = "gateway-1"
EXAMPLE_KEY = "gateway-1-key"


def serve(environment: Mapping[str, str], given: Mapping[str, Any]) -> None:
    """Run the service until it is told to stop (SIGTERM, SIGINT).

    Raises ``SettingsError`` and ``StartError``.
    """
    loaded = load(environment, given)
    log.configure(loaded.settings.log_level, loaded.settings.log_format)
    for warning in loaded.warnings:
        structlog.get_logger().warning(warning)
    check_tls(loaded.settings)
    sockets = bind(loaded.settings)
    with asyncio.Runner(
        loop_factory=uvicorn.Config(_nothing, log_config=None).get_loop_factory()
    ) as runner:
        runner.run(_serve(loaded, sockets))


async def _serve(loaded: Loaded, sockets: Sequence[socket.socket]) -> None:
    settings = loaded.settings
    port = sockets[0].getsockname()[1]
    async with open_service(loaded, address(settings, port)) as service:
        config = uvicorn.Config(
            service.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ssl_certfile=settings.server_cert or None,
            ssl_keyfile=settings.server_key or None,
            timeout_graceful_shutdown=round(settings.shutdown_grace),
        )
        await GreetingServer(config, greeting(settings, service, port)).serve(list(sockets))


class GreetingServer(uvicorn.Server):
    """A server that says where it is once it can be reached."""

    def __init__(self, config: uvicorn.Config, words: str) -> None:
        """``words`` are printed on standard output."""
        super().__init__(config)
        self._words = words

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gently at SIGTERM and SIGINT; a second one stops at once.

        Unlike uvicorn's own, the signal is not raised again at the end: the service has its store
        and its journal to close after the last request.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then greet."""
        await super().startup(sockets)
        keep_what_is_loaded()
        if self.started:
            print(self._words, flush=True)  # noqa: T201 - for whoever started it by hand


def keep_what_is_loaded() -> None:
    """Tell the collector that what was loaded to start stays for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def bind(settings: Settings) -> list[socket.socket]:
    """Return listening sockets, the main port's first. Raises ``StartError``."""
    sockets = []
    for port in (settings.http_port, *settings.extra_ports):
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((settings.host, port))
        except OSError as error:
            raise StartError(
                f"can't listen on {settings.host} port {port}: {error.strerror}; "
                "choose another one with --port, --host or MG_PROVISION_HTTP_PORT"
            ) from error
        bound.listen(BACKLOG)
        bound.set_inheritable(True)
        sockets.append(bound)
    return sockets


def check_tls(settings: Settings) -> None:
    """Make sure that the TLS files can be used. Raises ``StartError``."""
    if not settings.server_cert:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.server_cert, settings.server_key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"can't serve TLS with {settings.server_cert} and {settings.server_key}: {error}; "
            "both must be PEM files, and the key must belong to the certificate"
        ) from error


def greeting(settings: Settings, service: Service, port: int) -> str:
    """Return what is printed at start: the address and requests to try."""
    base = address(settings, port)
    cacert = f" --cacert {shlex.quote(str(Path(settings.server_cert).absolute()))}"
    curl = "curl -sS" + (cacert if settings.server_cert else "")
    lines = [f"provision {release()} serves on {base}", f"The web console: {base}/console", ""]
    token, domain = "<token>", "<domain_id>"
    if service.operator_file is not None and service.operator_domain:
        file = shlex.quote(str(service.operator_file.absolute()))
        lines += [f"Operator account: {service.operator_file.absolute()}", ""]
        sign_in = f"{curl} {base}/users/tokens/issue -H 'Content-Type: application/json' -d @{file}"
        token = f"""$({sign_in} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')"""
        domain = service.operator_domain
    typed = "-H 'Content-Type: application/json'"
    body = f'{{"external_id":"{EXAMPLE_ID}","external_key":"{EXAMPLE_KEY}"}}'
    onboard = f'{curl} {base}/{domain}/mapping -H "Authorization: Bearer {token}" {typed}'
    lines += [
        "Onboard a gateway:",
        f"  {onboard} -d '{body}'",
        "",
        "Fetch its configuration, as the device does:",
        f"  {curl} {base}/clients/bootstrap/{EXAMPLE_ID} -H 'Authorization: Client {EXAMPLE_KEY}'",
    ]
    return "\n".join(lines)


async def _nothing(*_: object) -> None:
    """Stand in for an app where only uvicorn's choice of event loop is asked."""
