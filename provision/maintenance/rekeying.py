"""All that is kept sealed, sealed again with the first key, after keys were added."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Sealer
from bootstrap_core.store.reseal import reseal as reseal_bootstrap
from bootstrap_core.store.reseal import reseal_column
from provision.console.sessions import reseal_sessions
from provision.embedded.issuer_store import reseal_issuer
from provision.embedded.sealing import reseal_client_secrets
from provision.onboarding.idempotency import answer_place
from provision.onboarding.rows import sealed_place
from provision.onboarding.tables import onboardings, stored_answers
from provision.store.key_store import KeyStore


async def reseal_all(
    engine: AsyncEngine, sealer: Sealer, told: Callable[[str], None]
) -> Mapping[str, int]:
    """Seal everything with the sealer's first key; return how many values of each kind changed.

    ``told`` hears of each kind before it is begun. The work is done in small transactions and may
    be broken off and repeated. Raises ``SealedValueUnreadable``: a value is sealed with a key that
    is not among the sealer's.
    """
    row, answer = (
        (onboardings.c.id,),
        (stored_answers.c.domain_id, stored_answers.c.idempotency_key),
    )
    work: Mapping[str, Callable[[], Awaitable[int]]] = {
        "service keys": lambda: KeyStore(engine, sealer).reseal(),
        "certificate authority": lambda: reseal_issuer(engine, sealer),
        "client secrets": lambda: reseal_client_secrets(engine, sealer),
        "bootstrap configs": lambda: reseal_bootstrap(engine, sealer),
        "onboardings": lambda: reseal_column(
            engine, sealer, row, onboardings.c.intent, lambda key: sealed_place(key, "intent")
        ),
        "onboardings' tokens": lambda: reseal_column(
            engine, sealer, row, onboardings.c.token, lambda key: sealed_place(key, "token")
        ),
        "stored answers": lambda: reseal_column(
            engine, sealer, answer, stored_answers.c.answer, answer_place
        ),
        "console sessions": lambda: reseal_sessions(engine, sealer),
    }
    changed = {}
    for kind, reseal in work.items():
        told(kind)
        changed[kind] = await reseal()
    return changed
