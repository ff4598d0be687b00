"""What an attempt may have left on the platform, noted as it goes."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field


@define
class Trace:
    """IDs under which something may exist, and whether a call may still take effect.

    ``uncertain``: a call got no answer, so that even what is not there now may be there later.
    """

    touched: set[str] = field(factory=set)
    uncertain: bool = False

    def may_exist(self, identifiers: Iterable[str]) -> None:
        """Note that something may exist under these IDs."""
        self.touched.update(identifiers)

    def failed(self, error: Exception) -> None:
        """Note how a call that changes something failed."""
        self.uncertain = self.uncertain or getattr(error, "outcome_unknown", False)
