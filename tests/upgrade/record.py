"""Onboard gateways at a running service of an earlier version, and write down what was answered.

Speaks HTTP only, so that it serves for every version: see ``tests/data/upgrade/README.md``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx

GATEWAYS = (
    {"external_id": "gw-agent", "layout": "gateway", "name": "the first"},
    {"external_id": "gw-export", "layout": "gateway-export", "parameters": {"export_workers": 3}},
    {"external_id": "gw-go", "layout": "config"},
    {"external_id": "gw-rotated", "layout": "gateway"},
    {"external_id": "gw-gone", "layout": "gateway"},
)
KEPT = ("clients", "channels", "connections")


def record(url: str, data: Path) -> dict[str, Any]:
    """Return what each gateway's request and its device were answered."""
    account = json.loads((data / "operator.json").read_text(encoding="utf-8"))
    domain = account["domain_id"]
    with httpx.Client(base_url=url, timeout=60) as http:
        signed_in = http.post("/users/tokens/issue", json=account).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
        made = [_onboard(http, domain, request) for request in GATEWAYS]
        again = made[-2]["request"] | {"on_existing": "rotate"}
        made[-2]["answer"] = http.post(f"/{domain}/mapping", json=again).raise_for_status().json()
        http.delete(f"/{domain}/mapping/{GATEWAYS[-1]['external_id']}").raise_for_status()
        for each in made[:-1]:
            each["device"] = _fetch(http, each["request"])
            each["answer"] = {kind: each["answer"][kind] for kind in KEPT}
    return {"domain_id": domain, "gateways": made[:-1], "removed": made[-1]["request"]}


def _onboard(http: httpx.Client, domain: str, wanted: dict[str, Any]) -> dict[str, Any]:
    request = wanted | {"external_key": f"key of {wanted['external_id']}"}
    answer = http.post(f"/{domain}/mapping", json=request).raise_for_status().json()
    assert answer["onboarding"]["state"] == "done", answer
    return {"request": request, "answer": answer}


def _fetch(http: httpx.Client, request: dict[str, Any]) -> Any:
    answer = http.get(
        f"/clients/bootstrap/{request['external_id']}",
        headers={"Authorization": f"Client {request['external_key']}"},
    )
    return answer.raise_for_status().json()


if __name__ == "__main__":
    address, directory, target = sys.argv[1:]
    found = record(address, Path(directory))
    Path(target).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
