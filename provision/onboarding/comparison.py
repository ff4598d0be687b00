"""What a request would change of a gateway: two plans, compared part by part. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

from attrs import asdict, field, frozen

from bootstrap_core.secret import Secret
from provision.layout.expansion import expand
from provision.layout.model import InlineProfile, Layout, ProfileReference
from provision.layout.plan import Plan
from provision.layout.request import GatewayRequest

Part: TypeAlias = tuple[str, str]
"""What kind of thing, and its key in the layout."""

_NOT_COMPARED: Final = frozenset({"key", "id", "secret"})


class Action(StrEnum):
    """What would happen to a part."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@frozen
class FieldChange:
    """A field before and after; ``None`` where there is none."""

    before: Any
    after: Any


@frozen
class Change:
    """One part that would be added, changed or removed, and its fields."""

    action: Action
    kind: str
    key: str
    fields: Mapping[str, FieldChange] = field(factory=dict)


class StandIns:
    """Stand-ins for identifiers and secrets: those of ``present`` by key, else words.

    What exists keeps its IDs in the plan that is compared with it. Secrets are words in any case.
    """

    def __init__(self, layout: Layout, present: Plan | None) -> None:
        """Give identifiers in the order in which ``layout`` is expanded."""
        clients = {each.key: each.id for each in present.clients} if present else {}
        channels = {each.key: each.id for each in present.channels} if present else {}
        keys = [each.key for each in layout.clients]
        ids = [clients.get(key, f"(ID of {key})") for key in keys]
        ids += [channels.get(each.key, f"(ID of {each.key})") for each in layout.channels]
        self._ids = iter(ids)
        self._secrets = iter([_secret_words(key) for key in keys])

    def uuid(self) -> str:
        """Return the next identifier."""
        return next(self._ids)

    def secret(self) -> Secret:
        """Return the next client's secret, in words."""
        return Secret(next(self._secrets))


def plan_against(layout: Layout, request: GatewayRequest, present: Plan | None) -> Plan:
    """Return what ``layout`` makes of ``request``, with the IDs of what is there in ``present``.

    Raises the layout's ``ParameterError`` and ``ExpansionError``.
    """
    return expand(layout, request, StandIns(layout, present))


def compare(before: Plan | None, after: Plan) -> tuple[Change, ...]:
    """Return what would be added, changed and removed, in the order of creation."""
    old = parts_of(before) if before else {}
    new = parts_of(after)
    changes = []
    for part, values in new.items():
        if part not in old:
            fields = {name: FieldChange(None, value) for name, value in values.items()}
            changes.append(Change(Action.ADD, *part, fields))
        elif old[part] != values:
            changes.append(Change(Action.CHANGE, *part, _changed(old[part], values)))
    for part, values in old.items():
        if part not in new:
            fields = {name: FieldChange(value, None) for name, value in values.items()}
            changes.append(Change(Action.REMOVE, *part, fields))
    return tuple(changes)


def parts_of(plan: Plan) -> dict[Part, dict[str, Any]]:
    """Return the parts of a plan with their fields; no secret and no chosen ID among them."""
    keys = {each.id: each.key for each in plan.clients}
    keys |= {each.id: each.key for each in plan.channels}
    parts: dict[Part, dict[str, Any]] = {}
    for client in plan.clients:
        parts["client", client.key] = _fields(asdict(client, recurse=False), keys)
    for channel in plan.channels:
        parts["channel", channel.key] = _fields(asdict(channel, recurse=False), keys)
    for pair in plan.pairs:
        name = f"{keys[pair.client_id]} - {keys[pair.channel_id]}"
        parts["connection", name] = {"types": list(pair.types)}
    for certificate in plan.certificates:
        parts["certificate", keys[certificate.client_id]] = {
            "ttl_seconds": certificate.ttl_seconds,
            "key_type": certificate.key_type,
            "renew": certificate.renew,
        }
    if plan.config is not None:
        parts["config", keys[plan.config.id]] = {
            "status": plan.config.status,
            "render_context": _worded(plan.config.render_context, keys),
            "content": plan.config.content,
        }
    parts |= _profile(plan)
    for binding in plan.bindings:
        parts["binding", binding.slot] = {
            "type": binding.type,
            "resource": keys[binding.resource_id],
        }
    return parts


def _profile(plan: Plan) -> dict[Part, dict[str, Any]]:
    match plan.profile:
        case InlineProfile() as inline:
            return {("profile", inline.name): _fields(asdict(inline), {})}
        case ProfileReference(id=profile_id, name=name):
            return {("profile", profile_id or name): {}}
    return {}


def _fields(values: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: _worded(value, keys)
        for name, value in values.items()
        if name not in _NOT_COMPARED and value not in (None, (), {}, "")
    }


def _worded(value: Any, keys: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON
    """Return ``value`` with the IDs of the plan's parts in words, and tuples as lists."""
    match value:
        case str():
            return f"(ID of {keys[value]})" if value in keys else value
        case dict():
            return {name: _worded(item, keys) for name, item in value.items()}
        case list() | tuple():
            return [_worded(item, keys) for item in value]
    return value


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, FieldChange]:
    return {
        name: FieldChange(old.get(name), new.get(name))
        for name in (*new, *(each for each in old if each not in new))
        if old.get(name) != new.get(name)
    }


def _secret_words(key: str) -> str:
    return f"(secret of {key})"


def without_secrets(plan: Plan) -> Mapping[str, Secret]:
    """Return the words that stand for the secrets of the plan's clients, by their IDs."""
    return {each.id: Secret(_secret_words(each.key)) for each in plan.clients}
