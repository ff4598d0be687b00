"""What is counted, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import structlog
from attrs import frozen
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from bootstrap_core.delivery.fetch_log import FetchLog
from provision.layout.catalog import LayoutCatalog
from provision.onboarding.model import Onboarding, State

SECONDS_A_DAY = 86_400
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
            "Seconds from the start of an onboarding to its commit",
            buckets=ONBOARDING_BUCKETS,
            registry=self.registry,
        )
        self.onboarding_rows = Gauge(
            "provision_onboarding_rows",
            "Rows of the journal, by state; look at any that are stuck; the same on each replica",
            ("state",),
            registry=self.registry,
        )
        self.certificate_days_left = Gauge(
            "provision_certificate_days_left",
            "Days until the first of a domain's certificates in use expires; below 0: it has "
            "expired; the same on each replica",
            ("domain",),
            registry=self.registry,
        )
        self.certificate_renewals = Counter(
            "provision_certificate_renewals",
            "Renewals in the background, by outcome (renewed, failed)",
            ("outcome",),
            registry=self.registry,
        )

    def watch_layouts(self, catalog: LayoutCatalog) -> None:
        """Tell of the layouts of ``catalog``, too, as they are whenever somebody asks."""
        self.registry.register(LayoutCollector(catalog))

    def watch_fetch_log(self, log: FetchLog) -> None:
        """Tell of ``log``, too, how many fetches it had no room to note."""
        self.registry.register(FetchLogCollector(log))

    def note_certificate_ends(self, ends: Mapping[str, datetime], now: datetime) -> None:
        """Take over when the first certificate of each domain expires; other domains are gone."""
        self.certificate_days_left.clear()
        for domain_id, at in ends.items():
            days = (at - now).total_seconds() / SECONDS_A_DAY
            self.certificate_days_left.labels(domain_id).set(round(days, 3))

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


@frozen
class LayoutCollector(Collector):
    """Tells of each layout whether its file as it is now is what serves."""

    catalog: LayoutCatalog

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics."""
        good = GaugeMetricFamily(
            "provision_layout_good",
            "1 if the layout's present file is in force, 0 if it was refused",
            labels=("layout",),
        )
        problems = GaugeMetricFamily(
            "provision_layout_problems",
            "Errors and warnings of the layout's present file",
            labels=("layout", "severity"),
        )
        for state in self.catalog.states:
            good.add_metric((state.name,), float(state.good))
            for severity in ("error", "warning"):
                count = sum(each.severity == severity for each in state.problems)
                problems.add_metric((state.name, severity), count)
        yield from (good, problems)


@frozen
class FetchLogCollector(Collector):
    """Tells how many notes of devices' fetches were dropped."""

    log: FetchLog

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the metric."""
        yield CounterMetricFamily(
            "provision_fetch_notes_dropped",
            "Notes of devices' fetches that were dropped, since the store did not take them",
            self.log.dropped,
        )


class OnboardingObserver:
    """Counts how onboardings and renewals end, and logs it."""

    def __init__(self, metrics: Metrics) -> None:
        """Count into ``metrics``."""
        self._metrics = metrics
        self._log = structlog.get_logger()

    def renewed(self, outcome: str) -> None:
        """Take note of a renewal of a certificate."""
        self._metrics.certificate_renewals.labels(outcome).inc()

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
