"""The template engine's figures: ``python -m bench gotemplate``.

The Raspberry Pi temperature profile, rendered when parsed once, and parsed and rendered each time.
Both are renders a second on one core, the best of many short runs, since whatever else the machine
does can only make a run slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from bench.progress import say
from bench.result import Figure, Floor, Result
from bootstrap_core.formats.rendering import (
    ContentFormat,
    RenderBinding,
    RenderContext,
    RenderDevice,
    Renderer,
    RenderProfile,
)
from bootstrap_core.gotemplate import Template
from bootstrap_core.gotemplate.context import from_json
from tests.gotemplate.test_hostile import HOSTILE, attempt

PARSED_ONCE: Final = Figure("renders a second, parsed once", Floor.ONE_CORE, least=80_000)
PARSED_EACH_TIME: Final = Figure("renders a second, parsed each time", Floor.ONE_CORE, least=5_000)
WHOLE_PROFILE: Final = Figure("profiles to checked JSON a second", Floor.ONE_CORE, least=20_000)
SLOWEST: Final = Figure("slowest hostile template, in seconds", Floor.ONE_CORE, most=0.3)
FIGURES: Final = (PARSED_ONCE, PARSED_EACH_TIME, WHOLE_PROFILE, SLOWEST)
BEST: Final = "best of 300 short runs"

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
    """Measure; takes a few seconds."""
    say("templates")
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
        PARSED_ONCE.measured(rate(lambda: template.render(data)), BEST),
        PARSED_EACH_TIME.measured(rate(lambda: Template.parse(PROFILE).render(data)), BEST),
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
    return SLOWEST.measured(seconds(HOSTILE[worst]), f"{worst}, of {len(HOSTILE)}")


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
    return WHOLE_PROFILE.measured(rate(lambda: renderer.render(profile, context)), BEST)


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
