"""Where a Magistrala is and how patiently it is spoken to: values, read from nowhere here."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from attrs import field, frozen, validators

from provision.platform.errors import Misconfigured

MEBIBYTE: Final = 1_048_576


@frozen
class Endpoints:
    """The base address of each service (``http://clients:9006``); they may all be the same."""

    clients: str
    channels: str
    users: str
    domains: str
    certs: str

    def of(self, service: str) -> str:
        """Return the base address of a service by its name, without a slash at the end."""
        address: str = getattr(self, service)
        return address.rstrip("/")


@frozen
class TransportSettings:
    """Time-outs (seconds), retries, pool and TLS of the connection to the platform.

    ``call_timeout`` is for one attempt, ``total_timeout`` for a call with all its attempts and the
    waits between them. ``backoff`` is the first wait's longest; each further one may be twice as
    long, up to ``longest_backoff``. After ``breaker_failures`` failed attempts in a row a service
    counts as down for ``breaker_seconds``. ``ca_file`` replaces the public authorities;
    without ``verify`` the platform's certificates are not looked at.
    """

    connect_timeout: float = field(default=2.0, validator=validators.gt(0))
    call_timeout: float = field(default=10.0, validator=validators.gt(0))
    total_timeout: float = field(default=30.0, validator=validators.gt(0))
    attempts: int = field(default=4, validator=validators.ge(1))
    backoff: float = field(default=0.1, validator=validators.ge(0))
    longest_backoff: float = field(default=2.0, validator=validators.ge(0))
    pool_size: int = field(default=32, validator=validators.ge(1))
    most_answer_bytes: int = field(default=8 * MEBIBYTE, validator=validators.ge(1))
    breaker_failures: int = field(default=5, validator=validators.ge(1))
    breaker_seconds: float = field(default=5.0, validator=validators.gt(0))
    verify: bool = True
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context of the files named; raises ``Misconfigured``."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(
                f"the CA file {self.ca_file} can't be used: {error}; it must hold certificates "
                "in PEM form"
            ) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate is not None:
            try:
                context.load_cert_chain(self.client_certificate, self.client_key)
            except (OSError, ssl.SSLError) as error:
                raise Misconfigured(
                    f"the client certificate {self.client_certificate} and its key "
                    f"{self.client_key} can't be used: {error}; both must be in PEM form, the key "
                    "without a passphrase"
                ) from error
        return context
