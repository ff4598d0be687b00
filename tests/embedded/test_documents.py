"""Searching in JSON columns means the same on every database."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select
from sqlalchemy.dialects import postgresql

from provision.embedded.queries import contains
from provision.embedded.tables import DOCUMENT, clients

documents = Table(
    "documents", MetaData(), Column("id", Integer, primary_key=True), Column("held", DOCUMENT)
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0])
    | st.sampled_from(["", "a", "1", "true", 'quo"te', "$.x", "é"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", 'quo"te', "$.x", ""]), inner, max_size=3)
    ),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from(["a", "b", 'quo"te', "", "c.d"]), values, max_size=3)


def _holds(held: Any, wanted: Any) -> bool:
    """Say what containment is, as PostgreSQL's documentation does."""
    if isinstance(wanted, dict):
        return isinstance(held, dict) and all(
            key in held and _holds(held[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(held, list) and all(
            any(_holds(one, value) for one in held) for value in wanted
        )
    if isinstance(wanted, bool) or wanted is None or isinstance(held, bool):
        return held is wanted
    return isinstance(held, int | float | str) and held == wanted


@given(objects, objects)
@example({"a": True}, {"a": 1})
@example({"a": 1}, {"a": True})
@example({"a": 1}, {"a": 1.0})
@example({"a": "1"}, {"a": 1})
@example({"a": None}, {"a": None})
@example({}, {"a": None})
@example({"a": [1, [2]]}, {"a": [[2]]})
@example({'quo"te': {"$.x": 1}}, {'quo"te': {"$.x": 1}})
@pytest.mark.slow
def test_sqlite_finds_what_contains_the_wanted(
    held: dict[str, Any], wanted: dict[str, Any]
) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        documents.create(connection)
        connection.execute(insert(documents), [{"held": held}, {"held": wanted}, {"held": {}}])
        query = select(documents.c.id).where(contains(documents.c.held, wanted, "sqlite"))
        found = set(connection.scalars(query.order_by(documents.c.id)))
    engine.dispose()

    assert found == {
        place for place, document in enumerate((held, wanted, {}), 1) if _holds(document, wanted)
    }


def test_a_search_stays_within_its_row() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        documents.create(connection)
        connection.execute(insert(documents), [{"held": {"a": 1}}, {"held": {"b": 2}}])
        both = select(documents.c.id).where(contains(documents.c.held, {"a": 1, "b": 2}, "sqlite"))
        assert connection.scalars(both).all() == []
    engine.dispose()


def test_postgresql_is_asked_with_its_own_operator() -> None:
    query = select(clients.c.id).where(contains(clients.c.metadata, {"a": 1}, "postgresql"))

    text = str(query.compile(dialect=postgresql.dialect()))

    assert "platform_clients.metadata @>" in text
