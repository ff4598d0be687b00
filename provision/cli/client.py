"""The service as commands reach it: where it is, who asks, and what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import httpx
import typer
from attrs import evolve, frozen

from bootstrap_core.secret import Secret
from provision.cli.address import address
from provision.cli.exits import CommandFailed
from provision.data_directory import DataDirectory
from provision.settings_reader import load

TIMEOUT: Final = 120.0
PAGE: Final = 100

Url = Annotated[
    str,
    typer.Option(
        "--url", envvar="PROVISION_URL", help="Address of the service; default: as settings say."
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

_CURES: Final = {
    400: "see --help, or GET /openapi.json for what the service takes",
    401: "give --token, or run this where the service's data directory is (--data)",
    403: "use a token whose user is a member of the domain and may do this",
    404: "check the ID and --domain",
    409: "see what is there with `provision show`",
    422: "mend what is named; `provision plan` tells without creating anything",
    429: "wait as long as the service says, then try again",
    500: "look into the service's log for this request",
    502: "look whether the platform works; nothing is left half made",
    503: "try again in a moment",
    504: "try again in a moment; nothing is left half made",
}
_CURES_BY_CODE: Final = {
    "certificate_unknown": "`provision cert list --gateway EXTERNAL_ID` lists serial numbers",
    "domain_not_found": "name a domain that you are a member of with --domain",
    "external_key_differs": "give the device's own key, or change it: --on-existing rotate",
    "gateway_exists": "see it with `provision show`, or use --on-existing reuse or repair",
    "gateway_not_found": "`provision list` shows the gateways of the domain",
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
        super().__init__(message, _CURES_BY_CODE.get(code) or _CURES.get(answer.status_code, ""))


class ServiceUnreachable(CommandFailed):
    """The service cannot be reached."""

    code = "service_unreachable"


@frozen
class Access:
    """Where the service is, and who asks in which domain; empty where it is not known."""

    url: str
    token: Secret = Secret("")
    domain: str = ""


class ServiceClient:
    """Requests to the service, as one caller."""

    def __init__(self, http: httpx.Client, access: Access) -> None:
        """Ask over ``http``, whose base address is the service's."""
        self._http = http
        self._access = access

    @property
    def url(self) -> str:
        """The address of the service."""
        return self._access.url

    @property
    def domain(self) -> str:
        """The domain. Raises ``CommandFailed`` if none is known."""
        if not self._access.domain:
            raise CommandFailed("no domain is named", "give --domain or set PROVISION_DOMAIN")
        return self._access.domain

    def in_domain(self, *parts: str) -> str:
        """Return the path of something in the domain; ``parts`` are escaped."""
        return "/" + "/".join(quote(each, safe="") for each in (self.domain, *parts))

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
        if self._access.token:
            headers["Authorization"] = f"Bearer {self._access.token.reveal()}"
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
                f"{answer.url} answered no JSON", "look whether --url names this service"
            ) from error

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: object = None,
        query: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """Return the answer as it is. Raises ``ServiceUnreachable``."""
        try:
            return self._http.request(method, path, headers=dict(headers), json=body, params=query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceUnreachable(
                f"{self.url} does not answer: {error or type(error).__name__}",
                "start it with `provision serve`, or name its address with --url or PROVISION_URL",
            ) from error

    def pages(self, path: str, key: str, query: Mapping[str, str | int]) -> Iterator[Any]:
        """Yield all items of a listing, page by page."""
        offset = 0
        while True:
            page = self.ask("GET", path, query={**query, "offset": offset, "limit": PAGE})
            yield from page.get(key, [])
            offset += PAGE
            if offset >= page.get("total", 0):
                return


@contextmanager
def connect(
    environment: Mapping[str, str],
    url: str,
    token: str,
    domain: str,
    data: str,
    timeout: float = TIMEOUT,
) -> Iterator[ServiceClient]:
    """Give a client of the service; what is not given comes from settings and data directory.

    ``timeout`` is in seconds, for connecting and for each part of an answer.
    Raises ``SettingsError``, ``CommandFailed`` (no address), ``ServiceRefused`` (the operator
    cannot sign in) and ``ServiceUnreachable``.
    """
    settings = load(environment, {"data": data or None}).settings
    # The listening address, not the public one: whoever falls back on settings is on its host.
    base = url.rstrip("/") or address(evolve(settings, public_url=""), settings.http_port)
    account = DataDirectory(Path(settings.data)).read_operator()
    domain = domain or settings.domain_id or account.get("domain_id", "")
    try:
        opened = httpx.Client(base_url=base, timeout=timeout)
    except httpx.InvalidURL as error:
        raise CommandFailed(f"--url {base}: {error}", "write it as http://HOST:PORT") from error
    with opened as http:
        access = Access(base, Secret(token), domain)
        if account and not token:
            access = evolve(access, token=_sign_in(ServiceClient(http, access), account))
        yield ServiceClient(http, access)


def read_json(text: str) -> Any:  # noqa: ANN401 - whatever JSON it is
    """Return the JSON in ``text``, or in the file that ``@FILE`` names.

    Raises ``CommandFailed``.
    """
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise CommandFailed(
            f"{text[1:]} cannot be read: {error.strerror}", "name a file that is there after the @"
        ) from error
    except ValueError as error:
        raise CommandFailed(
            f"not valid JSON: {error}", "put the JSON between single quotes, or into a file: @FILE"
        ) from error


def _sign_in(client: ServiceClient, account: Mapping[str, str]) -> Secret:
    body = {"username": account["username"], "password": account["password"]}
    return Secret(client.ask("POST", "/users/tokens/issue", body)["access_token"])
