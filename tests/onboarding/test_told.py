"""What callers, metrics and the audit trail are told of how onboardings end: on virtual time."""

from __future__ import annotations

import pytest

from bootstrap_core.http.answers import refusal
from bootstrap_core.model import Caller
from provision.onboarding.errors import StepFailed
from provision.onboarding.model import OnExisting, State
from provision.platform import errors
from tests.onboarding.simulated_store import rows
from tests.onboarding.stories import Longest, make
from tests.onboarding.world import OwnToken, World, audit, onboardings, simulated


@simulated
async def test_a_failed_step_says_what_failed_and_what_became_of_the_rest(world: World) -> None:
    world.start_replica()
    world.platform.failing["create_channels"] = errors.Unavailable("away", retry_after=2.6)
    with pytest.raises(StepFailed) as caught:
        await make(world)
    (row,) = onboardings(world.database)
    failed = caught.value
    assert (failed.status, failed.code) == (503, "platform_unavailable")
    assert refusal(failed).headers["Retry-After"] == "3"
    assert failed.details == {
        "step": "channels",
        "onboarding_id": row.id,
        "external_id": "gw-1",
        "state": "undone",
        "aftermath": "everything that had been created was removed again",
    }
    assert failed.message == (
        "onboarding failed at step 'channels': away "
        "(everything that had been created was removed again)"
    )
    world.platform.failing["create_channels"] = errors.Unavailable(retry_after=0.2)
    with pytest.raises(StepFailed) as caught:
        await make(world)
    assert refusal(caught.value).headers["Retry-After"] == "1"
    world.platform.failing["create_channels"] = errors.NotFound("no such")
    with pytest.raises(StepFailed) as caught:
        await make(world)
    assert (caught.value.status, caught.value.code) == (502, "not_found")
    assert "Retry-After" not in refusal(caught.value).headers
    world.platform.failing["create_channels"] = errors.Rejected(answered=413)
    with pytest.raises(StepFailed) as caught:
        await make(world)
    assert (caught.value.status, caught.value.code) == (413, "rejected_by_platform")
    audit(world)


@simulated
async def test_how_each_onboarding_ends_is_told_to_metrics_and_log(world: World) -> None:
    world.chance = Longest()
    world.own = OwnToken(world.platform.token(1e9))
    replica = world.start_replica()
    notes, failing = replica.observer.notes, world.platform.failing

    def since() -> list[tuple[str, str]]:
        told = list(notes)
        notes.clear()
        return told

    await make(world)
    assert since() == [("onboard", "created")]
    await make(world, OnExisting.REPAIR)
    assert since() == [("onboard", "repaired")]
    failing["view_client"] = errors.Rejected()
    with pytest.raises(StepFailed):
        await make(world, OnExisting.REPAIR)
    assert since() == [("repair", "failed")]
    failing.clear()
    failing["update_client_secret"] = errors.Rejected()
    with pytest.raises(StepFailed):
        await make(world, OnExisting.ROTATE)
    assert since() == [("onboard", "postponed")]
    failing.clear()
    await world.come_to_rest()
    assert since() == [("onboard", "rotated")]
    await make(world, OnExisting.REPLACE)
    await world.come_to_rest()
    assert since() == [("onboard", "replaced"), ("undo", "done")]
    failing["delete_client"] = errors.Rejected()
    await replica.remove(world.caller(), "gw-1")
    assert since() == [("remove", "begun"), ("undo", "postponed")]
    failing.clear()
    await world.come_to_rest()
    assert since() == [("undo", "done")]
    failing["connect"] = errors.Rejected()
    with pytest.raises(StepFailed):
        await make(world)
    assert since() == [("onboard", "failed"), ("undo", "done")]


@simulated
async def test_the_audit_trail_tells_what_was_asked_for_and_how_it_ended(world: World) -> None:
    world.chance = Longest()
    world.own = OwnToken(world.platform.token(1e9))
    replica = world.start_replica()
    service, failing = replica.service, world.platform.failing

    def since() -> list[tuple[str, str]]:
        found = rows(world.database, "SELECT action, outcome FROM audit_trail ORDER BY id")
        with world.database.begin() as connection:
            connection.exec_driver_sql("DELETE FROM audit_trail")
        return [(each["action"], each["outcome"]) for each in found]

    made = await make(world)
    assert since() == [("onboard", "begun"), ("onboard", "created")]
    await make(world, OnExisting.ROTATE)
    assert since() == [("rotate", "begun"), ("rotate", "rotated")]
    failing["view_client"] = errors.Rejected()
    with pytest.raises(StepFailed):
        await make(world, OnExisting.REPAIR)
    assert since() == [("repair", "failed")]
    failing.clear()
    failing["delete_client"] = errors.Rejected()
    await service.remove(world.caller(), "gw-1")
    await service.retry(world.caller(), made.id)
    # The trail tells of another state or error, not of each attempt.
    assert since() == [("undo", "begun"), ("retry", "undoing"), ("retry", "asked for")]
    await service.retry(world.caller(), made.id)
    assert since() == [("retry", "asked for"), ("retry", "stuck")]
    failing.clear()
    assert (await service.retry(world.caller(), made.id)).state is State.UNDONE
    assert since() == [("retry", "asked for"), ("undo", "done")]
    old = await make(world)
    await make(world, OnExisting.REPLACE)
    await world.come_to_rest()
    assert since() == [
        ("onboard", "begun"),
        ("onboard", "created"),
        ("replace", "begun"),
        ("undo", "begun"),
        ("replace", "replaced"),
        ("undo", "done"),
    ]
    assert (await service.undo(world.caller(), old.id)).state is State.UNDONE
    assert since() == []


@simulated
async def test_the_trail_names_who_asked(world: World) -> None:
    world.chance = Longest()
    world.own = OwnToken(world.platform.token(1e9))
    replica = world.start_replica()
    service, domain_id = replica.service, world.caller().domain_id

    def caller(name: str) -> Caller:
        return Caller(name, domain_id, world.platform.token(1e9))

    made = await service.map(caller("maker"), world.request("gw-1", "key-1"))
    await service.map(caller("rotator"), world.request("gw-1", "key-1", OnExisting.ROTATE))
    await service.repair(caller("repairer"), made.id)
    world.platform.failing["delete_client"] = errors.Rejected()
    await service.remove(caller("remover"), "gw-1")
    world.platform.failing.clear()
    await service.retry(caller("impatient"), made.id)
    found = rows(world.database, "SELECT actor, action, outcome FROM audit_trail ORDER BY id")
    assert [tuple(each.values()) for each in found] == [
        ("maker", "onboard", "begun"),
        ("maker", "onboard", "created"),
        ("rotator", "rotate", "begun"),
        ("rotator", "rotate", "rotated"),
        ("repairer", "repair", "repaired"),
        ("remover", "undo", "begun"),
        ("remover", "retry", "undoing"),
        ("impatient", "retry", "asked for"),
        ("remover", "undo", "done"),
    ]
