"""How long private keys are kept here, and which devices hold their own."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from enum import StrEnum

from attrs import evolve

from provision.layout.plan import Plan
from provision.layout.report import MOST_HINTED
from provision.onboarding.certification import NO_KEY
from provision.onboarding.errors import RequestNotUsable
from provision.onboarding.model import Intent, IssuedCertificate
from provision.pki.errors import PkiError
from provision.pki.requests import Holder, check_request


class KeepKeys(StrEnum):
    """How long a client's private key is kept, sealed, after its certificate was issued."""

    ALWAYS = "always"
    """As long as the gateway is there: each fetch delivers it."""
    UNTIL_FETCHED = "until_fetched"
    """Until the device has fetched its configuration with it."""
    NEVER = "never"
    """Not at all: it is in the answer to whoever asked, and nowhere else."""


def without_keys(intent: Intent, client_ids: Collection[str]) -> Intent:
    """Return the intent without the private keys of these clients."""

    def bare(certificate: IssuedCertificate) -> IssuedCertificate:
        if certificate.client_id not in client_ids:
            return certificate
        return evolve(certificate, private_key=NO_KEY)

    return evolve(
        intent,
        private_keys={k: v for k, v in intent.private_keys.items() if k not in client_ids},
        certificates=tuple(bare(each) for each in intent.certificates),
    )


def device_requests(plan: Plan, csrs: Mapping[str, str]) -> Mapping[str, str]:
    """Return certificate requests by client ID, checked; ``csrs`` has them by the layout's keys.

    Raises ``RequestNotUsable``: there is no such client, it gets no certificate, or the request
    is malformed, weak, or asks for names that the client may not have.
    """
    certified = {each.client_id for each in plan.certificates}
    clients = {each.key: each.id for each in plan.clients if each.id in certified}
    unknown = [key for key in csrs if key not in clients]
    problems = [(key, _unknown(key, plan, clients)) for key in unknown[:MOST_HINTED]]
    for key, csr in csrs.items():
        if key not in clients:
            continue
        try:
            check_request(csr, Holder(plan.domain_id, clients[key]))
        except PkiError as error:
            problems.append((key, error.message))
    if problems:
        raise RequestNotUsable(
            "; ".join(f"csrs.{key}: {text}" for key, text in problems),
            details={f"csrs.{key}": text for key, text in problems},
        )
    return {clients[key]: csr for key, csr in csrs.items()}


def _unknown(key: str, plan: Plan, clients: Collection[str]) -> str:
    if any(each.key == key for each in plan.clients):
        return f"layout {plan.layout!r} gives this client no certificate"
    near = difflib.get_close_matches(key, clients, n=1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    known = ", ".join(sorted(clients)) or "none"
    return f"no client of layout {plan.layout!r}{hint}; clients with a certificate: {known}"
