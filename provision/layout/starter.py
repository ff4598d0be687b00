"""A new layout to begin with: a few answers become a commented file that lints clean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import field, frozen

AGENT_CHANNELS: Final = ("control", "data")
"""The roles of channels that a device agent needs."""


@frozen
class Answers:
    """What a new layout shall be like.

    ``channels`` are the channels beside control and data, ``services`` the clients beside the
    agent; each service publishes to a channel of its own name, which is made where it is missing.
    """

    name: str
    description: str = ""
    mqtt_url: str = "mqtts://localhost:8883"
    certificates: bool = True
    ttl: str = "8760h"
    channels: Sequence[str] = ()
    services: Sequence[str] = field(factory=tuple)


def starter(answers: Answers) -> Mapping[str, str]:
    """Return the files of the layout: its own, and its profile's template, by their names."""
    template = f"{answers.name}.json.tmpl"
    extra = dict.fromkeys([*answers.channels, *answers.services])
    channels = [channel for channel in (*AGENT_CHANNELS, *extra) if channel]
    parts = [
        _head(answers),
        _clients(answers),
        _channels(dict.fromkeys(channels)),
        _connections(answers),
        _certificates(answers),
        _profile(answers, template),
        _bindings(answers),
    ]
    return {
        f"{answers.name}.toml": "\n".join(part for part in parts if part),
        template: _template(answers),
    }


def _head(answers: Answers) -> str:
    description = answers.description or f"Gateways of kind {answers.name}"
    return f"""\
# {description}
#
# Check it with:    provision layout lint {answers.name}.toml
# Look at it with:  provision layout graph {answers.name}.toml

[layout]
name = {_quoted(answers.name)}
description = {_quoted(description)}

# What a request may give: {{"parameters": {{"mqtt_url": "..."}}}}. Templates read .Vars.mqtt_url.
[parameters.mqtt_url]
type = "string"
default = {_quoted(answers.mqtt_url)}
description = "Address of the MQTT broker, as the gateway reaches it"
"""


def _clients(answers: Answers) -> str:
    certificate = "certificate = true\n" if answers.certificates else ""
    text = f"""\
# The gateway itself. It gets the bootstrap config, and the request's name where one is given.
[[clients]]
key = "agent"
name = "{{{{ .ExternalID }}}}-agent"
bootstrap = true
{certificate}tags = ["gateway"]
"""
    for service in answers.services:
        text += f"""
# A service on the gateway, with credentials of its own.
[[clients]]
key = {_quoted(service)}
name = "{{{{ .ExternalID }}}}-{service}"
{certificate}tags = ["gateway", {_quoted(service)}]
"""
    return text


def _channels(names: Mapping[str, None]) -> str:
    tables = [
        f"""\
[[channels]]
key = {_quoted(name)}
name = "{{{{ .ExternalID }}}}-{name}"
metadata = {{ type = {_quoted(name)} }}
"""
        for name in names
    ]
    return (
        "# The metadata type says what a channel is for; a device agent needs control and data.\n"
        + ("\n".join(tables))
    )


def _connections(answers: Answers) -> str:
    extra = [channel for channel in answers.channels if channel not in answers.services]
    listed = ", ".join(map(_quoted, dict.fromkeys([*AGENT_CHANNELS, *extra])))
    text = f"""\
# Who talks to whom. Without types, both publish and subscribe.
[[connections]]
clients = ["agent"]
channels = [{listed}]
"""
    for service in answers.services:
        text += f"""
[[connections]]
clients = [{_quoted(service)}]
channels = [{_quoted(service)}]
types = ["publish"]
"""
    return text


def _certificates(answers: Answers) -> str:
    if not answers.certificates:
        return ""
    return f"""\
[certificates]
ttl = {_quoted(answers.ttl)}
key_type = "ec-p256"     # or rsa-2048, rsa-4096, ec-p384, ed25519
"""


def _profile(answers: Answers, template: str) -> str:
    tables = [
        f'[[profile.binding_slots]]\nname = "{slot}"\ntype = "{kind}"\nrequired = true\n'
        for slot, kind, _ in _slots(answers)
    ]
    return f"""\
# What the device fetches: a template, rendered at each fetch over .Device, .Vars and .Bindings.
[profile]
name = {_quoted(answers.name)}
content_format = "json"
content_template_file = {_quoted(template)}

""" + "\n".join(tables)


def _bindings(answers: Answers) -> str:
    tables = [
        f'[[bindings]]\nslot = "{slot}"\n{kind} = {_quoted(key)}\n'
        for slot, kind, key in _slots(answers)
    ]
    return "# Which client, channel or certificate fills which slot.\n" + "\n".join(tables)


def _slots(answers: Answers) -> Iterator[tuple[str, str, str]]:
    yield "mqtt_client", "client", "agent"
    yield "commands", "channel", "control"
    yield "telemetry", "channel", "data"
    for service in answers.services:
        yield f"{_word(service)}_client", "client", service
        yield f"{_word(service)}_channel", "channel", service
        if answers.certificates:
            yield f"{_word(service)}_tls", "certificate", service


def _template(answers: Answers) -> str:
    services = "".join(_service(answers, service) for service in answers.services)
    return f"""\
{{
  "device_id": {{{{ toJSON .Device.ID }}}},
  "external_id": {{{{ toJSON .Device.ExternalID }}}},
  "domain_id": {{{{ toJSON .Device.DomainID }}}},
  "mqtt": {{
    "url": {{{{ toJSON .Vars.mqtt_url }}}},
    "client_id": {{{{ toJSON .Bindings.mqtt_client.ID }}}},
    "secret": {{{{ toJSON .Bindings.mqtt_client.Secret.secret }}}}
  }},
  "telemetry": {{ "channel_id": {{{{ toJSON .Bindings.telemetry.ID }}}} }},
  "commands": {{ "channel_id": {{{{ toJSON .Bindings.commands.ID }}}} }}{services}
}}
"""


def _service(answers: Answers, service: str) -> str:
    bound = f".Bindings.{_word(service)}"
    members = {
        "client_id": f"{bound}_client.ID",
        "secret": f"{bound}_client.Secret.secret",
        "channel_id": f"{bound}_channel.ID",
    }
    if answers.certificates:
        members["client_cert"] = f"{bound}_tls.Snapshot.certificate"
        members["client_key"] = f"{bound}_tls.Secret.private_key"
    lines = [f'    "{name}": {{{{ toJSON {value} }}}}' for name, value in members.items()]
    return f",\n  {_quoted(service)}: {{\n" + ",\n".join(lines) + "\n  }"


def _word(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
