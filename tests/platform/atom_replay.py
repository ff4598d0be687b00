"""Recorded exchanges with a real Atom, asked again of the double.

``python -m tests.platform.atom_replay FILE...`` replays recordings (one JSON object a line, as in
``tests/data/atom``) and ends with ``N passed, N failed``.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.atom.double import AtomDouble
from tests.atom.records import ADMINISTRATOR, now

PLACEHOLDER: Final = re.compile(r"\{\{(\w+)\}\}")
VOLATILE: Final = re.compile(r"<[^<>{}]+>")
REPEATED: Final = re.compile(r"<([\d,]+) times (.)>")
NUMBERED: Final = re.compile(r"0|[1-9]\d*")
PASSWORD: Final = "a-password-of-many"
TIMES: Final = {
    "access_tokens.create.scoped": 86_400,
    "access_tokens.create.short": 3,
    "keys.create.expired": -3600,
}
"""How many seconds from now the ``<time>`` in a request is."""

NOT_PLAYED: Final = "no adapter asks for it, so the double does not know it"
NOT_RECORDED: Final = "what it counts was made by calls that are not recorded"
DIFFERENCES: Final[Mapping[str, str]] = {
    "auth.session": NOT_PLAYED,
    "auth.jwks": NOT_PLAYED,
    "auth.public_config": NOT_PLAYED,
    "auth.health": NOT_PLAYED,
    "auth.health.ready": NOT_PLAYED,
    "connections.rules": NOT_PLAYED,
    "certificates.ocsp.good": NOT_PLAYED,
    "certificates.ocsp.garbage": NOT_PLAYED,
    "certificate_revocation.ocsp_revoked": NOT_PLAYED,
    "certificates.issue.names": NOT_PLAYED,
    "access_tokens.list": "when a token was last used is not kept",
    "access_tokens.list.by_scoped": "when a token was last used is not kept",
    "groups": NOT_PLAYED,
    "profiles": NOT_PLAYED,
    "audit": NOT_PLAYED,
    "races": NOT_RECORDED,
    "paging": NOT_RECORDED,
    "errors.no_query": "another parser says otherwise where a document is wrong",
    "errors.syntax": "another parser says otherwise where a document is wrong",
    "limits.body.over": "the recording has the length of the body alone",
    "limits.body.login_over": "the recording has the length of the body alone",
    "expiry": "it was recorded of an Atom whose sessions last 5 seconds",
    "rate_limit": "it was recorded of an Atom with limits",
    "magistrala_setup": "it was recorded after Magistrala had registered its own actions",
    "failures.database_down": "it was recorded while the database was stopped",
}
"""Steps, or whole scenarios, that the double answers otherwise; each with the reason."""


@frozen
class Step:
    """One recorded exchange."""

    row: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def reason(self) -> str:
        """Why the double need not answer alike; empty where it must."""
        scenario = str(self.row["scenario"])
        return DIFFERENCES.get(self.id) or DIFFERENCES.get(scenario, "")


def read(paths: Sequence[Path]) -> Iterator[Step]:
    """Return the steps of some recordings, in their order."""
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield Step(json.loads(line))


@define
class Replay:
    """A double with the people of the recordings, and what was captured until now."""

    double: AtomDouble = field(factory=AtomDouble)
    known: dict[str, str] = field(factory=dict)
    scenario: str = ""

    def __attrs_post_init__(self) -> None:
        run = secrets.token_hex(4)
        self.known |= {"run": run, "password": PASSWORD}
        self._person("admin", ADMINISTRATOR)
        for name in ("alice", "bob", "carol", "mallory"):
            self._person(name)
        for tenant, owner in (("a", "alice"), ("b", "bob")):
            person = self.double.store.entities[self.known[f"{owner}_id"]]
            made = self.double.tenant_of(person, f"domain-{tenant}-{run}")
            self.known[f"domain_{tenant}"] = made.id
            self.known[f"domain_{tenant}_route"] = str(made.alias)
        for name, identifier in self.double.store.action_ids.items():
            self.known[f"action_{name}"] = identifier
        token = self.known["alice_token"]
        self.known["tampered_token"] = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")

    def _person(self, name: str, identifier: str | None = None) -> None:
        person = self.double.person(f"{name}-{self.known['run']}", PASSWORD, identifier)
        self.known |= {
            f"{name}_id": person.id,
            f"{name}_name": str(person.name),
            f"{name}_token": self.double.token_of(person),
        }

    async def fault(self, step: Step) -> str:
        """Ask a step again; return what is answered otherwise than recorded, if anything."""
        answer = await self._ask(step)
        for name, path in (step.row.get("captures") or {}).items():
            found = _at(answer, path)
            if found is not None:
                self.known[name] = str(found)
        return self._difference(step.row["response"], answer)

    async def _ask(self, step: Step) -> dict[str, Any]:
        request = step.row["request"]
        headers = {name: self._filled(value) for name, value in request["headers"].items()}
        content: bytes | None = None
        if "json" in request:
            content = json.dumps(self._made(request["json"], step)).encode()
        elif "text" in request:
            content = self._filled(request["text"]).encode()
        transport = httpx.ASGITransport(self.double.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://atom.test") as http:
            answer = await http.request(
                request["method"], request["path"], headers=headers, content=content
            )
        try:
            body = {"json": answer.json()}
        except ValueError:
            body = {}
        return {"response": {"status": answer.status_code, **body}}

    def _made(self, value: Any, step: Step) -> Any:
        """Return a recorded request with its placeholders filled."""
        if isinstance(value, dict):
            return {name: self._made(each, step) for name, each in value.items()}
        if isinstance(value, list):
            return [self._made(each, step) for each in value]
        if not isinstance(value, str):
            return value
        if value == "<time>":
            return (now() + timedelta(seconds=TIMES[step.id])).isoformat()
        if value == "<secret>":
            return "s" * 5000
        if value == "<uuid>":
            return str(uuid.uuid4())
        if value == "<pem certificate request>":
            return self._request(step)
        if found := REPEATED.fullmatch(value):
            return found[2] * int(found[1].replace(",", ""))
        return self._filled(self._spelled(value))

    def _request(self, step: Step) -> str:
        """Return a request for a certificate, with the names that the step's ID tells."""
        device = step.row["request"]["json"]["variables"]["i"]["entityId"]
        names = {"certificates.csr.other_cn": "something else", "certificates.csr.no_cn": ""}
        name = names.get(step.id, self._filled(device))
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
        if step.id == "certificates.csr.other_cn":
            evil = x509.SubjectAlternativeName([x509.DNSName("evil.example")])
            builder = builder.add_extension(evil, critical=False)
        key = ec.generate_private_key(ec.SECP256R1())
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def _spelled(self, value: str) -> str:
        if value.startswith("<serial of ser2"):
            serial = self.known["ser2"]
            pairs = [serial[at : at + 2] for at in range(0, len(serial), 2)]
            return ":".join(pairs) if "colons" in value else serial.upper()
        return self.known["lock_dev"].upper() if value.startswith("<lock_dev") else value

    def _filled(self, text: str) -> str:
        def fill(found: re.Match[str]) -> str:
            # What was captured nowhere is a UUID or key of the caller's.
            return self.known.setdefault(found[1], str(uuid.uuid4()))

        return PLACEHOLDER.sub(fill, text)

    def _difference(self, recorded: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        given = answer["response"]
        if given["status"] != recorded["status"]:
            return f"status {given['status']} instead of {recorded['status']}"
        if "json" not in recorded:
            return ""
        if "json" not in given:
            return "no JSON"
        return self._unlike(recorded["json"], given["json"], "")

    def _unlike(self, wanted: Any, found: Any, place: str) -> str:
        if isinstance(wanted, dict):
            if not isinstance(found, dict):
                return f"{place}: {found!r} instead of an object"
            for name, each in wanted.items():
                if name == "locations":
                    continue
                if name not in found:
                    return f"{place}.{name} is missing"
                if fault := self._unlike(each, found[name], f"{place}.{name}"):
                    return fault
            more = found.keys() - wanted.keys()
            return f"{place}: also {sorted(more)}" if more and place.endswith("data") else ""
        if isinstance(wanted, list):
            return self._unlike_lists(wanted, found, place)
        if isinstance(wanted, str):
            return self._unlike_texts(wanted, found, place)
        return "" if wanted == found else f"{place}: {found!r} instead of {wanted!r}"

    def _unlike_lists(self, wanted: list[Any], found: Any, place: str) -> str:
        if not isinstance(found, list) or len(found) != len(wanted):
            return f"{place}: {found!r} instead of {len(wanted)} items"
        if place == ".errors":
            # Queries run side by side: the order of their errors varies.
            wanted = sorted(wanted, key=lambda each: str(each.get("path")))
            found = sorted(found, key=lambda each: str(each.get("path")))
        for at, (one, other) in enumerate(zip(wanted, found, strict=True)):
            if fault := self._unlike(one, other, f"{place}[{at}]"):
                return fault
        return ""

    def _unlike_texts(self, wanted: str, found: Any, place: str) -> str:
        if VOLATILE.search(wanted) and not REPEATED.fullmatch(wanted):
            return "" if isinstance(found, str) and found else f"{place}: {found!r}"
        filled = self._made(wanted, Step({"id": "", "scenario": ""}))
        return "" if filled == found else f"{place}: {found!r} instead of {filled!r}"


def _at(answer: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(answer, list) and NUMBERED.fullmatch(part):
            answer = answer[int(part)] if int(part) < len(answer) else None
        else:
            answer = answer.get(part) if isinstance(answer, dict) else None
    return answer


async def replay(steps: Sequence[Step]) -> dict[str, str]:
    """Replay steps in their order; return the fault of each that is answered otherwise."""
    playing = Replay()
    found = {}
    for step in steps:
        if fault := await playing.fault(step):
            found[step.id] = fault
    return found


def main(arguments: Sequence[str]) -> int:
    steps = list(read([Path(each) for each in arguments]))
    faults = asyncio.run(replay(steps))
    passed = failed = 0
    for step in steps:
        if step.id not in faults:
            passed += 1
        elif step.reason:
            sys.stdout.write(f"{step.id}: differs, {step.reason}\n")
            passed += 1
        else:
            sys.stdout.write(f"{step.id}: {faults[step.id]}\n")
            failed += 1
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
