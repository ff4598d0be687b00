"""Rendering the strings of a layout for one request."""

from __future__ import annotations

from attrs import frozen

from bootstrap_core.gotemplate import TemplateError
from provision.layout.errors import ExpansionError
from provision.layout.model import JsonObject, JsonValue, KeyPath, Layout
from provision.layout.request import GatewayRequest
from provision.layout.source import path_text
from provision.layout.templates import render_text


@frozen
class Renderer:
    """Renders strings with what a request gives; its errors name the file, line and field."""

    layout: Layout
    data: JsonObject

    @classmethod
    def of(cls, layout: Layout, request: GatewayRequest, parameters: JsonObject) -> Renderer:
        """Return the renderer for a request with validated ``parameters``.

        ``.Name`` is the request's name or, where it gives none, the external ID.
        """
        data = {
            "ExternalID": request.external_id,
            "Name": request.name or request.external_id,
            "DomainID": request.domain_id,
            "Vars": parameters,
        }
        return cls(layout, data)

    def text(self, path: KeyPath, template: str) -> str:
        """Return ``template``, which stands at ``path``, rendered."""
        try:
            return render_text(template, self.data)
        except TemplateError as error:
            raise self.error(path, f"template cannot be rendered: {error.message}") from error

    def optional(self, path: KeyPath, template: str | None) -> str | None:
        """Return ``template`` rendered, or ``None`` where there is none."""
        return None if template is None else self.text(path, template)

    def value(self, path: KeyPath, value: JsonValue) -> JsonValue:
        """Return ``value``, which stands at ``path``, with all its strings rendered."""
        match value:
            case str():
                return self.text(path, value)
            case dict():
                return {key: self.value((*path, key), item) for key, item in value.items()}
            case list() | tuple():
                return [self.value((*path, index), item) for index, item in enumerate(value)]
        return value

    def error(
        self, path: KeyPath, message: str, kind: type[ExpansionError] = ExpansionError
    ) -> ExpansionError:
        """Return the error that something at ``path`` does not work for this request."""
        place = self.layout.locate(path)
        return kind(
            message,
            file=place.file or self.layout.file,
            line=place.line,
            column=place.column,
            key=path_text(path),
        )
