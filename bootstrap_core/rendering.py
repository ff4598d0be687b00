"""From a profile and a device's data to the configuration that the device gets.

A profile's template is Go's text/template (``bootstrap_core.gotemplate``). What it may read is the
render context: ``.Device``, ``.Vars`` (the profile's defaults, overlaid with the config's render
context) and ``.Bindings`` (slot name to ``Type``, ``ID``, ``Snapshot`` and ``Secret``).

    renderer = Renderer()
    renderer.check(ContentFormat.JSON, '{"id": "{{ .Device.ID }}"}')
    text = renderer.render(profile, context)

Formats: ``go-template`` gives what the template writes; ``json``, ``yaml`` and ``toml`` give it
once it is valid, converted where it is another of the three; ``raw`` gives the template unexecuted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from threading import Lock
from typing import Any, Final

from attrs import Factory, field, frozen

from bootstrap_core.errors import RenderError
from bootstrap_core.gotemplate import ExecError, Limits, ParseError, Struct, Template
from bootstrap_core.gotemplate.context import binding_context, device_context, render_context
from bootstrap_core.gotemplate.quote import quote
from bootstrap_core.secret import MASK
from bootstrap_core.structured import ContentError, fit

_TEMPLATE_NAME: Final = "bootstrap"


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


class Renderer:
    """Renders profiles, keeping the templates it has parsed.

    Safe to use from several threads. ``cache_size`` bounds the templates kept, in characters of
    their texts; parsed they take some hundred times as much.
    """

    def __init__(self, limits: Limits | None = None, cache_size: int = 256 * 1024) -> None:
        """Take the limits of each template and the size of the cache."""
        self._limits = limits
        self._cache_size = cache_size
        self._cached: dict[str, Template] = {}
        self._size = 0
        self._lock = Lock()

    def check(self, content_format: ContentFormat, content_template: str) -> None:
        """Make sure that a template can be parsed.

        Raises:
            RenderError: it cannot; the profile is not named.

        """
        if content_format != ContentFormat.RAW:
            self._template(content_template, "")

    def render(self, profile: RenderProfile, context: RenderContext) -> str:
        """Return a device's configuration.

        Raises:
            RenderError: the template does not fit the data, or its output not the format.

        """
        if profile.content_format == ContentFormat.RAW:
            return profile.content_template
        template = self._template(profile.content_template, profile.name)
        try:
            text = template.render(_dot(profile, context))
        except ExecError as error:
            # Not chained: the engine's message may quote a secret.
            raise RenderError(
                _masked(error.message, context) + _remedy(error.message),
                profile=profile.name,
                line=error.line,
                column=(error.column or 0) + 1,
                variable=error.context,
            ) from None
        if profile.content_format == ContentFormat.GO_TEMPLATE:
            return text
        try:
            return fit(text, profile.content_format)
        except ContentError as error:
            reason = _masked(str(error), context)
            raise RenderError(
                f"the output is not valid {profile.content_format.upper()}: {reason}",
                profile=profile.name,
                line=error.line,
            ) from None

    def _template(self, text: str, profile: str) -> Template:
        """Return a parsed template, kept or new."""
        with self._lock:
            template = self._cached.pop(text, None)
            if template is not None:
                self._cached[text] = template
                return template
        try:
            template = Template.parse(text, name=_TEMPLATE_NAME, limits=self._limits)
        except ParseError as error:
            raise RenderError(error.message, profile=profile, line=error.line) from error
        with self._lock:
            if text not in self._cached:
                self._cached[text] = template
                self._size += len(text)
            while self._size > self._cache_size:
                self._size -= len(oldest := next(iter(self._cached)))
                del self._cached[oldest]
        return template


def render(profile: RenderProfile, context: RenderContext) -> str:
    """Return a device's configuration, as ``Renderer.render`` does, parsing the template anew."""
    return Renderer().render(profile, context)


def _dot(profile: RenderProfile, context: RenderContext) -> Struct:
    """Return what the template gets as dot."""
    device = context.device
    return render_context(
        device_context(device.id, device.external_id, device.domain_id),
        {**profile.defaults, **context.variables},
        {
            slot: binding_context(
                binding.type,
                binding.id,
                None if binding.snapshot is None else dict(binding.snapshot),
                None if binding.secret is None else dict(binding.secret),
            )
            for slot, binding in context.bindings.items()
        },
    )


def _remedy(message: str) -> str:
    """Return what to do about the commonest faults."""
    if message.startswith(("map has no entry", "error calling required")):
        return "; set it in the profile's defaults or the config's render context, or bind its slot"
    return ""


def _masked(message: str, context: RenderContext) -> str:
    """Return a message without the secrets that it may quote."""
    for binding in context.bindings.values():
        for secret in sorted(_texts(binding.secret), key=len, reverse=True):
            for written in (secret, quote(secret)[1:-1], repr(secret)[1:-1]):
                message = message.replace(written, MASK)
    return message


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a JSON value that are long enough to be secrets."""
    if isinstance(value, str):
        if len(value) > 3:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
