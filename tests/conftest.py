from __future__ import annotations

from hypothesis import settings

# Whether an example is slow says something of the machine, not of the product.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
