"""``/health`` and ``/metrics``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from attrs import asdict, frozen
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.http.answers import JsonAnswer
from bootstrap_core.http.openapi import Operation, Reply
from bootstrap_core.work import may_fail_unheard
from provision.build_info import BuildInfo
from provision.metrics import Metrics
from provision.platform.errors import PlatformError
from provision.platform.port import Presence
from provision.platform.types import FoundPlatform
from provision.store.database import StoreEngine
from provision.store.faults import cause_of, public_cause_of

UNAVAILABLE = 503
PATIENCE = 2.0
"""Seconds that the store may take; the image's health check waits for three."""


class HealthAnswer(JsonAnswer):
    """A health document (draft-inadarei-api-health-check)."""

    media_type = "application/health+json"


@frozen
class OperationsRoutes:
    """Tells monitoring how the service is."""

    store: StoreEngine
    metrics: Metrics
    count_onboardings: Callable[[], Awaitable[Mapping[str, int]]]
    certificate_ends: Callable[[], Awaitable[Mapping[str, datetime]]]
    states: tuple[str, ...]
    build: BuildInfo
    instance_id: str
    presence: Presence | None = None

    def operations(self) -> list[Operation]:
        """Return what is served; it needs no credentials."""
        return [
            Operation(
                method="GET",
                path="/health",
                handler=self.health,
                id="health",
                summary="Show whether the service works",
                tag="operations",
                replies={
                    200: Reply(
                        "It works; warn where the platform does not",
                        "Health",
                        HealthAnswer.media_type,
                    ),
                    503: Reply("Its store does not answer", "Health", HealthAnswer.media_type),
                },
                security="",
            ),
            Operation(
                method="GET",
                path="/metrics",
                handler=self.show_metrics,
                id="metrics",
                summary="Metrics for Prometheus",
                tag="operations",
                replies={200: Reply("All metrics", "Metrics", "text/plain")},
                security="",
            ),
        ]

    async def health(self, _: Request) -> Response:
        """Answer ``pass``, or ``fail`` with 503 while the store does not answer.

        While the platform can't be used it is ``warn``: devices are served all the same.
        """
        document: dict[str, Any] = {
            "status": "pass",
            "version": self.build.version,
            "commit": self.build.commit,
            "description": "provision service",
            "build_time": self.build.build_time,
            "instance_id": self.instance_id,
        }
        trouble, platform, found = await asyncio.gather(
            self._trouble(), self._platform_troubles(), self._platform_found()
        )
        if found:
            document["platform"] = asdict(found)
        checks = {
            f"platform:{service}": [{"status": "fail", "output": words}]
            for service, words in platform.items()
        }
        if trouble:
            checks["store"] = [{"status": "fail", "output": trouble}]
            return HealthAnswer({**document, "status": "fail", "checks": checks}, UNAVAILABLE)
        if checks:
            return HealthAnswer({**document, "status": "warn", "checks": checks})
        return HealthAnswer(document)

    async def _platform_troubles(self) -> Mapping[str, str]:
        """Say what is wrong with the platform's services; none where all are there."""
        if self.presence is None:
            return {}
        looking = asyncio.ensure_future(self.presence.troubles())
        done, _ = await asyncio.wait({looking}, timeout=PATIENCE)
        if not done:
            looking.cancel()
            return {"all": f"the platform does not answer within {PATIENCE:g} s"}
        return looking.result()

    async def _platform_found(self) -> FoundPlatform | None:
        """Say which platform answers; nothing where none does, or it is a part of the service."""
        if self.presence is None:
            return None
        try:
            return await asyncio.wait_for(self.presence.found(), PATIENCE)
        except (PlatformError, TimeoutError):
            return None

    async def _trouble(self) -> str:
        """Say why the store can't be used; empty where it can."""
        # Where the store is frozen, letting go of its connection takes longer than anybody asks.
        checking = may_fail_unheard(asyncio.ensure_future(self.store.check()))
        done, _ = await asyncio.wait({checking}, timeout=PATIENCE)
        if not done:
            checking.cancel()
            return f"the database does not answer within {PATIENCE:g} s"
        error = checking.exception()
        if error is None:
            return ""
        structlog.get_logger().warning("the store can't be used", error=cause_of(error))
        return public_cause_of(error)

    async def show_metrics(self, _: Request) -> Response:
        """Answer all metrics in Prometheus' text format."""
        counted = await self.count_onboardings()
        for state in self.states:
            self.metrics.onboarding_rows.labels(state).set(counted.get(state, 0))
        self.metrics.note_certificate_ends(await self.certificate_ends(), datetime.now(UTC))
        return Response(self.metrics.render(), media_type=CONTENT_TYPE_LATEST)
