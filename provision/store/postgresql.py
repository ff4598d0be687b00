"""Connections to PostgreSQL: how long each thing may take, and one kind of error where it does not.

Whatever goes wrong on the way to the server is raised as SQLAlchemy's ``OperationalError``.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ExceptionContext, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

CONNECT_SECONDS: Final = 5
POOL_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 8
"""The server ends what takes longer, waiting for a lock included."""
SILENCE_SECONDS: Final = 10
"""The connection is given up when the server says nothing at all for so long."""
IDLE_SECONDS: Final = 30
"""The server ends a transaction, and frees its locks, whose owner does nothing for so long."""


class Connection(AsyncConnection):
    """A connection that is opened in bounded time or fails with ``OperationalError``."""

    async def start(self, is_ctxmanager: bool = False) -> AsyncConnection:  # noqa: FBT001, FBT002
        """Take a connection of the pool, or open one."""
        try:
            return await super().start(is_ctxmanager)
        except (OSError, TimeoutError) as error:
            raise unreachable(error) from error


def make_engine(url: Any, **options: Any) -> AsyncEngine:  # noqa: ANN401 - SQLAlchemy's own
    """Return an engine whose connections, checkouts and statements all end in time."""
    engine = create_async_engine(
        url,
        **options,
        pool_size=10,
        max_overflow=20,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": SILENCE_SECONDS,
            "server_settings": {
                "application_name": "provision",
                "statement_timeout": f"{STATEMENT_SECONDS}s",
                "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
            },
        },
    )
    event.listen(engine.sync_engine, "handle_error", _name_silence)
    return engine


def make_patient_engine(url: Any, **options: Any) -> AsyncEngine:  # noqa: ANN401 - SQLAlchemy's own
    """Return an engine for work that may take as long as it takes, such as a migration."""
    return create_async_engine(
        url, **options, poolclass=NullPool, connect_args={"timeout": CONNECT_SECONDS}
    )


def unreachable(error: Exception) -> OperationalError:
    """Return the error of a server that refuses connections or says nothing."""
    words = str(error) or "the database did not answer in time"
    return OperationalError("", None, ConnectionError(words), hide_parameters=True)


def _name_silence(context: ExceptionContext) -> Exception | None:
    if not isinstance(context.original_exception, OSError | TimeoutError):
        return None
    # The answer may still come; nobody may take it for the answer to something else.
    context.is_disconnect = True
    return unreachable(context.original_exception)
