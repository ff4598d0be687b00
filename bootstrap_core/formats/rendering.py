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

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from threading import Lock
from typing import Any, Final

from attrs import Factory, field, frozen

from bootstrap_core.errors import RenderError
from bootstrap_core.formats.structured import ContentError, Misread, fit
from bootstrap_core.gotemplate import (
    ExecError,
    ExecLimitExceeded,
    Limits,
    ParseError,
    Struct,
    Template,
)
from bootstrap_core.gotemplate.context import binding_context, device_context, render_context
from bootstrap_core.gotemplate.text import quote
from bootstrap_core.secrets import MASK
from bootstrap_core.template_remedies import parse_remedy
from bootstrap_core.work import LongWork, beside_loop

# What is rendered where a secret is not to be shown; a mask takes its place in the result.
_STAND_IN: Final = "masked-secret-5d1c0e"
_TEMPLATE_NAME: Final = "bootstrap"

BRIEF_STEPS: Final = 1_000
"""Units of work of a rendering on the event loop: some milliseconds."""

BRIEF_OUTPUT: Final = 16 * 1024
"""Characters that a rendering on the event loop may give."""

BRIEF_PARSED: Final = 4 * 1024
"""Characters of an output on the event loop in a format that takes long to read."""

BRIEF_TEMPLATE: Final = 8 * 1024
"""Characters of a template that is parsed on the event loop."""

LONG_KEPT: Final = 64
"""Templates that are known to take long."""


class ContentFormat(StrEnum):
    """What a profile's template is, and how its output is checked."""

    GO_TEMPLATE = "go-template"
    JSON = "json"
    YAML = "yaml"
    TOML = "toml"
    RAW = "raw"


SLOW_FORMATS: Final = (ContentFormat.YAML, ContentFormat.TOML)
CHECKED_FORMATS: Final = (ContentFormat.JSON, *SLOW_FORMATS)


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

    def __init__(
        self,
        limits: Limits | None = None,
        cache_size: int = 256 * 1024,
        long_work: LongWork | None = None,
    ) -> None:
        """Take the limits of each template, the size of the cache, and where long ones are made."""
        self._limits = limits or Limits()
        self._brief = replace(self._limits, steps=BRIEF_STEPS, output=BRIEF_OUTPUT)
        self._long_work = long_work or LongWork()
        self._long: dict[str, None] = {}
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
        return self._made(profile, context, self._limits)

    async def rendered(
        self, profile: RenderProfile, context: RenderContext, caller: str, *, in_turn: bool = False
    ) -> str:
        """Return a device's configuration; what takes long is made beside the event loop.

        ``caller`` is who has so many long renderings under way; ``in_turn`` waits for others of
        them instead of refusing.

        Raises:
            RenderError: as ``render`` does.
            TooManyAtOnce: the caller has enough under way.

        """
        if profile.content_format == ContentFormat.RAW:
            return profile.content_template
        if not in_turn:
            self._long_work.check(caller)
        if self._seems_brief(profile):
            with contextlib.suppress(ExecLimitExceeded):
                return self._made(profile, context, self._brief)
            self._long[profile.content_template] = None
            while len(self._long) > LONG_KEPT:
                del self._long[next(iter(self._long))]
        run = self._long_work.run_in_turn if in_turn else self._long_work.run
        return await run(caller, lambda: self.render(profile, context))

    async def checked(self, content_format: ContentFormat, content_template: str) -> None:
        """Make sure that a template can be saved; a long one is looked at beside the event loop.

        Raises:
            RenderError: it cannot be parsed, or is a text without actions that would be misread.

        """

        def check() -> None:
            self.check(content_format, content_template)
            if content_format in CHECKED_FORMATS and "{{" not in content_template:
                _check_reading(content_template, content_format)

        if len(content_template) <= BRIEF_PARSED:
            check()
        else:
            await beside_loop(check)

    def _seems_brief(self, profile: RenderProfile) -> bool:
        text = profile.content_template
        read = len(text) <= BRIEF_TEMPLATE or text in self._cached
        return read and text not in self._long

    def _made(self, profile: RenderProfile, context: RenderContext, limits: Limits) -> str:
        template = self._template(profile.content_template, profile.name)
        brief = limits is self._brief
        try:
            text = template.render(_dot(profile, context), limits)
            if brief and len(text) > BRIEF_PARSED and profile.content_format in SLOW_FORMATS:
                raise ExecLimitExceeded("takes long to read", name=_TEMPLATE_NAME, line=1)
        except ExecError as error:
            if brief and isinstance(error, ExecLimitExceeded):
                raise
            # Not chained: the engine's message may quote a secret.
            raise RenderError(
                _masked(error.message, context) + _remedy(error.message),
                profile=profile.name,
                line=error.line,
                column=(error.column or 0) + 1,
                variable=error.context,
            ) from None
        if profile.content_format == ContentFormat.GO_TEMPLATE:
            return text.replace(_STAND_IN, MASK)
        try:
            return fit(text, profile.content_format).replace(_STAND_IN, MASK)
        except ContentError as error:
            reason = _masked(str(error), context)
            raise _not_in_format(reason, profile.content_format, profile.name, error.line) from None

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
            message = error.message + parse_remedy(text, error.message)
            raise RenderError(message, profile=profile, line=error.line) from error
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
        _without_masks({**profile.defaults, **context.variables}),
        {
            slot: binding_context(
                binding.type,
                binding.id,
                None if binding.snapshot is None else dict(binding.snapshot),
                None if binding.secret is None else _without_masks(binding.secret),
            )
            for slot, binding in context.bindings.items()
        },
    )


def _without_masks(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values in which a word stands for a mask, which means something else to YAML."""
    return {name: _STAND_IN if value == MASK else value for name, value in values.items()}


def _check_reading(text: str, content_format: ContentFormat) -> None:
    """Refuse a text that would be misread; other faults are told when it is rendered.

    Magistrala stores any text, and its profiles are to be taken as they are.
    """
    try:
        fit(text, content_format)
    except Misread as error:
        raise _not_in_format(str(error), content_format, "", error.line) from None
    except ContentError:
        return


def _not_in_format(
    reason: str, content_format: ContentFormat, profile: str, line: int
) -> RenderError:
    message = f"the output is not valid {content_format.upper()}: {reason}"
    return RenderError(message, profile=profile, line=line)


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
