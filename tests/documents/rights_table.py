"""The rights that routes ask for, as the table of ``docs/reference/rights.md``."""

from __future__ import annotations

from provision.rights import ONBOARDING_SCOPES, RIGHTS


def write() -> str:
    """Return the part of the document that is made from the table of rights."""
    rows = ["| route | right |", "|---|---|"]
    for (method, path), row in RIGHTS.items():
        rows.append(f"| `{method} {path.replace(':path}', '}')}` | {row} |")
    rows += ["", "## The least scopes of a personal access token", ""]
    rows += ["With these, each on `*`, gateways can be onboarded and removed:", ""]
    rows += ["| entity | operations |", "|---|---|"]
    rows += [
        f"| {kind} | {', '.join(f'`{name}`' for name in names)} |"
        for kind, names in ONBOARDING_SCOPES.items()
    ]
    return "\n".join(rows)
