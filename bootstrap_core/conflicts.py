"""The one place where the store's refusals become errors that name what stands in the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy.exc import IntegrityError

from bootstrap_core.errors import Conflict, Unprocessable


@contextlib.contextmanager
def conflicts_named(*, name: str, external_id: str = "") -> Iterator[None]:
    """Translate a violated constraint within the block, which writes these values.

    Raises ``Conflict`` for a name or external ID that is taken, ``Unprocessable`` for a reference
    to a profile that has gone in the meantime.
    """
    try:
        yield
    except IntegrityError as error:
        # PostgreSQL goes on to quote the values, which may hold any word.
        reason = str(error.orig).partition("\n")[0]
        if "external_id" in reason:
            raise Conflict(
                f"external_id: {external_id!r} has a config in this domain already; update or "
                "remove that one",
                details={"field": "external_id", "value": external_id},
            ) from error
        if "name" in reason:
            raise Conflict(
                f"name: {name!r} is taken in this domain; choose another one",
                details={"field": "name", "value": name},
            ) from error
        if "FOREIGN" in reason.upper():
            raise Unprocessable("the profile was removed in the meantime") from error
        raise Conflict("the ID is taken") from error
