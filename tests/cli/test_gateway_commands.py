"""Gateways at the prompt: map, show, list, unmap, and the health check."""

from __future__ import annotations

import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.prompt import provision
from tests.cli.served import KEY, ROOT, Served, serving


def test_a_gateway_from_map_to_unmap(served: Served) -> None:
    made = served.run("map", "gw/1 a", KEY, "--layout", "gateway", "--param", "mqtt_url=tcp://b:1")
    assert made.code == 0, made.err
    assert "gw/1 a-control" in made.out
    assert "gateway gw/1 a: created with layout gateway" in made.err
    shown = served.run("show", "gw/1 a", "--json")
    assert shown.json["external_id"] == "gw/1 a"
    table = served.run("show", "gw/1 a")
    assert "mqtt_client" in table.out
    assert KEY not in table.out
    listed = served.run("list", "--layout", "gateway", "--json").json["onboardings"]
    assert "gw/1 a" in [each["external_id"] for each in listed]
    assert "gw/1 a" in served.run("list").out
    gone = served.run("unmap", "gw/1 a", "--yes")
    assert (gone.code, gone.err) == (0, "gateway gw/1 a: nothing is left of it\n")
    left = served.run("list", "--state", "undone", "--json").json["onboardings"]
    assert "gw/1 a" in [each["external_id"] for each in left]


def test_the_operators_account_is_found_in_the_data_directory(served: Served) -> None:
    ended = provision("list", "--json", "--url", served.url, "--data", str(served.data))
    assert ended.code == 0, ended.err
    assert "onboardings" in ended.json


def test_scripts_get_the_answer_as_it_is(served: Served) -> None:
    assert served.map("gw-json")["onboarding"]["outcome"] == "created"
    assert served.map("gw-json")["onboarding"]["outcome"] == "reused"


def test_a_refusal_is_1_with_the_next_thing_to_try(served: Served) -> None:
    served.map("gw-key")
    ended = served.run("map", "gw-key", "another")
    assert ended.code == 1
    assert ended.out == ""
    assert "exists with another external key" in ended.err
    assert "next: give the device's own key, or change it: --on-existing rotate" in ended.err
    ended = served.run("map", "gw-params", KEY, "--param", "mqtt_url=ftp://x")
    assert "must match the pattern" in ended.err
    ended = served.run("map", "gw-params", KEY, "--layout", "gatewya")
    assert 'did you mean "gateway"?' in ended.err


def test_tables_show_names_as_they_are(served: Served) -> None:
    served.map("00:cd:ab:4f:21 [bold]")
    assert "00:cd:ab:4f:21 [bold]" in served.run("list").out
    assert "00:cd:ab:4f:21 [bold]" in served.run("show", "00:cd:ab:4f:21 [bold]").out


def test_parameters_take_the_types_that_the_layout_declares(served: Served) -> None:
    made = served.map("gw-typed", "--layout", "gateway-export", "--param", "export_workers=3")
    assert made["onboarding"]["layout"] == "gateway-export"
    ended = served.run(
        "map", "gw-x", KEY, "--layout", "gateway-export", "--param", "export_workers=many"
    )
    assert (ended.code, ended.err) == (
        1,
        (
            "provision: --param export_workers=many: must be of type integer\n"
            "  next: write it as JSON: --param export_workers=...\n"
        ),
    )


@pytest.mark.parametrize("token", ["wrong", "Bearer wrong"])
def test_a_wrong_token_is_told_as_such(served: Served, token: str) -> None:
    ended = served.run("show", "gw-json", "--token", token, "--domain", served.domain)
    assert ended.code == 1
    assert "next: give --token" in ended.err


def test_without_a_service_the_command_says_how_to_start_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = str(tmp_path_factory.mktemp("empty"))
    ended = provision("show", "gw", "--url", "http://127.0.0.1:9", "--data", data, "--domain", "d")
    assert ended.code == 1
    assert "http://127.0.0.1:9 does not answer" in ended.err
    assert "provision serve" in ended.err
    ended = provision("show", "gw", "--url", "http://127.0.0.1:9", "--data", data)
    assert "next: give --domain" in ended.err


def test_an_address_that_is_none_of_the_services_is_told(served: Served, tmp_path: Path) -> None:
    where = ("--domain", "d", "--token", "t", "--data", str(tmp_path))
    wrong = provision("list", "--url", "http://host:port", *where)
    assert (wrong.code, "next: write it as http://HOST:PORT" in wrong.err) == (1, True)
    assert provision("list", "--url", "ftp://x", *where).code == 1
    for command in (("list",), ("bootstrap", "bootstrap", "a", "b")):
        other = provision(*command, "--url", f"{served.url}/metrics?", "--data", str(tmp_path))
        assert (other.code, "Traceback" in other.err) == (1, False)


def test_an_answer_that_is_no_json_is_told(tmp_path: Path) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>a portal</html>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        where = ("--url", url, "--data", str(tmp_path))
        listed = provision("list", *where, "--domain", "d", "--token", "t")
        fetched = provision("bootstrap", "bootstrap", "a", "b", *where)
        server.shutdown()
    for ended in (listed, fetched):
        assert ended.code == 1
        assert "next: check that --url names this service" in ended.err


def test_a_damaged_account_file_is_told_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "operator.json").write_text("{")
    ended = provision("list", "--data", str(tmp_path))
    assert ended.code == 1
    assert "operator.json is damaged" in ended.err
    assert "Traceback" not in ended.err


def test_choices_that_are_none_are_usage(served: Served) -> None:
    assert served.run("map", "gw", KEY, "--on-existing", "perhaps").code == 2
    assert served.run("list", "--state", "perhaps").code == 2
    assert served.run("map", "gw", KEY, "--param", "no-equals").code == 2


@pytest.mark.slow
def test_a_key_may_be_piped_in_and_is_asked_for_on_standard_error(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
    made = served.run("map", "gw-piped", "--json")
    assert made.json["onboarding"]["outcome"] == "created"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    nobody = served.run("map", "gw-other")
    assert (nobody.code, "next: give the device's key" in nobody.err) == (1, True)
    assert served.run("unmap", "gw-piped").code == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert "nothing was removed" in served.run("unmap", "gw-piped").err
    monkeypatch.setattr("sys.stdin", io.StringIO("maybe\nyes\n"))
    assert served.run("unmap", "gw-piped").code == 0


def test_healthcheck_is_right_only_while_the_service_works(served: Served) -> None:
    assert provision("healthcheck", "--url", served.url).code == 0
    assert provision("healthcheck", "--url", "http://127.0.0.1:9").code == 1
    assert provision("healthcheck", "--url", f"{served.url}/nothing").code == 1


def test_healthcheck_is_right_where_only_the_platform_is_not(tmp_path: Path) -> None:
    urls = {
        f"MG_PROVISION_{name}_URL": "http://127.0.0.1:9"
        for name in ("CLIENTS", "CHANNELS", "USERS", "DOMAINS")
    }
    with serving(tmp_path, ROOT / "layouts", **urls) as beside_nothing:
        ended = provision("healthcheck", "--url", beside_nothing.url, "--json")
    assert (ended.code, ended.json) == (0, {"status": "warn"})


def test_healthcheck_asks_the_configured_port(
    served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MG_PROVISION_DATA", str(tmp_path))
    monkeypatch.setenv("MG_PROVISION_HTTP_PORT", served.url.rpartition(":")[2])
    assert provision("healthcheck").code == 0


def test_a_dash_is_no_gateway_and_no_key(served: Served) -> None:
    for arguments, told in (
        (("-", "key"), "external IDs are not read from standard input"),
        (("gw-dash", "-"), "leave EXTERNAL_KEY out to give the key on standard input"),
    ):
        ended = served.run("map", *arguments)
        assert ended.code == 2
        assert told in " ".join(ended.err.replace("│", " ").split())
    listed = served.run("list", "--json").out
    assert '"-"' not in listed
    assert "gw-dash" not in listed
