"""Which clients may publish and subscribe on which channels: Atom's blocks and policies.

Magistrala's own tools write one block and one policy for each action, and take away every policy
whose block has an action: a block with both would lose the other one. So one of each is made here
too. A policy goes with its block when it is deleted; a block without a policy grants nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

from attrs import define, field, frozen

from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from provision.platform.atom.calls import MAX_PAGE, SERVICE, Graph, Reply
from provision.platform.atom.entities import CHANNEL, CLIENT, AtomEntities
from provision.platform.atom.grants import ALLOW, grants_of
from provision.platform.atom.operations import (
    ACTIONS,
    CREATE_BLOCK,
    CREATE_POLICY,
    DELETE_BLOCK,
    DELETE_POLICY,
    ask,
)
from provision.platform.errors import (
    AlreadyExists,
    Gone,
    NotFound,
    NotPermitted,
    NotReady,
    PlatformError,
)
from provision.platform.types import Connections

ACTIONS_KEPT: Final = 600.0
"""Seconds for which the IDs of actions are kept; they are an installation's for good."""


@frozen
class Wanted:
    """One policy that is to be made."""

    client_id: str
    channel_id: str
    actions: tuple[str, ...]


@define
class Actions:
    """The IDs of Atom's actions, which each installation chooses for itself."""

    graph: Graph
    known: Mapping[str, str] = field(factory=dict)
    until: float = 0.0

    async def ids(self, token: Secret, domain_id: str) -> Mapping[str, str]:
        """Return the ID of each action by its name; asked seldom."""
        if time.monotonic() > self.until:
            parts = [ask("actions", ACTIONS, tenantId=domain_id, limit=MAX_PAGE)]
            found = (await self.graph.ask(token, "list actions", parts))["actions"]
            self.known = {action.text("name"): action.text("id") for action in found.items("items")}
            self.until = time.monotonic() + ACTIONS_KEPT
        return self.known


class AtomConnections:
    """The port ``ConnectionLists``."""

    _graph: Graph
    _actions: Actions

    async def connect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Connect the whole product, in two rounds: blocks, while it is looked; then policies.

        Raises ``AlreadyExists``, ``NotFound`` and ``NotReady`` (a client is disabled), after which
        nothing of it is there.
        """
        wanted = [
            Wanted(client_id, channel_id, (kind.value,))
            for client_id, channel_id, kind in product(
                connections.client_ids, connections.channel_ids, connections.types
            )
        ]
        if not wanted:
            return
        looked, blocks = await asyncio.gather(
            self._look(token, domain_id, connections),
            self._blocks(token, domain_id, wanted),
            return_exceptions=True,
        )
        if isinstance(blocks, BaseException):
            raise looked if isinstance(looked, BaseException) else blocks
        if refusal := looked or _first(blocks):
            await self._drop(token, blocks, ())
            raise _hidden(refusal)
        policies = await self._policies(token, domain_id, wanted, blocks)
        if refusal := _first(policies):
            if not refusal.outcome_unknown:
                made = [policy.text("id") for policy in policies.shapes.values()]
                await self._drop(token, blocks, made)
            raise _hidden(refusal)

    async def _look(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Raise what stands in the way of connecting all of these."""
        operation = "connect clients to channels"
        clients, channels, grants = await asyncio.gather(
            AtomEntities(self._graph, CLIENT).found(
                token, domain_id, operation, connections.client_ids
            ),
            AtomEntities(self._graph, CHANNEL).found(
                token, domain_id, operation, connections.channel_ids
            ),
            grants_of(self._graph, token, domain_id, connections.client_ids),
        )
        for noun, found, asked in (
            ("client", clients, connections.client_ids),
            ("channel", channels, connections.channel_ids),
        ):
            for identifier in asked:
                if identifier not in found:
                    raise NotFound(
                        f"there is no {noun} {identifier} in this domain",
                        service=SERVICE,
                        operation=operation,
                    )
        for identifier, shape in clients.items():
            if CLIENT.decode(shape).status is Status.DISABLED:
                raise NotReady(f"client {identifier} is disabled", operation=operation)
        present = {
            (grant.client_id, grant.channel_id, kind) for grant in grants for kind in grant.types
        }
        for wanted in product(connections.client_ids, connections.channel_ids, connections.types):
            if wanted in present:
                raise AlreadyExists(
                    f"client {wanted[0]} may {wanted[2].value} on channel {wanted[1]} already",
                    service=SERVICE,
                    operation=operation,
                )

    async def disconnect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Delete each policy of these; what its block allows beyond them is granted anew first."""
        operation = "disconnect clients from channels"
        unwanted = {kind.value for kind in connections.types}
        grants = [
            grant
            for grant in await grants_of(self._graph, token, domain_id, connections.client_ids)
            if grant.channel_id in connections.channel_ids and grant.actions & unwanted
        ]
        if not grants:
            return
        kept = [
            Wanted(grant.client_id, grant.channel_id, (action,))
            for grant in grants
            for action in sorted(grant.actions - unwanted)
        ]
        if kept:
            blocks = await self._blocks(token, domain_id, kept)
            policies = (
                None if blocks.errors else await self._policies(token, domain_id, kept, blocks)
            )
            if refusal := _first(blocks) or (policies and _first(policies)):
                await self._drop(token, blocks, ())
                raise _hidden(refusal)
        parts = [
            ask(f"p{place}", DELETE_POLICY, id=grant.policy_id)
            for place, grant in enumerate(grants)
        ]
        reply = await self._graph.ask(token, operation, parts, repeatable=True)
        if refusal := _first(reply):
            raise _hidden(refusal)

    async def _blocks(self, token: Secret, domain_id: str, wanted: Sequence[Wanted]) -> Reply:
        ids = await self._actions.ids(token, domain_id)
        parts = []
        for place, pair in enumerate(wanted):
            block: dict[str, Any] = {
                "tenantId": domain_id,
                "scopeMode": "object",
                "objectKind": "resource",
                "objectType": "resource:channel",
                "objectId": pair.channel_id,
                "effect": ALLOW,
                "conditions": {},
                "actionIds": [_id_of(ids, action) for action in pair.actions],
            }
            parts.append(ask(f"b{place}", CREATE_BLOCK, input=block))
        return await self._graph.ask(token, "connect clients to channels", parts)

    async def _policies(
        self, token: Secret, domain_id: str, wanted: Sequence[Wanted], blocks: Reply
    ) -> Reply:
        parts = []
        for place, pair in enumerate(wanted):
            policy = {
                "tenantId": domain_id,
                "subjectKind": "entity",
                "subjectId": pair.client_id,
                "permissionBlockId": blocks[f"b{place}"].text("id"),
            }
            parts.append(ask(f"p{place}", CREATE_POLICY, input=policy))
        return await self._graph.ask(token, "connect clients to channels", parts)

    async def _drop(self, token: Secret, blocks: Reply, policies: Sequence[str]) -> None:
        """Take back policies, with which their blocks go, and the blocks that have none."""
        parts = [
            ask(f"p{at}", DELETE_POLICY, id=policy_id) for at, policy_id in enumerate(policies)
        ]
        parts += [
            ask(alias, DELETE_BLOCK, id=block.text("id")) for alias, block in blocks.shapes.items()
        ]
        if parts:
            operation = "take back a connection"
            reply = await self._graph.ask(token, operation, parts, repeatable=True)
            if policies and (left := _first(reply)):
                raise left


def _first(reply: Reply) -> PlatformError | None:
    """Return the first error of a reply that is no absence of a policy or block."""
    try:
        reply.raise_first()
    except Gone:
        others = {
            name: error for name, error in reply.errors.items() if not isinstance(error, Gone)
        }
        return next(iter(others.values()), None)
    except PlatformError as error:
        return error
    return None


def _hidden(error: BaseException) -> BaseException:
    """Return what a refusal means where things of the domain are addressed."""
    if isinstance(error, NotPermitted):
        return NotFound(str(error), service=SERVICE, operation=error.operation)
    return error


def _id_of(ids: Mapping[str, str], action: str) -> str:
    if action not in ids:
        raise NotReady(f"Atom does not know the action {action!r}", service=SERVICE)
    return ids[action]
