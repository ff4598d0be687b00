"""Writing YAML so that readers of YAML 1.1 and of 1.2 read the same from it.

"yes", 12:30:45, 1e3 and 2020-01-01 are each different things to different readers. What devices
read must not depend on that, so a value is written as what Go's yaml.v3 takes it for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import yaml

from bootstrap_core.toml_writer import format_time
from bootstrap_core.yaml_reader import read_word

_DUMPER: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_TAG: Final = "tag:yaml.org,2002:"
_NAMES: Final = {
    str: "str",
    bool: "bool",
    int: "int",
    float: "float",
    datetime: "timestamp",
    type(None): "null",
}
_END: Final = "...\n"
_WITH_ZONE: Final = re.compile(r"\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:\d\d)")


def reads_alike(words: Iterable[str]) -> bool:
    """Say whether these unquoted words are the same to readers of YAML 1.1 and of 1.2."""
    return all(map(_reads_alike, words))


def _reads_alike(word: str) -> bool:
    """Compare what PyYAML, which reads YAML 1.1, and what Go's yaml.v3 take a word for."""
    value = read_word(word)
    name = _NAMES[type(value)]
    if name == "timestamp":
        return _WITH_ZONE.fullmatch(word) is not None
    return _old_tag(word) == _TAG + name


def _old_tag(word: str) -> str:
    """Return the tag of a word in YAML 1.1."""
    for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers.get(word[:1], []):
        if pattern.match(word):
            return str(tag)
    return _TAG + "str"


class _Dumper(_DUMPER):  # type: ignore[misc]
    """A dumper that quotes every text that some reader would take for something else."""

    def ignore_aliases(self, data: object) -> bool:
        """Write every value out, however often it occurs."""
        return True


def _represent_text(dumper: Any, text: str) -> yaml.Node:  # noqa: ANN401 - either dumper
    """Write a text: quoted where it would be read as something else, in a block if it has lines."""
    style = None
    if "\n" in text:
        style = "|"
    elif not isinstance(read_word(text), str) or not _reads_alike(text):
        style = '"'
    return dumper.represent_scalar(_TAG + "str", text, style=style)  # type: ignore[no-any-return]


def _represent_time(dumper: Any, value: datetime) -> yaml.Node:  # noqa: ANN401 - either dumper
    """Write a time in RFC 3339."""
    return dumper.represent_scalar(_TAG + "timestamp", format_time(value))  # type: ignore[no-any-return]


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(datetime, _represent_time)


def write_yaml(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """Return a document as YAML, its keys in the order they have."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, indent=4, width=2**31 - 1
    )
    # A document's end is marked after a lone word; in a text such a line is indented.
    return text[: -len(_END)] if text.endswith("\n" + _END) else text
