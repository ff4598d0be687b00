"""Forms: their fields, the errors at them, and the fields of a layout's parameters."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bootstrap_core.formats.documents import (
    MAX_DEPTH,
    DuplicateKey,
    is_too_deep,
    json_fault,
    unique_keys,
    without_mark,
)
from provision.console.errors import FormUnreadable, Refused

MAX_FIELDS: Final = 1000
MAX_PART: Final = 1024 * 1024
NAMED: Final = re.compile(r"([a-z_]+)(?:\[\d+\])?(?:\.[\w.\[\]]+)?: (.+)", re.DOTALL)


class NotJson(Exception):
    """A field that should hold JSON does not, or holds more of it than can be sent on."""

    def __init__(self, problem: str, sentence: str) -> None:
        """Describe the ``problem`` as it follows a field's name, and as a whole ``sentence``."""
        super().__init__(problem)
        self.sentence = sentence


@frozen
class Form:
    """The fields of a form as text, with the errors that stand at them.

    An empty form is one that nobody has filled in yet: pages show it the same way.
    """

    values: Mapping[str, Sequence[str]] = field(factory=dict, repr=False)
    files: Mapping[str, bytes] = field(factory=dict, repr=False)
    errors: Mapping[str, str] = field(factory=dict)
    summary: str = ""

    @classmethod
    def of(cls, **values: str | Sequence[str]) -> Form:
        """Return a form that is filled in with what is there already."""
        listed = {key: [v] if isinstance(v, str) else list(v) for key, v in values.items()}
        return cls(listed)

    def text(self, name: str) -> str:
        """Return a field without the white space around it; empty where it is not given."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Return a field as it is, its line ends those of Unix, without a byte order mark."""
        given = self.values.get(name, ())
        return without_mark(given[0]).replace("\r\n", "\n") if given else ""

    def json(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the JSON value of a field; an empty object for none. Raises ``NotJson``."""
        text = self.raw(name) if self.text(name) else "{}"
        try:
            value = json.loads(text, object_pairs_hook=unique_keys)
            if not is_too_deep(value):
                return value
            problem = f"is nested deeper than {MAX_DEPTH} levels"
        except DuplicateKey as error:
            told = str(error)
            raise NotJson(told, f"{told[0].upper()}{told[1:]}.") from error
        except RecursionError:
            problem = "is not JSON: it is nested too deeply"
        except ValueError as error:
            problem = f"is not JSON{json_fault(error)}"
        raise NotJson(problem, f"This {problem}.")

    def all(self, name: str) -> Sequence[str]:
        """Return every value of a field that may be given several times."""
        return [value for value in self.values.get(name, ()) if value]

    def checked(self, name: str) -> bool:
        """Return whether a box is ticked."""
        return bool(self.values.get(name))

    def file_or_text(self, name: str) -> str:
        """Return an uploaded file's text where one was chosen (``<name>_file``), else the field."""
        uploaded = self.files.get(f"{name}_file")
        if not uploaded:
            return self.raw(name)
        return without_mark(uploaded.decode(errors="replace")).replace("\r\n", "\n")

    def with_values(self, **values: str) -> Form:
        """Return the form with these fields filled in."""
        return evolve(self, values={**self.values, **{key: [v] for key, v in values.items()}})

    def wrong(self, **errors: str) -> Form:
        """Return the form with errors at these fields."""
        return evolve(self, errors={**self.errors, **errors})

    def refused(self, error: Refused, fields: Collection[str]) -> Form:
        """Return the form with the API's refusal at the field that it names, else above all.

        ``fields`` are those that the form shows.
        """
        by_field = dict(_named_errors(error, fields))
        if by_field:
            return self.wrong(**by_field)
        return evolve(self, summary=error.message)

    @property
    def is_wrong(self) -> bool:
        """Whether there is any error."""
        return bool(self.errors or self.summary)


async def read_form(request: Request) -> Form:
    """Read a form that was sent. Raises ``FormUnreadable``."""
    try:
        async with request.form(max_fields=MAX_FIELDS, max_part_size=MAX_PART) as data:
            return Form(_texts(data), await _files(data))
    except HTTPException as error:
        raise FormUnreadable(f"The form could not be read: {error.detail}") from error
    except UnicodeDecodeError as error:
        raise FormUnreadable from error


def _texts(data: FormData) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for name, value in data.multi_items():
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return found


async def _files(data: FormData) -> Mapping[str, bytes]:
    return {
        name: await value.read()
        for name, value in data.multi_items()
        if isinstance(value, UploadFile)
    }


def _named_errors(error: Refused, fields: Collection[str]) -> Sequence[tuple[str, str]]:
    details = error.details if isinstance(error.details, list) else [error.details]
    named = NAMED.fullmatch(error.message)
    if named and named[1] in fields:
        return [(named[1], _sentence(named[2]))]
    return [
        (str(detail["field"]), _sentence(str(detail.get("message") or error.message)))
        for detail in details
        if isinstance(detail, Mapping) and detail.get("field") in fields
    ]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."


KEY_BYTES: Final = 24


def new_external_key() -> str:
    """Return an external key that nobody can guess."""
    return secrets.token_urlsafe(KEY_BYTES)


PREFIX: Final = "parameter_"
YES, NO = "true", "false"


@frozen
class ParameterField:
    """How one parameter is asked for; ``options`` are values and labels where it is a choice."""

    name: str
    label: str
    kind: str
    required: bool
    hint: str
    default: str
    options: Sequence[tuple[str, str]] = field(default=())
    is_secret: bool = False

    @property
    def input_type(self) -> str:
        """The type of the HTML input."""
        if self.is_secret:
            return "password"
        return "number" if self.kind in ("integer", "number") else "text"

    @property
    def more(self) -> Mapping[str, str]:
        """Further attributes of the HTML input."""
        steps = {"integer": "1", "number": "any"}
        return {"step": steps[self.kind]} if self.kind in steps else {"autocomplete": "off"}


def fields_of(schema: Mapping[str, Any]) -> Sequence[ParameterField]:
    """Return the fields for a schema as ``GET /layouts/{layout}/schema`` answers it."""
    required = schema.get("required", ())
    return [
        _field(name, parameter, required=name in required)
        for name, parameter in schema.get("properties", {}).items()
    ]


def defaults_of(fields: Sequence[ParameterField]) -> Mapping[str, str]:
    """Return what the fields are filled in with at first."""
    return {parameter.name: parameter.default for parameter in fields}


def values_of(fields: Sequence[ParameterField], form: Form) -> Mapping[str, Any]:
    """Return the parameters that were filled in; those left empty keep their defaults."""
    return {
        parameter.label: _value(parameter, form.text(parameter.name))
        for parameter in fields
        if form.text(parameter.name)
    }


def with_refusal(form: Form, error: Refused) -> Form:
    """Return the form with the API's refusals of parameters at their fields."""
    named: dict[str, str] = {}
    for detail in error.details if isinstance(error.details, Sequence) else ():
        where, _, name = str(detail.get("field", "")).partition(".")
        if where == "parameters" and name:
            near = detail.get("suggestion")
            hint = f"; did you mean {near!r}?" if near else ""
            named[PREFIX + name] = f"{name}: {detail['message']}{hint}"
    return form.wrong(**named)


def _field(name: str, schema: Mapping[str, Any], *, required: bool) -> ParameterField:
    kind, default = str(schema.get("type", "string")), schema.get("default")
    hints = [str(schema.get("description", ""))]
    if "pattern" in schema:
        hints.append(f"Must match {schema['pattern']}")
    options = [(_written(value), _written(value)) for value in schema.get("enum", ())]
    if kind == "boolean" and not options:
        options = [(YES, "Yes"), (NO, "No")]
    if options and default is None:
        options = [("", "Choose one" if required else "Not given"), *options]
    return ParameterField(
        name=PREFIX + name,
        label=name,
        kind=kind,
        required=required,
        hint=". ".join(hint.rstrip(".") for hint in hints if hint),
        default="" if default is None else _written(default),
        options=options,
        is_secret=schema.get("format") == "password",
    )


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(parameter: ParameterField, text: str) -> object:
    """Return a value of the parameter's type; what is none is left to the API to refuse."""
    if parameter.kind == "boolean":
        return {YES: True, NO: False}.get(text, text)
    try:
        if parameter.kind == "integer":
            return int(text)
        if parameter.kind == "number":
            return float(text)
    except ValueError:
        return text
    return text
