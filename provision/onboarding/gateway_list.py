"""The gateways of a domain, page by page: what lists show, read without opening any intent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.tables import configs, fetches
from provision.onboarding.certificate_tables import certificates_in_use
from provision.onboarding.model import State
from provision.onboarding.tables import onboardings
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
    ``certificate_ends`` is when the first of its certificates in use ends.
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


class GatewayList:
    """Lists gateways: those whose onboarding is in charge of its external ID."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Read the store of ``engine``."""
        self._engine = engine

    async def list(self, domain_id: str, query: GatewayQuery) -> Page[GatewayLine]:
        """List a domain's gateways by external ID."""
        where = and_(*_conditions(domain_id, query))
        rows = _lines(where, query)
        async with self._engine.connect() as connection:
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
            _first_end().label("certificate_ends"),
        )
        .select_from(
            page.join(onboardings, onboardings.c.id == page.c.id)
            .outerjoin(configs, same)
            .outerjoin(fetches, fetches.c.config_id == configs.c.id)
        )
        .order_by(onboardings.c.external_id)
    )


def _first_end() -> ScalarSelect[Any]:
    """Select when the first of a gateway's certificates in use ends."""
    return (
        select(func.min(certificates_in_use.c.expires_at))
        .where(
            certificates_in_use.c.domain_id == onboardings.c.domain_id,
            certificates_in_use.c.external_id == onboardings.c.external_id,
        )
        .correlate(onboardings)
        .scalar_subquery()
    )


def _conditions(domain_id: str, query: GatewayQuery) -> list[ColumnElement[bool]]:
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
