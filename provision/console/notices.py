"""What the next page says once: that something was done, or a secret that is shown only now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from bootstrap_core.secret import Secret


@frozen
class Notice:
    """A sentence, and what is shown with it this once: secret texts by their labels."""

    text: str
    shown_once: Mapping[str, Secret] = field(factory=dict)

    def to_json(self) -> str:
        """Write the notice, secrets in clear: for sealing only."""
        shown = {label: secret.reveal() for label, secret in self.shown_once.items()}
        return json.dumps({"text": self.text, "shown_once": shown})

    @classmethod
    def from_json(cls, written: bytes) -> Notice:
        """Read what ``to_json`` wrote."""
        values: dict[str, Any] = json.loads(written)
        shown = {label: Secret(text) for label, text in values["shown_once"].items()}
        return cls(values["text"], shown)
