"""Clients and channels on Atom: its devices, and its resources of the kind channel.

Deleting one spends its ID for good: creating it again is refused, while it is not there. A creation
of several makes those that it can, since what follows an error in a document runs all the same;
what exists under an ID of the plan stays, so that it may be asked for again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

from bootstrap_core.model import Status, is_uuid
from bootstrap_core.secrets import Secret
from provision.platform.atom.calls import MAX_PAGE, SERVICE, Graph, Reply
from provision.platform.atom.decoding import (
    attributes_of,
    to_channel,
    to_client,
)
from provision.platform.atom.operations import (
    CREATE_ENTITY,
    CREATE_RESOURCE,
    DELETE_ENTITY,
    DELETE_RESOURCE,
    ENTITIES,
    ENTITY,
    RESOURCE,
    RESOURCES,
    UPDATE_ENTITY,
    UPDATE_RESOURCE,
    Operation,
    ask,
)
from provision.platform.errors import (
    AlreadyExists,
    Failed,
    Gone,
    Moved,
    NameTaken,
    NotFound,
    NotPermitted,
    RouteTaken,
    Spent,
)
from provision.platform.shapes import Shape
from provision.platform.types import (
    Channel,
    Client,
    EntityChange,
    EntityQuery,
    NewChannel,
    NewClient,
    Page,
    StatusFilter,
)

E = TypeVar("E", Client, Channel)
New = TypeVar("New", NewClient, NewChannel)
SLUG: Final = re.compile(r"[a-z0-9-]{1,63}")


@frozen
class Kind(Generic[E]):
    """What differs between clients and channels: Atom's operations, and how answers are read."""

    noun: str
    one: Operation
    page: Operation
    kind: str
    create: Operation
    update: Operation
    delete: Operation
    decode: Callable[[Shape], E]


CLIENT: Final = Kind(
    "client", ENTITY, ENTITIES, "device", CREATE_ENTITY, UPDATE_ENTITY, DELETE_ENTITY, to_client
)
CHANNEL: Final = Kind(
    "channel",
    RESOURCE,
    RESOURCES,
    "channel",
    CREATE_RESOURCE,
    UPDATE_RESOURCE,
    DELETE_RESOURCE,
    to_channel,
)


@frozen
class AtomEntities(Generic[E]):
    """The clients, or the channels, of Atom."""

    graph: Graph
    kind: Kind[E]

    async def found(
        self, token: Secret, domain_id: str, operation: str, identifiers: Sequence[str]
    ) -> dict[str, Shape]:
        """Return those of these IDs that the caller is shown in the domain, in one round."""
        known = [
            identifier for identifier in dict.fromkeys(identifiers) if is_uuid(identifier.lower())
        ]
        if not known:
            return {}
        parts = [
            ask(f"e{place}", self.kind.one, id=identifier) for place, identifier in enumerate(known)
        ]
        reply = await self.graph.ask(token, operation, parts)
        found, hidden = {}, []
        for part, identifier in zip(parts, known, strict=True):
            refused = reply.errors.get(part.alias)
            if isinstance(refused, NotPermitted):
                hidden.append(identifier)
            elif not isinstance(refused, Gone) and self.is_of(
                shape := reply[part.alias], domain_id
            ):
                found[identifier] = shape
        if hidden:
            found |= await self._disabled(token, domain_id, operation, hidden)
        return found

    async def _disabled(
        self, token: Secret, domain_id: str, operation: str, identifiers: Sequence[str]
    ) -> dict[str, Shape]:
        """Return those of these IDs that are disabled clients: only lists show them."""
        if self.kind.kind != CLIENT.kind:
            return {}
        inactive = {"tenantId": domain_id, "kind": CLIENT.kind, "status": "inactive"}
        shapes = await self.graph.every(token, operation, ENTITIES, **inactive)
        listed = {shape.text("id"): shape for shape in shapes}
        return {
            identifier: listed[identifier.lower()]
            for identifier in identifiers
            if identifier.lower() in listed
        }

    def is_of(self, shape: Shape, domain_id: str) -> bool:
        """Tell whether this is one of the kind, in the domain."""
        return (
            shape.text("kind") == self.kind.kind
            and shape.optional_text("tenantId") == domain_id.lower()
        )

    async def view(self, token: Secret, domain_id: str, identifier: str, verb: str) -> Shape:
        """Return one, to ``verb`` it.

        Raises ``NotFound``, and ``Moved`` for one that is there: to whom may read the domain, what
        is forbidden is in another one.
        """
        operation = f"{verb} a {self.kind.noun}"
        missing = f"there is no {self.kind.noun} with the ID {identifier!r} in this domain"
        if not is_uuid(identifier.lower()):
            raise NotFound(missing, service=SERVICE, operation=operation)
        reply = await self.graph.ask(token, operation, [ask("one", self.kind.one, id=identifier)])
        try:
            shape = reply["one"]
        except NotPermitted as error:
            if found := await self._disabled(token, domain_id, operation, [identifier]):
                return found[identifier]
            raise Moved(f"{missing}: {error}", service=SERVICE, operation=operation) from error
        if not self.is_of(shape, domain_id):
            raise Moved(f"{missing}: {Moved.__doc__}", service=SERVICE, operation=operation)
        return shape

    def seen(self, reply: Reply, alias: str) -> Shape:
        """Return an answer; raises ``NotFound`` too where the caller may not see the thing."""
        try:
            return reply[alias]
        except NotPermitted as error:
            raise NotFound(str(error), service=SERVICE, operation=error.operation) from error

    async def page(
        self,
        token: Secret,
        domain_id: str,
        query: EntityQuery,
        among: Sequence[str] | None,
    ) -> Page[E]:
        """Return one page of the list, newest first; ``among`` is what is connected, if asked."""
        operation = f"list {self.kind.noun}s"
        if query.id:
            among = [
                identifier for identifier in (query.id,) if among is None or identifier in among
            ]
        if among is not None:
            shapes = list((await self.found(token, domain_id, operation, among)).values())
        elif not is_uuid(domain_id.lower()):
            shapes = []
        elif query.name or query.metadata or not await self._is_plain(token, domain_id, query):
            shapes = await self.graph.every(
                token, operation, self.kind.page, **self._filters(domain_id, query)
            )
        else:
            return await self._plain_page(token, domain_id, query)
        entities = [entity for entity in map(self.kind.decode, shapes) if _matches(entity, query)]
        if among is not None:
            entities.sort(key=lambda entity: entity.created_at, reverse=True)
        part = entities[query.offset : query.offset + query.limit]
        return Page(part, len(entities), query.offset, query.limit)

    async def _is_plain(self, token: Secret, domain_id: str, query: EntityQuery) -> bool:
        """Tell whether Atom's own pages are the right ones: a channel's status is no filter."""
        if self.kind.kind == CLIENT.kind or query.status is StatusFilter.ALL:
            return True
        disabled = {"status": Status.DISABLED.value}
        values = {"kind": CHANNEL.kind, "tenantId": domain_id, "limit": 1}
        parts = [ask("disabled", RESOURCES, attributesContains=disabled, **values)]
        reply = await self.graph.ask(token, "list channels", parts)
        return query.status is StatusFilter.ENABLED and not reply["disabled"].number("total")

    async def _plain_page(self, token: Secret, domain_id: str, query: EntityQuery) -> Page[E]:
        ends = query.offset + query.limit
        filters = self._filters(domain_id, query)
        parts = [
            ask(
                f"page{offset}",
                self.kind.page,
                limit=min(MAX_PAGE, ends - offset),
                offset=offset,
                **filters,
            )
            for offset in range(query.offset, max(ends, query.offset + 1), MAX_PAGE)
        ]
        reply = await self.graph.ask(token, f"list {self.kind.noun}s", parts)
        pages = [reply[part.alias] for part in parts]
        items = [self.kind.decode(item) for page in pages for item in page.items("items")]
        return Page(items[: query.limit], pages[0].number("total"), query.offset, query.limit)

    def _filters(self, domain_id: str, query: EntityQuery) -> dict[str, Any]:
        filters: dict[str, Any] = {"tenantId": domain_id, "kind": self.kind.kind}
        # A backslash would take the meaning from what follows it.
        if query.name and query.name.isprintable() and "\\" not in query.name:
            filters["q"] = query.name
        if self.kind.kind == CHANNEL.kind:
            if query.metadata:
                filters["attributesContains"] = {"metadata": query.metadata}
        elif query.status is not StatusFilter.ALL:
            enabled = query.status is StatusFilter.ENABLED
            filters["status"] = "active" if enabled else "inactive"
        return filters

    async def update(
        self,
        token: Secret,
        domain_id: str,
        identifier: str,
        change: EntityChange,
        further: Mapping[str, Any] | None = None,
    ) -> E:
        """Replace the named fields; attributes are written whole, what stands in them is kept."""
        shape = await self.view(token, domain_id, identifier, "update")
        if self.kind.kind == CLIENT.kind and to_client(shape).status is Status.DISABLED:
            raise NotFound(
                f"client {identifier} is disabled", service=SERVICE, operation="update a client"
            )
        attributes = {**attributes_of(shape), **(further or {})}
        if change.metadata is not None:
            attributes["metadata"] = dict(change.metadata)
        if change.tags is not None:
            attributes["tags"] = list(change.tags)
        changed: dict[str, Any] = {"attributes": attributes}
        if change.name is not None:
            changed["name"] = change.name
        parts = [ask("one", self.kind.update, id=identifier, input=changed)]
        reply = await self.graph.ask(token, f"update a {self.kind.noun}", parts, repeatable=True)
        return self.kind.decode(self.seen(reply, "one"))

    async def refused(
        self, token: Secret, domain_id: str, reply: Reply, made: Sequence[tuple[str, str, str]]
    ) -> None:
        """Settle a creation of which something failed; raise what that means.

        ``made`` has the alias, ID and name of each. What was made by a call that is refused for
        good is deleted again; where an ID is taken, it stays.
        """
        failed = {alias: reply.errors[alias] for alias, _, _ in made if alias in reply.errors}
        for error in reply.errors.values():
            if error.outcome_unknown:
                raise error
        others = [error for error in reply.errors.values() if not isinstance(error, AlreadyExists)]
        if others:
            await self._take_back(
                token, [identifier for alias, identifier, _ in made if alias not in failed]
            )
            raise others[0]
        taken = [(identifier, name) for alias, identifier, name in made if alias in failed]
        if taken:
            raise await self._taken(token, domain_id, taken)

    async def _take_back(self, token: Secret, identifiers: Sequence[str]) -> None:
        parts = [
            ask(f"d{place}", self.kind.delete, id=identifier)
            for place, identifier in enumerate(identifiers)
        ]
        if not parts:
            return
        operation = f"take back the {self.kind.noun}s of a creation that was refused"
        reply = await self.graph.ask(token, operation, parts, repeatable=True)
        left = [error for error in reply.errors.values() if not isinstance(error, Gone)]
        if left:
            raise Failed(
                f"a creation was refused, and the {self.kind.noun}s that it had made by then could "
                f"not be deleted: {left[0]}",
                service=SERVICE,
                operation=operation,
            ) from left[0]

    async def _taken(
        self, token: Secret, domain_id: str, taken: Sequence[tuple[str, str]]
    ) -> AlreadyExists:
        """Return which of name, alias and ID is taken: Atom's answer is the same for all."""
        operation = f"create {self.kind.noun}s"
        there = await self.found(
            token, domain_id, operation, [identifier for identifier, _ in taken]
        )
        absent = [(identifier, name) for identifier, name in taken if identifier not in there]
        for identifier, name in absent:
            if await self._is_unique_taken(token, domain_id, name):
                noun, kind = (
                    ("name", NameTaken) if self.kind.kind == CLIENT.kind else ("route", RouteTaken)
                )
                return kind(
                    f"another {self.kind.noun} has the {noun} {name!r} that {identifier} was to "
                    "have",
                    service=SERVICE,
                    operation=operation,
                )
        if absent:
            named = ", ".join(identifier for identifier, _ in absent)
            return Spent(
                f"what had this ID was deleted, and Atom never takes the ID again: {named}",
                service=SERVICE,
                operation=operation,
            )
        named = ", ".join(identifier for identifier, _ in taken)
        return AlreadyExists(
            f"a {self.kind.noun} with this ID exists already: {named}",
            service=SERVICE,
            operation=operation,
        )

    async def _is_unique_taken(self, token: Secret, domain_id: str, name: str) -> bool:
        if self.kind.kind == CHANNEL.kind:
            if not SLUG.fullmatch(name):
                return False
            query = EntityQuery(status=StatusFilter.ALL)
            shapes = await self.graph.every(
                token, "create channels", RESOURCES, **self._filters(domain_id, query)
            )
            return any(shape.optional_text("alias") == name for shape in shapes)
        named = EntityQuery(name=name, status=StatusFilter.ALL)
        shapes = await self.graph.every(
            token, "create clients", ENTITIES, tenantId=domain_id, **_named(named)
        )
        return any(shape.optional_text("name") == name for shape in shapes)


def _named(query: EntityQuery) -> dict[str, Any]:
    return {"q": query.name} if query.name and "\\" not in query.name else {}


def _matches(entity: Client | Channel, query: EntityQuery) -> bool:
    """Tell whether an entity is one that is asked for: Atom finds more, and less exactly."""
    if query.status is not StatusFilter.ALL and entity.status.value != query.status.value:
        return False
    if query.name and query.name.lower() not in entity.name.lower():
        return False
    return _contains(entity.metadata, query.metadata)


def _contains(whole: Any, part: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(
            name in whole and _contains(whole[name], value) for name, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(
            any(_contains(item, wanted) for item in whole) for wanted in part
        )
    return bool(whole == part) and isinstance(whole, bool) == isinstance(part, bool)


def deleted(reply: Reply) -> None:
    """Raise what kept a deletion from being done; policies may be gone already."""
    if refused := reply.errors.get("one"):
        if isinstance(refused, NotPermitted):
            raise NotFound(str(refused), service=SERVICE, operation=refused.operation)
        raise refused
    for error in reply.errors.values():
        if not isinstance(error, Gone):
            raise error
