"""Onboarding as its callers see it: one request, one whole gateway or none.

Whoever asks, a gateway is worked on by one task at a time: the first request's. Others wait for it
and then see what it left. The task goes on when its request is cancelled; the journal decides.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from attrs import evolve, frozen

from bootstrap_core.model import Caller, rfc3339
from bootstrap_core.secrets import Secret
from provision.layout.expansion import expand
from provision.layout.model import GatewayRequest, Identifiers
from provision.layout.plan import Plan
from provision.onboarding.certificates.signing import device_requests, make_private_keys
from provision.onboarding.clock import Clock, Deadline
from provision.onboarding.drift import with_kept_secrets
from provision.onboarding.engine import OTHERS_PAUSE, Engine
from provision.onboarding.enrollment import PlanEnrollments
from provision.onboarding.errors import (
    GatewayExists,
    GatewayNotFound,
    GatewayRemoved,
    IdsSpent,
    KeyDiffers,
    OnboardingNotFound,
    StepFailed,
    StillRunning,
    leftovers_to_json,
    told,
)
from provision.onboarding.journal import Journal, unchecked
from provision.onboarding.model import (
    Intent,
    MappingRequest,
    Onboarding,
    OnExisting,
    Outcome,
    State,
)
from provision.onboarding.runner import Hasher
from provision.platform.errors import NameTaken, NotPermitted

MakeKeys: TypeAlias = Callable[[Plan, Collection[str]], Awaitable[Mapping[str, Secret]]]


class Admit(Protocol):
    """Asks whether a device of a domain may have an external key."""

    async def __call__(
        self, domain_id: str, external_id: str, key: Secret, *, reserve: bool = False
    ) -> None:
        """Raise the core's ``PairTaken`` or ``Throttled`` where it may not.

        With ``reserve`` no other domain may from now on; the domain has the device already.
        """
        ...


@frozen
class Onboardings:
    """Makes, shows and removes gateways.

    ``admit`` refuses the key of another domain's device.
    """

    journal: Journal
    engine: Engine
    enrollments: PlanEnrollments
    hasher: Hasher
    admit: Admit
    identifiers: Identifiers
    clock: Clock
    make_keys: MakeKeys = make_private_keys

    def plan(self, domain_id: str, request: MappingRequest) -> Plan:
        """Return what the request would create; nothing is created.

        Raises the layout's ``ParameterError`` and ``ExpansionError``, and ``RequestNotUsable``.
        """
        plan = self._expanded(domain_id, request)
        device_requests(plan, request.csrs)
        return plan

    def _expanded(self, domain_id: str, request: MappingRequest) -> Plan:
        wanted = GatewayRequest(
            domain_id=domain_id,
            external_id=request.external_id,
            name=request.name,
            parameters=request.parameters,
        )
        return expand(request.layout, wanted, self.identifiers)

    async def prefetch(self, domain_id: str, external_id: str) -> bool:
        """Tell before the caller is known whether the external ID is free in the domain.

        It is work for the time in which the platform is asked who is calling, so it is little, and
        as much for a gateway that is there as for one that is not: a stranger learns nothing.
        """
        return not await self.journal.is_taken(domain_id, external_id)

    async def map(
        self, caller: Caller, request: MappingRequest, *, is_free: bool = False
    ) -> Onboarding:
        """Make the gateway, or do with the existing one what the request says.

        ``is_free``: no gateway had the external ID in the domain a moment ago. The answer's
        ``outcome`` tells which it was. Raises ``StepFailed`` when a step failed (what had been
        created is removed again), ``GatewayExists``, ``KeyDiffers``, ``StillRunning``, the core's
        ``PairTaken`` and ``Throttled``, and what ``plan`` raises.
        """
        deadline = self.engine.deadline()
        if is_free:
            # Should the gateway's place have been taken since, it is looked at as ever.
            with contextlib.suppress(StillRunning):
                new = await self._new(caller, request)
                return await self.engine.create(new, self.enrollments.check, deadline)
        while True:
            present = await self._at_rest(caller, request.external_id, deadline)
            try:
                if present is not None:
                    return await self._with_present(caller, request, present, deadline)
                new = await self._new(caller, request)
                return await self.engine.create(new, self.enrollments.check, deadline)
            except StillRunning:
                # Another request took the gateway in this very moment: see what it makes of it.
                if not deadline.left:
                    raise
                place = (caller.domain_id, request.external_id)
                if not await self.engine.jobs.wait_for(*place, deadline):
                    await self.clock.sleep(OTHERS_PAUSE)

    async def view(self, caller: Caller, external_id: str) -> Onboarding:
        """Return the gateway's onboarding, whatever its state. Raises ``GatewayNotFound``."""
        if found := await self.journal.latest(caller.domain_id, external_id):
            return found
        near = await self.near(caller.domain_id, external_id)
        hint = f"; there is {near_hint(near)}" if near else ""
        raise GatewayNotFound(
            f"no gateway {external_id!r} was onboarded in this domain{hint}",
            details={"near": near} if near else {},
        )

    async def near(self, domain_id: str, external_id: str) -> Sequence[str]:
        """Return the external IDs of gateways that are the same in another spelling."""
        return list(await self.journal.near(domain_id, external_id))

    async def view_present(self, caller: Caller, external_id: str) -> Onboarding:
        """Return the onboarding of a gateway that was not removed.

        Raises ``GatewayNotFound``, and ``GatewayRemoved`` with the entry of the journal.
        """
        found = await self.view(caller, external_id)
        if found.state is not State.UNDONE:
            return found
        ended = f"gateway {external_id!r} was removed"
        if found.error_message:
            ended = f"gateway {external_id!r} is not there: {found.error_message}"
        details: dict[str, Any] = {"onboarding_id": found.id, "state": found.state.value}
        if found.leftovers:
            ended = f"{ended}; {told(found.leftovers)}"
            details["leftovers"] = leftovers_to_json(found.leftovers)
        raise GatewayRemoved(
            f"{ended} (at {rfc3339(found.updated_at)}); "
            f"GET /{caller.domain_id}/onboardings/{found.id} shows its journal",
            details=details,
        )

    async def unremoved(self, domain_id: str, onboarding_id: str) -> Onboarding | None:
        """Return a gateway that was replaced and is still to be removed, or ``None``."""
        found = await self.journal.get(domain_id, onboarding_id)
        return None if found.state is State.UNDONE else found

    async def remove(self, caller: Caller, external_id: str) -> Onboarding:
        """Remove a gateway: the device is cut off at once, the rest follows.

        The answer's state is ``undone``, or ``undoing`` while the platform does not answer.
        Raises ``GatewayNotFound`` where none was ever onboarded, and ``StepFailed`` where the
        platform does not let the caller remove the rest.
        """
        deadline = self.engine.deadline()
        while True:
            # A gateway that was to be replaced comes back when its replacement is removed.
            while present := await self.journal.unremoved(caller.domain_id, external_id):
                # What was made for a config leaves the journal when it is there.
                with contextlib.suppress(OnboardingNotFound):
                    removed = await self.engine.remove(present, caller, deadline)
                    if removed.state is not State.UNDONE:
                        return _permitted(removed)
            found = await self.view(caller, external_id)
            if found.state is State.UNDONE:
                return found

    async def retry(self, caller: Caller, onboarding_id: str) -> Onboarding:
        """Go on now with a row that waits for its next attempt; one at rest stays as it is.

        Raises ``OnboardingNotFound``, ``StillRunning``, and ``StepFailed`` as ``map`` does.
        """
        found = await self.journal.get(caller.domain_id, onboarding_id)
        if found.state.is_at_rest:
            return found
        await self.journal.note(evolve(found, actor=caller.user_id), "retry", "asked for")
        after = await self.engine.go_on(found, caller, self.engine.deadline())
        if after is None:
            raise StillRunning(details={"onboarding_id": found.id, "state": found.state.value})
        return after

    async def undo(self, caller: Caller, onboarding_id: str) -> Onboarding:
        """Undo a row; one that is undone stays as it is.

        Raises ``OnboardingNotFound``, ``StillRunning``, and ``StepFailed`` as ``remove`` does.
        """
        found = await self.journal.get(caller.domain_id, onboarding_id)
        if found.state is State.UNDONE:
            return found
        return _permitted(await self.engine.remove(found, caller, self.engine.deadline()))

    async def repair(self, caller: Caller, onboarding_id: str) -> Onboarding:
        """Re-create what is missing of the gateway that an onboarding made.

        Raises ``OnboardingNotFound``, ``StillRunning`` (it is not done yet, or its gateway was
        removed or replaced) and ``StepFailed``.
        """
        found = await self.journal.get(caller.domain_id, onboarding_id)
        if found.state is not State.DONE:
            raise StillRunning(
                f"onboarding {found.id} is {found.state.value}: only a gateway that is there can "
                "be repaired",
                details={"onboarding_id": found.id, "state": found.state.value},
            )
        return await self.engine.repair(found, caller, self.engine.deadline())

    async def forget_leftovers(self, caller: Caller, onboarding_id: str) -> Onboarding:
        """Take out of the journal what was left on the platform, once somebody has removed it.

        Raises ``OnboardingNotFound`` and ``StillRunning``: the onboarding has not ended yet.
        """
        found = await self.journal.get(caller.domain_id, onboarding_id)
        if not found.leftovers:
            return found
        forgotten = evolve(found, actor=caller.user_id, error_message=told(found.leftovers))
        if not await self.journal.forget_leftovers(forgotten):
            raise StillRunning(
                f"onboarding {found.id} has not ended yet: its leftovers are known when it has",
                details={"onboarding_id": found.id, "state": found.state.value},
            )
        return evolve(found, leftovers=())

    async def _at_rest(
        self, caller: Caller, external_id: str, deadline: Deadline
    ) -> Onboarding | None:
        """Return the gateway that is there, or ``None``, once nobody works on it any more.

        Raises ``StillRunning`` when that is not so by the ``deadline``.
        """
        while True:
            if await self.engine.jobs.wait_for(caller.domain_id, external_id, deadline):
                continue
            present = await self.journal.current(caller.domain_id, external_id)
            if present is None or present.state is State.DONE:
                return present
            after = await self.engine.go_on(present, caller, deadline)
            if after is not None and not after.state.is_at_rest:
                raise StillRunning(
                    f"an earlier onboarding of {external_id!r} ({after.id}) has not ended yet; it "
                    f"goes on in the background: {after.error_message}",
                    details={"onboarding_id": after.id, "state": after.state.value},
                )
            if after is None:
                if not deadline.left:
                    raise StillRunning(details={"onboarding_id": present.id})
                await self.clock.sleep(OTHERS_PAUSE)

    async def _with_present(
        self, caller: Caller, request: MappingRequest, present: Onboarding, deadline: Deadline
    ) -> Onboarding:
        match request.on_existing:
            case OnExisting.FAIL:
                raise GatewayExists(
                    f"gateway {request.external_id!r} exists (onboarding {present.id}); "
                    'send on_existing "reuse", "repair", "rotate" or "replace" to work with it',
                    details={"onboarding_id": present.id},
                )
            case OnExisting.REPLACE:
                new = await self._new(caller, request, present)
                try:
                    # A replacement may have what the gateway that it replaces has.
                    return await self.engine.create(new, unchecked, deadline)
                except StepFailed as failed:
                    if failed.code != NameTaken.code:
                        raise
                return await self._make_anew(caller, request, present, deadline)
            case OnExisting.ROTATE:
                return await self._rotate(caller, request, present, deadline)
        known = await self.hasher.verify(request.external_key, present.intent.external_key_hash)
        if not known:
            raise KeyDiffers(
                f"gateway {request.external_id!r} exists with another external key (onboarding "
                f'{present.id}); send its key, or on_existing "rotate" or "replace" to change it',
                details={"onboarding_id": present.id},
            )
        if request.on_existing is OnExisting.REPAIR:
            try:
                return await self.engine.repair(present, caller, deadline)
            except StepFailed as failed:
                if failed.code != IdsSpent.code:
                    raise
            return await self._make_anew(caller, request, present, deadline)
        return evolve(present, outcome=Outcome.REUSED)

    async def _make_anew(
        self, caller: Caller, request: MappingRequest, old: Onboarding, deadline: Deadline
    ) -> Onboarding:
        """Remove a gateway, and then make it under other IDs.

        That is the way where a deleted ID is spent, or where names are unique: the new gateway's
        clients can't be there beside the old one's. Raises ``StillRunning``: the old one could not
        be removed yet; its device is cut off, and the removal goes on in the background.
        """
        removed = _permitted(await self.engine.remove(old, caller, deadline))
        if removed.state is not State.UNDONE:
            raise StillRunning(
                f"the gateway {request.external_id!r} is still being removed, to be made anew: "
                "send the request again",
                details={"onboarding_id": old.id, "state": removed.state.value},
            )
        kept = with_kept_secrets(dict(request.parameters), old.plan)
        new = await self._new(caller, evolve(request, parameters=kept))
        made = await self.engine.create(new, unchecked, deadline)
        return evolve(made, outcome=Outcome.REPLACED)

    async def _new(
        self, caller: Caller, request: MappingRequest, old: Onboarding | None = None
    ) -> Onboarding:
        """Return the row of a gateway that is about to be made, in place of the ``old`` one."""
        if old is not None:
            kept = with_kept_secrets(dict(request.parameters), old.plan)
            request = evolve(request, parameters=kept)
        plan = self._expanded(caller.domain_id, request)
        csrs = device_requests(plan, request.csrs)
        await self.admit(
            caller.domain_id, request.external_id, request.external_key, reserve=old is not None
        )
        intent = Intent(
            plan=plan,
            external_key=request.external_key,
            private_keys=await self.make_keys(plan, csrs),
            csrs=csrs,
            made_by=caller.user_id,
        )
        now = self.clock.now()
        return Onboarding(
            id=self.identifiers.uuid(),
            domain_id=caller.domain_id,
            external_id=request.external_id,
            state=State.PLANNED,
            outcome=Outcome.REPLACED if old else Outcome.CREATED,
            actor=caller.user_id,
            intent=intent,
            token=caller.token,
            created_at=now,
            updated_at=now,
            replaces=old.id if old else None,
        )

    async def _rotate(
        self, caller: Caller, request: MappingRequest, present: Onboarding, deadline: Deadline
    ) -> Onboarding:
        fresh = evolve(
            present.plan,
            clients=tuple(
                evolve(client, secret=self.identifiers.secret()) for client in present.plan.clients
            ),
        )
        # A device that holds its key keeps it, unless it sends a request for another one.
        csrs = {**present.intent.csrs, **device_requests(fresh, request.csrs)}
        await self.admit(caller.domain_id, request.external_id, request.external_key, reserve=True)
        private_keys = await self.make_keys(fresh, csrs)

        def remake(taken: Onboarding) -> Onboarding:
            intent = evolve(
                taken.intent,
                plan=fresh,
                external_key=request.external_key,
                external_key_hash="",
                private_keys=private_keys,
                csrs=csrs,
            )
            return evolve(
                taken,
                state=State.PLANNED,
                outcome=Outcome.ROTATED,
                intent=intent,
                token=caller.token,
                actor=caller.user_id,
            )

        return await self.engine.rotate(present, remake, deadline)


def near_hint(near: Sequence[str]) -> str:
    """Return the words that name gateways with a similar external ID."""
    names = " and ".join(repr(name) for name in near)
    return f"{names}, whose external ID differs only in spelling"


def _permitted(removing: Onboarding) -> Onboarding:
    """Return a row whose removal goes on. Raises ``StepFailed``: not with the caller's rights."""
    if removing.error_code != NotPermitted.code:
        return removing
    raise StepFailed(
        f"the device is cut off, but the rest of its gateway is still there: "
        f"{removing.error_message}. Ask for the removal again with that right",
        status=NotPermitted.status,
        code=NotPermitted.code,
        details={
            "onboarding_id": removing.id,
            "external_id": removing.external_id,
            "state": removing.state.value,
        },
    )
