"""What is counted, for Prometheus."""

from __future__ import annotations

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from provision.onboarding.model import Onboarding, State

ONBOARDING_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30)


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        """Start every metric at zero."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "provision_http_requests",
            "HTTP requests by route, method and status",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "provision_http_request_seconds",
            "Time to answer an HTTP request, by route",
            ("route",),
            registry=self.registry,
        )
        self.onboardings = Counter(
            "provision_onboardings",
            "Onboardings that ended, by outcome (created, reused, ..., failed, undone)",
            ("outcome",),
            registry=self.registry,
        )
        self.onboarding_seconds = Histogram(
            "provision_onboarding_seconds",
            "Time from the intent to the commit",
            buckets=ONBOARDING_BUCKETS,
            registry=self.registry,
        )
        self.onboarding_rows = Gauge(
            "provision_onboarding_rows",
            "Rows of the journal, by state; anything in stuck needs a look",
            ("state",),
            registry=self.registry,
        )

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class OnboardingObserver:
    """Counts how onboardings end, and logs it."""

    def __init__(self, metrics: Metrics) -> None:
        """Count into ``metrics``."""
        self._metrics = metrics
        self._log = structlog.get_logger()

    def note(self, onboarding: Onboarding, action: str, outcome: str) -> None:
        """Take note of one transition."""
        self._metrics.onboardings.labels(outcome).inc()
        if onboarding.state is State.DONE:
            seconds = sum(step.seconds for step in onboarding.steps)
            self._metrics.onboarding_seconds.observe(seconds)
        write = self._log.warning if onboarding.error_code else self._log.info
        write(
            "onboarding",
            action=action,
            outcome=outcome,
            state=onboarding.state.value,
            onboarding_id=onboarding.id,
            domain_id=onboarding.domain_id,
            external_id=onboarding.external_id,
            error=onboarding.error_message,
        )
