"""``provision serve``: sockets, TLS, signals, and the greeting at the start."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shlex
import shutil
import signal
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from attrs import fields

from provision import log
from provision.app import Service, open_service
from provision.build_info import release
from provision.cli.client import address, listening_address
from provision.errors import StartError
from provision.limits import ServingLimits
from provision.serving.proxies import Proxies
from provision.serving.server import BoundedServer, server_config
from provision.settings import Settings
from provision.settings_reader import Loaded, load
from provision.store.data_directory import DataDirectory

BACKLOG = 2048
GARBAGE = (20_000, 20, 20)
"""Objects between two collections: a request makes thousands, and hardly any in a circle."""
SWITCH_SECONDS = 0.001
"""How soon work on another thread makes way for the event loop."""
EXAMPLE_ID = "gateway-1"
EXAMPLE_KEY = "gateway-1-key"
DEFAULT_PORT = fields(Settings).http_port.default
DEFAULT_DATA = fields(Settings).data.default
FAREWELL = "Stop it with Ctrl-C."


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
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(
        loop_factory=uvicorn.Config(_nothing, log_config=None).get_loop_factory()
    ) as runner:
        runner.run(_serve(loaded, sockets))


async def _serve(loaded: Loaded, sockets: Sequence[socket.socket]) -> None:
    settings = loaded.settings
    port = sockets[0].getsockname()[1]
    limits = limits_of(settings)
    async with open_service(loaded, address(settings, port)) as service:
        certificate = (settings.server_cert, settings.server_key) if settings.server_cert else None
        config = server_config(
            service.app, limits, settings.trusted_proxies, settings.shutdown_grace, certificate
        )
        directory = DataDirectory(Path(settings.data))
        directory.write_address(listening_address(settings, port))
        proxies = Proxies(settings.trusted_proxies)
        server = GreetingServer(config, limits, proxies, greeting(settings, service, port))
        try:
            await server.serve(list(sockets))
        finally:
            directory.remove_address()


class GreetingServer(BoundedServer):
    """A server that says where it is once it can be reached."""

    def __init__(
        self, config: uvicorn.Config, limits: ServingLimits, proxies: Proxies, words: str
    ) -> None:
        """``words`` are printed on standard output."""
        super().__init__(config, limits, proxies)
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


def limits_of(settings: Settings) -> ServingLimits:
    """Return the server's limits, as the settings have them."""
    set_to = {
        limit.name: getattr(settings, limit.metadata["setting"])
        for limit in fields(ServingLimits)
        if limit.metadata["setting"]
    }
    return ServingLimits(**set_to)


def keep_what_is_loaded() -> None:
    """Take what was loaded at the start out of garbage collection."""
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
    """Return what is printed at start: how to onboard a gateway, by each of the ways."""
    base = address(settings, port)
    lines = [f"provision {release()} serves on {base}"]
    program, where = _trusting(settings) + _program(), _where(settings, service)
    lines += [
        "",
        "Onboard a gateway, then fetch its configuration as the device does:",
        f"  {program} map {EXAMPLE_ID} {EXAMPLE_KEY}{where}",
        f"  {program} bootstrap bootstrap {EXAMPLE_ID} {EXAMPLE_KEY}{where}",
        "",
        "The same with curl:",
        *(f"  {command}" for command in _curl_commands(settings, service, base)),
        "",
        f"The web console: {base}/console",
    ]
    if service.operator_file is not None:
        account = DataDirectory(service.operator_file.parent).read_operator()
        file = shlex.quote(_shortest(service.operator_file))
        lines.append(f"  Sign in as {account['username']}; this shows the password: cat {file}")
    if port != DEFAULT_PORT:
        lines += [
            "",
            "For commands that run in another directory:",
            f"  export PROVISION_URL={base}",
        ]
    lines += ["", FAREWELL]
    return "\n".join(lines)


def _program() -> str:
    """Return how whoever started this types ``provision``."""
    program = Path(sys.argv[0])
    if program.name != "provision":
        return "provision"
    in_path = shutil.which("provision")
    if in_path and Path(in_path).resolve() == program.resolve():
        return "provision"
    return shlex.quote(_shortest(program))


def _trusting(settings: Settings) -> str:
    """Return what makes a command trust a certificate that no authority of the system signed."""
    if not settings.server_cert:
        return ""
    return f"SSL_CERT_FILE={shlex.quote(str(Path(settings.server_cert).absolute()))} "


def _where(settings: Settings, service: Service) -> str:
    """Return the options that name the service, its domain and its caller to the commands."""
    if service.operator_file is None:
        return " --domain DOMAIN_ID --token TOKEN"
    data = _shortest(Path(settings.data))
    return "" if data == DEFAULT_DATA else f" --data {shlex.quote(data)}"


def _shortest(path: Path) -> str:
    """Return a path as it is typed here."""
    path = path.absolute()
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _curl_commands(settings: Settings, service: Service, base: str) -> tuple[str, str]:
    cacert = f" --cacert {shlex.quote(str(Path(settings.server_cert).absolute()))}"
    curl = "curl -sS" + (cacert if settings.server_cert else "")
    token, domain = "<token>", "<domain_id>"
    if service.operator_file is not None and service.operator_domain:
        file = shlex.quote(str(service.operator_file.absolute()))
        sign_in = f"{curl} {base}/users/tokens/issue -H 'Content-Type: application/json' -d @{file}"
        token = f"""$({sign_in} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')"""
        domain = service.operator_domain
    typed = "-H 'Content-Type: application/json'"
    body = f'{{"external_id":"{EXAMPLE_ID}","external_key":"{EXAMPLE_KEY}"}}'
    onboard = f'{curl} {base}/{domain}/mapping -H "Authorization: Bearer {token}" {typed}'
    fetch = f"{curl} {base}/clients/bootstrap/{EXAMPLE_ID}"
    return f"{onboard} -d '{body}'", f"{fetch} -H 'Authorization: Client {EXAMPLE_KEY}'"


async def _nothing(*_: object) -> None:
    """Stand in for an app where only uvicorn's choice of event loop is asked."""
