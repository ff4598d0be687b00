"""Reads the settings from their sources and tells where each value came from."""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from attrs import fields, frozen

from bootstrap_core.formats.documents import json_fault, without_mark
from bootstrap_core.formats.toml import read_toml
from bootstrap_core.secrets import Secret
from provision.errors import SettingsError
from provision.former_settings import platforms_not_meant, unread_keys, unread_variables
from provision.layout.dialects import choose_key
from provision.layout.model import parse_lifetime, parse_overlap
from provision.settings import DEFAULT_FILE, Settings, names_of

TRUE = {"1", "t", "T", "true", "TRUE", "True"}
FALSE = {"0", "f", "F", "false", "FALSE", "False"}
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("auto", "json", "console")
CHOICES = {
    "log_level": LOG_LEVELS,
    "log_format": LOG_FORMATS,
    "keep_private_keys": ("always", "until_fetched", "never"),
}
PAIRS = (
    ("server_cert", "server_key"),
    ("client_cert", "client_key"),
    ("issuer_chain", "issuer_key"),
)
REST_URLS = ("clients_url", "channels_url", "users_url", "domains_url", "certs_url")
MAX_PORT = 65535
NO_TEXTS = {bool: "true or false", list: "a list", dict: "a table"}


@frozen
class Loaded:
    """The settings in force, the source of each (field name to words), and warnings."""

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]

    def is_given_outside_file(self, setting: str) -> bool:
        """Whether a value came from the environment or the command line."""
        return self.origins[setting].startswith(("environment", "command line"))


def load(environment: Mapping[str, str], given: Mapping[str, Any]) -> Loaded:
    """Read all settings: ``given`` (command line), then environment, then file, then defaults.

    Raises ``SettingsError`` with every problem in its message and details.
    """
    problems: list[str] = []
    path, explicit = _config_path(environment, given)
    document = _read_file(path, explicit, problems)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for attribute in fields(Settings):
        name = attribute.name
        raw, origin = _find(name, given, environment, document, path)
        origins[name] = origin
        if raw is None:
            continue
        try:
            values[name] = _PARSERS[get_type_hints(Settings)[name]](raw)
        except ValueError as error:
            problems.append(f"{origin}: {error}")
    unread = (unread_variables(environment), unread_keys(document, path))
    problems += [problem for names in unread for problem in names.problems()]
    if not problems:
        problems += _inconsistencies(Settings(**values), origins)
        settings = Settings(**values)
        if not (settings.uses_magistrala or settings.uses_atom):
            problems += platforms_not_meant(environment)
    if problems:
        raise SettingsError("\n".join(problems), details=[{"message": p} for p in problems])
    settings = Settings(**values)
    warnings = [warning for names in unread for warning in names.warnings()]
    return Loaded(settings, origins, (*warnings, *_warnings(settings, origins)))


def _config_path(environment: Mapping[str, str], given: Mapping[str, Any]) -> tuple[Path, bool]:
    name = given.get("config_file")
    for variable in names_of("config_file").variables:
        name = name or environment.get(variable)
    return Path(name or DEFAULT_FILE), bool(name)


def _read_file(path: Path, explicit: bool, problems: list[str]) -> Mapping[str, Any]:  # noqa: FBT001
    try:
        return read_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if explicit:
            problems.append(
                f"{path}: there is no such file; it is named by MG_PROVISION_CONFIG_FILE"
            )
    except OSError as error:
        problems.append(f"{path}: can't be read: {error.strerror}")
    except ValueError as error:
        problems.append(f"{path}: not valid TOML: {error}")
    return {}


def _find(
    name: str,
    given: Mapping[str, Any],
    environment: Mapping[str, str],
    document: Mapping[str, Any],
    path: Path,
) -> tuple[Any, str]:
    """Return the raw value of a setting (``None``: not set) and its origin in words."""
    if given.get(name) is not None:
        return given[name], "command line"
    names = names_of(name)
    for variable in names.variables:
        if environment.get(variable, "") != "":
            return environment[variable], f"environment variable {variable}"
    for key in names.keys:
        section, _, entry = key.partition(".")
        table = document.get(section)
        if isinstance(table, Mapping) and entry in table and table[entry] != "":
            return table[entry], f"{path}: {key}"
    return None, "default"


def _parse_text(raw: Any) -> str:  # noqa: ANN401
    if isinstance(raw, bool | list | dict):
        # Of the value itself nothing is told: it may be meant as a secret.
        raise ValueError(f"a text is needed, not {NO_TEXTS[type(raw)]}")
    return str(raw)


def _parse_integer(raw: Any) -> int:  # noqa: ANN401
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise ValueError(f"a whole number is needed, not {raw!r}")
    try:
        return int(raw)
    except ValueError as error:
        raise ValueError(f"a whole number is needed, not {raw!r}") from error


def _parse_number(raw: Any) -> float:  # noqa: ANN401
    try:
        seconds = float("nan" if isinstance(raw, bool) else raw)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"a number of seconds over 0 is needed, not {raw!r}")
    return seconds


def _parse_switch(raw: Any) -> bool:  # noqa: ANN401
    if isinstance(raw, bool):
        return raw
    if str(raw) in TRUE:
        return True
    if str(raw) in FALSE:
        return False
    raise ValueError(f"true or false is needed, not {raw!r}")


def _parse_list(raw: Any) -> tuple[str, ...]:  # noqa: ANN401
    if isinstance(raw, str):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    if isinstance(raw, list | tuple):
        return tuple(str(part) for part in raw)
    raise ValueError(f"a list is needed, not {raw!r}")


_PARSERS: Mapping[Any, Callable[[Any], Any]] = {
    str: _parse_text,
    Secret: lambda raw: raw if isinstance(raw, Secret) else Secret(_parse_text(raw)),
    int: _parse_integer,
    float: _parse_number,
    bool: _parse_switch,
    bool | None: _parse_switch,
    tuple[str, ...]: _parse_list,
    tuple[int, ...]: lambda raw: tuple(_parse_integer(part) for part in _parse_list(raw)),
}


def _inconsistencies(settings: Settings, origins: Mapping[str, str]) -> list[str]:
    """Return what is wrong with values that are well formed one by one."""
    problems = _serving_problems(settings, origins) + _platform_problems(settings, origins)
    problems += [
        f"{origins[name]}: allowed are {', '.join(allowed)}, not {getattr(settings, name)!r}"
        for name, allowed in CHOICES.items()
        if getattr(settings, name).lower() not in allowed
    ]
    user = "username" if settings.username or not settings.email else "email"
    for one, other in (*PAIRS, (user, "password")):
        if bool(getattr(settings, one)) != bool(getattr(settings, other)):
            given, missing = (one, other) if getattr(settings, one) else (other, one)
            problems.append(
                f"{origins[given]}: {one} and {other} go together: set "
                f"{names_of(missing).variables[0]} too, or neither"
            )
    if settings.issuer_crl and not settings.issuer_chain:
        problems.append(
            f"{origins['issuer_crl']}: issuer_crl: issuer_chain is not set, and the service's own "
            "authority makes these CRLs itself; leave issuer_crl out"
        )
    key = len(settings.encrypt_key.encode())
    if key not in (0, 16, 24, 32):
        problems.append(f"{origins['encrypt_key']}: 16, 24 or 32 bytes are needed, not {key}")
    for name, parse, text in (
        ("certificate_ttl", parse_lifetime, settings.certificate_ttl or "1s"),
        ("renewal_overlap", parse_overlap, settings.renewal_overlap),
        ("atom_max_ttl", parse_lifetime, settings.atom_max_ttl),
    ):
        try:
            parse(text)
        except ValueError as error:
            problems.append(f"{origins[name]}: {error}")
    if settings.bootstrap_content:
        try:
            json.loads(without_mark(settings.bootstrap_content))
        except ValueError as error:
            told = json_fault(error)
            problems.append(f"{origins['bootstrap_content']}: not valid JSON{told}")
    return problems


def _platform_problems(settings: Settings, origins: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the platform's addresses."""
    problems = []
    for name in (*REST_URLS, "atom_url"):
        url = getattr(settings, name)
        if url and not url.startswith(("http://", "https://")):
            problems.append(f"{origins[name]}: must start with http:// or https://, not {url!r}")
    if settings.uses_atom:
        problems += [
            f"{origins[name]}: names a service of Magistrala up to 0.30, and {origins['atom_url']} "
            "names Atom, which Magistrala has in its place from 0.40 on: keep "
            "MG_PROVISION_ATOM_URL alone for a Magistrala of 0.40 or later, and remove it for an "
            "older one"
            for name in REST_URLS
            if getattr(settings, name)
        ]
    elif settings.certs_url and not settings.uses_magistrala:
        problems.append(
            f"{origins['certs_url']}: names a certs service, but no address says where the rest of "
            "the platform is: set MG_PROVISION_CLIENTS_URL and MG_PROVISION_USERS_URL too, or "
            "remove it to use the embedded platform with its own certificates"
        )
    return problems


def _serving_problems(settings: Settings, origins: Mapping[str, str]) -> list[str]:
    """Return what is wrong with where and for whom the service listens."""
    problems = [
        f"{origins[name]}: a port is 0 to {MAX_PORT}, not {port}"
        for name, ports in (
            ("http_port", (settings.http_port,)),
            ("extra_ports", settings.extra_ports),
        )
        for port in ports
        if not 0 <= port <= MAX_PORT
    ]
    problems += [
        f"{origins[name]}: at least 1 connection is needed, not {getattr(settings, name)}"
        for name in ("max_connections", "max_connections_by_address")
        if getattr(settings, name) < 1
    ]
    for proxy in settings.trusted_proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            problems.append(
                f"{origins['trusted_proxies']}: {proxy!r} is not an IP address or a network such "
                "as 10.0.0.0/8"
            )
    return problems


def _warnings(settings: Settings, origins: Mapping[str, str]) -> list[str]:
    warnings = []
    if settings.bootstrap_url:
        warnings.append(
            f"{origins['bootstrap_url']} is not used: the bootstrap service is part of this one"
        )
    if not settings.verify_tls:
        warnings.append(f"{origins['verify_tls']}: the platform's certificates are not verified")
    if note := choose_key("", settings.certificate_bits).note:
        warnings.append(f"{origins['certificate_bits']}: {note}")
    return warnings
