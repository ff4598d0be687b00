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

from bootstrap_core.formats.documents import json_words, without_mark
from bootstrap_core.formats.toml import (
    TOMLError,
    format_time,
    is_old_toml,
    line_of_comment,
    read_toml,
    write_toml,
)
from bootstrap_core.formats.yaml import (
    Key,
    ValueRefused,
    YAMLError,
    read_alike,
    read_yaml,
    write_yaml,
)

MAX_SIZE: Final = 256 * 1024
_TOO_DEEP: Final = "nested too deeply"


class ContentError(ValueError):
    """The text is not in the format. ``line`` counts from 1, 0 if unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        """Take what is wrong and where."""
        super().__init__(message)
        self.line = line


class Misread(ContentError):
    """The text is YAML as well, but what it says there is not what was meant, or cannot be had."""


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
    except ValueRefused as error:
        raise Misread(str(error), error.line) from None
    except YAMLError:
        raise problem from None
    try:
        return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ContentError(f"no JSON can be made of it: {error}") from error


def fit_yaml(text: str) -> str:
    """Return ``text`` if it is YAML, which all JSON is once its tabs are spaces.

    A document that some readers would understand differently, those of YAML 1.1, of 1.2 and Go's,
    or that is nothing but one word or line, is written out as its value.

    Raises:
        ContentError: it is not YAML.

    """
    try:
        document = read_yaml(text, keep_tags=True)
    except YAMLError as error:
        if "\t" in text and _json_problem(text) is None:
            # JSON may be indented with tabs, which YAML may not; its strings hold none.
            return fit_yaml(text.replace("\t", " "))
        kind = Misread if isinstance(error, ValueRefused) else ContentError
        raise kind(str(error), error.line) from error
    is_collection = isinstance(document.value, dict | list)
    if is_collection and not document.is_peculiar and read_alike(document.words):
        return text
    return write_yaml(document.value)


def fit_toml(text: str) -> str:
    """Return ``text`` if it is TOML 1.0, else the TOML of what it is: TOML 1.1, JSON or YAML.

    Raises:
        ContentError: it is none of these, or has what TOML has not.

    """
    value: Any
    try:
        value = read_toml(text)
        if is_old_toml(text):
            return text
    except ValueError as error:
        if line := line_of_comment(error):
            raise Misread(str(error), line) from None
        try:
            value = _with_text_keys(read_yaml(text).value)
        except ValueRefused as refused:
            raise Misread(str(refused), refused.line) from None
        except YAMLError:
            value = None
        if not isinstance(value, dict):
            raise ContentError(str(error)) from error
    try:
        return write_toml(value)
    except TOMLError as error:
        raise ContentError(str(error)) from error


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
    return FITS[content_format](without_mark(text))


def _json_problem(text: str) -> ContentError | None:
    """Return what is wrong with a text as JSON, None if it is right."""
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return ContentError(f"column {error.colno}: {json_words(error)}", error.lineno)
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
            if isinstance(key, Key):
                raise ValueError(f"the key {key!r} is not text; put it in quotes")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, date | time):
        return format_time(value)
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 2**53:
        return int(value) if value or math.copysign(1, value) > 0 else value
    return value


def _with_text_keys(value: Any) -> Any:  # noqa: ANN401 - any value
    """Return a value of YAML with the keys that are numbers as text."""
    if isinstance(value, dict):
        return {_text_key(key): _with_text_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(item) for item in value]
    return value


def _text_key(key: str | Key) -> str:
    """Return a key as text."""
    if isinstance(key, str):
        return key
    if isinstance(key.value, bool) or not isinstance(key.value, int | float):
        raise ContentError(f"the key {key!r} is neither text nor a number; put it in quotes")
    return str(key.value)
