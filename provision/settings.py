"""What the operator sets: environment variables, then the TOML file, then defaults.

Every ``MG_PROVISION_*`` variable of Magistrala's Go service and the ``MF_PROVISION_*`` names of
Mainflux work here, as do their keys in the TOML file (``[server]``, ``[bootstrap]``, ``[cert]``).
This is the only module that knows where a value comes from; the rest of the product is given
values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import field, fields, frozen

from bootstrap_core.secret import Secret

DEFAULT_FILE = "config.toml"


@frozen
class Names:
    """Under which names one setting is read: variables and TOML keys, the first is its own."""

    variables: tuple[str, ...]
    keys: tuple[str, ...]
    help: str


def _setting(default: Any, variables: str, keys: str, text: str) -> Any:  # noqa: ANN401 - any type
    names = Names(tuple(variables.split()), tuple(keys.split()), text)
    return field(default=default, metadata={"names": names})


@frozen
class Settings:
    """All settings with their defaults; see ``names_of`` for what each is called outside."""

    config_file: str = _setting(
        DEFAULT_FILE,
        "MG_PROVISION_CONFIG_FILE MF_PROVISION_CONFIG_FILE",
        "",
        "TOML file with settings, and with a layout where it lists clients",
    )
    host: str = _setting(
        "127.0.0.1", "MG_PROVISION_HTTP_HOST", "server.host", "address to listen on"
    )
    http_port: int = _setting(
        9016,
        "MG_PROVISION_HTTP_PORT MF_PROVISION_HTTP_PORT",
        "server.port server.http_port",
        "port to listen on",
    )
    extra_ports: tuple[int, ...] = _setting(
        (),
        "MG_PROVISION_EXTRA_PORTS",
        "server.extra_ports",
        "further ports that answer the same, such as 9013 where devices expect bootstrap",
    )
    log_level: str = _setting(
        "info",
        "MG_PROVISION_LOG_LEVEL MF_PROVISION_LOG_LEVEL",
        "server.log_level",
        "debug, info, warning or error",
    )
    log_format: str = _setting(
        "auto",
        "MG_PROVISION_LOG_FORMAT",
        "server.log_format",
        "json, console, or auto: console in a terminal",
    )
    server_cert: str = _setting(
        "",
        "MG_PROVISION_SERVER_CERT MF_PROVISION_SERVER_CERT",
        "server.server_cert",
        "PEM file of the certificate (chain) to serve TLS with",
    )
    server_key: str = _setting(
        "",
        "MG_PROVISION_SERVER_KEY MF_PROVISION_SERVER_KEY",
        "server.server_key",
        "PEM file of the key to serve TLS with",
    )
    cors_origins: tuple[str, ...] = _setting(
        (),
        "MG_PROVISION_CORS_ORIGINS",
        "server.cors_origins",
        "web origins that may call the API, such as https://console.example.com",
    )
    public_url: str = _setting(
        "",
        "MG_PROVISION_PUBLIC_URL",
        "server.public_url",
        "address under which devices reach this service; default: where it listens",
    )
    shutdown_grace: float = _setting(
        30.0,
        "MG_PROVISION_SHUTDOWN_GRACE",
        "server.shutdown_grace",
        "seconds that running requests may take to finish at shutdown",
    )
    data: str = _setting(
        "data", "MG_PROVISION_DATA", "server.data", "directory of the database, keys and accounts"
    )
    database_url: Secret = _setting(  # it may have a password in it
        Secret(""),
        "MG_PROVISION_DATABASE_URL",
        "server.database_url",
        "SQLAlchemy URL (postgresql+asyncpg://...); default: SQLite in the data directory",
    )
    sealing_keys: Secret = _setting(
        Secret(""),
        "MG_PROVISION_SEALING_KEYS",
        "server.sealing_keys",
        "keys for data at rest, base64 of 32 bytes each, commas between; the first seals, all open",
    )
    layouts: str = _setting(
        "layouts", "MG_PROVISION_LAYOUTS", "layouts.directory", "directory of the layout files"
    )
    default_layout: str = _setting(
        "",
        "MG_PROVISION_LAYOUT",
        "layouts.default",
        "layout of requests that name none; default: the TOML file's, else gateway",
    )
    clients_url: str = _setting(
        "",
        "MG_PROVISION_CLIENTS_URL MF_PROVISION_THINGS_LOCATION",
        "server.clients_url server.things_url",
        "Magistrala's clients service; no Magistrala address at all: the embedded platform",
    )
    channels_url: str = _setting(
        "", "MG_PROVISION_CHANNELS_URL", "server.channels_url", "Magistrala's channels service"
    )
    users_url: str = _setting(
        "",
        "MG_PROVISION_USERS_URL MF_PROVISION_USERS_LOCATION",
        "server.users_url",
        "Magistrala's users service",
    )
    domains_url: str = _setting(
        "",
        "MG_PROVISION_DOMAINS_URL",
        "server.domains_url",
        "Magistrala's domains service; default: the users service's address",
    )
    certs_url: str = _setting(
        "",
        "MG_PROVISION_CERTS_URL MF_PROVISION_CERTS_SVC_URL",
        "server.certs_url server.mf_certs_url",
        "Magistrala's certs service; none: the embedded certificate authority",
    )
    bootstrap_url: str = _setting(
        "",
        "MG_PROVISION_BS_SVC_URL MF_PROVISION_BS_SVC_URL MF_PROVISION_BS_SVC_WHITELIST_URL",
        "server.mg_bs_url server.mf_bs_url server.mf_white_list",
        "not used: the bootstrap service is part of this one",
    )
    verify_tls: bool = _setting(
        True,  # noqa: FBT003 - the default's place is the same for every setting
        "MG_PROVISION_ENV_CLIENTS_TLS MF_PROVISION_ENV_CLIENTS_TLS",
        "server.tls",
        "whether the platform's TLS certificates are verified",
    )
    ca_file: str = _setting(
        "",
        "MG_PROVISION_CA_CERTS MF_PROVISION_CA_CERTS",
        "server.ca_certs",
        "PEM file of the authorities that the platform's certificates are verified with",
    )
    client_cert: str = _setting(
        "",
        "MG_PROVISION_CLIENT_CERT",
        "server.client_cert",
        "PEM file of the certificate that this service shows to the platform",
    )
    client_key: str = _setting(
        "",
        "MG_PROVISION_CLIENT_KEY",
        "server.client_key",
        "PEM file of the key that belongs to client_cert",
    )
    platform_timeout: float = _setting(
        10.0,
        "MG_PROVISION_PLATFORM_TIMEOUT",
        "server.platform_timeout",
        "seconds that one call to the platform may take",
    )
    email: str = _setting("", "MG_PROVISION_EMAIL", "server.mg_email", "user by e-mail address")
    username: str = _setting(
        "",
        "MG_PROVISION_USERNAME MF_PROVISION_USER",
        "server.mg_username server.mf_user",
        "user that requests without an Authorization header act as",
    )
    password: Secret = _setting(
        Secret(""),
        "MG_PROVISION_PASS MF_PROVISION_PASS MF_PROVISION_PASSWORD",
        "server.mg_pass server.mf_pass",
        "that user's password",
    )
    api_key: Secret = _setting(
        Secret(""),
        "MG_PROVISION_API_KEY MF_PROVISION_API_KEY",
        "server.mg_api_key server.mf_api_key",
        "token that requests without an Authorization header act with",
    )
    domain_id: str = _setting(
        "",
        "MG_PROVISION_DOMAIN_ID",
        "server.mg_domain_id",
        "domain of POST /mapping; default: the caller's only one",
    )
    x509_provision: bool | None = _setting(
        None,
        "MG_PROVISION_X509_PROVISIONING MF_PROVISION_X509_PROVISIONING",
        "bootstrap.x509_provision",
        "certificates for every client; default: as the layout says",
    )
    bootstrap_provision: bool | None = _setting(
        None,
        "MG_PROVISION_BS_CONFIG_PROVISIONING MF_PROVISION_BS_CONFIG_PROVISIONING",
        "bootstrap.provision",
        "a bootstrap config for the gateway; default: as the layout says",
    )
    auto_whitelist: bool | None = _setting(
        None,
        "MG_PROVISION_BS_AUTO_WHITELIST MF_PROVISION_BS_AUTO_WHITELIST",
        "bootstrap.autowhite_list",
        "configs are enabled at once; default: as the layout says",
    )
    profile_id: str = _setting(
        "",
        "MG_PROVISION_BS_PROFILE_ID",
        "bootstrap.profile_id",
        "existing profile that the configs use; default: as the layout says",
    )
    bootstrap_content: str = _setting(
        "",
        "MG_PROVISION_BS_CONTENT MF_PROVISION_BS_CONTENT",
        "",
        "JSON content of configs without a profile; default: as the layout says",
    )
    certificate_ttl: str = _setting(
        "",
        "MG_PROVISION_CERTS_HOURS_VALID MF_PROVISION_CERTS_HOURS_VALID",
        "cert.ttl",
        "life of certificates in Go's syntax (2400h); default: as the layout says, else 2400h",
    )
    renewal_overlap: str = _setting(
        "24h",
        "MG_PROVISION_RENEWAL_OVERLAP",
        "cert.renewal_overlap",
        "how long a renewed certificate stays valid once the device fetched the new one",
    )
    keep_private_keys: str = _setting(
        "always",
        "MG_PROVISION_KEEP_PRIVATE_KEYS",
        "cert.keep_private_keys",
        "how long private keys of clients are kept, sealed: always, until_fetched or never",
    )
    issuer_chain: str = _setting(
        "",
        "MG_PROVISION_ISSUER_CHAIN",
        "cert.issuer_chain",
        "PEM file of the authority that signs, its own certificate first, its root last",
    )
    issuer_key: str = _setting(
        "", "MG_PROVISION_ISSUER_KEY", "cert.issuer_key", "PEM file of that authority's key"
    )
    issuer_key_passphrase: Secret = _setting(
        Secret(""),
        "MG_PROVISION_ISSUER_KEY_PASSPHRASE",
        "cert.issuer_key_passphrase",
        "passphrase of that key, where it is encrypted",
    )
    encrypt_key: Secret = _setting(
        Secret(""),
        "MG_BOOTSTRAP_ENCRYPT_KEY MF_BOOTSTRAP_ENCRYPT_KEY",
        "",
        "AES key of the secure bootstrap route (16, 24 or 32 bytes); off until it is set",
    )

    @property
    def uses_magistrala(self) -> bool:
        """Whether a Magistrala is named; without one the embedded platform is used."""
        return bool(self.clients_url or self.channels_url or self.users_url or self.domains_url)

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the store."""
        own = Path(self.data) / "provision.db"
        return self.database_url.reveal() or f"sqlite+aiosqlite:///{own}"


def names_of(setting: str) -> Names:
    """Return the variables and keys of a field of ``Settings``."""
    names = getattr(fields(Settings), setting).metadata["names"]
    assert isinstance(names, Names)  # noqa: S101 - every field is made by _setting
    return names
