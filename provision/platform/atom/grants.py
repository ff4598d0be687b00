"""What lets clients publish and subscribe on channels: policies of Atom, one client's or all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from bootstrap_core.model import ConnectionType, is_uuid
from bootstrap_core.secrets import Secret
from provision.platform.atom.calls import Graph
from provision.platform.atom.operations import POLICIES

ALLOW: Final = "allow"


@frozen
class Grant:
    """A policy that lets a client do some actions on a channel."""

    policy_id: str
    client_id: str
    channel_id: str
    actions: frozenset[str]

    @property
    def types(self) -> frozenset[ConnectionType]:
        """What of it are types of a connection."""
        return frozenset(kind for kind in ConnectionType if kind.value in self.actions)


async def grants_of(
    graph: Graph, token: Secret, domain_id: str, client_ids: Sequence[str] | None
) -> list[Grant]:
    """Return what allows these clients, or all of the domain, something on an object."""
    operation = "list connections"
    every = {"tenantId": domain_id, "subjectKind": "entity"}
    if client_ids is None:
        policies = await graph.every(token, operation, POLICIES, **every)
    else:
        known = [client_id for client_id in client_ids if is_uuid(client_id.lower())]
        found = await asyncio.gather(
            *(
                graph.every(token, operation, POLICIES, subjectId=client_id, **every)
                for client_id in known
            )
        )
        policies = [policy for policies in found for policy in policies]
    grants = []
    for policy in policies:
        block = policy.inner("permissionBlock")
        if block.text("effect") == ALLOW and (channel_id := block.optional_text("objectId")):
            actions = frozenset(action.text("name") for action in block.items("actions"))
            grants.append(Grant(policy.text("id"), policy.text("subjectId"), channel_id, actions))
    return grants
