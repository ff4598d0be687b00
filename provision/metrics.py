"""What is counted, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
