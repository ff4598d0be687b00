"""``make demo``: start the service, onboard a gateway, fetch its configuration as the device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.json import JSON
from rich.table import Table

from provision.former_settings import PREFIXES

EXTERNAL_ID = "demo:00:16:3e:4f:21"
EXTERNAL_KEY = "demo-key-7f2c"
START_SECONDS = 30.0
LAYOUTS = Path(__file__).parent.parent / "layouts"


class DemoFailedError(Exception):
    """Something in the demonstration was not right."""


def main() -> int:
    """Run the demonstration; return 0 only if all of it was right."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that has no such character shows its code.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(markup=False, emoji=False)
    try:
        with tempfile.TemporaryDirectory(prefix="provision-demo-") as data:
            _run(console, Path(data))
    except (DemoFailedError, httpx.HTTPError) as error:
        console.print(f"The demonstration failed: {error}", style="bold red")
        return 1
    console.print("All of it was right.", style="bold green")
    return 0


def _run(console: Console, data: Path) -> None:
    ready, log = data / "address", data / "log"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)
    }
    environment["MG_PROVISION_LAYOUTS"] = str(LAYOUTS)
    command = [sys.executable, "-m", "provision.cli.main", "serve", "--port", "0"]
    with ready.open("w") as output, log.open("w") as errors:
        service = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [*command, "--data", str(data / "data")],
            stdout=output,
            stderr=errors,
            env=environment,
        )
    try:
        base = _address(ready, service, log)
        console.print(f"The service runs on {base}\n")
        with httpx.Client(base_url=base, timeout=30) as http:
            _onboard(console, http, json.loads((data / "data" / "operator.json").read_text()))
    finally:
        service.terminate()
        service.wait(START_SECONDS)


def _address(ready: Path, service: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and service.poll() is None:
        for word in ready.read_text().split():
            if word.startswith("http://"):
                return word
        time.sleep(0.05)
    raise DemoFailedError(f"the service did not start:\n{log.read_text()}")


def _onboard(console: Console, http: httpx.Client, operator: Mapping[str, str]) -> None:
    signed_in = http.post(
        "/users/tokens/issue",
        json={"username": operator["username"], "password": operator["password"]},
    )
    token = _right(signed_in, 201)["access_token"]
    started = time.perf_counter()
    mapped = http.post(
        f"/{operator['domain_id']}/mapping",
        json={"external_id": EXTERNAL_ID, "external_key": EXTERNAL_KEY, "layout": "gateway"},
        headers={"Authorization": f"Bearer {token}"},
    )
    milliseconds = (time.perf_counter() - started) * 1000
    gateway = _right(mapped, 201)
    console.print(f"POST /mapping answered 201 in {milliseconds:.0f} ms:", style="bold")
    console.print(_table(gateway))
    fetched = http.get(
        f"/clients/bootstrap/{quote(EXTERNAL_ID, safe='')}",
        headers={"Authorization": f"Client {EXTERNAL_KEY}"},
    )
    device = _right(fetched, 200)
    content = _check(device, gateway)
    console.print("The device fetched its configuration:", style="bold")
    console.print(JSON.from_data(content))
    for name in ("client_cert", "client_key", "ca_cert"):
        first = device[name].splitlines()[0]
        console.print(f"  {name}: {first} ({len(device[name])} characters)", highlight=False)
    console.print()


def _table(gateway: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("what", "name", "ID"):
        table.add_column(heading)
    for kind, items in (("client", gateway["clients"]), ("channel", gateway["channels"])):
        for resource in items:
            table.add_row(kind, resource["name"], resource["id"])
    names = {
        resource["id"]: resource["name"] for resource in (*gateway["clients"], *gateway["channels"])
    }
    for connection in gateway["connections"]:
        pair = f"{names[connection['client_id']]} - {names[connection['channel_id']]}"
        table.add_row("connection", pair, ", ".join(connection["types"]))
    for client_id in gateway["client_cert"]:
        table.add_row("certificate", names[client_id], "")
    bootstrap = gateway["bootstrap"]
    table.add_row("config", bootstrap["status"], bootstrap["config_id"])
    return table


def _check(device: Mapping[str, Any], gateway: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return the content, once it is what the device agent takes."""
    content = json.loads(device["content"])
    config_id = gateway["bootstrap"]["config_id"]
    agent = next(client for client in gateway["clients"] if client["id"] == config_id)
    channels = {channel["metadata"]["type"]: channel["id"] for channel in gateway["channels"]}
    wanted = {
        "external_id": (content["external_id"], EXTERNAL_ID),
        "domain_id": (content["domain_id"], agent["domain_id"]),
        "mqtt.client_id": (content["mqtt"]["client_id"], agent["id"]),
        "mqtt.secret": (content["mqtt"]["secret"], agent["credentials"]["secret"]),
        "telemetry.channel_id": (content["telemetry"]["channel_id"], channels["data"]),
        "commands.channel_id": (content["commands"]["channel_id"], channels["control"]),
        "client_cert": (device["client_cert"], gateway["client_cert"][agent["id"]]),
        "ca_cert": (device["ca_cert"], gateway["ca_cert"]),
    }
    wrong = [name for name, (got, expected) in wanted.items() if got != expected]
    if wrong or not device["client_key"] or not content["mqtt"]["url"]:
        raise DemoFailedError(f"the device got something else for {', '.join(wrong) or 'mqtt.url'}")
    return content


def _right(answer: httpx.Response, status: int) -> Any:  # noqa: ANN401 - JSON
    if answer.status_code != status:
        request = answer.request
        raise DemoFailedError(
            f"{request.method} {request.url} answered {answer.status_code}: {answer.text}"
        )
    return answer.json()


if __name__ == "__main__":
    sys.exit(main())
