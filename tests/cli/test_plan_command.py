"""``provision plan``: before a merge, what a change of a layout will do."""

from __future__ import annotations

import json
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.prompt import provision
from tests.cli.served import KEY, ROOT, Served


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """The gateway layout with something added, changed and removed."""
    for name in ("gateway.toml", "gateway.json.tmpl"):
        shutil.copy(ROOT / "layouts" / name, tmp_path / name)
    file = tmp_path / "gateway.toml"
    text = file.read_text()
    text = text.replace('tags = ["gateway"]', 'tags = ["gateway", "v2"]')
    text = text.replace('types = ["publish", "subscribe"]', 'types = ["publish"]')
    text = text.replace("certificate = true\n", "").replace("[certificates]", "[certificates_]")
    head, tail = text.split("[certificates_]")
    text = head + "[bootstrap]" + tail.split("[bootstrap]")[1]
    text += '\n[[channels]]\nkey = "log"\nname = "{{ .ExternalID }}-log"\n'
    file.write_text(text)
    template = tmp_path / "gateway.json.tmpl"
    template.write_text(template.read_text().replace('"mqtt": {', '"mqtt": {\n    "qos": 1,'))
    return file


def changes(plan: Any) -> set[tuple[str, str, str]]:
    return {(each["action"], each["kind"], each["key"]) for each in plan["changes"]}


def test_a_new_gateway_is_all_plus(served: Served) -> None:
    ended = served.run("plan", "gw-new", "--layout", "gateway", "--param", "mqtt_url=tcp://b:1")
    assert ended.code == 3
    assert "  + client agent\n" in ended.out
    assert '      name: "gw-new-agent"\n' in ended.out
    assert "Plan: 11 to add, 0 to change, 0 to remove." in ended.out
    assert '  +     "url": "tcp://b:1",' in ended.out
    assert '"secret": "(secret of agent)"' in ended.out
    assert served.run("show", "gw-new").code == 1


def test_a_gateway_that_is_as_the_layout_says_has_no_changes(served: Served) -> None:
    served.map("gw-same", "--layout", "gateway", "--param", "mqtt_url=tcp://b:1")
    ended = served.run("plan", "gw-same", "--layout", "gateway")
    assert ended.code == 0, ended.out
    assert "No changes" in ended.out


def test_an_edit_shows_what_is_added_changed_and_removed(served: Served, edited: Path) -> None:
    made = served.map("gw-old", "--layout", "gateway")
    ended = served.run("plan", "gw-old", "--layout", str(edited), "--json")
    assert ended.code == 3
    plan = ended.json
    assert changes(plan) == {
        ("change", "client", "agent"),
        ("add", "channel", "log"),
        ("change", "connection", "agent - control"),
        ("change", "connection", "agent - data"),
        ("remove", "certificate", "agent"),
        ("change", "profile", "gateway-agent"),
    }
    assert plan["summary"] == {"add": 1, "change": 4, "remove": 1}
    (tags,) = (c["fields"]["tags"] for c in plan["changes"] if c["kind"] == "client")
    assert tags == {"before": ["gateway"], "after": ["gateway", "v2"]}
    rendered = json.loads(plan["rendered"]["content"])
    assert rendered["mqtt"]["qos"] == 1
    assert rendered["device_id"] == made["clients"][0]["id"]
    secret = made["clients"][0]["credentials"]["secret"]
    assert secret not in ended.out
    people = served.run("plan", "gw-old", "--layout", str(edited))
    assert "~ client agent\n" in people.out
    assert '      tags: ["gateway"] -> ["gateway", "v2"]\n' in people.out
    assert "  - certificate agent\n" in people.out
    assert '  +     "qos": 1,' in people.out
    assert "Plan: 1 to add, 4 to change, 1 to remove." in people.out


@pytest.mark.slow
def test_domain_wide_plans_every_gateway_of_the_layout(served: Served, edited: Path) -> None:
    served.map("gw-wide-1", "--layout", "gateway-export")
    served.map("gw-wide-2", "--layout", "gateway-export", "--param", "export_workers=4")
    same = served.run("plan", "--domain-wide", "--layout", "gateway-export", "--json")
    assert same.code == 0
    assert {each["external_id"] for each in same.json["plans"]} == {"gw-wide-1", "gw-wide-2"}
    served.map("gw-wide-3", "--layout", "gateway")
    served.map("gw-wide-4", "--layout", "gateway")
    changed = served.run("plan", "--domain-wide", "--layout", str(edited))
    assert changed.code == 3
    assert re.search(r"^(\d+) of \1 gateways would change", changed.out, re.MULTILINE)


@pytest.mark.parametrize("arguments", [[], ["gw", "--domain-wide"]])
def test_one_gateway_or_all_must_be_named(served: Served, arguments: list[str]) -> None:
    assert served.run("plan", *arguments).code == 2


def test_what_cannot_be_planned_is_refused(served: Served, edited: Path) -> None:
    edited.write_text("= [")
    broken = served.run("plan", "gw", "--layout", str(edited))
    assert broken.code == 1
    assert "not valid TOML" in broken.err
    assert served.run("plan", "gw", "--layout", "nowhere.toml").code == 1
    assert "did you mean" in served.run("plan", "gw", "--layout", "gatewya").err


def test_the_mapping_route_says_the_same_when_dry(served: Served) -> None:
    body = {"external_id": "gw-dry", "external_key": KEY, "layout": "gateway"}
    answer = httpx.post(
        f"{served.url}/{served.domain}/mapping?dry_run=true",
        json=body,
        headers={"Authorization": f"Bearer {served.token}"},
    )
    assert answer.status_code == 200
    plan = answer.json()
    assert plan["exists"] is False
    assert plan["summary"]["add"] == len(plan["changes"])
    assert plan == served.run("plan", "gw-dry", "--layout", "gateway", "--json").json


@pytest.mark.slow
def test_what_was_deleted_on_the_platform_is_pending_with_its_cure(served: Served) -> None:
    served.map("gw-whole", "--layout", "gateway")
    made = served.map("gw-drift", "--layout", "gateway")
    client = made["clients"][0]["id"]
    answer = httpx.delete(
        f"{served.url}/{served.domain}/clients/{client}",
        headers={"Authorization": f"Bearer {served.token}"},
    )
    assert answer.is_success
    people = served.run("plan", "gw-drift", "--layout", "gateway")
    assert people.code == 3
    assert "No changes: the gateway is as the layout says." in people.out
    assert (
        "  ! client agent was deleted on the platform: "
        "provision map gw-drift --on-existing repair puts it back\n" in people.out
    )
    told = served.run("plan", "gw-drift", "--layout", "gateway", "--json")
    assert told.code == 3
    assert {"what": "deleted", "kind": "client", "key": "agent"}.items() <= told.json["drift"][
        0
    ].items()
    wide = served.run("plan", "--domain-wide", "--layout", "gateway")
    assert wide.code == 3
    assert re.search(r"^1 of \d+ gateways differs on the platform\.$", wide.out, re.MULTILINE)
    served.map("gw-drift", "--on-existing", "repair")
    assert served.run("plan", "gw-drift", "--layout", "gateway").code == 0


def test_a_platform_that_was_not_asked_is_told_and_spoils_no_plan(
    served: Served, tmp_path: Path
) -> None:
    """A service whose platform is away, played from what a service answers."""
    served.map("gw-away", "--layout", "gateway")
    plan = served.run("plan", "gw-away", "--layout", "gateway", "--json").json
    plan["drift_unknown"] = {"code": "platform_unavailable", "message": "no way to it"}

    class Service(BaseHTTPRequestHandler):
        def answer(self, document: Any) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def do_GET(self) -> None:
            self.answer({"properties": {}})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(plan)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever).start()
        where = ("--url", f"http://127.0.0.1:{server.server_port}", "--data", str(tmp_path))
        ended = provision("plan", "gw-away", *where, "--domain", "d", "--token", "t")
        server.shutdown()
    assert ended.code == 0
    assert "No changes" in ended.out
    assert "gw-away: the platform was not asked for all: no way to it" in ended.err
    assert "next: plan again when the platform works" in ended.err
