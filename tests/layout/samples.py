"""What the layout tests share: a deterministic source of identifiers, and marked texts."""

import itertools
import uuid

import pytest

from bootstrap_core.secrets import Secret
from provision.layout.errors import LayoutError, Problem
from provision.layout.model import GatewayRequest, Layout
from provision.layout.reader import read
from provision.layout.templates import TemplateLoader, no_template_files

MARK = "«"

OWN = """\
[layout]
name = "sample"

[[clients]]
key = "agent"
name = "{{ .ExternalID }}-agent"
bootstrap = true

[[channels]]
key = "data"
name = "{{ .ExternalID }}-data"
metadata = { type = "data" }

[[channels]]
key = "control"
name = "{{ .ExternalID }}-control"
metadata = { type = "control" }
"""

EVERYTHING = """\
[layout]
name = "sample"
description = "Everything"
[parameters.site]
required = true
pattern = "^[a-z]+$"
description = "Where it stands"
[parameters.port]
type = "integer"
default = 1883
enum = [1883, 8883]
[[clients]]
name = "{{ .ExternalID }} agent"
identity = "{{ .ExternalID }}"
certificate = true
tags = ["a", "{{ .Vars.site }}"]
[clients.metadata]
external_id = ""
nested = { list = [1, 2.5, true, "{{ .Name }}"] }
[[clients]]
key = "sensor.1"
name = "sensor"
[[channels]]
name = "data"
route = "r-{{ .ExternalID }}"
metadata = { type = "data" }
[[connections]]
clients = ["agent"]
channels = ["data"]
types = ["subscribe", "publish"]
[[connections]]
clients = ["sensor.1"]
channels = ["data"]
types = ["publish"]
[certificates]
ttl = "1h30m"
key_type = "ed25519"
renew = "auto"
[bootstrap]
status = "disabled"
render_context = { region = "eu", at = 2026-01-02T03:04:05Z }
[profile]
name = "p"
description = "d"
content_format = "json"
content_template = "{}"
defaults = { qos = 1 }
[[profile.binding_slots]]
name = "mqtt"
type = "client"
required = true
fields = ["id", "secret"]
[[profile.binding_slots]]
name = "tls"
type = "certificate"
[[bindings]]
slot = "mqtt"
client = "sensor.1"
[[bindings]]
slot = "tls"
certificate = "agent"
"""

GO = """\
[bootstrap]
  autowhite_list = true
[[clients]]
  name = "client"
  [clients.metadata]
    external_id = "xxxxxx"
[[channels]]
  name = "control-channel"
  [channels.metadata]
    type = "control"
[[channels]]
  name = "data-channel"
  [channels.metadata]
    type = "data"
"""


class CountedIdentifiers:
    """Identifiers that are the same in every run: UUIDs and secrets with a counter in them."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def uuid(self) -> str:
        """Return the next UUIDv4."""
        return str(uuid.UUID(int=next(self._count) | 0x4000_8000 << 64, version=4))

    def secret(self) -> Secret:
        """Return the next secret."""
        return Secret(f"secret-{next(self._count)}")


def layout_of(text: str, load_template: TemplateLoader = no_template_files) -> Layout:
    """Return the layout ``text`` as the file ``layouts/sample.toml``."""
    return read(text, file="layouts/sample.toml", load_template=load_template).layout


def warnings_of(text: str, load_template: TemplateLoader = no_template_files) -> list[Problem]:
    """Return what the linter says of ``text``."""
    return list(read(text, file="layouts/sample.toml", load_template=load_template).warnings)


def problems_of(text: str, load_template: TemplateLoader = no_template_files) -> list[Problem]:
    """Return the problems that ``text`` is refused for."""
    with pytest.raises(LayoutError) as caught:
        layout_of(text, load_template)
    return list(caught.value.problems)


def marked(text: str) -> tuple[str, tuple[int, int]]:
    """Return ``text`` without its mark, and the line and column where the mark stood."""
    before, after = text.split(MARK)
    return before + after, (before.count("\n") + 1, len(before) - before.rfind("\n"))


def only_problem(text: str, load_template: TemplateLoader = no_template_files) -> Problem:
    """Return the one problem of ``text``, which must stand where the text is marked."""
    plain, place = marked(text)
    [problem] = problems_of(plain, load_template)
    assert (problem.line, problem.column) == place, problem
    assert problem.file == "layouts/sample.toml"
    assert problem.severity == "error"
    assert problem.source == plain.split("\n")[problem.line - 1]
    return problem


def only_warning(text: str, load_template: TemplateLoader = no_template_files) -> Problem:
    """Return the one warning about ``text``, which must stand where the text is marked."""
    plain, place = marked(text)
    [warning] = warnings_of(plain, load_template)
    assert (warning.line, warning.column) == place, warning
    assert warning.severity == "warning"
    return warning


def gateway(
    name: str | None = None, external_id: str = "gw-7", **parameters: object
) -> GatewayRequest:
    """Return a request for a gateway."""
    return GatewayRequest("domain-1", external_id, name, parameters)
