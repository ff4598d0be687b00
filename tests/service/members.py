"""Members of a running service's domain, each with the rights that a test gives."""

from __future__ import annotations

from collections.abc import Iterable

from tests.embedded.people import Person, person
from tests.service.running import Running


async def member(running: Running, name: str, actions: Iterable[str]) -> Person:
    """Make a user with a role in the domain that has these actions."""
    made = await person(running.platform, running.token, name)
    role = {
        "role_name": f"role of {name}",
        "optional_actions": sorted(actions),
        "optional_members": [made.id],
    }
    path = f"/domains/{running.domain}/roles"
    answer = await running.platform.post(path, json=role, headers=running.headers)
    assert answer.status_code == 201, answer.text
    return Person(running.http, made.id, made.name, made.access, made.refresh)


async def stranger(running: Running, name: str = "stranger") -> Person:
    """Make a user who is no member of the domain."""
    made = await person(running.platform, running.token, name)
    return Person(running.http, made.id, made.name, made.access, made.refresh)
