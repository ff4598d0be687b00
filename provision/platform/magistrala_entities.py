"""What Magistrala's clients and channels services have in common: the same routes and habits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from bootstrap_core.secret import Secret
from provision.platform.errors import BadAnswer
from provision.platform.magistrala_call import (
    OF_DOMAIN,
    OF_ENTITY,
    Call,
    Meaning,
    domain_path,
)
from provision.platform.magistrala_decoding import Shape, parse
from provision.platform.magistrala_transport import Transport
from provision.platform.types import (
    ChannelChange,
    ChannelQuery,
    ClientChange,
    ClientQuery,
    Page,
    StatusFilter,
)

STATUS_IS_SO: Final = ((422, "status already assigned"),)


class Entity(Protocol):
    """What is made with an ID of the caller's choice."""

    @property
    def id(self) -> str:
        """The ID."""
        ...


E = TypeVar("E", bound=Entity)


class Entities(Generic[E]):
    """The clients or the channels, as ``service`` has them."""

    def __init__(
        self,
        transport: Transport,
        service: str,
        decode: Callable[[Shape], E],
        taken: Meaning,
    ) -> None:
        """Speak to ``service``; ``taken`` has the refusals of what exists already."""
        self._transport = transport
        self._service = service
        self._decode = decode
        self._taken = taken

    async def create(
        self,
        token: Secret,
        domain_id: str,
        drafts: Sequence[Mapping[str, Any]],
        confidential: Sequence[Secret] = (),
    ) -> Sequence[E]:
        """Create all or none in one call; return them in the order of ``drafts``.

        Raises ``BadAnswer`` when the answer does not have exactly what was asked for.
        """
        if not drafts:
            return ()
        call = Call(
            self._service,
            f"create {self._service}",
            "POST",
            domain_path(domain_id, self._service, "bulk"),
            token,
            body=drafts,
            meaning={**OF_DOMAIN, **self._taken},
            confidential=confidential,
        )
        shape = parse(await self._transport.send(call))
        made = {each.id: each for each in map(self._decode, shape.items(self._service))}
        if made.keys() != {draft["id"] for draft in drafts}:
            raise BadAnswer(
                f"the {self._service} service's answer to {call.operation} can't be used: "
                f"{self._service} does not list the {len(drafts)} that were asked for",
                service=call.service,
                operation=call.operation,
            )
        return [made[draft["id"]] for draft in drafts]

    async def view(self, token: Secret, domain_id: str, entity_id: str) -> E:
        """Return one."""
        call = self._call("view", "GET", token, domain_id, entity_id)
        return self._decode(parse(await self._transport.send(call)))

    async def page(
        self,
        token: Secret,
        domain_id: str,
        query: ClientQuery | ChannelQuery,
        connected: Mapping[str, str],
    ) -> Page[E]:
        """Return one page of the list; ``connected`` filters by what is connected."""
        call = Call(
            self._service,
            f"list {self._service}",
            "GET",
            domain_path(domain_id, self._service),
            token,
            query={**_filters(query), **connected},
            meaning=OF_DOMAIN,
            repeatable=True,
        )
        shape = parse(await self._transport.send(call))
        return Page(
            items=[self._decode(each) for each in shape.items(self._service)],
            total=shape.number("total"),
            offset=shape.number("offset", 0),
            limit=shape.number("limit", query.limit),
        )

    async def update(
        self, token: Secret, domain_id: str, entity_id: str, change: ClientChange | ChannelChange
    ) -> E:
        """Replace the named fields; tags have a route of their own, so they go first."""
        body = {
            name: value
            for name, value in (("name", change.name), ("metadata", change.metadata))
            if value is not None
        }
        if change.tags is None:
            return await self.patch(token, domain_id, (entity_id,), body)
        tagged = await self.patch(
            token, domain_id, (entity_id, "tags"), {"tags": list(change.tags)}
        )
        return await self.patch(token, domain_id, (entity_id,), body) if body else tagged

    async def patch(
        self,
        token: Secret,
        domain_id: str,
        path: Sequence[str],
        body: Mapping[str, Any],
        confidential: Sequence[Secret] = (),
    ) -> E:
        """Replace what ``body`` names of the entity at ``path``."""
        call = Call(
            self._service,
            f"update {self._service}",
            "PATCH",
            domain_path(domain_id, self._service, *path),
            token,
            body=body,
            meaning={**OF_ENTITY, **self._taken},
            repeatable=True,
            confidential=confidential,
        )
        return self._decode(parse(await self._transport.send(call)))

    async def set_status(self, verb: str, token: Secret, domain_id: str, entity_id: str) -> None:
        """Enable or disable (``verb``); what is so already stays so."""
        call = Call(
            self._service,
            f"{verb} {self._service}",
            "POST",
            domain_path(domain_id, self._service, entity_id, verb),
            token,
            meaning=OF_ENTITY,
            already=STATUS_IS_SO,
            repeatable=True,
        )
        await self._transport.send(call)

    async def delete(self, token: Secret, domain_id: str, entity_id: str) -> None:
        """Delete one; raises ``NotFound`` when it is not there."""
        await self._transport.send(self._call("delete", "DELETE", token, domain_id, entity_id))

    def _call(self, verb: str, method: str, token: Secret, domain_id: str, entity_id: str) -> Call:
        return Call(
            self._service,
            f"{verb} {self._service}",
            method,
            domain_path(domain_id, self._service, entity_id),
            token,
            meaning=OF_ENTITY,
            repeatable=method == "GET",
        )


def _filters(query: ClientQuery | ChannelQuery) -> dict[str, str]:
    filters = {"offset": str(query.offset), "limit": str(query.limit)}
    if query.id:
        filters["id"] = query.id
    if query.name:
        filters["name"] = query.name
    if query.metadata:
        filters["metadata"] = json.dumps(query.metadata)
    if query.status is not StatusFilter.ENABLED:
        filters["status"] = query.status.value
    return filters
