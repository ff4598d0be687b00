"""Which errors of a database say that it is out of reach, and not that a statement is wrong."""

from __future__ import annotations

import sqlite3
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from provision.errors import StoreUnavailable

# SQLite's extended codes have the primary one in their lowest byte.
PRIMARY_CODE: Final = 0xFF
_SQLITE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connections, authorization,
# transactions that give way, resources, operators' intervention, the system; a lock that others
# have, and a transaction that took too long.
_POSTGRESQL: Final = ("08", "28", "40", "53", "57", "58", "55P03", "25P03", "25006", "3D000")
_CLOSED: Final = "closed"


def is_unavailable(error: BaseException) -> bool:
    """Say whether the store can't be used just now, whatever is asked of it."""
    if isinstance(error, NoConnectionFree):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    if (code := getattr(error.orig, "sqlite_errorcode", None)) is not None:
        return code & PRIMARY_CODE in _SQLITE
    if state := getattr(error.orig, "sqlstate", None):
        return str(state).startswith(_POSTGRESQL)
    if isinstance(error, InterfaceError):
        return _CLOSED in str(error.orig)
    return isinstance(error, OperationalError)


def told(error: Exception) -> Exception:
    """Return what a caller is told of an error: ``StoreUnavailable`` in place of the database's."""
    if not is_unavailable(error):
        return error
    structlog.get_logger().warning("the store can't be used", error=cause_of(error))
    return StoreUnavailable()


def public_cause_of(error: BaseException) -> str:
    """Return what anybody may know of it: SQLite's words name no place, a server's may."""
    if isinstance(orig := getattr(error, "orig", None), sqlite3.Error):
        return str(orig)
    return "the database can't be reached or does not answer; the service's log says more"


def cause_of(error: BaseException) -> str:
    """Return what the database said, without the statement."""
    return str(getattr(error, "orig", None) or error) or type(error).__name__
