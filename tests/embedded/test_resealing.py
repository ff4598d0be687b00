"""Client secrets can be brought under a new key."""

from __future__ import annotations

from uuid import uuid4

from bootstrap_core.secrets import Sealer, SealingKey, Secret
from bootstrap_core.store.reseal import BATCH
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.sealing import reseal_client_secrets
from provision.embedded.users import Passwords
from provision.platform.types import NewClient
from tests.embedded.service import CHEAP, KEYS, SEALER_KEY, Installation


async def test_secrets_move_under_the_newest_key(installed: Installation) -> None:
    place = installed.token, installed.operator.domain_id
    drafts = [NewClient(str(uuid4()), "c", secret=Secret(f"secret-{n}")) for n in range(BATCH + 1)]
    await installed.platform.clients.create(*place, drafts)
    fresh = SealingKey.generate()

    both = Sealer([fresh, SEALER_KEY])
    assert await reseal_client_secrets(installed.engine, both) == len(drafts)
    assert await reseal_client_secrets(installed.engine, both) == 0

    passwords = Passwords(CHEAP)
    platform = EmbeddedPlatform(installed.engine, KEYS, Sealer([fresh]), passwords)
    for draft in (drafts[0], drafts[-1]):
        assert (await platform.clients.view(*place, draft.id)).secret == draft.secret
    passwords.close()
