"""External IDs and paths: what is accepted is reached by its URL, and nothing else is."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootstrap_core.credentials import EXTERNAL_ID_BYTES, new_external_id_fault
from tests import database
from tests.service.running import KEY, Running, embedded

UNFIT = {
    "a line break at the end": "gold-1\n",
    "a line break within": "gold\n1",
    "a control character": "gold\x7f1",
    "a tab": "gold\t1",
    "a line separator": "gold\u20281",
    "a blank before it": " gold-1",
    "a blank after it": "gold-1 ",
    "a wide blank after it": "gold-1\u3000",
    "the present directory": ".",
    "the directory above": "..",
    "a step up within": "gold/../silver",
    "a slash at its beginning": "/gold",
    "a slash at its end": "gold/",
    "two slashes in a row": "gold//1",
    "more than 1024 bytes": "é" * (EXTERNAL_ID_BYTES // 2 + 1),
    "nothing": "",
    "what command lines take for an option": "-",
    **{
        f"U+{code:04X}, which turns text": f"gold{chr(code)}1"
        for code in (0x202A, 0x202E, 0x2066, 0x2069)
    },
}
PIECES = st.sampled_from(
    [
        *("a", "B", "é", "\U0001f4e1", "\ufffd", "/", ".", "..", "%", "%2F", "%0A", "?", "#", "&"),
        *("+", ";", ":", " ", "\\", "'", '"', "<", "{", "\n", "~"),
        *("drift", "secure", "mapping", "configs"),
    ]
)
IDS = st.one_of(
    st.lists(PIECES, min_size=1, max_size=6).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
).filter(lambda text: not new_external_id_fault(text))


def raw(running: Running, path: str) -> httpx.URL:
    """Return the URL of a path that goes out as it is given."""
    return running.http.base_url.copy_with(raw_path=path.encode())


async def ask(running: Running, method: str, path: str) -> httpx.Response:
    return await running.http.request(
        method, raw(running, f"/{running.domain}{path}"), headers=running.headers
    )


class TestAtTheDoor:
    async def test_an_id_that_no_url_carries_is_refused_everywhere(self, running: Running) -> None:
        for what, external_id in UNFIT.items():
            body = {"external_id": external_id, "external_key": KEY}
            named = {"external_id": external_id}
            for path, document in (
                (f"/{running.domain}/mapping", body),
                (f"/{running.domain}/mapping?dry_run=true", body),
                (f"/{running.domain}/plan", named),
                (f"/{running.domain}/clients/configs", body),
                (f"/{running.domain}/clients/configs/with-client", body),
                ("/things/configs", body),
            ):
                answer = await running.http.post(path, json=document, headers=running.headers)
                assert answer.status_code == 400, (what, path, answer.text)
                assert answer.json()["message"].startswith("external_id: "), (what, path)
        assert await running.nothing_is_there()

    async def test_the_refusal_says_what_and_where(self, running: Running) -> None:
        answer = await running.map("gold-1\n")
        assert answer.json()["details"] == [
            {
                "field": "external_id",
                "message": "holds the control character U+000A at place 7, which no header or URL "
                "carries; leave it out",
            }
        ]


class TestPaths:
    async def test_a_line_break_at_the_end_of_a_path_reaches_nothing_else(
        self, running: Running
    ) -> None:
        assert (await running.map("gold-1")).status_code == 201
        config = (await running.get("/mapping/gold-1"))["bootstrap"]["config_id"]
        for method, path in (
            ("GET", "/mapping/gold-1%0A"),
            ("DELETE", "/mapping/gold-1%0A"),
            ("GET", "/mapping/gold-1/drift%0A"),
            ("POST", f"/clients/configs/{config}/disable%0A"),
            ("DELETE", f"/clients/configs/{config}%0A"),
        ):
            answer = await ask(running, method, path)
            assert answer.status_code in (204, 404), (method, path, answer.text)
        assert (await running.get("/mapping/gold-1"))["onboarding"]["state"] == "done"
        assert (await running.fetch("gold-1")).status_code == 200

    @pytest.mark.parametrize("path", ["/mapping/%FF", "/mapping/a%C3", "/clients/configs/%ff"])
    async def test_a_path_that_is_not_utf8_is_refused(self, running: Running, path: str) -> None:
        assert (await running.map("\ufffd")).status_code == 201
        answer = await ask(running, "GET", path)
        assert answer.status_code == 400
        assert answer.json()["code"] == "malformed_path"
        device = {"Authorization": f"Client {KEY}"}
        answer = await running.http.get(raw(running, "/clients/bootstrap/%FF"), headers=device)
        assert answer.status_code == 400
        assert (await running.fetch("\ufffd")).status_code == 200

    async def test_an_id_that_an_earlier_version_took_can_be_removed(self, tmp_path: Path) -> None:
        """Its own URL removes it, and so does its onboarding's."""
        async with embedded(tmp_path) as running:
            for external_id in ("old", "older"):
                assert (await running.map(external_id)).status_code == 201
        renamed = {"old": "old\n", "older": ".."}
        _rename(tmp_path, renamed)
        async with embedded(tmp_path) as running:
            assert (await running.map("old")).status_code == 201
            assert (await ask(running, "DELETE", "/mapping/old%0A")).status_code == 204
            listed = await running.get("/onboardings?state=done&external_id=..")
            (row,) = listed["onboardings"]
            undone = await ask(running, "POST", f"/onboardings/{row['id']}/undo")
            assert undone.json()["state"] == "undone"
            assert [each["external_id"] for each in await running.configs()] == ["old"]


@settings(max_examples=3, deadline=None)
@given(st.lists(IDS, min_size=4, max_size=7, unique=True))
@pytest.mark.slow
def test_every_accepted_id_is_reached_by_its_url_alone(external_ids: list[str]) -> None:
    async def check(directory: str) -> None:
        async with embedded(Path(directory)) as running:
            clients = {}
            for external_id in external_ids:
                made = await running.map(external_id)
                assert made.status_code == 201, (external_id, made.text)
                clients[external_id] = made.json()["bootstrap"]["config_id"]
            for external_id in external_ids:
                name = quote(external_id, safe="")
                shown = (await ask(running, "GET", f"/mapping/{name}")).json()
                assert shown["external_id"] == external_id
                drift = (await ask(running, "GET", f"/mapping/{name}/drift")).json()
                assert (drift["external_id"], drift["drift"]) == (external_id, [])
                given_id = (await running.fetch(external_id)).json()["id"]
                assert given_id == clients[external_id]
            for index, external_id in enumerate(external_ids, 1):
                name = quote(external_id, safe="")
                assert (await ask(running, "DELETE", f"/mapping/{name}")).status_code == 204
                left = {each["external_id"] for each in await running.configs()}
                assert left == set(external_ids[index:])
                assert (await running.fetch(external_id)).status_code == 403

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(check(directory))


def _rename(data: Path, names: dict[str, str]) -> None:
    """Write external IDs into a database that this version takes no more."""
    file = data / database.FILE
    for old, new in names.items():
        for table in ("onboardings", "configs", "certificates_in_use", "audit_trail"):
            change = f"UPDATE {table} SET external_id = :new WHERE external_id = :old"  # noqa: S608
            database.execute(file, change, new=new, old=old)
        place = "UPDATE onboardings SET place = domain_id || '/' || :new WHERE external_id = :id"
        database.execute(file, place, new=new, id=new)
