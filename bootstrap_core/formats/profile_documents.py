"""Profiles as people write them: the bodies of create and update, and uploaded documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from attrs import field, frozen

from bootstrap_core.bodies import GIVEN, AlsoCalled, Body, Check, Wrong, at_most, described, named
from bootstrap_core.errors import Malformed
from bootstrap_core.formats import toml, yaml
from bootstrap_core.formats.documents import decode_text
from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.model import PROFILE_NAME_CHARACTERS, BindingSlot

PROFILE: Final = frozenset({
    "id", "domain_id", "name", "description", "content_format", "template_format",
    "content_template", "defaults", "binding_slots", "version", "created_at", "updated_at",
    "updated_by",
})  # fmt: skip
"""Fields of a profile in any release: sent, answered, or both."""


def _slots_fault(slots: Sequence[BindingSlot]) -> str:
    names: set[str] = set()
    for index, slot in enumerate(slots):
        if slot.name in names:
            raise Wrong(f"the slot {slot.name!r} is declared twice", at=f"[{index}].name")
        names.add(slot.name)
    return ""


Name: TypeAlias = Annotated[str, at_most(PROFILE_NAME_CHARACTERS)]
Template: TypeAlias = Annotated[str, described(description="A Go text/template")]
Slots: TypeAlias = Annotated[Sequence[BindingSlot], Check(_slots_fault)]


@frozen
class NewProfile:
    """A profile to be created."""

    body: ClassVar[Body] = Body("NewProfile", known=PROFILE)

    name: Annotated[Name, GIVEN, described(minLength=1)]
    content_format: Annotated[ContentFormat, AlsoCalled("template_format")] = ContentFormat.JSON
    description: str = ""
    content_template: Template = ""
    defaults: Mapping[str, Any] = field(factory=dict)
    binding_slots: Slots = ()


@frozen
class ProfileChange:
    """What a PATCH names of a profile; None leaves a field as it is.

    As in the Go service null and an empty text name nothing; an empty object or array does.
    """

    body: ClassVar[Body] = Body("ProfileChange", known=PROFILE)

    name: Name | None = None
    content_format: Annotated[ContentFormat | None, AlsoCalled("template_format")] = None
    description: str | None = None
    content_template: Template | None = None
    defaults: Mapping[str, Any] | None = None
    binding_slots: Slots | None = None

    def named(self) -> dict[str, Any]:
        """Return the fields that are to be changed with their values."""
        return {key: value for key, value in named(self).items() if value != ""}


def read_yaml(body: bytes) -> Mapping[Any, Any]:
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


def read_toml(body: bytes) -> Mapping[Any, Any]:
    """Read an uploaded TOML document. Raises ``Malformed`` with line and column."""
    try:
        return _object(toml.read_toml(decode_text(body)), "TOML")
    except ValueError as error:
        raise Malformed(f"the body is not valid TOML: {error}") from error


def _object(value: Any, kind: str) -> Mapping[Any, Any]:  # noqa: ANN401 - whatever the document holds
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Malformed(f"the body: a {kind} document of keys and values is wanted")
    return value
