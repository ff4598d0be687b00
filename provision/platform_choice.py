"""Which platform is used: an Atom or a Magistrala where one is named, else the embedded one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import structlog
from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route

from bootstrap_core.secrets import Sealer, Secret
from provision.authentication import HomeDomain, no_home
from provision.embedded.access import Entered
from provision.embedded.authority import EmbeddedAuthority, Members
from provision.embedded.certificate_routes import (
    OCSP,
    REVOCATION_LIST,
    AuthorityRoutes,
    CertificateRoutes,
)
from provision.embedded.errors import Missing, WrongPassword
from provision.embedded.issuer_store import (
    NoUpperLists,
    OperatorsLists,
    RootList,
    UpperLists,
    open_issuer,
)
from provision.embedded.platform import EmbeddedKeys, EmbeddedPlatform
from provision.embedded.routes import routes as embedded_routes
from provision.embedded.start import USERNAME, ServerCertificates, first_start, new_password
from provision.embedded.users import Passwords
from provision.errors import StartError
from provision.layout.model import parse_lifetime
from provision.onboarding.certificates.renewal import OwnAuthority
from provision.own_authority import (
    HoldersMade,
    NobodyAsks,
    NoCredentials,
    NoTokenNeeded,
    OwnClients,
)
from provision.pki.errors import PkiError
from provision.pki.issuer import Issuer, read_issuer
from provision.pki.profiles import ClientProfile
from provision.pki.status import without_list
from provision.pki.trial import try_issuer
from provision.platform.atom.adapter import Atom, AtomPresence
from provision.platform.atom.calls import Endpoint
from provision.platform.atom.certificates import AtomCertificates
from provision.platform.calls import TransportSettings
from provision.platform.credentials import ApiKey, PasswordSignIn, TokenSource
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.magistrala.calls import Endpoints
from provision.platform.magistrala.certificates import MagistralaCertificates
from provision.platform.magistrala.users import MagistralaPresence
from provision.platform.port import CertificateAuthority, Platform, Presence, Tokens
from provision.platform.transport import Transport
from provision.settings import Settings
from provision.store.data_directory import DataDirectory
from provision.store.key_store import KeyStore

ORGANIZATION = "provision"
GO_DEFAULT = "http://localhost"
TOTAL_TIMEOUTS = 3
WRONG_PASSWORD_PAUSE = timedelta(minutes=15)
"""Five wrong passwords lock an account of Atom for that long."""


@frozen
class PlatformChoice:
    """The platform in use, with the routes that it adds where it is embedded.

    There is one authority, asked in three ways: ``authority`` for a caller who names a client,
    ``onboarding_authority`` for the clients of a plan, ``own_authority`` without any caller.
    ``home`` tells which of several domains a request means that names none. ``presence`` looks
    whether a Magistrala is where the settings say. ``on_entry`` has a function told of every
    request to these routes that comes with a valid token.
    """

    platform: Platform
    authority: CertificateAuthority
    onboarding_authority: CertificateAuthority
    own_authority: OwnAuthority
    own: TokenSource | None
    routes: tuple[Route, ...] = ()
    home: HomeDomain = no_home
    presence: Presence | None = None
    on_entry: Callable[[Entered], None] = lambda _: None


@contextlib.asynccontextmanager
async def open_platform(
    settings: Settings,
    engine: AsyncEngine,
    sealer: Sealer,
    data: DataDirectory,
    wire: httpx.AsyncBaseTransport | None,
    now: Callable[[], datetime],
) -> AsyncIterator[PlatformChoice]:
    """Open the platform that the settings name, and close it at the end.

    ``wire`` stands in for the network to a Magistrala, in tests; ``now`` is the time that
    certificates are made by. Raises ``StartError``: the authority's files can't be used.
    """
    store = _Store(settings, engine, sealer, now)
    if settings.uses_atom:
        async with _atom(store, wire) as choice:
            yield choice
        return
    if not settings.uses_magistrala:
        async with _embedded(store, data) as choice:
            yield choice
        return
    async with Transport(endpoints(settings), transport_settings(settings), wire) as transport:
        magistrala = Magistrala(transport)
        own = own_credentials(settings, magistrala)
        presence = MagistralaPresence(transport)
        if settings.certs_url:
            authority = MagistralaCertificates(transport, magistrala.clients)
            background = OwnAuthority(authority, own or NoCredentials())
            yield PlatformChoice(
                magistrala, authority, authority, background, own, presence=presence
            )
            return
        yield await _with_own_authority(store, magistrala, own, presence)


@contextlib.asynccontextmanager
async def _atom(
    store: _Store, wire: httpx.AsyncBaseTransport | None
) -> AsyncIterator[PlatformChoice]:
    settings = store.settings
    endpoint = Endpoint(settings.atom_url)
    async with Transport(endpoint, transport_settings(settings), wire) as transport:
        atom = Atom(transport)
        own = own_credentials(settings, atom, WRONG_PASSWORD_PAUSE)
        presence = AtomPresence(transport)
        if not settings.atom_certs:
            yield await _with_own_authority(store, atom, own, presence)
            return
        maximum = timedelta(seconds=parse_lifetime(settings.atom_max_ttl))
        authority = AtomCertificates(atom.graph, maximum)
        background = OwnAuthority(authority, own or NoCredentials())
        yield PlatformChoice(atom, authority, authority, background, own, presence=presence)


async def _with_own_authority(
    store: _Store, platform: Platform, own: TokenSource | None, presence: Presence
) -> PlatformChoice:
    """Return a platform whose certificates the service's own authority signs."""
    issuer = await _issuer(store)
    members = _Members(platform)
    embedded = _authority(store, issuer, members)
    onboarding = _authority(store, issuer, HoldersMade(members))
    background = OwnAuthority(_authority(store, issuer, NobodyAsks()), NoTokenNeeded())
    public = tuple(AuthorityRoutes(embedded).routes())
    return PlatformChoice(
        platform, embedded, onboarding, background, own, public, presence=presence
    )


def own_credentials(
    settings: Settings, tokens: Tokens, pause: timedelta = timedelta(0)
) -> TokenSource | None:
    """Return the configured credentials: an API key before a user and password.

    A password that was refused is not tried again for ``pause``.
    """
    if settings.api_key:
        return ApiKey(settings.api_key)
    if user := settings.username or settings.email:
        return PasswordSignIn(tokens, user, settings.password, pause=pause)
    return None


@frozen
class _Store:
    """The settings, and what the embedded parts are kept in."""

    settings: Settings
    engine: AsyncEngine
    sealer: Sealer
    now: Callable[[], datetime]


@contextlib.asynccontextmanager
async def _embedded(store: _Store, data: DataDirectory) -> AsyncIterator[PlatformChoice]:
    settings, engine, sealer = store.settings, store.engine, store.sealer
    keys = KeyStore(engine, sealer)
    passwords = Passwords()
    platform = EmbeddedPlatform(
        engine,
        EmbeddedKeys(await keys.key("tokens"), await keys.key("client secrets")),
        sealer,
        passwords,
    )
    await _prepare_operator(platform, data)
    issuer = await _issuer(store)
    authority = _authority(store, issuer, platform)
    onboarding = _authority(store, issuer, HoldersMade(platform))
    background = OwnAuthority(_authority(store, issuer, OwnClients(engine)), NoTokenNeeded())
    served = (
        *CertificateRoutes(platform, authority).routes(),
        *embedded_routes(platform, settings.domain_id),
    )
    try:
        own = own_credentials(settings, platform)
        yield PlatformChoice(
            platform,
            authority,
            onboarding,
            background,
            own,
            served,
            platform.home_domain,
            on_entry=platform.access.on_entry,
        )
    finally:
        passwords.close()


@frozen
class _Members:
    """Membership and clients, as the authority asks a Magistrala for them.

    As with Magistrala's own certs service, every member of a domain may have certificates issued
    and revoked.
    """

    platform: Platform

    async def check_member(self, token: Secret, domain_id: str) -> None:
        await self.platform.view_domain(token, domain_id)

    async def check_change(self, token: Secret, domain_id: str) -> None:
        await self.check_member(token, domain_id)

    async def check_holder(self, token: Secret, domain_id: str, client_id: str) -> None:
        # Whoever is no member is not shown the client either: one call tells both.
        await self.platform.clients.view(token, domain_id, client_id)


async def _prepare_operator(platform: EmbeddedPlatform, data: DataDirectory) -> None:
    """Make the operator's account at the first start.

    It is written down before it is made: whenever the process dies, there is never an
    administrator whose password nobody knows. Of several replicas that start at once for the
    first time, one makes the account; the others drop what they wrote down.
    """
    account = data.read_operator()
    if not account:
        if not await platform.users.is_empty():
            return
        data.write_operator(USERNAME, password := new_password(), "")
    elif account["domain_id"]:
        return
    else:
        password = Secret(account["password"])
    try:
        operator = await first_start(platform, password)
    except (Missing, WrongPassword):
        data.forget_operator()
        structlog.get_logger().info(
            "another replica has made the operator's account: its data directory has the password"
        )
        return
    data.write_operator(operator.username, operator.password, operator.domain_id)


async def open_server_certificates(
    settings: Settings, engine: AsyncEngine, sealer: Sealer, now: Callable[[], datetime]
) -> ServerCertificates:
    """Return what issues the certificates of servers with the service's authority.

    Raises ``StartError``: Magistrala's certs service signs, or the authority can't be used.
    """
    if settings.uses_atom and settings.atom_certs:
        raise StartError(
            f"the certificates here are signed by Atom at {settings.atom_url}: have its authority "
            "issue the server's certificate, or set MG_PROVISION_ATOM_CERTS=false and use the "
            "service's own authority"
        )
    if settings.uses_magistrala and settings.certs_url:
        raise StartError(
            f"the certificates here are signed by Magistrala's certs service at "
            f"{settings.certs_url}: have its authority issue the server's certificate, or leave "
            "certs_url out and use the service's own authority"
        )
    issuer = await _issuer(_Store(settings, engine, sealer, now))
    return ServerCertificates(engine, issuer, _profile(settings), now)


def _profile(settings: Settings) -> ClientProfile:
    if not (public := settings.public_url.rstrip("/")):
        return ClientProfile()
    return ClientProfile(crl_url=public + REVOCATION_LIST, ocsp_url=public + OCSP)


def _authority(store: _Store, issuer: Issuer, members: Members) -> EmbeddedAuthority:
    profile = _profile(store.settings)
    lists = _upper_lists(store, issuer)
    return EmbeddedAuthority(store.engine, members, issuer, profile, store.now, lists)


def _upper_lists(store: _Store, issuer: Issuer) -> UpperLists:
    settings = store.settings
    if not settings.issuer_chain:
        return RootList(store.engine, store.sealer, store.now)
    if not settings.issuer_crl:
        return NoUpperLists()
    return OperatorsLists(Path(settings.issuer_crl), issuer, store.now)


async def _issuer(store: _Store) -> Issuer:
    """Return the operator's authority where its files are set, else the installation's own."""
    settings, now = store.settings, store.now()
    if not settings.issuer_chain:
        return await open_issuer(store.engine, store.sealer, ORGANIZATION, now)
    issuer = _operators_issuer(settings, now)
    _check_upper_lists(store, issuer)
    return issuer


def _operators_issuer(settings: Settings, now: datetime) -> Issuer:
    passphrase = settings.issuer_key_passphrase.encode() or None
    try:
        chain = Path(settings.issuer_chain).read_bytes()
        key = Path(settings.issuer_key).read_bytes()
        issuer = read_issuer(chain, key, now, passphrase)
        try_issuer(issuer, now)
    except OSError as error:
        raise StartError(
            f"issuer_chain and issuer_key: {error.filename}: {error.strerror}"
        ) from error
    except PkiError as error:
        raise StartError(
            f"issuer_chain {settings.issuer_chain} and issuer_key {settings.issuer_key}: "
            f"{error.message}"
        ) from error
    return issuer


def _check_upper_lists(store: _Store, issuer: Issuer) -> None:
    """See at the start that the operator's CRLs can be used; warn where one is missing or ended."""
    file = store.settings.issuer_crl
    lists: Sequence[bytes] = ()
    if file:
        try:
            lists, ended = OperatorsLists(Path(file), issuer, store.now).check()
        except PkiError as error:
            raise StartError(f"{file}: {error.message}") from error
        if ended:
            structlog.get_logger().warning(f"issuer_crl: {ended}", file=file)
    if missing := without_list(issuer.chain[1:], lists):
        structlog.get_logger().warning(
            "a server that checks the whole chain refuses every device until issuer_crl names a "
            "file with the CRLs of all authorities above the one that signs",
            without_crl=missing,
        )


def endpoints(settings: Settings) -> Endpoints:
    """Return where the services of the Magistrala are that the settings name."""
    users = settings.users_url or GO_DEFAULT
    return Endpoints(
        clients=settings.clients_url or GO_DEFAULT,
        channels=settings.channels_url or settings.clients_url or GO_DEFAULT,
        users=users,
        domains=settings.domains_url or users,
        certs=settings.certs_url or GO_DEFAULT,
    )


def transport_settings(settings: Settings) -> TransportSettings:
    """Return how the platform is spoken to."""

    def path(name: str) -> Path | None:
        return Path(name) if name else None

    return TransportSettings(
        call_timeout=settings.platform_timeout,
        total_timeout=TOTAL_TIMEOUTS * settings.platform_timeout,
        verify=settings.verify_tls,
        ca_file=path(settings.ca_file),
        client_certificate=path(settings.client_cert),
        client_key=path(settings.client_key),
    )
