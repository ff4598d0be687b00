"""What is answered: errors, and configs, profiles, bindings and pages, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from bootstrap_core.client_configs import ClientParts
from bootstrap_core.errors import ServiceError
from bootstrap_core.mainflux import Thing
from bootstrap_core.model import Binding, Config, Fetch, Page, Profile, rfc3339, slot_to_json
from bootstrap_core.secrets import Secret


class JsonAnswer(Response):
    """A JSON body. The secrets in it are meant for the reader of this answer and are shown."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Encode compactly, as UTF-8; half a character is written as its escape."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=_reveal)
        return text.encode(errors="backslashreplace")


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def refusal(error: ServiceError, **named: str) -> Response:
    """Return the answer that tells an error; ``named`` are further members of its body.

    ``message`` is what Magistrala's clients read.
    """
    body = {"message": error.message, "code": error.code}
    details = {"details": error.details} if error.details else {}
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return JsonAnswer({**body, **details, **named}, error.status, headers)


def empty(status: int) -> Response:
    """Return an answer without a body."""
    return Response(status_code=status)


def page(name: str, found: Page[Any], items: Sequence[Mapping[str, Any]]) -> Response:
    """Return a page of a list; ``name`` is the key of its items."""
    return JsonAnswer(
        {"total": found.total, "offset": found.offset, "limit": found.limit, name: list(items)}
    )


def config_item(config: Config) -> dict[str, Any]:
    """Return a config as lists show it: nothing that is secret."""
    return _given(
        {
            "id": config.id,
            "external_id": config.external_id,
            "content": config.content,
            "name": config.name,
            "status": config.status.value,
            "profile_id": config.profile_id,
            "render_context": dict(config.render_context),
            "created_at": rfc3339(config.created_at),
            "updated_at": rfc3339(config.updated_at),
        }
    )


def config_view(config: Config, fetch: Fetch | None = None) -> dict[str, Any]:
    """Return a config with its public certificates and its device's last fetch."""
    view = config_item(config) | _given(
        {
            "domain_id": config.domain_id,
            "client_cert": config.client_cert,
            "ca_cert": config.ca_cert,
        }
    )
    if fetch is not None:
        view["last_fetch"] = _given(
            {"at": rfc3339(fetch.at), "outcome": fetch.outcome, "digest": fetch.digest}
        )
    return view


def client_view(parts: ClientParts | None) -> dict[str, Any]:
    """Return what SuperMQ's releases tell of a client's config; nothing for one of no client."""
    if parts is None:
        return {}
    return {
        "client_id": parts.config.id,
        "channels": [_channel(binding) for binding in parts.channels],
        "state": int(parts.config.connected),
    }


def profile_view(profile: Profile) -> dict[str, Any]:
    """Return a profile."""
    return _given(
        {
            "id": profile.id,
            "domain_id": profile.domain_id,
            "name": profile.name,
            "description": profile.description,
            "content_format": profile.content_format.value,
            "template_format": profile.content_format.value,
            "content_template": profile.content_template,
            "defaults": dict(profile.defaults),
            "binding_slots": slots_view(profile),
            "version": profile.version,
            "created_at": rfc3339(profile.created_at),
            "updated_at": rfc3339(profile.updated_at),
        }
    )


def version_view(profile: Profile) -> dict[str, Any]:
    """Return one version of a profile as a list shows it."""
    return {
        "version": profile.version,
        "name": profile.name,
        "content_format": profile.content_format.value,
        "updated_at": rfc3339(profile.updated_at),
    }


def slots_view(profile: Profile) -> list[dict[str, Any]]:
    """Return a profile's binding slots."""
    return [slot_to_json(slot) for slot in profile.binding_slots]


def binding_view(binding: Binding) -> dict[str, Any]:
    """Return a binding without its secrets."""
    return {
        "config_id": binding.config_id,
        "slot": binding.slot,
        "type": binding.type.value,
        "resource_id": binding.resource_id,
        "snapshot": dict(binding.snapshot),
        "updated_at": rfc3339(binding.updated_at),
    }


def thing_view(thing: Thing) -> dict[str, Any]:
    """Return a thing's config in Mainflux's shape, without its secrets."""
    config = thing.config
    return _given(
        {
            "thing_id": config.id,
            "external_id": config.external_id,
            "content": config.content,
            "name": config.name,
            "client_cert": config.client_cert,
            "ca_cert": config.ca_cert,
        }
    ) | {
        "channels": [_channel(binding) for binding in thing.channels],
        "state": int(config.connected),
    }


def _channel(binding: Binding) -> dict[str, Any]:
    return {
        "id": binding.resource_id,
        "name": binding.snapshot.get("name", ""),
        "metadata": binding.snapshot.get("metadata", {}),
    }


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is empty, as the Go services do."""
    return {key: value for key, value in values.items() if value not in ("", None, [], {})}
