"""Sessions in their table, tokens and notices sealed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.errors import SealedValueUnreadable
from bootstrap_core.resealing import reseal_column
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret
from provision.console.notices import Notice
from provision.console.session import Credentials, Session
from provision.console.tables import sessions


class SessionRows:
    """The sessions of all users."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer) -> None:
        """Keep them in the store of ``engine``."""
        self._engine = engine
        self._sealer = sealer

    async def find(self, session_id: str) -> Session | None:
        """Return a session, expired or not; None where there is none that can be opened."""
        query = select(sessions).where(sessions.c.id == session_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        try:
            return self._session(row)
        except SealedValueUnreadable:
            # Its key was taken away: the user signs in again.
            return None

    async def add(self, session: Session) -> None:
        """Write a new session."""
        values = {
            "id": session.id,
            "username": session.username,
            "domain_id": session.domain_id,
            "domain_name": session.domain_name,
            "credentials": self._sealed(session.id, session.credentials),
            "notice": "",
            "access_ends_at": session.access_ends_at,
            "created_at": session.created_at,
            "seen_at": session.seen_at,
            "expires_at": session.expires_at,
        }
        async with self._engine.begin() as connection:
            await connection.execute(insert(sessions).values(**values))

    async def seen(self, session_id: str, at: datetime, expires_at: datetime) -> None:
        """Write down that a session was used."""
        await self._update(session_id, {"seen_at": at, "expires_at": expires_at})

    async def renew(self, session_id: str, credentials: Credentials, ends_at: datetime) -> None:
        """Write down new tokens; ``ends_at`` is the end of the access token."""
        sealed = self._sealed(session_id, credentials)
        await self._update(session_id, {"credentials": sealed, "access_ends_at": ends_at})

    async def enter(self, session_id: str, domain_id: str, domain_name: str) -> None:
        """Write down that a session is now about another domain."""
        await self._update(session_id, {"domain_id": domain_id, "domain_name": domain_name})

    async def tell(self, session_id: str, notice: Notice) -> None:
        """Keep a notice for the session's next page."""
        sealed = self._sealer.seal(notice.to_json().encode(), notice_place(session_id))
        await self._update(session_id, {"notice": sealed})

    async def told(self, session_id: str) -> None:
        """Forget the notice: a page has shown it."""
        await self._update(session_id, {"notice": ""})

    async def remove(self, session_id: str) -> None:
        """Delete a session; one that is not there is no error."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.id == session_id))

    async def remove_expired(self, at: datetime) -> None:
        """Delete every session that has expired."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= at))

    async def _update(self, session_id: str, values: dict[str, Any]) -> None:
        async with self._engine.begin() as connection:
            statement = update(sessions).where(sessions.c.id == session_id).values(**values)
            await connection.execute(statement)

    def _sealed(self, session_id: str, credentials: Credentials) -> str:
        written = json.dumps(
            {
                "access": credentials.access.reveal(),
                "refresh": credentials.refresh.reveal(),
                "forms": credentials.forms.reveal(),
            }
        )
        return self._sealer.seal(written.encode(), credentials_place(session_id))

    def _session(self, row: RowMapping) -> Session:
        values = dict(row)
        opened = self._sealer.open(values["credentials"], credentials_place(row["id"]))
        kept = {name: Secret(text) for name, text in json.loads(opened).items()}
        values["credentials"] = Credentials(**kept)
        notice = values["notice"]
        values["notice"] = (
            Notice.from_json(self._sealer.open(notice, notice_place(row["id"]))) if notice else None
        )
        return Session(**values)


def credentials_place(session_id: str) -> str:
    """Name the place of a session's credentials, to which they are sealed."""
    return f"console_sessions/{session_id}/credentials"


def notice_place(session_id: str) -> str:
    """Name the place of a session's notice, to which it is sealed."""
    return f"console_sessions/{session_id}/notice"


async def reseal_sessions(engine: AsyncEngine, sealer: Sealer) -> int:
    """Seal all sessions with the first key; return how many values changed.

    Raises ``SealedValueUnreadable``: one is sealed with a key that is not configured.
    """
    key = (sessions.c.id,)
    credentials = await reseal_column(
        engine, sealer, key, sessions.c.credentials, credentials_place
    )
    return credentials + await reseal_column(engine, sealer, key, sessions.c.notice, notice_place)
