"""Forms: what was filled in, and what is wrong with it, field by field."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from attrs import evolve, field, frozen
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from provision.console.errors import FormUnreadable, Refused

FIELDS_MOST: Final = 1000
NAMED: Final = re.compile(r"([a-z_]+)(?:\[\d+\])?(?:\.[\w.\[\]]+)?: (.+)", re.DOTALL)


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
        """Return a field as it is, its line ends those of Unix."""
        given = self.values.get(name, ())
        return given[0].replace("\r\n", "\n") if given else ""

    def all(self, name: str) -> Sequence[str]:
        """Return every value of a field that may be given several times."""
        return [each for each in self.values.get(name, ()) if each]

    def checked(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return bool(self.values.get(name))

    def file_or_text(self, name: str) -> str:
        """Return an uploaded file's text where one was chosen (``<name>_file``), else the field."""
        uploaded = self.files.get(f"{name}_file")
        if not uploaded:
            return self.raw(name)
        return uploaded.decode(errors="replace").replace("\r\n", "\n")

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
        data = await request.form(max_fields=FIELDS_MOST, max_part_size=1024 * 1024)
    except HTTPException as error:
        raise FormUnreadable(f"The form could not be read: {error.detail}") from error
    except UnicodeDecodeError as error:
        raise FormUnreadable from error
    try:
        return Form(_texts(data), await _files(data))
    finally:
        await data.close()


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
    found = [
        (str(each["field"]), str(each.get("message") or each.get("problem") or error.message))
        for each in details
        if isinstance(each, Mapping) and each.get("field") in fields
    ]
    if found:
        return found
    named = NAMED.fullmatch(error.message)
    return [(named[1], named[2])] if named and named[1] in fields else []
