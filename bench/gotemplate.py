"""The template engine's figures: ``python -m bench.gotemplate``.

The Raspberry Pi temperature profile, rendered when parsed once, and parsed and rendered each time.
Both are renders a second on one core, the best of many short runs, since whatever else the machine
does can only make a run slower.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from bench.result import Result, at_least, at_most, show
from bootstrap_core.gotemplate import Template
from bootstrap_core.gotemplate.context import from_json
from bootstrap_core.rendering import (
    ContentFormat,
    RenderBinding,
    RenderContext,
    RenderDevice,
    Renderer,
    RenderProfile,
)
from tests.gotemplate.test_hostile import HOSTILE, attempt

RENDERS: Final = 80_000
PARSES: Final = 5_000

PROFILE: Final = r"""{
 "device": {
 "id": "{{ .Device.ID }}",
 "external_id": "{{ .Device.ExternalID }}",
 "site": "{{ .Vars.site }}",
 "sensor": "{{ .Vars.sensor }}",
 "sample_interval_seconds": {{ .Vars.sample_interval_seconds }}
 },
 "mqtt": {
 "host": "{{ .Vars.mqtt_host }}",
 "port": {{ .Vars.mqtt_port }},
 "client_id": "{{ index (index .Bindings "mqtt_client").Snapshot "identity" }}",
 "client_secret": "{{ index (index .Bindings "mqtt_client").Secret "secret" }}",
 "telemetry_channel_id": "{{ (index .Bindings "telemetry").ID }}"
 }
}"""
DEVICE: Final = ("3094cf29-e73f-4be1-a4d2-b5c5d7a827ec", "rpi-warehouse-1-temp-001", "d2b1f0c0")
VARIABLES: Final = {
    "mqtt_host": "localhost",
    "mqtt_port": 8883,
    "sample_interval_seconds": 15,
    "sensor": "DHT22",
    "site": "warehouse-1",
}
CLIENT: Final = ("client", "6b5f5f74-f3b1-4b78-9d9a-4b7d9b0f2d11")
IDENTITY: Final = {"id": CLIENT[1], "identity": "raspberry-pi-warehouse-1"}
SECRET: Final = {"secret": "example-client-secret"}
CHANNEL: Final = ("channel", "0df6c6a5-0dc7-4bb7-8298-0e3c8a89d913")


def run() -> list[Result]:
    """Measure."""
    data = from_json(
        {
            "Device": dict(zip(("ID", "ExternalID", "DomainID"), DEVICE, strict=True)),
            "Vars": VARIABLES,
            "Bindings": {
                "mqtt_client": {
                    "Type": CLIENT[0],
                    "ID": CLIENT[1],
                    "Snapshot": IDENTITY,
                    "Secret": SECRET,
                },
                "telemetry": {"Type": CHANNEL[0], "ID": CHANNEL[1]},
            },
        }
    )
    template = Template.parse(PROFILE)
    assert '"port": 8883' in template.render(data)
    return [
        at_least("template, parsed once", rate(lambda: template.render(data)), RENDERS, "a second"),
        at_least(
            "template, parsed each time",
            rate(lambda: Template.parse(PROFILE).render(data)),
            PARSES,
            "a second",
        ),
        profile_result(),
        hostile_result(),
    ]


def hostile_result() -> Result:
    """Measure the slowest of the hostile templates that the tests know, in seconds of this CPU."""

    def seconds(text: str) -> float:
        times = []
        for _ in range(3):
            start = time.thread_time()
            attempt(text)
            times.append(time.thread_time() - start)
        return min(times)

    worst = max(HOSTILE, key=lambda name: seconds(HOSTILE[name]))
    return at_most("slowest hostile template", seconds(HOSTILE[worst]), 0.3, f"seconds: {worst}")


def profile_result() -> Result:
    """Measure the whole of rendering a profile: context, template, check of the JSON."""
    renderer = Renderer()
    profile = RenderProfile("rpi", ContentFormat.JSON, PROFILE, VARIABLES)
    context = RenderContext(
        RenderDevice(*DEVICE),
        {"sample_interval_seconds": 30},
        {
            "mqtt_client": RenderBinding(*CLIENT, IDENTITY, SECRET),
            "telemetry": RenderBinding(*CHANNEL, {"id": CHANNEL[1]}),
        },
    )
    value = rate(lambda: renderer.render(profile, context))
    return at_least("profile to checked JSON", value, RENDERS / 4, "a second")


def rate(work: Callable[[], object], runs: int = 300, seconds: float = 0.004) -> float:
    """Return how often ``work`` can be done in a second, by the best of ``runs`` short runs."""
    work()
    best = 0.0
    for _ in range(runs):
        count = 0
        start = now = time.perf_counter()
        while now - start < seconds:
            for _ in range(5):
                work()
            count += 5
            now = time.perf_counter()
        best = max(best, count / (now - start))
    return best


def main(_arguments: Sequence[str] = ()) -> int:
    """Print the figures; return 1 if one is not as it has to be."""
    return 0 if show(run()) else 1


if __name__ == "__main__":
    sys.exit(main())
