"""From a profile and a device's data to the configuration that the device gets.

A profile's template is Go's text/template (``bootstrap_core.gotemplate``). What it may read is the
render context: ``.Device``, ``.Vars`` (the profile's defaults, overlaid with the config's render
context) and ``.Bindings`` (slot name to ``Type``, ``ID``, ``Snapshot`` and ``Secret``).

    renderer = Renderer()
    renderer.check("json", '{"id": "{{ .Device.ID }}"}')
    text = renderer.render(profile, context)

Formats: ``go-template`` gives the template's text as it is; ``json``, ``yaml`` and ``toml`` give it
once it is valid; ``raw`` gives the template unexecuted.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import Factory, field, frozen


class ContentFormat(StrEnum):
    """What a profile's template is, and how its output is checked."""

    GO_TEMPLATE = "go-template"
    JSON = "json"
    YAML = "yaml"
    TOML = "toml"
    RAW = "raw"


@frozen
class RenderProfile:
    """What rendering needs of a profile.

    ``defaults`` are the profile's variables, JSON values as ``json.loads`` gives them.
    """

    name: str
    content_format: ContentFormat
    content_template: str
    defaults: Mapping[str, Any] = Factory(dict)


@frozen
class RenderDevice:
    """``.Device``: the config's ID, the device's external ID and the domain's ID."""

    id: str = ""
    external_id: str = ""
    domain_id: str = ""


@frozen
class RenderBinding:
    """``.Bindings.<slot>``: the bound resource as it was when bound or refreshed.

    ``snapshot`` and ``secret`` are JSON objects; None where there is none. ``secret`` is the opened
    secret snapshot, in plain text because the template must print it; it is left out of the repr.
    """

    type: str = ""
    id: str = ""
    snapshot: Mapping[str, Any] | None = None
    secret: Mapping[str, Any] | None = field(default=None, repr=False)


@frozen
class RenderContext:
    """The data of one rendering.

    ``variables`` is the config's render context; its keys win over the profile's defaults (whole
    values, nothing is merged inside them).
    """

    device: RenderDevice = Factory(RenderDevice)
    variables: Mapping[str, Any] = Factory(dict)
    bindings: Mapping[str, RenderBinding] = Factory(dict)
