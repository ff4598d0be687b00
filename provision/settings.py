"""What the operator sets: environment variables, then the TOML file, then defaults.

The variables of every release work here: Magistrala's (``MG_``), SuperMQ's (``SMQ_``) and
Mainflux's (``MF_``), as do their keys in the TOML file (``[server]``, ``[bootstrap]``, ``[cert]``).
What releases read and this service does not is in :mod:`provision.former_settings`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import field, fields, frozen

from bootstrap_core.secrets import Secret
from provision.limits import ServingLimits

DEFAULT_FILE = "config.toml"
LIMITS = ServingLimits()


BRANDS = ("MG_", "SMQ_", "MF_")
"""What the variables of Magistrala, SuperMQ and Mainflux begin with, the newest first."""


@frozen
class Names:
    """Under which names one setting is read; the first is its own.

    Each name stands for three: ``MG_PASS`` is also read as ``SMQ_PASS`` and ``MF_PASS``, and the
    key ``server.mg_pass`` as ``server.smq_pass`` and ``server.mf_pass``.
    """

    named: tuple[str, ...]
    named_keys: tuple[str, ...]
    help: str

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable that is read, the one that wins first."""
        return tuple(brand + name.removeprefix("MG_") for name in self.named for brand in BRANDS)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key of the TOML file that is read, the one that wins first."""
        return tuple(form for key in self.named_keys for form in branded_keys(key))


def branded_keys(key: str) -> tuple[str, ...]:
    """Return a key of the TOML file as each release spells it (``mg_pass``, ``smq_pass``...)."""
    table, _, entry = key.rpartition(".")
    if not entry.startswith("mg_"):
        return (key,)
    plain = entry.removeprefix("mg_")
    return tuple(f"{table}.{brand.lower()}{plain}".lstrip(".") for brand in BRANDS)


def _setting(default: Any, variables: str, keys: str, text: str) -> Any:  # noqa: ANN401 - any type
    names = Names(tuple(variables.split()), tuple(keys.split()), text)
    return field(default=default, metadata={"names": names})


@frozen
class Settings:
    """All settings with their defaults; see ``names_of`` for what each is called outside."""

    config_file: str = _setting(
        DEFAULT_FILE,
        "MG_PROVISION_CONFIG_FILE",
        "",
        "TOML file with settings; it is also a layout if it lists clients",
    )
    host: str = _setting(
        "127.0.0.1", "MG_PROVISION_HTTP_HOST", "server.host", "address to listen on"
    )
    http_port: int = _setting(
        9016,
        "MG_PROVISION_HTTP_PORT MG_PROVISION_PORT",
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
        "MG_PROVISION_LOG_LEVEL",
        "server.log_level server.LogLevel",
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
        "MG_PROVISION_SERVER_CERT",
        "server.server_cert",
        "PEM file of the certificate (chain) to serve TLS with",
    )
    server_key: str = _setting(
        "",
        "MG_PROVISION_SERVER_KEY",
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
    max_connections: int = _setting(
        LIMITS.connections,
        "MG_PROVISION_MAX_CONNECTIONS",
        "server.max_connections",
        "connections at a time; the one that has waited longest makes room for a new one",
    )
    max_connections_by_address: int = _setting(
        LIMITS.connections_by_address,
        "MG_PROVISION_MAX_CONNECTIONS_BY_ADDRESS",
        "server.max_connections_by_address",
        "connections at a time from one address, such as that of a site behind NAT",
    )
    idle_time: float = _setting(
        LIMITS.idle_time,
        "MG_PROVISION_IDLE_TIME",
        "server.idle_time",
        "seconds that a connection stays open between two requests",
    )
    head_time: float = _setting(
        LIMITS.head_time,
        "MG_PROVISION_HEAD_TIME",
        "server.head_time",
        "seconds in which a request's headers must have come",
    )
    body_time: float = _setting(
        LIMITS.body_time,
        "MG_PROVISION_BODY_TIME",
        "server.body_time",
        "seconds in which a request's body must have come; more for slow links",
    )
    answer_time: float = _setting(
        LIMITS.answer_time,
        "MG_PROVISION_ANSWER_TIME",
        "server.answer_time",
        "seconds after which a caller that reads nothing of its answer is disconnected",
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        "MG_PROVISION_TRUSTED_PROXIES",
        "server.trusted_proxies",
        "addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For is trusted",
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
        "sealing keys, each 32 bytes in base64, separated by commas; the first seals, all open",
    )
    layouts: str = _setting(
        "layouts", "MG_PROVISION_LAYOUTS", "layouts.directory", "directory of the layout files"
    )
    default_layout: str = _setting(
        "",
        "MG_PROVISION_LAYOUT",
        "layouts.default",
        "layout of requests without one; default: the TOML file's, else gateway",
    )
    atom_url: str = _setting(
        "",
        "MG_PROVISION_ATOM_URL",
        "server.atom_url",
        "Atom, which keeps users, domains, clients and channels of Magistrala 0.40 and later",
    )
    atom_certs: bool = _setting(
        True,  # noqa: FBT003 - the default's place is the same for every setting
        "MG_PROVISION_ATOM_CERTS",
        "server.atom_certs",
        "whether Atom signs the certificates; if not, the embedded certificate authority does",
    )
    atom_max_ttl: str = _setting(
        "720h",
        "MG_PROVISION_ATOM_MAX_TTL",
        "server.atom_max_ttl",
        "longest life of a certificate that Atom signs: its ATOM_CERTS_LEAF_MAX_TTL_SECS",
    )
    clients_url: str = _setting(
        "",
        "MG_PROVISION_CLIENTS_URL MG_PROVISION_CLIENTS_LOCATION MG_PROVISION_THINGS_LOCATION "
        "MG_CLIENTS_URL MG_THINGS_URL",
        "server.clients_url server.things_url server.clients_location server.things_location",
        "Magistrala's clients service; no Magistrala address at all: the embedded platform",
    )
    channels_url: str = _setting(
        "",
        "MG_PROVISION_CHANNELS_URL MG_CHANNELS_URL",
        "server.channels_url",
        "Magistrala's channels service",
    )
    users_url: str = _setting(
        "",
        "MG_PROVISION_USERS_URL MG_PROVISION_USERS_LOCATION",
        "server.users_url server.users_location",
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
        "MG_PROVISION_CERTS_URL MG_PROVISION_CERTS_SVC_URL MG_PROVISION_CERTS_LOCATION",
        "server.mg_certs_url server.certs_url",
        "Magistrala's certs service; none: the embedded certificate authority",
    )
    bootstrap_url: str = _setting(
        "",
        "MG_PROVISION_BS_SVC_URL MG_PROVISION_BS_SVC_WHITELIST_URL MG_BOOTSTRAP_URL",
        "server.mg_bs_url server.mg_white_list server.mg_whit_list",
        "not used: the bootstrap service is part of this one",
    )
    verify_tls: bool = _setting(
        True,  # noqa: FBT003 - the default's place is the same for every setting
        "MG_PROVISION_ENV_CLIENTS_TLS",
        "server.tls",
        "whether the platform's TLS certificates are verified",
    )
    ca_file: str = _setting(
        "",
        "MG_PROVISION_CA_CERTS",
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
    email: str = _setting(
        "",
        "MG_PROVISION_EMAIL",
        "server.mg_email",
        "e-mail address, in place of MG_PROVISION_USERNAME",
    )
    username: str = _setting(
        "",
        "MG_PROVISION_USERNAME MG_PROVISION_USER",
        "server.mg_username server.mg_user",
        "user that requests without an Authorization header act as",
    )
    password: Secret = _setting(
        Secret(""),
        "MG_PROVISION_PASS MG_PROVISION_PASSWORD",
        "server.mg_pass",
        "that user's password",
    )
    api_key: Secret = _setting(
        Secret(""),
        "MG_PROVISION_API_KEY",
        "server.mg_api_key",
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
        "MG_PROVISION_X509_PROVISIONING",
        "bootstrap.x509_provision",
        "certificates for every client; default: as the layout says",
    )
    bootstrap_provision: bool | None = _setting(
        None,
        "MG_PROVISION_BS_CONFIG_PROVISIONING",
        "bootstrap.provision",
        "a bootstrap config for the gateway; default: as the layout says",
    )
    auto_whitelist: bool | None = _setting(
        None,
        "MG_PROVISION_BS_AUTO_WHITELIST",
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
        "MG_PROVISION_BS_CONTENT",
        "",
        "JSON content of configs without a profile; default: as the layout says",
    )
    certificate_ttl: str = _setting(
        "",
        "MG_PROVISION_CERTS_HOURS_VALID",
        "cert.ttl certs.ttl cert.days_valid certs.days_valid",
        "life of certificates in Go's syntax (2400h); default: as the layout says, else 2400h",
    )
    certificate_bits: str = _setting(
        "",
        "MG_PROVISION_CERTS_RSA_BITS",
        "cert.key_bits certs.key_bits",
        "bits of RSA keys, 2048 or 4096; default: as the layout says, else ec-p256",
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
        "how long clients' private keys are stored: always, until_fetched or never",
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
    issuer_crl: str = _setting(
        "",
        "MG_PROVISION_ISSUER_CRL",
        "cert.issuer_crl",
        "PEM file with the CRLs of the authorities above that one; it is read at each request",
    )
    issuer_key_passphrase: Secret = _setting(
        Secret(""),
        "MG_PROVISION_ISSUER_KEY_PASSPHRASE",
        "cert.issuer_key_passphrase",
        "passphrase of that key, where it is encrypted",
    )
    encrypt_key: Secret = _setting(
        Secret(""),
        "MG_BOOTSTRAP_ENCRYPT_KEY",
        "",
        "AES key of the secure bootstrap route (16, 24 or 32 bytes); off until it is set",
    )

    @property
    def uses_magistrala(self) -> bool:
        """Whether a Magistrala up to 0.30 is named, with a service for each kind of thing."""
        return bool(self.clients_url or self.channels_url or self.users_url or self.domains_url)

    @property
    def uses_atom(self) -> bool:
        """Whether an Atom is named; without any platform the embedded one is used."""
        return bool(self.atom_url)

    @property
    def platform(self) -> str:
        """Which platform is used, for people."""
        if self.uses_atom:
            return f"Atom, of Magistrala 0.40 or later, at {self.atom_url}"
        return "Magistrala 0.30 or earlier" if self.uses_magistrala else "embedded"

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
