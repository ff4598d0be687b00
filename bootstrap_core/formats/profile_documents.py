"""Profiles as people write them: the bodies of create and update, and uploaded documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from bootstrap_core.errors import Malformed
from bootstrap_core.formats import documents, toml, yaml
from bootstrap_core.formats.documents import Document, decode_text
from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.model import PROFILE_NAME_CHARACTERS, BindingSlot, ResourceType

SLOT_NAME_CHARACTERS: Final = 256
FORMAT_FIELDS: Final = ("content_format", "template_format")


@frozen
class NewProfile:
    """A profile to be created."""

    name: str
    content_format: ContentFormat = ContentFormat.JSON
    description: str = ""
    content_template: str = ""
    defaults: Mapping[str, Any] = field(factory=dict)
    binding_slots: Sequence[BindingSlot] = ()

    @classmethod
    def read(
        cls, document: Document, default_format: ContentFormat = ContentFormat.JSON
    ) -> NewProfile:
        """Read the body of a create request or an uploaded document. Raises ``Malformed``."""
        document.of(documents.PROFILE).required_text("name")
        return cls(
            name=_name(document),
            content_format=_content_format(document) or default_format,
            description=document.text("description"),
            content_template=document.text("content_template"),
            defaults=document.object("defaults"),
            binding_slots=_binding_slots(document),
        )


@frozen
class ProfileChange:
    """What a PATCH names of a profile; None leaves a field as it is.

    As in the Go service null and an empty text name nothing; an empty object or array does.
    """

    name: str | None = None
    content_format: ContentFormat | None = None
    description: str | None = None
    content_template: str | None = None
    defaults: Mapping[str, Any] | None = None
    binding_slots: Sequence[BindingSlot] | None = None

    @classmethod
    def read(cls, document: Document) -> ProfileChange:
        """Read the body of a PATCH. Raises ``Malformed``."""
        document.of(documents.PROFILE)

        def named(key: str) -> bool:
            return document.values.get(key) is not None

        return cls(
            name=_name(document) or None,
            content_format=_content_format(document),
            description=document.text("description") or None,
            content_template=document.text("content_template") or None,
            defaults=document.object("defaults") if named("defaults") else None,
            binding_slots=_binding_slots(document) if named("binding_slots") else None,
        )

    def named(self) -> dict[str, Any]:
        """Return the fields that are to be changed with their values."""
        values = {
            "name": self.name,
            "content_format": self.content_format,
            "description": self.description,
            "content_template": self.content_template,
            "defaults": self.defaults,
            "binding_slots": self.binding_slots,
        }
        return {key: value for key, value in values.items() if value is not None}


def read_yaml(body: bytes) -> Document:
    """Read an uploaded YAML document; an empty one is an object without keys.

    Raises ``Malformed`` with the line.
    """
    try:
        return _object(yaml.read_yaml(decode_text(body)).value, "YAML")
    except yaml.YAMLError as error:
        at = f" at line {error.line}" if error.line else ""
        raise Malformed(f"the body is not valid YAML{at}: {error}") from error
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not valid UTF-8: {error}") from error


def read_toml(body: bytes) -> Document:
    """Read an uploaded TOML document. Raises ``Malformed`` with line and column."""
    try:
        return _object(toml.read_toml(decode_text(body)), "TOML")
    except ValueError as error:
        raise Malformed(f"the body is not valid TOML: {error}") from error


def _object(value: Any, kind: str) -> Document:  # noqa: ANN401 - whatever the document holds
    if value is None:
        return Document({})
    if not isinstance(value, Mapping):
        raise Malformed(f"the body: a {kind} document of keys and values is wanted")
    return Document(value)


def _name(document: Document) -> str:
    name = document.text("name")
    if len(name) > PROFILE_NAME_CHARACTERS:
        raise Malformed(
            f"{document.where('name')}: has {len(name)} characters; at most "
            f"{PROFILE_NAME_CHARACTERS} are allowed"
        )
    return name


def _content_format(document: Document) -> ContentFormat | None:
    given = {key: document.text(key) for key in FORMAT_FIELDS if document.text(key)}
    if len(set(given.values())) > 1:
        raise Malformed(
            f"{document.where('template_format')}: is another name of content_format, and the two "
            "differ; give one"
        )
    for key, value in given.items():
        try:
            return ContentFormat(value)
        except ValueError as error:
            allowed = ", ".join(ContentFormat)
            raise Malformed(
                f"{document.where(key)}: {value!r} is not known; allowed are {allowed}",
                details={"field": key, "allowed": list(ContentFormat)},
            ) from error
    return None


def _binding_slots(document: Document) -> tuple[BindingSlot, ...]:
    slots: dict[str, BindingSlot] = {}
    for each in document.objects("binding_slots"):
        name = slot_name(each.of(documents.SLOT), "name")
        if name in slots:
            raise Malformed(f"{each.where('name')}: the slot {name!r} is declared twice")
        slots[name] = BindingSlot(
            name, resource_type(each), each.boolean("required"), each.texts("fields")
        )
    return tuple(slots.values())


def slot_name(document: Document, key: str) -> str:
    """Return a slot's name. Raises ``Malformed``: it is missing or too long."""
    name = document.required_text(key)
    if len(name) > SLOT_NAME_CHARACTERS:
        raise Malformed(
            f"{document.where(key)}: at most {SLOT_NAME_CHARACTERS} characters are allowed"
        )
    return name


def resource_type(document: Document) -> ResourceType:
    """Return the ``type`` of a slot or binding. Raises ``Malformed`` with what is allowed."""
    written = document.required_text("type")
    try:
        return ResourceType(written)
    except ValueError as error:
        allowed = ", ".join(ResourceType)
        raise Malformed(
            f"{document.where('type')}: {written!r} is not known; allowed are {allowed}",
            details={"field": document.where("type"), "allowed": list(ResourceType)},
        ) from error
