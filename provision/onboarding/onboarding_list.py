"""The onboardings of a domain, page by page, and how many there are in each state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from provision.onboarding.errors import OnboardingNotFound
from provision.onboarding.model import State, Summary
from provision.onboarding.progress import Progress, in_progress
from provision.onboarding.rows import summary_of
from provision.onboarding.tables import onboardings
from provision.platform.types import Page

_SHOWN: Final = select(*(each for each in onboardings.c if each.name not in ("intent", "token")))


@frozen
class OnboardingQuery:
    """Which onboardings to list, newest first; empty fields do not filter."""

    offset: int = 0
    limit: int = 10
    state: State | None = None
    progress: Progress | None = None
    external_id: str = ""
    layout: str = ""


class OnboardingList:
    """Shows the journal's rows, those whose intent can't be read as well."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Read the store of ``engine``."""
        self._engine = engine

    async def view(self, domain_id: str, onboarding_id: str) -> Summary:
        """Return one row. Raises ``OnboardingNotFound``."""
        one = and_(onboardings.c.domain_id == domain_id, onboardings.c.id == onboarding_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(_SHOWN.where(one))).mappings().first()
        if row is None:
            raise OnboardingNotFound
        return summary_of(row)

    async def list(self, domain_id: str, query: OnboardingQuery) -> Page[Summary]:
        """List the rows of a domain, newest first."""
        where = and_(*_conditions(domain_id, query))
        rows = (
            _SHOWN.where(where)
            .order_by(onboardings.c.created_at.desc(), onboardings.c.id)
            .limit(query.limit)
            .offset(query.offset)
        )
        async with self._engine.connect() as connection:
            total = await connection.scalar(
                select(func.count()).select_from(onboardings).where(where)
            )
            found = (await connection.execute(rows)).mappings().all()
        return Page([summary_of(row) for row in found], total or 0, query.offset, query.limit)

    async def count_by_state(self) -> Mapping[str, int]:
        """Return how many rows are in each state, over all domains."""
        counts = select(onboardings.c.state, func.count()).group_by(onboardings.c.state)
        async with self._engine.connect() as connection:
            return {state: count for state, count in await connection.execute(counts)}  # noqa: C416


def _conditions(domain_id: str, query: OnboardingQuery) -> list[ColumnElement[bool]]:
    conditions = [onboardings.c.domain_id == domain_id]
    if query.state:
        conditions.append(onboardings.c.state == query.state.value)
    if query.progress:
        conditions.append(in_progress(query.progress))
    if query.external_id:
        conditions.append(onboardings.c.external_id == query.external_id)
    if query.layout:
        conditions.append(onboardings.c.layout == query.layout)
    return conditions
