"""Every page in every look: no violation of axe-core's rules, nothing beside the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx
import pytest

from tests.cli.served import Served
from tests.console.browsing import ALL_LOOKS, Console


def make_domains(served: Served) -> None:
    """Make further domains."""
    for name in ("North", "A domain with a rather long name for a narrow screen"):
        made = httpx.post(
            f"{served.url}/domains",
            json={"name": name, "route": name[:8].strip().lower().replace(" ", "-")},
            headers={"Authorization": f"Bearer {served.token}"},
        )
        assert made.status_code == 201, made.text


def a_bootstrap(served: Served) -> str:
    """Return the address of a bootstrap with all that one can have."""
    headers = {"Authorization": f"Bearer {served.token}"}
    at = f"{served.url}/{served.domain}"
    channel = httpx.post(f"{at}/channels", json={"name": "telemetry"}, headers=headers).json()
    body = {
        "external_id": "a-rather-long-external-id-" * 6,
        "external_key": "key",
        "name": "A rather long name of a device in a corner " * 3,
        "channels": [channel["id"]],
        "content": '{"a": "' + "long " * 80 + '"}',
    }
    made = httpx.post(f"{at}/clients/configs/with-client", json=body, headers=headers)
    assert made.status_code == 201, made.text
    return f"/console/bootstraps/{made.json()['id']}"


def a_gateways_bootstrap(served: Served) -> str:
    """Return the address of the bootstrap of an onboarded gateway."""
    return f"/console/bootstraps/{served.map('gateway-1')['clients'][0]['id']}"


PAGES: Mapping[str, Callable[[Served], str]] = {
    "overview": lambda _: "/console",
    "domains": lambda _: "/console/domains",
    "lost": lambda _: "/console/nothing",
    "bootstraps": lambda _: "/console/bootstraps",
    "bootstraps-unmatched": lambda _: "/console/bootstraps?q=no-such-thing",
    "bootstrap-new": lambda _: "/console/bootstraps/new",
    "bootstrap": a_bootstrap,
    "bootstrap-of-gateway": a_gateways_bootstrap,
}
"""What each page is called, and how its address is found."""
PARTS = ("name", "content", "channels", "encryption", "delete")


@pytest.mark.slow
def test_every_page_in_every_look(stranger: Console) -> None:
    console, served = stranger, stranger.served
    make_domains(served)
    console.sign_in()
    console.page.get_by_label("Domain").select_option(served.domain)
    console.press("Switch domain")
    console.says("You are in the domain")
    for name, found in PAGES.items():
        path = found(served)
        console.open(path)
        console.is_accessible(name, ALL_LOOKS)
        if name == "bootstrap":
            for part in PARTS:
                console.open(f"{path}/{part}")
                console.is_accessible(f"{name}-{part}", ALL_LOOKS)
