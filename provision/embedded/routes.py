"""All HTTP routes of the embedded platform, in the order in which they must be tried."""

from __future__ import annotations

from starlette.routing import Route

from provision.embedded.entity_routes import ChannelRoutes, ClientRoutes
from provision.embedded.legacy_routes import LegacyRoutes
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.user_routes import DomainRoutes, RoleRoutes, UserRoutes


def routes(platform: EmbeddedPlatform, default_domain: str = "") -> list[Route]:
    """Return the routes of Magistrala and Mainflux for ``platform``.

    They raise ``EmbeddedError`` (``status``, ``code``, ``message``), which the app renders. Fixed
    paths come before those that start with a domain's ID. ``default_domain`` is where Mainflux's
    routes look for the things of users who have no domain, or several.
    """
    return [
        *UserRoutes(platform).routes(),
        *RoleRoutes(platform).routes(),
        *DomainRoutes(platform).routes(),
        *LegacyRoutes(platform, default_domain).routes(),
        *ClientRoutes(platform).routes(),
        *ChannelRoutes(platform).routes(),
    ]
