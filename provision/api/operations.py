"""``/health`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from attrs import frozen
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.openapi import Operation, Reply
from provision.api.answers import JsonAnswer
from provision.build_info import BuildInfo
from provision.metrics import Metrics

UNAVAILABLE = 503


class HealthAnswer(JsonAnswer):
    """A health document (draft-inadarei-api-health-check)."""

    media_type = "application/health+json"


@frozen
class OperationsRoutes:
    """Tells monitoring how the service is."""

    engine: AsyncEngine
    metrics: Metrics
    count_onboardings: Callable[[], Awaitable[Mapping[str, int]]]
    certificate_ends: Callable[[], Awaitable[Mapping[str, datetime]]]
    states: tuple[str, ...]
    build: BuildInfo
    instance_id: str

    def operations(self) -> list[Operation]:
        """Return what is served; it needs no credentials."""
        return [
            Operation(
                method="GET",
                path="/health",
                handler=self.health,
                id="health",
                summary="Tell whether the service works",
                tag="operations",
                replies={
                    200: Reply("It works", "Health", HealthAnswer.media_type),
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
        """Answer ``pass``, or ``fail`` with 503 while the store does not answer."""
        document = {
            "status": "pass",
            "version": self.build.version,
            "commit": self.build.commit,
            "description": "provision service",
            "build_time": self.build.build_time,
            "instance_id": self.instance_id,
        }
        try:
            async with self.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception:
            return HealthAnswer({**document, "status": "fail"}, UNAVAILABLE)
        return HealthAnswer(document)

    async def show_metrics(self, _: Request) -> Response:
        """Answer all metrics in Prometheus' text format."""
        counted = await self.count_onboardings()
        for state in self.states:
            self.metrics.onboarding_rows.labels(state).set(counted.get(state, 0))
        self.metrics.note_certificate_ends(await self.certificate_ends(), datetime.now(UTC))
        return Response(self.metrics.render(), media_type=CONTENT_TYPE_LATEST)
