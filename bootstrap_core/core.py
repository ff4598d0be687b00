"""The bootstrap core put together: give it a store, keys and the platform, and take its routes.

    core = BootstrapCore(Foundation.lay(engine, sealer, Options()), identity, resources)
    app = Starlette(routes=core.routes())
    app.router.redirect_slashes = False     # a path that ends in a slash is a path of its own
    # in the lifespan, once the tables of bootstrap_core.store.tables exist:
    core.start()
    ...
    await core.stop()

The application renders the errors of ``bootstrap_core.errors``. An engine for SQLite must open its
transactions itself and not leave that to the driver, which forgets it where savepoints are used
(SQLAlchemy's documentation of pysqlite: "Serializable isolation / Savepoints / Transactional DDL").
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route

from bootstrap_core.client_configs import ClientConfigs
from bootstrap_core.configs import Configs
from bootstrap_core.delivery.answers import PartsMaker, RenderedContent
from bootstrap_core.delivery.delivery import Delivery
from bootstrap_core.delivery.fetch_log import FetchLog
from bootstrap_core.delivery.preview import Inspection, Previews
from bootstrap_core.delivery.secure_transport import SecureTransport
from bootstrap_core.enrollments import Enroller, Enrollments
from bootstrap_core.formats.rendering import Renderer
from bootstrap_core.http import config_routes, profile_routes
from bootstrap_core.http.config_routes import ConfigRoutes, EnrollmentRoutes
from bootstrap_core.http.device_routes import (
    InspectionRoutes,
    device_operations,
    device_routes,
    domain_device_routes,
)
from bootstrap_core.http.openapi import Operation, routes
from bootstrap_core.http.profile_routes import ProfileRoutes
from bootstrap_core.http.requests import Bodies, Door
from bootstrap_core.http.thing_routes import ThingRoutes
from bootstrap_core.keys import COST, Cost, KeyHasher
from bootstrap_core.mainflux import Things
from bootstrap_core.ports import Identity, Resources
from bootstrap_core.profiles import Profiles
from bootstrap_core.secrets import Sealer, Secret
from bootstrap_core.store.device_reads import open_reads
from bootstrap_core.store.ownership import Ownership
from bootstrap_core.store.pair_rows import KeyChanges, PairDigests
from bootstrap_core.throttle import PER_ADDRESS, PER_DEVICE, Allowance, Throttle

SLASHED = (config_routes.COLLECTION, profile_routes.COLLECTION)


@frozen
class Options:
    """How the core behaves; every default is meant for production.

    ``encrypt_key`` (16, 24 or 32 bytes of text) turns the secure routes on.
    ``pair_digests`` has the key of the digests of external IDs and keys: give the same one after a
    restart and in every process, or each device's key is verified by its slow hash once more.
    """

    encrypt_key: Secret = Secret("")
    body_bytes: int = 1024 * 1024
    key_cost: Cost = COST
    key_threads: int | None = None
    pair_digests: PairDigests = field(factory=PairDigests)
    failures_per_device: Allowance = PER_DEVICE
    failures_per_address: Allowance = PER_ADDRESS
    refusal_step: float = 0.1
    rendered_bytes: int = 128 * 1024 * 1024
    fetch_log_seconds: float = 1.0


@frozen
class Foundation:
    """What the core stands on, before it is known who asks and which platform it works with.

    ``hasher``, ``enroller`` and ``ownership`` are for whoever enrolls devices in transactions of
    its own.
    """

    engine: AsyncEngine
    sealer: Sealer
    options: Options
    hasher: KeyHasher
    enroller: Enroller
    ownership: Ownership

    @classmethod
    def lay(cls, engine: AsyncEngine, sealer: Sealer, options: Options) -> Foundation:
        """Make it; nothing is opened yet."""
        digests = options.pair_digests
        return cls(
            engine,
            sealer,
            options,
            KeyHasher(options.key_cost, options.key_threads),
            Enroller(sealer, digests=digests),
            Ownership(engine, digests, KeyChanges()),
        )


class BootstrapCore:
    """All parts of the core, wired."""

    def __init__(self, foundation: Foundation, identity: Identity, resources: Resources) -> None:
        """Wire the parts; nothing is opened before ``start``. Raises ``EncryptKeyInvalid``."""
        engine, sealer, options = foundation.engine, foundation.sealer, foundation.options
        renderer = Renderer()
        self.hasher, self.enroller = foundation.hasher, foundation.enroller
        self.ownership = ownership = foundation.ownership
        self.fetch_log = FetchLog(engine, options.fetch_log_seconds)
        self._reads = open_reads(engine, options.pair_digests.key_id)
        self._transport = SecureTransport(options.encrypt_key) if options.encrypt_key else None
        self.delivery = Delivery(
            self._reads,
            self.hasher,
            sealer,
            renderer,
            self.fetch_log,
            ownership=ownership,
            throttle=Throttle(options.failures_per_device, options.failures_per_address),
            rendered=RenderedContent(options.rendered_bytes),
            refusal_step=options.refusal_step,
        )
        configs = Configs(engine, self.hasher, sealer, self.fetch_log, ownership)
        profiles = Profiles(engine, renderer)
        previews = Previews(engine, profiles, sealer, renderer)
        things = Things(engine, configs, resources)
        of_clients = ClientConfigs(engine, configs, resources, sealer)
        door, bodies = Door(identity), Bodies(options.body_bytes, null_is_empty=True)
        self._parts = (
            ConfigRoutes(door, configs, of_clients, bodies),
            InspectionRoutes(door, Inspection(configs, self._reads, PartsMaker(sealer, renderer))),
            ProfileRoutes(door, profiles, previews, bodies),
            EnrollmentRoutes(door, Enrollments(engine, resources, sealer), bodies),
            ThingRoutes(door, things, configs, of_clients, bodies),
        )

    def start(self) -> None:
        """Begin to write the fetch log, on the running event loop."""
        self.fetch_log.start()

    async def stop(self) -> None:
        """Write what is left, and let go of threads and connections; not of the engine.

        Raises what the store raises, once all is let go of.
        """
        try:
            await self.fetch_log.stop()
        finally:
            self.hasher.close()
            await self._reads.close()

    def operations(self) -> Sequence[Operation]:
        """Describe every route, for the OpenAPI document (``bootstrap_core.http.schemas``)."""
        served = [each for part in self._parts for each in part.operations()]
        return [*served, *device_operations()]

    def routes(self) -> Sequence[Route]:
        """Return the routes, those of devices first.

        They go before routes of the kind ``/{domain_id}/clients/{client_id}``.
        """
        served = [each for part in self._parts for each in part.operations()]
        slashed = [evolve(each, path=each.path + "/") for each in served if each.path in SLASHED]
        return [
            *device_routes(self.delivery, self._transport),
            *routes([*served, *slashed]),
            *domain_device_routes(self.delivery, self._transport),
        ]
