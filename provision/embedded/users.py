"""Users: who may sign in, and the tokens that they get for it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar
from uuid import uuid4

from attrs import frozen
from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from bootstrap_core.store.tables import BRIEF
from provision.embedded.access import AccessControl, Caller
from provision.embedded.errors import (
    Busy,
    InvalidToken,
    Malformed,
    Missing,
    StatusAssigned,
    Taken,
    WrongPassword,
)
from provision.embedded.queries import AnyRow, stamp
from provision.embedded.records import ADMINISTRATOR, NewUser, UserRecord
from provision.embedded.tables import members, users
from provision.embedded.tokens import Claims, Clock, Kind, TokenFamilies, Tokens
from provision.platform.types import Page, TokenPair

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
MEMORY_MARGIN: Final = 1024 * 1024
QUEUE_LIMIT: Final = 64
NUL: Final = b"\0"

T = TypeVar("T")


@frozen
class Cost:
    """How hard a hash is made: memory is 128 * ``n`` * ``r`` bytes, time grows with all three."""

    n: int = 16384
    r: int = 8
    p: int = 1


class Passwords:
    """Hashes and verifies passwords, a few at a time, off the event loop.

    When too many wait already, ``Busy`` is raised at once, so that sign-ins can't pile up.

    A hash reads ``scrypt$<n>$<r>$<p>$<salt>$<digest>``, both in base64; hashes made under other
    parameters keep verifying.
    """

    def __init__(self, cost: Cost = Cost(), threads: int = 2) -> None:
        """Hash with ``cost`` from now on, on at most ``threads`` threads at once."""
        self._cost = cost
        self._under_way = 0
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="password")

    async def hash(self, password: Secret) -> str:
        """Return the hash to store for ``password``. Raises ``Malformed``: a NUL is in it."""
        if NUL in password.encode():
            raise Malformed("a password holds no NUL character (U+0000); leave it out")
        return await self._run(lambda: _hash(password, self._cost))

    async def verify(self, password: Secret, stored: str) -> bool:
        """Tell whether ``password`` is the one that ``stored`` was made from."""
        return await self._run(lambda: _verify(password, stored))

    def close(self) -> None:
        """Let the threads go; waits for what is being hashed."""
        self._pool.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        if self._under_way >= QUEUE_LIMIT:
            raise Busy
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._under_way -= 1


def _digest(password: Secret, salt: bytes, cost: Cost) -> bytes:
    return hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=cost.n,
        r=cost.r,
        p=cost.p,
        dklen=HASH_BYTES,
        maxmem=128 * cost.r * (cost.n + cost.p) + MEMORY_MARGIN,
    )


def _hash(password: Secret, cost: Cost) -> str:
    salt = os.urandom(SALT_BYTES)
    texts = [base64.b64encode(part).decode() for part in (salt, _digest(password, salt, cost))]
    return f"scrypt${cost.n}${cost.r}${cost.p}${texts[0]}${texts[1]}"


def _verify(password: Secret, stored: str) -> bool:
    _, n, r, p, salt, digest = stored.split("$")
    made = _digest(password, base64.b64decode(salt), Cost(int(n), int(r), int(p)))
    # The HMAC in scrypt fills short passwords up with NULs, and takes one that ends with them for
    # the one without.
    return hmac.compare_digest(made, base64.b64decode(digest)) and NUL not in password.encode()


PASSWORD_MINIMUM = 8


class UserRegistry:
    """The users of the platform."""

    def __init__(
        self,
        engine: AsyncEngine,
        access: AccessControl,
        passwords: Passwords,
        tokens: Tokens,
        families: TokenFamilies,
        now: Clock,
    ) -> None:
        """Keep users in the engine's database, their passwords by way of ``passwords``.

        ``families`` counts the uses of refresh tokens.
        """
        self._engine = engine
        self._access = access
        self._passwords = passwords
        self._tokens = tokens
        self._families = families
        self._now = now

    async def register(self, wanted: NewUser) -> UserRecord:
        """Create a user; whoever calls has decided that it may be.

        Raises ``Malformed`` (no password), ``Taken`` (the user name or e-mail address).
        """
        if not wanted.password:
            raise Malformed("a user needs a password")
        values = {
            "id": str(uuid4()),
            "username": wanted.username,
            "email": wanted.email,
            "first_name": wanted.first_name,
            "last_name": wanted.last_name,
            "password": await self._passwords.hash(wanted.password),
            "role": wanted.role,
            "status": wanted.status.value,
            "metadata": dict(wanted.metadata),
            "tags": list(wanted.tags),
            "token_version": 1,
            "created_at": self._now(),
        }
        try:
            async with self._engine.begin() as connection:
                statement = insert(users).values(**values).returning(*users.c)
                row = (await connection.execute(statement)).one()
        except IntegrityError as error:
            raise Taken("a user with this name or e-mail address exists already") from error
        return _record(row)

    async def sign_in(self, username: str, password: Secret) -> TokenPair:
        """Return new tokens; ``username`` may be the e-mail address as well.

        Raises ``Missing``, ``WrongPassword``, ``InvalidToken`` (the user is disabled).
        """
        row = await self._find(or_(users.c.username == username, users.c.email == username))
        if not await self._passwords.verify(password, row.password):
            raise WrongPassword
        if row.status != Status.ENABLED:
            raise InvalidToken("this user is disabled")
        return self._tokens.issue(Claims(row.id, row.token_version))

    async def refresh(self, token: Secret) -> TokenPair:
        """Return new tokens for a refresh token, which is good for one use.

        Raises ``InvalidToken``, ``AccessTokenUsed``.
        """
        claims = self._tokens.verify(token, Kind.REFRESH)
        await self._access.bearer_of(claims)
        return self._tokens.issue(await self._families.use(claims))

    async def profile(self, token: Secret) -> UserRecord:
        """Return the token's user."""
        caller = await self._access.caller(token)
        return _record(await self._find(users.c.id == caller.id))

    async def view(self, token: Secret, user_id: str) -> UserRecord:
        """Return a user, to that user or the administrator."""
        caller = await self._access.caller(token)
        if caller.id != user_id:
            caller.require_administrator()
        return _record(await self._find(users.c.id == user_id))

    async def page(self, token: Secret, offset: int, limit: int) -> Page[UserRecord]:
        """List all users, newest first, to the administrator."""
        (await self._access.caller(token)).require_administrator()
        async with self._engine.connect() as connection:
            total = await connection.scalar(select(func.count()).select_from(users)) or 0
            newest = select(users).order_by(users.c.created_at.desc(), users.c.id.desc())
            rows = (await connection.execute(newest.offset(offset).limit(limit))).all()
        return Page([_record(row) for row in rows], total, offset, limit)

    async def change_status(self, token: Secret, user_id: str, status: Status) -> UserRecord:
        """Enable or disable a user, as the administrator; disabling ends all access at once.

        Raises ``Missing``, ``StatusAssigned``.
        """
        caller = await self._administrator_of(token, user_id)
        changed = await self._change(
            caller,
            (users.c.id == user_id) & (users.c.status != status.value),
            {"status": status.value},
        )
        if changed is None:
            await self._find(users.c.id == user_id)
            raise StatusAssigned(f"the user is {status.value} already")
        return changed

    async def delete(self, token: Secret, user_id: str) -> None:
        """Delete a user, as the administrator; what the user made in domains stays there."""
        await self._administrator_of(token, user_id)
        async with self._engine.begin() as connection:
            await connection.execute(delete(members).where(members.c.user_id == user_id))
            deleted = await connection.execute(delete(users).where(users.c.id == user_id))
        self._access.forget()
        if not deleted.rowcount:
            raise Missing

    async def change_password(self, token: Secret, old: Secret, new: Secret) -> UserRecord:
        """Replace the caller's password and revoke all tokens issued so far.

        Raises ``WrongPassword``, ``Malformed``.
        """
        caller = await self._access.caller(token)
        require_strength(new)
        row = await self._find(users.c.id == caller.id)
        if not await self._passwords.verify(old, row.password):
            raise WrongPassword
        changed = await self._change(
            caller,
            users.c.id == caller.id,
            {
                "password": await self._passwords.hash(new),
                "token_version": users.c.token_version + 1,
            },
        )
        if changed is None:
            raise Missing
        return changed

    async def is_empty(self) -> bool:
        """Tell whether there is no user at all yet."""
        async with self._engine.connect() as connection:
            return (await connection.execute(select(users.c.id).limit(1))).first() is None

    async def _administrator_of(self, token: Secret, user_id: str) -> Caller:
        caller = await self._access.caller(token)
        caller.require_administrator()
        if caller.id == user_id:
            raise Malformed("the administrator can't disable or delete their own account")
        return caller

    async def _find(self, condition: ColumnElement[bool]) -> AnyRow:
        async with self._engine.connect() as connection:
            query = select(users).where(condition).execution_options(**BRIEF)
            row = (await connection.execute(query)).first()
        if row is None:
            raise Missing
        return row

    async def _change(
        self, caller: Caller, condition: ColumnElement[bool], values: dict[str, Any]
    ) -> UserRecord | None:
        statement = (
            update(users)
            .where(condition)
            .values(**values, **stamp(caller.id, self._now()))
            .returning(*users.c)
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement)).first()
        self._access.forget()
        return None if row is None else _record(row)


def require_strength(password: Secret) -> None:
    """Raise ``Malformed`` for a password that is too short (Mainflux took any)."""
    if len(password.reveal()) < PASSWORD_MINIMUM:
        raise Malformed(f"a password has at least {PASSWORD_MINIMUM} characters")


def administrator(username: str, email: str, password: Secret) -> NewUser:
    """Return the platform's administrator, to be registered at the first start."""
    return NewUser(username, email, password, "Platform", "Administrator", role=ADMINISTRATOR)


def _record(row: AnyRow) -> UserRecord:
    tags: Sequence[str] = row.tags
    return UserRecord(
        id=row.id,
        username=row.username,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        role=row.role,
        status=Status(row.status),
        metadata=row.metadata,
        tags=tags,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
