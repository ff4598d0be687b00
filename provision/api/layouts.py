"""``/layouts``: which layouts are served, what they ask for, what is wrong with those refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import asdict, frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.http.answers import JsonAnswer
from bootstrap_core.http.openapi import Operation, Reply
from bootstrap_core.secrets import MASK
from provision.api.app import sent_token
from provision.authentication import Authentication
from provision.errors import LayoutNotFound
from provision.layout.catalog import LayoutCatalog, LayoutState
from provision.layout.errors import UnknownLayoutError
from provision.layout.graph import graph_of
from provision.layout.json_schema import parameters_schema
from provision.layout.model import InlineProfile, Layout

SECRET_VALUE: Final = re.compile(
    r"""
    (?<![\w.-])
    (?P<key> (?: [\w-]*+ \. )*+
             (?= [\w-]*? (?: pass | secret | token | api_?key | sealing_key | encrypt_key
                            | database_url ) )
             [\w-]++ ["']? \s*+ = \s*+ )
    (?P<value> \"{3} .*? (?:\"{3}|\Z) | '{3} .*? (?:'{3}|\Z)
             | "(?:[^"\\\n]|\\.)*"? | '[^'\n]*'? | \[ [^\]]* \]? )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def sources_answer(sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the files, the layout's own first.

    The Go service's and Mainflux's layouts are settings files as well, with the credentials of
    the service in them: those nobody is shown, broken as the file may be. Lines stay where they
    are, for the places of a lint report.
    """
    return [{"file": file, "text": shown_text(file, text)} for file, text in sources.items()]


def shown_text(file: str, text: str) -> str:
    """Return the text of a file, or a line of it, as it is shown."""
    return SECRET_VALUE.sub(_masked, text) if file.endswith(".toml") else text


def _masked(found: re.Match[str]) -> str:
    return f'{found["key"]}"{MASK}"' + "\n" * found["value"].count("\n")


OK, NOT_FOUND = 200, 404
FOREIGN = (401, 403, 502, 503, 504)


@frozen
class LayoutRoutes:
    """Handlers that decode, call and encode."""

    catalog: LayoutCatalog
    authentication: Authentication

    def operations(self) -> list[Operation]:
        """Return what is served."""
        return [
            Operation(
                method="GET",
                path="/layouts",
                handler=self.list,
                id="listLayouts",
                summary="List the layouts, with what is wrong with broken ones",
                tag="layouts",
                replies={OK: Reply("All layouts", "LayoutPage")},
                errors=FOREIGN,
            ),
            Operation(
                method="GET",
                path="/layouts/{layout}",
                handler=self.view,
                id="viewLayout",
                summary="Show what a layout makes, its files, and their lint report",
                tag="layouts",
                replies={OK: Reply("The layout", "Layout")},
                errors=(NOT_FOUND, *FOREIGN),
            ),
            Operation(
                method="GET",
                path="/layouts/{layout}/schema",
                handler=self.schema,
                id="viewLayoutSchema",
                summary="Show the JSON Schema of a layout's parameters, for a form",
                tag="layouts",
                replies={OK: Reply("The schema", "LayoutParameters", "application/schema+json")},
                errors=(NOT_FOUND, 422, *FOREIGN),
            ),
        ]

    async def list(self, request: Request) -> Response:
        """List the layouts."""
        await self._authenticate(request)
        return JsonAnswer(
            {
                "default": self.catalog.default,
                "layouts": [_state(each) for each in self.catalog.states],
            }
        )

    async def view(self, request: Request) -> Response:
        """Show one layout; ``default`` is the one of requests that name none."""
        await self._authenticate(request)
        state = self._found(request)
        answer = _state(state)
        if state.layout is not None:
            answer |= _parts(state.layout)
        answer["report"] = [
            {**asdict(each), "source": shown_text(each.file, each.source)}
            for each in state.problems
        ]
        answer["sources"] = sources_answer(state.sources)
        return JsonAnswer(answer)

    async def schema(self, request: Request) -> Response:
        """Show the JSON Schema of a layout's parameters."""
        await self._authenticate(request)
        layout = self.catalog.get(self._found(request).name)
        return JsonAnswer(
            parameters_schema(layout), headers={"Content-Type": "application/schema+json"}
        )

    async def _authenticate(self, request: Request) -> None:
        await self.authentication.authenticate(sent_token(request))

    def _found(self, request: Request) -> LayoutState:
        name = request.path_params["layout"]
        try:
            return self.catalog.state(name)
        except UnknownLayoutError as error:
            if name == "default":
                return self.catalog.state()
            raise LayoutNotFound(str(error)) from error


def _state(state: LayoutState) -> dict[str, Any]:
    answer: dict[str, Any] = {"name": state.name, "file": state.file, "good": state.good}
    if state.layout is not None:
        answer |= {
            "description": state.layout.description,
            "digest": state.layout.digest,
            "dialect": state.layout.dialect.value,
            "parameters": [
                {
                    "name": each.name,
                    "type": each.type,
                    "required": each.required,
                    "default": each.default,
                    "enum": list(each.enum),
                    "pattern": each.pattern,
                    "description": each.description,
                    "secret": each.secret,
                }
                for each in state.layout.parameters
            ],
        }
    answer["problems"] = [each.headline for each in state.problems]
    return answer


def _parts(layout: Layout) -> dict[str, Any]:
    graph = graph_of(layout)
    profile = layout.profile
    slots = profile.binding_slots if isinstance(profile, InlineProfile) else ()
    return {
        "clients": [
            {
                "key": each.key,
                "name": each.name,
                "gateway": each.bootstrap,
                "certificate": each.certificate,
            }
            for each in layout.clients
        ],
        "channels": [
            {"key": each.key, "name": each.name, "metadata": each.metadata}
            for each in layout.channels
        ],
        "connections": [
            {"client": each.client, "channel": each.channel, "types": list(each.types)}
            for each in graph.edges
        ],
        "binding_slots": [
            {"name": each.name, "type": each.type, "required": each.required} for each in slots
        ],
        "bindings": [
            {"slot": each.slot, "type": each.type, "resource": each.resource}
            for each in layout.bindings
        ],
    }
