"""The bootstrap core put together: give it a store, keys and the platform, and take its routes.

    core = BootstrapCore(engine, sealer, identity, resources, Options())
    app = Starlette(routes=core.routes())
    app.router.redirect_slashes = False     # a path that ends in a slash is a path of its own
    # in the lifespan, once the tables of bootstrap_core.tables exist:
    core.start()
    ...
    await core.stop()

The application renders the errors of ``bootstrap_core.errors``. An engine for SQLite must open its
transactions itself and not leave that to the driver, which forgets it where savepoints are used
(SQLAlchemy's documentation of pysqlite: "Serializable isolation / Savepoints / Transactional DDL").
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route

from bootstrap_core.client_configs import ClientConfigs
from bootstrap_core.configs import Configs
from bootstrap_core.delivery import Delivery
from bootstrap_core.device_reads import open_reads
from bootstrap_core.enrolling import Enroller
from bootstrap_core.enrollments import Enrollments
from bootstrap_core.fetch_log import FetchLog
from bootstrap_core.http import config_routes, profile_routes
from bootstrap_core.http.admission import Door
from bootstrap_core.http.config_routes import ConfigRoutes
from bootstrap_core.http.device_routes import (
    device_operations,
    device_routes,
    domain_device_routes,
)
from bootstrap_core.http.enrollment_routes import EnrollmentRoutes
from bootstrap_core.http.inspection_routes import InspectionRoutes
from bootstrap_core.http.profile_routes import ProfileRoutes
from bootstrap_core.http.requests import Bodies
from bootstrap_core.http.thing_routes import ThingRoutes
from bootstrap_core.inspection import Inspection
from bootstrap_core.keys import COST, Cost, KeyHasher, VerifiedKeys
from bootstrap_core.openapi import Operation, routes
from bootstrap_core.parts_maker import PartsMaker
from bootstrap_core.ports import Identity, Resources
from bootstrap_core.preview import Previews
from bootstrap_core.profiles import Profiles
from bootstrap_core.rendered import RenderedContent
from bootstrap_core.rendering import Renderer
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret
from bootstrap_core.secure_transport import SecureTransport
from bootstrap_core.things import Things
from bootstrap_core.throttle import PER_ADDRESS, PER_DEVICE, Allowance, Throttle

SLASHED = (config_routes.COLLECTION, profile_routes.COLLECTION)


@frozen
class Options:
    """How the core behaves; every default is meant for production.

    ``encrypt_key`` (16, 24 or 32 bytes of text) turns the secure routes on.
    """

    encrypt_key: Secret = Secret("")
    body_bytes: int = 1024 * 1024
    key_cost: Cost = COST
    key_threads: int | None = None
    verified_seconds: float = 3600.0
    failures_per_device: Allowance = PER_DEVICE
    failures_per_address: Allowance = PER_ADDRESS
    refusal_step: float = 0.1
    rendered_bytes: int = 128 * 1024 * 1024
    fetch_log_seconds: float = 1.0


class BootstrapCore:
    """All parts of the core, wired.

    ``hasher`` and ``enroller`` are for whoever enrolls devices in transactions of its own.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        identity: Identity,
        resources: Resources,
        options: Options,
    ) -> None:
        """Wire the parts; nothing is opened before ``start``. Raises ``EncryptKeyInvalid``."""
        renderer = Renderer()
        self.hasher = KeyHasher(options.key_cost, options.key_threads)
        self.enroller = Enroller(sealer)
        self.fetch_log = FetchLog(engine, options.fetch_log_seconds)
        self._reads = open_reads(engine)
        self._transport = SecureTransport(options.encrypt_key) if options.encrypt_key else None
        self.delivery = Delivery(
            self._reads,
            self.hasher,
            sealer,
            renderer,
            self.fetch_log,
            verified=VerifiedKeys(options.verified_seconds),
            throttle=Throttle(options.failures_per_device, options.failures_per_address),
            rendered=RenderedContent(options.rendered_bytes),
            refusal_step=options.refusal_step,
        )
        configs = Configs(engine, self.hasher, sealer, self.fetch_log)
        profiles = Profiles(engine, renderer)
        previews = Previews(engine, profiles, sealer, renderer)
        things = Things(engine, configs, resources)
        of_clients = ClientConfigs(engine, configs, resources, sealer)
        door, bodies = Door(identity), Bodies(options.body_bytes)
        self._parts = (
            ConfigRoutes(door, configs, of_clients, bodies),
            InspectionRoutes(door, Inspection(configs, self._reads, PartsMaker(sealer, renderer))),
            ProfileRoutes(door, profiles, previews, bodies),
            EnrollmentRoutes(door, Enrollments(engine, resources, sealer), bodies),
            ThingRoutes(door, things, configs, bodies),
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
