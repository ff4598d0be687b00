"""Rendered JSON, YAML and TOML: checked, and converted where it is another of the three.

A text that is valid in its own format is left as it is. What is not is read as TOML, or as YAML the
way the Go service reads it, and written in the format that is wanted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any, Final, NoReturn

from bootstrap_core.toml_reader import read_toml
from bootstrap_core.toml_writer import TOMLError, format_time, write_toml
from bootstrap_core.yaml_reader import YAMLError, read_yaml
from bootstrap_core.yaml_writer import reads_alike, write_yaml

MAX_SIZE: Final = 256 * 1024
_TOO_DEEP: Final = "nested too deeply"


class ContentError(ValueError):
    """The text is not in the format. ``line`` counts from 1, 0 if unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        """Take what is wrong and where."""
        super().__init__(message)
        self.line = line


def fit_json(text: str) -> str:
    """Return ``text`` if it is JSON, else the JSON of the TOML or YAML that it is.

    Raises:
        ContentError: it is none of these, or has what JSON has not.

    """
    problem = _json_problem(text)
    if problem is None:
        return text
    value = _toml_with_values(text)
    try:
        value = read_yaml(text).value if value is None else value
    except YAMLError:
        raise problem from None
    try:
        return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ContentError(f"no JSON can be made of it: {error}") from error


def fit_yaml(text: str) -> str:
    """Return ``text`` if it is YAML, which all JSON is once its tabs are spaces.

    A document that readers of YAML 1.1 and 1.2 would understand differently, or that is nothing but
    one word or line, is written out as its value.

    Raises:
        ContentError: it is not YAML.

    """
    try:
        document = read_yaml(text)
    except YAMLError as error:
        if "\t" in text and _json_problem(text) is None:
            # JSON may be indented with tabs, which YAML may not; its strings hold none.
            return fit_yaml(text.replace("\t", " "))
        raise ContentError(str(error), error.line) from error
    if isinstance(document.value, dict | list) and reads_alike(document.words):
        return text
    return write_yaml(document.value)


def fit_toml(text: str) -> str:
    """Return ``text`` if it is TOML, else the TOML of the JSON or YAML object that it is.

    Raises:
        ContentError: it is none of these, or has what TOML has not.

    """
    try:
        read_toml(text)
    except ValueError as error:
        problem = error
    else:
        return text
    try:
        value = read_yaml(text).value
        if isinstance(value, dict):
            return write_toml(value)
    except YAMLError:
        pass
    except TOMLError as error:
        raise ContentError(str(error)) from error
    raise ContentError(str(problem)) from problem


FITS: Final[Mapping[str, Callable[[str], str]]] = {
    "json": fit_json,
    "yaml": fit_yaml,
    "toml": fit_toml,
}


def fit(text: str, content_format: str) -> str:
    """Return ``text`` in a format: "json", "yaml" or "toml".

    Raises:
        ContentError: it cannot be had in that format, or is larger than 256 KiB.

    """
    if len(text) > MAX_SIZE:
        raise ContentError(f"{len(text)} characters; at most {MAX_SIZE} can be checked")
    return FITS[content_format](text)


def _json_problem(text: str) -> ContentError | None:
    """Return what is wrong with a text as JSON, None if it is right."""
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return ContentError(f"{error.msg} at column {error.colno}", error.lineno)
    except RecursionError:
        return ContentError(_TOO_DEEP)
    except ValueError as error:
        return ContentError(str(error))
    return None


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python's reader takes for JSON."""
    raise ValueError(f"{constant} is no JSON")


def _toml_with_values(text: str) -> dict[str, Any] | None:
    """Return a TOML document that sets at least one value, else None."""
    try:
        document = read_toml(text)
    except ValueError:
        return None
    return document if "=" in text else None


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value
    """Return a value with its times as text."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r} is not text; put it in quotes")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, date | time):
        return format_time(value)
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 2**53:
        return int(value)
    return value
