"""Searching in JSON columns for documents that contain another one.

Containment is PostgreSQL's ``@>``: an object contains another if it has all its members, an array
if each element of the other is in it. SQLite has no such operator, so there the same is spelt out
with ``json_each`` (https://www.sqlite.org/json1.html).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, true, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

_KINDS = {str: ("text",), int: ("integer", "real"), float: ("integer", "real")}


def contains(
    column: ColumnElement[Any], wanted: dict[str, Any] | list[Any], dialect: str
) -> ColumnElement[bool]:
    """Return the condition that ``column``, of objects or of arrays, contains ``wanted``.

    ``dialect`` is the database's name, as SQLAlchemy's dialects have it.
    """
    if dialect == "sqlite":
        return and_(true(), *_parts(column, wanted, itertools.count()))
    condition: ColumnElement[bool] = type_coerce(column, JSONB).contains(literal(wanted, JSONB))
    return condition


def _parts(
    document: ColumnElement[Any], wanted: dict[str, Any] | list[Any], names: Iterator[int]
) -> Iterator[ColumnElement[bool]]:
    for key, value in wanted.items() if isinstance(wanted, dict) else ((None, v) for v in wanted):
        element = func.json_each(document).table_valued(
            "key", "value", "type", "atom", name=f"element_{next(names)}"
        )
        conditions = list(_equal(element.c, value, names))
        if key is not None:
            conditions.append(element.c.key == key)
        yield exists().select_from(element).where(*conditions)


def _equal(element: Any, value: Any, names: Iterator[int]) -> Iterator[ColumnElement[bool]]:  # noqa: ANN401 - columns of json_each, any JSON value
    if isinstance(value, dict | list):
        yield element.type == ("object" if isinstance(value, dict) else "array")
        yield from _parts(element.value, value, names)
    elif value is None or isinstance(value, bool):
        yield element.type == {None: "null", True: "true", False: "false"}[value]
    else:
        yield element.type.in_(_KINDS[type(value)])
        yield element.atom == value
