"""Carries an onboarding out, or undoes it. What is remote is repeatable; what is ours is atomic."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from attrs import evolve
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secret import Secret
from provision.onboarding.certification import Certification
from provision.onboarding.clock import Clock
from provision.onboarding.creation import Creation, all_of
from provision.onboarding.enrollment import Enrollments
from provision.onboarding.journal import Journal
from provision.onboarding.model import Intent, Onboarding, State
from provision.onboarding.removal import Removal
from provision.onboarding.repair import Repair
from provision.onboarding.rotation import Rotation
from provision.onboarding.steps import StepLog


class KeyHasher(Protocol):
    """Hashes external keys, slowly on purpose, without blocking the event loop."""

    async def hash(self, key: Secret) -> str:
        """Return the hash with its parameters."""
        ...

    async def verify(self, key: Secret, hashed: str) -> bool:
        """Say whether ``key`` is the one that ``hashed`` was made of."""
        ...


class Runner:
    """The forward way (resources, then one commit) and the way back."""

    def __init__(
        self,
        creation: Creation,
        certification: Certification,
        removal: Removal,
        repair: Repair,
        rotation: Rotation,
        enrollments: Enrollments,
        journal: Journal,
        engine: AsyncEngine,
        hasher: KeyHasher,
        clock: Clock,
    ) -> None:
        """Take the parts that do the steps."""
        self._creation = creation
        self._certification = certification
        self._removal = removal
        self._repair = repair
        self._rotation = rotation
        self._enrollments = enrollments
        self._journal = journal
        self._engine = engine
        self._hasher = hasher
        self._clock = clock

    async def finish(self, onboarding: Onboarding, token: Secret, touched: set[str]) -> Onboarding:
        """Create what the plan says, in two rounds of calls, and commit.

        IDs under which something may have been created are added to ``touched`` as it goes.
        Raises ``StepError``; then nothing is committed and the row is as it was.
        """
        steps = StepLog(self._clock, onboarding.steps)
        intent = onboarding.intent
        plan = intent.plan
        hashing = asyncio.ensure_future(steps.run("external key", self._hash(intent)))
        await all_of(
            [
                steps.run("clients", self._creation.clients(token, plan, touched)),
                steps.run("channels", self._creation.channels(token, plan, touched)),
                hashing,
            ]
        )
        certifying = asyncio.ensure_future(
            steps.run("certificates", self._certification.certify(token, intent))
        )
        await all_of(
            [steps.run("connections", self._creation.connections(token, plan)), certifying]
        )
        certificates, chain = certifying.result()
        known = evolve(
            intent, certificates=certificates, ca_chain=chain, external_key_hash=hashing.result()
        )
        return await steps.run("commit", self._commit(evolve(onboarding, intent=known), steps))

    async def _hash(self, intent: Intent) -> str:
        return intent.external_key_hash or await self._hasher.hash(intent.external_key)

    async def _commit(self, onboarding: Onboarding, steps: StepLog) -> Onboarding:
        done = evolve(onboarding, state=State.DONE, steps=steps.steps)
        old = done.replaces and await self._journal.get(done.domain_id, done.replaces)
        async with self._engine.begin() as connection:
            if old:
                # The old gateway's config makes room for the new one under the same external ID.
                await self._enrollments.remove(connection, old.plan)
            profile_id = await self._enrollments.write(connection, done.intent)
            done = evolve(done, intent=evolve(done.intent, profile_id=profile_id))
            await self._journal.commit(connection, done)
        return done

    async def repair(self, onboarding: Onboarding, token: Secret) -> Onboarding:
        """Create what is missing of a gateway, and write its bootstrap records as planned.

        Raises ``StepError``; what was repaired by then stays.
        """
        steps = StepLog(self._clock, onboarding.steps)
        intent = onboarding.intent
        await steps.run("missing resources", self._repair.resources(token, intent.plan))
        mended = await steps.run("missing certificates", self._repair.certificates(token, intent))
        return await steps.run("commit", self._commit(evolve(onboarding, intent=mended), steps))

    async def rotate(self, onboarding: Onboarding, token: Secret) -> Onboarding:
        """Put the intent's new secrets and keys in force, and commit.

        The certificates that the intent still holds are the old ones; they are revoked. Raises
        ``StepError``; then it is to be tried again until it succeeds.
        """
        steps = StepLog(self._clock, onboarding.steps)
        intent = onboarding.intent
        plan = intent.plan
        hashed = await steps.run("external key", self._hash(intent))
        await steps.run("new secrets", self._rotation.secrets(token, plan))
        certificates, chain = await steps.run(
            "certificates", self._certification.certify(token, intent)
        )
        renewed = {each.serial for each in certificates}
        old = [each for each in intent.certificates if each.serial not in renewed]
        await steps.run(
            "revoke old certificates", self._rotation.revoke(token, plan.domain_id, old)
        )
        known = evolve(intent, certificates=certificates, ca_chain=chain, external_key_hash=hashed)
        return await steps.run("commit", self._commit(evolve(onboarding, intent=known), steps))

    async def undo(
        self,
        onboarding: Onboarding,
        token: Secret,
        spared: Collection[str] = (),
        visible_at: float = 0.0,
    ) -> Onboarding:
        """Cut the device off, then remove everything that the plan created.

        ``spared`` are IDs that surely were not created; an absence is believed from ``visible_at``
        (monotonic) on. Raises ``StepError``; what was removed by then stays removed.
        """
        steps = StepLog(self._clock, onboarding.steps)
        plan = onboarding.plan
        if onboarding.created_ids - set(spared):
            await steps.run("membership", self._removal.check_member(token, plan))
            await steps.run("revoke certificates", self._removal.certificates(token, plan))
            await steps.run(
                "remove clients", self._removal.clients(token, plan, spared, visible_at)
            )
            await steps.run(
                "remove channels", self._removal.channels(token, plan, spared, visible_at)
            )
        undone = evolve(onboarding, state=State.UNDONE, steps=steps.steps)
        await self._journal.finish_undo(undone)
        return undone

    async def cut_off(self, onboarding: Onboarding) -> Onboarding:
        """Remove the device's bootstrap config and mark the row as being undone, atomically."""
        cut = evolve(onboarding, state=State.UNDOING)
        async with self._engine.begin() as connection:
            await self._enrollments.remove(connection, onboarding.plan)
            await self._journal.begin_undo(connection, cut)
        return cut
