"""The gateways and the onboardings of a domain, page by page, read without opening any intent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.store.tables import configs, fetches
from provision.onboarding.errors import OnboardingNotFound
from provision.onboarding.model import State, Summary
from provision.onboarding.rows import summary_of
from provision.onboarding.steps import Progress, in_progress
from provision.onboarding.tables import certificates_in_use, onboardings
from provision.platform.types import Page


@frozen
class GatewayQuery:
    """Which gateways to list, by external ID; empty fields do not filter.

    ``search`` is a part of the external ID in any case; ``ending_before`` keeps those that have a
    certificate in use which ends before that time.
    """

    offset: int = 0
    limit: int = 10
    search: str = ""
    state: State | None = None
    layout: str = ""
    ending_before: datetime | None = None


@frozen
class GatewayLine:
    """A gateway as a list shows it.

    ``config_id``, ``name`` and ``status`` are those of its bootstrap config, empty without one;
    ``certificate_ends`` is when the first of its certificates in use ends, ``certificate_due``
    when the first is due for renewal.
    """

    external_id: str
    onboarding_id: str
    state: State
    layout: str
    updated_at: datetime
    config_id: str
    name: str
    status: str
    fetched_at: datetime | None
    fetch_outcome: str
    certificate_ends: datetime | None
    certificate_due: datetime | None


@frozen
class GatewayList:
    """Lists gateways: those whose onboarding is in charge of its external ID."""

    engine: AsyncEngine

    async def list(self, domain_id: str, query: GatewayQuery) -> Page[GatewayLine]:
        """List a domain's gateways by external ID."""
        where = and_(*_gateway_conditions(domain_id, query))
        rows = _lines(where, query)
        async with self.engine.connect() as connection:
            total = await connection.scalar(
                select(func.count()).select_from(onboardings).where(where)
            )
            found = (await connection.execute(rows)).mappings().all()
        lines = [GatewayLine(**{**row, "state": State(row["state"])}) for row in found]
        return Page(lines, total or 0, query.offset, query.limit)


def _lines(where: ColumnElement[bool], query: GatewayQuery) -> Select[Any]:
    # Filters, order and page need the index alone; only the page's rows are read.
    page = (
        select(onboardings.c.id)
        .where(where)
        .order_by(onboardings.c.external_id)
        .limit(query.limit)
        .offset(query.offset)
        .subquery()
    )
    same = and_(
        configs.c.domain_id == onboardings.c.domain_id,
        configs.c.external_id == onboardings.c.external_id,
    )
    return (
        select(
            onboardings.c.external_id,
            onboardings.c.id.label("onboarding_id"),
            onboardings.c.state,
            onboardings.c.layout,
            onboardings.c.updated_at,
            func.coalesce(configs.c.id, "").label("config_id"),
            func.coalesce(configs.c.name, "").label("name"),
            func.coalesce(configs.c.status, "").label("status"),
            fetches.c.at.label("fetched_at"),
            func.coalesce(fetches.c.outcome, "").label("fetch_outcome"),
            _first(certificates_in_use.c.expires_at).label("certificate_ends"),
            _first(certificates_in_use.c.due_at).label("certificate_due"),
        )
        .select_from(
            page.join(onboardings, onboardings.c.id == page.c.id)
            .outerjoin(configs, same)
            .outerjoin(fetches, fetches.c.config_id == configs.c.id)
        )
        .order_by(onboardings.c.external_id)
    )


def _first(time: ColumnElement[datetime]) -> ScalarSelect[Any]:
    """Select the first such time among a gateway's certificates in use."""
    return (
        select(func.min(time))
        .where(
            certificates_in_use.c.domain_id == onboardings.c.domain_id,
            certificates_in_use.c.external_id == onboardings.c.external_id,
        )
        .correlate(onboardings)
        .scalar_subquery()
    )


def _gateway_conditions(domain_id: str, query: GatewayQuery) -> list[ColumnElement[bool]]:
    conditions = [onboardings.c.domain_id == domain_id, onboardings.c.place.is_not(None)]
    if query.search:
        conditions.append(onboardings.c.external_id.icontains(query.search, autoescape=True))
    if query.state:
        conditions.append(onboardings.c.state == query.state.value)
    if query.layout:
        conditions.append(onboardings.c.layout == query.layout)
    if query.ending_before:
        ending = select(certificates_in_use.c.external_id).where(
            certificates_in_use.c.domain_id == domain_id,
            certificates_in_use.c.expires_at < query.ending_before,
        )
        conditions.append(onboardings.c.external_id.in_(ending))
    return conditions


_SHOWN: Final = select(
    *(column for column in onboardings.c if column.name not in ("intent", "token"))
)


@frozen
class OnboardingQuery:
    """Which onboardings to list, newest first; empty fields do not filter."""

    offset: int = 0
    limit: int = 10
    state: State | None = None
    progress: Progress | None = None
    external_id: str = ""
    layout: str = ""
    with_leftovers: bool = False


@frozen
class OnboardingList:
    """Shows the journal's rows, those whose intent can't be read as well."""

    engine: AsyncEngine

    async def view(self, domain_id: str, onboarding_id: str) -> Summary:
        """Return one row. Raises ``OnboardingNotFound``."""
        one = and_(onboardings.c.domain_id == domain_id, onboardings.c.id == onboarding_id)
        async with self.engine.connect() as connection:
            row = (await connection.execute(_SHOWN.where(one))).mappings().first()
        if row is None:
            raise OnboardingNotFound
        return summary_of(row)

    async def list(self, domain_id: str, query: OnboardingQuery) -> Page[Summary]:
        """List the rows of a domain, newest first."""
        where = and_(*_onboarding_conditions(domain_id, query))
        rows = (
            _SHOWN.where(where)
            .order_by(onboardings.c.created_at.desc(), onboardings.c.id)
            .limit(query.limit)
            .offset(query.offset)
        )
        async with self.engine.connect() as connection:
            total = await connection.scalar(
                select(func.count()).select_from(onboardings).where(where)
            )
            found = (await connection.execute(rows)).mappings().all()
        return Page([summary_of(row) for row in found], total or 0, query.offset, query.limit)

    async def count_by_state(self) -> Mapping[str, int]:
        """Return how many rows are in each state, over all domains."""
        counts = select(onboardings.c.state, func.count()).group_by(onboardings.c.state)
        async with self.engine.connect() as connection:
            return {state: count for state, count in await connection.execute(counts)}  # noqa: C416


def _onboarding_conditions(domain_id: str, query: OnboardingQuery) -> list[ColumnElement[bool]]:
    conditions = [onboardings.c.domain_id == domain_id]
    if query.state:
        conditions.append(onboardings.c.state == query.state.value)
    if query.progress:
        conditions.append(in_progress(query.progress))
    if query.external_id:
        conditions.append(onboardings.c.external_id == query.external_id)
    if query.layout:
        conditions.append(onboardings.c.layout == query.layout)
    if query.with_leftovers:
        conditions.append(onboardings.c.leftovers.is_not(None))
    return conditions
