"""The list of all metrics, from the registry that ``/metrics`` is written from."""

from __future__ import annotations

from prometheus_client import Metric

from provision.layout.catalog import LayoutCatalog
from provision.metrics import Metrics
from tests.cli.served import ROOT

SUFFIX = {"counter": "_total"}


def write() -> str:
    """Return a Markdown table of every metric: name and labels, type, meaning."""
    metrics = Metrics()
    catalog = LayoutCatalog(ROOT / "layouts", default="gateway")
    catalog.reload_changed()
    metrics.watch_layouts(catalog)
    rows = ["| metric | type | meaning |", "|---|---|---|"]
    labels = {
        of._name: of._labelnames  # A metric without a value tells them nowhere else.
        for of in vars(metrics).values()
        if hasattr(of, "_labelnames")
    }
    for metric in sorted(metrics.registry.collect(), key=lambda metric: metric.name):
        names = ", ".join(labels.get(metric.name, _labels_of(metric)))
        shown = f"{metric.name}{SUFFIX.get(metric.type, '')}" + (f"{{{names}}}" if names else "")
        rows.append(f"| `{shown}` | {metric.type} | {metric.documentation} |")
    return "\n".join(rows)


def _labels_of(metric: Metric) -> tuple[str, ...]:
    return tuple(metric.samples[0].labels) if metric.samples else ()
