"""The service as commands reach it: where it is, who asks, and what its refusals mean."""

from __future__ import annotations

import functools
import inspect
import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import unquote

import httpx
import typer
from attrs import evolve, field, frozen

from bootstrap_core.credentials import holds_token
from bootstrap_core.formats.documents import DuplicateKey, json_fault, unique_keys, without_mark
from bootstrap_core.model import segment
from bootstrap_core.secrets import Secret
from provision.cli.output import CommandFailed
from provision.platform.credentials import token_user
from provision.settings import Settings
from provision.settings_reader import load
from provision.store.data_directory import DataDirectory


def address(settings: Settings, port: int) -> str:
    """Return the address under which the service is reached."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme = "https" if settings.server_cert else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def listening_address(settings: Settings, port: int) -> str:
    """Return the address for callers on the service's own host, whatever its public one is."""
    return address(evolve(settings, public_url=""), port)


def service_address(settings: Settings, url: str) -> str:
    """Return where commands reach the service.

    That is ``url`` if one is named, else where the service on the settings' data directory says
    that it listens, else where the settings say so. Raises ``CommandFailed``: ``url`` is none.
    """
    if url and not url.startswith(("http://", "https://")):
        raise CommandFailed(
            f"the address {url!r} does not begin with http:// or https://",
            f"write it as http://{url.rpartition('://')[2]}",
        )
    directory = DataDirectory(Path(settings.data))
    return (
        url.rstrip("/")
        or directory.read_address()
        or listening_address(settings, settings.http_port)
    )


KEYWORD: Final = Parameter.POSITIONAL_OR_KEYWORD
OPTION: Final = Parameter.KEYWORD_ONLY
SERVE: Final = "provision serve"
TIMEOUT: Final = 120.0
PAGE: Final = 100
NOT_FOUND: Final = 404

Url = Annotated[
    str,
    typer.Option(
        "--url", envvar="PROVISION_URL", help="Address of the service; default: the one on --data."
    ),
]
Token = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="PROVISION_TOKEN",
        help="Token or API key; default: the operator account in the data directory.",
    ),
]
Domain = Annotated[
    str,
    typer.Option("--domain", envvar="PROVISION_DOMAIN", help="Domain ID; default: the operator's."),
]
Data = Annotated[
    str, typer.Option("--data", help="Data directory of the service; default: as settings say.")
]

NEXT_BY_STATUS: Final = {
    400: "see --help, or GET /openapi.json for what the service takes",
    401: "give --token, or run this where the service's data directory is (--data)",
    403: "use a token whose user is a member of the domain and may do this",
    404: "check the ID and --domain",
    409: "see what is there with `provision show`",
    422: "correct what is named; `provision plan` checks without creating anything",
    429: "wait as long as the service says, then try again",
    500: "look into the service's log for this request",
    502: "check that the platform works; nothing is left half made",
    503: "try again in a moment",
    504: "try again in a moment; nothing is left half made",
}
NEXT_BY_CODE: Final = {
    "certificate_unknown": "`provision cert list --gateway EXTERNAL_ID` lists serial numbers",
    "domain_not_found": "name a domain that you are a member of with --domain",
    "config_disabled": "enable the config: provision bootstrap whitelist",
    "device_refused": "send the device's own ID and key; `provision doctor EXTERNAL_ID` looks for "
    "the cause",
    "external_key_taken": "give the device another key, one that nobody can guess",
    "external_key_differs": "give the device's own key, or change it: --on-existing rotate",
    "gateway_exists": "see it with `provision show`, or use --on-existing reuse or repair",
    "gateway_not_found": "`provision list` shows the gateways of the domain",
    "not_permitted": "`provision doctor` tells the scopes that a personal access token needs",
    "layout_unknown": "name one of those; layouts are files in the service's layout directory",
    "parameters_invalid": "`provision layout show FILE` tells the parameters of a layout",
    "unknown_client": "`provision show EXTERNAL_ID` tells the IDs of a gateway's clients",
}


class ServiceRefused(CommandFailed):
    """The service answered with an error."""

    code = "service_refused"

    def __init__(self, answer: httpx.Response) -> None:
        """Take the message from ``answer``."""
        self.status_code = answer.status_code
        message = f"the service answered {answer.status_code}"
        code = ""
        try:
            document = answer.json()
            message = str(document.get("message") or document.get("error") or message)
            code = str(document.get("code", ""))
        except (ValueError, AttributeError):
            message += f": {answer.text:.200}" if answer.text else ""
        super().__init__(
            message, NEXT_BY_CODE.get(code) or NEXT_BY_STATUS.get(answer.status_code, "")
        )


class ServiceUnreachable(CommandFailed):
    """The service cannot be reached."""

    code = "service_unreachable"


@frozen
class Access:
    """Where the service is, and who calls it in which domain; empty where that is not known."""

    url: str
    token: Secret = Secret("")
    domain: str = ""
    data: str = ""
    """The data directory in which the operator account was looked for."""

    serve: str = SERVE
    """The command that starts the service."""


@frozen
class ServiceClient:
    """Requests to the service as one caller; the base address of ``http`` is the service's."""

    http: httpx.Client
    access: Access

    @property
    def url(self) -> str:
        """The address of the service."""
        return self.access.url

    @property
    def has_personal_token(self) -> bool:
        """Whether the token is a personal access token: those are no JSON Web Tokens."""
        return bool(self.access.token) and not token_user(self.access.token)

    @property
    def domain(self) -> str:
        """The domain. Raises ``CommandFailed`` if none is known."""
        if not self.access.domain:
            data = Path(self.access.data)
            why = "has no operator account" if data.is_dir() else "is not there"
            raise CommandFailed(
                f"no domain is named, and the data directory {data} {why}",
                "give --domain (or set PROVISION_DOMAIN), or name the service's data directory "
                "with --data",
            )
        return self.access.domain

    def inside(self, domain: str) -> ServiceClient:
        """Return a client of the same caller in another domain."""
        return ServiceClient(self.http, evolve(self.access, domain=domain))

    def find(self, path: str, query: Mapping[str, str | int]) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON of something, ``None`` where it is not there. Raises as ``ask`` does."""
        try:
            return self.ask("GET", path, query=query)
        except ServiceRefused as refused:
            if refused.status_code == NOT_FOUND:
                return None
            raise

    def in_domain(self, *parts: str) -> str:
        """Return the path of something in the domain; ``parts`` are escaped."""
        return "/" + "/".join(segment(part) for part in (self.domain, *parts))

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str | int] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever JSON the service answers
        """Return the JSON that the service answers, ``None`` where there is no body.

        Raises ``ServiceRefused`` and ``ServiceUnreachable``.
        """
        headers = {}
        if self.access.token:
            headers["Authorization"] = f"Bearer {self.access.token.reveal()}"
        answer = self.send(method, path, headers, body, query)
        return self.document(answer)

    def document(self, answer: httpx.Response) -> Any:  # noqa: ANN401 - whatever JSON it is
        """Return the JSON of an answer, ``None`` where there is no body.

        Raises ``ServiceRefused`` and, for what is no JSON, ``ServiceUnreachable``.
        """
        if answer.is_error:
            raise ServiceRefused(answer)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise ServiceUnreachable(
                f"{answer.url} answered no JSON", "check that --url names this service"
            ) from error

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: object = None,
        query: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """Return the answer as it is; headers go out as UTF-8.

        Raises ``ServiceUnreachable``, and ``CommandFailed`` for a header that cannot be sent.
        """
        self._check_words(path, query or {})
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            return self.http.request(method, path, headers=sent, json=body, params=query)
        except httpx.LocalProtocolError:
            # Its own words repeat the header, which is a key or a token.
            raise CommandFailed(
                "the token or key holds characters that no header carries",
                "give it without line breaks and other control characters",
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceUnreachable(
                f"{self.url} does not answer: {error or type(error).__name__}",
                f"start it with `{self.access.serve}`, or name its address with --url or "
                "PROVISION_URL",
            ) from error

    def _check_words(self, path: str, query: Mapping[str, str | int]) -> None:
        """Refuse a token where an ID belongs: proxies and servers write paths into their logs.

        Raises ``CommandFailed``.
        """
        words = [*map(unquote, path.split("/")), *map(str, query.values())]
        own = self.access.token.reveal()
        if any(holds_token(word) or (word and word == own) for word in words):
            raise CommandFailed(
                "a token stands where an ID belongs, so nothing was sent",
                "look at the order of the arguments with --help: the token comes last, after the "
                "domain's ID",
            )

    def pages(self, path: str, key: str, query: Mapping[str, str | int]) -> Iterator[Any]:
        """Yield all items of a listing, page by page."""
        offset = 0
        while True:
            page = self.ask("GET", path, query={**query, "offset": offset, "limit": PAGE})
            yield from page.get(key, [])
            offset += PAGE
            if offset >= page.get("total", 0):
                return


@frozen
class Connection:
    """How a command reaches the service: its options, empty where they are not given.

    What is empty comes from the settings and from the operator account in the data directory.
    """

    url: str = ""
    token: str = field(default="", repr=False)
    domain: str = ""
    data: str = ""

    @contextmanager
    def open(self, timeout: float = TIMEOUT) -> Iterator[ServiceClient]:
        """Give a client of the service.

        ``timeout`` is in seconds, for connecting and for each part of an answer.
        Raises ``SettingsError``, ``CommandFailed`` (no address), ``ServiceRefused`` (the operator
        cannot sign in) and ``ServiceUnreachable``.
        """
        settings = load(os.environ, {"data": self.data or None}).settings
        base = service_address(settings, self.url)
        account = DataDirectory(Path(settings.data)).read_operator()
        domain = self.domain or settings.domain_id or account.get("domain_id", "")
        try:
            opened = httpx.Client(base_url=base, timeout=timeout)
        except httpx.InvalidURL as error:
            raise CommandFailed(f"--url {base}: {error}", "write it as http://HOST:PORT") from error
        with opened as http:
            access = Access(
                base, Secret(self.token), domain, settings.data, serve_command(self.data)
            )
            if account and not self.token:
                access = evolve(access, token=_sign_in(ServiceClient(http, access), account))
            yield ServiceClient(http, access)


Command = Callable[..., None]


def takes_connection(
    arguments: Mapping[str, Any], options: Mapping[str, Any]
) -> Callable[[Command], Command]:
    """Return a decorator that adds arguments and options to a command of Typer's.

    The command's first parameter takes the ``Connection`` that is made of them. Both are
    annotations by the names of the connection's fields. They stand after the command's own,
    before its last one, which is ``--json``.
    """
    added = [
        *(
            Parameter(name, KEYWORD, default="", annotation=kind)
            for name, kind in arguments.items()
        ),
        *(Parameter(name, OPTION, default="", annotation=kind) for name, kind in options.items()),
    ]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**given: Any) -> None:  # noqa: ANN401 - whatever the command takes
            connection = Connection(
                **{parameter.name: given.pop(parameter.name) for parameter in added}
            )
            command(connection, **given)

        signature = inspect.signature(command, eval_str=True)
        _, *own, last = signature.parameters.values()
        parameters = sorted([*own, *added, last], key=lambda parameter: parameter.kind)
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


connected: Final = takes_connection(
    {}, {"url": Url, "token": Token, "domain": Domain, "data": Data}
)
"""Adds ``--url``, ``--token``, ``--domain`` and ``--data`` to a command."""


def serve_command(data: str) -> str:
    """Return the command that starts the service on a data directory; empty: on the settings'."""
    return f"{SERVE} --data {shlex.quote(data)}" if data else SERVE


def read_json(text: str) -> Any:  # noqa: ANN401 - whatever JSON it is
    """Return the JSON in ``text``, or in the file that ``@FILE`` names.

    Raises ``CommandFailed``.
    """
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        return json.loads(without_mark(text), object_pairs_hook=unique_keys)
    except OSError as error:
        raise CommandFailed(
            f"{text[1:]} cannot be read: {error.strerror}", "name a file that is there after the @"
        ) from error
    except DuplicateKey as error:
        raise CommandFailed(f"the JSON can't be used: {error}") from error
    except RecursionError as error:
        raise CommandFailed("the JSON is nested too deeply") from error
    except ValueError as error:
        raise CommandFailed(
            f"not valid JSON{json_fault(error)}",
            "put the JSON between single quotes, or into a file: @FILE",
        ) from error


def _sign_in(client: ServiceClient, account: Mapping[str, str]) -> Secret:
    body = {"username": account["username"], "password": account["password"]}
    return Secret(client.ask("POST", "/users/tokens/issue", body)["access_token"])
