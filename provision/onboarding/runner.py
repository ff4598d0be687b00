"""Carries an onboarding out, or undoes it. What is remote is repeatable; what is ours is atomic."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Protocol, TypeAlias

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.model import ENTITY_KINDS
from bootstrap_core.secrets import Secret
from provision.layout.plan import Plan
from provision.onboarding.absence import Asker
from provision.onboarding.certificates.signing import Certification
from provision.onboarding.clock import Clock, Timing
from provision.onboarding.creation import Creation, all_of
from provision.onboarding.enrollment import PlanEnrollments
from provision.onboarding.errors import Leftover, joined, of_plan, without
from provision.onboarding.journal import Journal
from provision.onboarding.model import Heading, Intent, IssuedCertificate, Onboarding, State
from provision.onboarding.removal import Removal, Undoing
from provision.onboarding.repair import Repair, Rotation
from provision.onboarding.steps import RunningSteps, SideEffects, StepLog

Certified: TypeAlias = tuple[tuple[IssuedCertificate, ...], str]


class Hasher(Protocol):
    """Hashes external keys, slowly on purpose, without blocking the event loop."""

    async def hash(self, key: Secret) -> str:
        """Return the hash with its parameters."""
        ...

    async def verify(self, key: Secret, hashed: str) -> bool:
        """Say whether ``key`` is the one that ``hashed`` was made of."""
        ...


@frozen
class Runner:
    """The steps of one attempt, under its lease; ``running`` shows them while they run.

    ``apply`` makes resources and then commits, ``roll_back`` removes them.
    """

    creation: Creation
    certification: Certification
    removal: Removal
    repairs: Repair
    rotation: Rotation
    enrollments: PlanEnrollments
    journal: Journal
    engine: AsyncEngine
    hasher: Hasher
    clock: Clock
    timing: Timing
    running: RunningSteps

    async def apply(
        self, onboarding: Onboarding, token: Secret, effects: SideEffects, *, resumed: bool
    ) -> Onboarding:
        """Create what the plan says, in two rounds of calls, and commit.

        What may be left on the platform is noted in ``effects`` as it goes. Where the attempt is
        ``resumed``, an earlier one may have done some of it. Raises ``StepError``; then nothing is
        committed and the row is as it was.
        """
        steps = self.running.begin(onboarding)
        intent = onboarding.intent
        plan = intent.plan
        asker = _asker(onboarding, token)
        if onboarding.leftovers:
            left = await steps.run("remove what was given up", self._give_up(onboarding, asker))
            onboarding = evolve(onboarding, leftovers=left)
        hashing = asyncio.ensure_future(steps.run("external key", self._hash(intent)))
        await all_of(
            [
                steps.run("clients", self.creation.create("client", asker, plan, effects)),
                steps.run("channels", self.creation.create("channel", asker, plan, effects)),
                hashing,
            ]
        )
        connecting = asyncio.ensure_future(
            steps.run("connections", self.creation.connections(token, plan, effects))
        )

        async def certify_next() -> Certified:
            # The calls go out first: making certificate requests is work, and answers take time.
            await asyncio.sleep(0)
            # What an earlier attempt had signed is not signed again.
            sign = self.certification.certify_again if resumed else self.certification.certify
            return await sign(token, intent, effects)

        certifying = asyncio.ensure_future(steps.run("certificates", certify_next()))
        await all_of([connecting, certifying])
        certificates, chain = certifying.result()
        known = evolve(
            intent, certificates=certificates, ca_chain=chain, external_key_hash=hashing.result()
        )
        known = self._with_aftermath(known, effects)
        return await steps.run("commit", self._commit(evolve(onboarding, intent=known), steps))

    async def _give_up(self, onboarding: Onboarding, asker: Asker) -> tuple[Leftover, ...]:
        """Remove what an earlier start made under other IDs; return what may be left of it."""
        undoing = self.removal.begin(asker, onboarding.created_at)
        await self.removal.given_up(undoing, onboarding.leftovers)
        return undoing.left_of(onboarding.leftovers)

    async def _hash(self, intent: Intent) -> str:
        return intent.external_key_hash or await self.hasher.hash(intent.external_key)

    def _with_aftermath(self, intent: Intent, effects: SideEffects) -> Intent:
        if not effects.uncertain:
            return intent
        settled = self.clock.now() + timedelta(seconds=self.timing.settled_after)
        return evolve(intent, settled_at=settled)

    async def _commit(self, onboarding: Onboarding, steps: StepLog) -> Onboarding:
        done = evolve(onboarding, state=State.DONE, steps=steps.steps)
        old = done.replaces and await self.journal.get(done.domain_id, done.replaces)
        # The second durable write: the device's records and the journal's "done" are one, so that
        # a device gets nothing of a gateway that is not whole.
        async with self.engine.begin() as connection:
            if old:
                # The old gateway's config makes room for the new one under the same external ID.
                await self.enrollments.remove(connection, old.plan, replaced=True)
            kept = self.enrollments.to_keep(done.intent)
            profile_id = await self.enrollments.write(connection, kept)
            await self.enrollments.take_pair(connection, done.intent)
            kept = evolve(kept, profile_id=profile_id)
            await self.journal.commit(connection, evolve(done, intent=kept))
        return evolve(done, intent=evolve(done.intent, profile_id=profile_id))

    async def repair(
        self, onboarding: Onboarding, token: Secret, effects: SideEffects
    ) -> Onboarding:
        """Create what is missing of a gateway, and write its bootstrap records where they are.

        Raises ``StepError``; what was repaired by then stays.
        """
        steps = self.running.begin(onboarding)
        intent = onboarding.intent
        plan = intent.plan
        asker = _asker(onboarding, token)
        await steps.run("missing resources", self.repairs.resources(asker, plan, effects))
        onboarding = _without_made(onboarding, effects)
        await steps.run("changed secrets", self.repairs.secrets(asker, plan, effects))
        mended = await steps.run(
            "missing certificates", self.repairs.certificates(token, intent, effects)
        )
        repaired = evolve(onboarding, intent=self._with_aftermath(mended, effects))
        if mended is intent and await steps.run("missing config", self._is_enrolled(plan)):
            return await steps.run("record", self._record(repaired, steps))
        return await steps.run("commit", self._commit(repaired, steps))

    async def _is_enrolled(self, plan: Plan) -> bool:
        async with self.engine.connect() as connection:
            return await self.enrollments.is_whole(connection, plan)

    async def _record(self, onboarding: Onboarding, steps: StepLog) -> Onboarding:
        done = evolve(onboarding, state=State.DONE, steps=steps.steps)
        async with self.engine.begin() as connection:
            await self.journal.commit(connection, done)
        return done

    async def rotate(
        self, onboarding: Onboarding, token: Secret, effects: SideEffects
    ) -> Onboarding:
        """Put the intent's new secrets and keys in force, and commit.

        What is missing of the gateway is created with them; all other certificates of its clients
        are revoked. Raises ``StepError``; then it is to be tried again until it succeeds.
        """
        steps = self.running.begin(onboarding)
        intent = onboarding.intent
        plan = intent.plan
        hashed = await steps.run("external key", self._hash(intent))
        asker = _asker(onboarding, token)
        await steps.run("missing resources", self.repairs.resources(asker, plan, effects))
        onboarding = _without_made(onboarding, effects)
        await steps.run("new secrets", self.repairs.secrets(asker, plan, effects))
        certificates, chain = await steps.run(
            "certificates", self.certification.certify_again(token, intent, effects)
        )
        await steps.run(
            "revoke old certificates",
            self.rotation.revoke_others(token, plan.domain_id, certificates),
        )
        known = evolve(intent, certificates=certificates, ca_chain=chain, external_key_hash=hashed)
        known = self._with_aftermath(known, effects)
        return await steps.run("commit", self._commit(evolve(onboarding, intent=known), steps))

    async def roll_back(
        self,
        onboarding: Onboarding,
        undoing: Undoing,
        never_created: Collection[str] = (),
        visible_at: float = 0.0,
        settled_at: float = 0.0,
    ) -> Onboarding:
        """Remove everything that the plan created from the platform.

        ``never_created`` are IDs that surely were not created. An absence counts from
        ``visible_at`` (monotonic) on. Until ``settled_at`` a call to create something may still
        arrive: clients and channels are removed from then on. Raises ``StepError``; what was
        removed by then stays removed, and is noted in ``undoing``.
        """
        steps = self.running.begin(onboarding)
        plan = onboarding.plan
        removal, token = self.removal, undoing.asker.token
        given_up = without(onboarding.leftovers, onboarding.created_ids)
        if given_up:
            await steps.run("remove what was given up", removal.given_up(undoing, given_up))
        if (onboarding.created_ids | onboarding.borrowed_ids) - set(never_created):

            async def take_back() -> None:
                await steps.run("revoke certificates", removal.certificates(token, plan))
                if plan.borrowed:
                    await steps.run("disconnect", removal.connections(undoing, plan, never_created))

            await take_back()
            if (wait := settled_at - self.clock.monotonic()) > 0:
                # What is deleted before a second call to create it arrives would come to be anew,
                # and perhaps half, where nobody sees it.
                await steps.run("wait for calls under way", self.clock.sleep(wait))
                await take_back()
            for kind in ENTITY_KINDS:
                deleting = removal.delete(kind, undoing, plan, never_created, visible_at)
                await steps.run(f"remove {kind}s", deleting)
        left = undoing.left_of(onboarding.leftovers)
        undone = evolve(onboarding, state=State.UNDONE, steps=steps.steps, leftovers=left)
        await steps.run("record", self.journal.finish_undo(undone))
        return undone

    def undoing(self, onboarding: Onboarding, token: Secret) -> Undoing:
        """Return the removal of a gateway in the name of the token's user, before it begins."""
        return self.removal.begin(_asker(onboarding, token), onboarding.created_at)

    async def cut_off(self, onboarding: Onboarding, unsure: Collection[str] = ()) -> Onboarding:
        """Remove the device's bootstrap config and mark the row as being undone, atomically.

        Of what is ``unsure`` (IDs) nobody knows whether it was made: it counts as left until the
        platform says that it removed it.
        """
        left = joined(onboarding.leftovers, of_plan(onboarding.plan, unsure))
        cut = evolve(onboarding, state=State.UNDOING, heading=Heading.ROLL_BACK, leftovers=left)
        async with self.engine.begin() as connection:
            await self.enrollments.remove(connection, onboarding.plan)
            await self.journal.begin_undo(connection, cut)
        return cut


def _asker(onboarding: Onboarding, token: Secret) -> Asker:
    return Asker(token, onboarding.domain_id, onboarding.was_made_with(token))


def _without_made(onboarding: Onboarding, effects: SideEffects) -> Onboarding:
    """Return a row without the leftovers that were made whole after all."""
    return evolve(onboarding, leftovers=without(onboarding.leftovers, effects.created))
