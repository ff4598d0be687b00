"""``provision leftovers``: what the platform's administrator is to remove, at the prompt."""

from __future__ import annotations

import json

import pytest

from tests import database
from tests.cli.served import KEY, Served

LEFT = [
    {"kind": "channel", "id": "c0ffee00-0000-4000-8000-000000000001", "certain": True},
    {"kind": "client", "id": "c0ffee00-0000-4000-8000-000000000002", "certain": False},
]


def leave(served: Served, external_id: str) -> str:
    """Have an onboarding as one that left something; return its ID."""
    onboarding_id = str(served.map(external_id)["onboarding"]["id"])
    left = f"UPDATE onboardings SET leftovers = '{json.dumps(LEFT)}' WHERE id = :id"  # noqa: S608
    database.execute(served.data / database.FILE, left, id=onboarding_id)
    return onboarding_id


@pytest.mark.slow
def test_what_is_left_is_listed_until_it_is_said_to_be_removed(served: Served) -> None:
    assert "there are no known leftovers" in served.run("leftovers").err
    onboarding_id = leave(served, "gw-left")

    listed = served.run("leftovers")
    assert listed.code == 0, listed.err
    assert all(each["id"] in listed.out for each in LEFT)
    assert "perhaps" in listed.out
    (row,) = served.run("leftovers", "--json").json["onboardings"]
    assert (row["external_id"], row["leftovers"]) == ("gw-left", LEFT)
    doctor = served.run("doctor", "gw-left", "--key", KEY)
    assert "keeps channel c0ffee00-0000-4000-8000-000000000001" in doctor.out
    assert f"provision leftovers --forget {onboarding_id}" in doctor.out

    forgotten = served.run("leftovers", "--forget", onboarding_id)
    assert forgotten.code == 0, forgotten.err
    assert served.run("leftovers", "--json").json == {"onboardings": []}
    assert served.run("leftovers", "--forget", "c0ffee00").code == 1
