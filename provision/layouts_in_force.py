"""Which layouts are served: those of the directory, and the one in the settings' own file."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

import structlog
from attrs import define, field

from bootstrap_core.formats.documents import without_mark
from bootstrap_core.formats.toml import read_toml
from provision.errors import SettingsError
from provision.layout.catalog import LayoutCatalog, LayoutState
from provision.layout.dialects import choose_key
from provision.layout.model import Overrides, parse_lifetime
from provision.layout.report import nearest
from provision.settings import Settings
from provision.settings_reader import Loaded

PREFERRED = "gateway"
LAYOUT_KEYS = frozenset({"clients", "things", "channels", "layout"})
PAUSE = 2.0


def open_catalog(loaded: Loaded) -> LayoutCatalog:
    """Return the layouts that the settings name, read once.

    Raises ``SettingsError``: the default layout does not exist, or an override can't be used.
    """
    settings = loaded.settings
    directory = Path(settings.layouts)
    config_file = Path(settings.config_file)
    has_layout = _is_layout(config_file)
    default = settings.default_layout
    if not default and not has_layout and (directory / f"{PREFERRED}.toml").is_file():
        default = PREFERRED
    catalog = LayoutCatalog(
        directory if directory.is_dir() else None,
        default=default,
        config_file=config_file if has_layout else None,
        overrides=_overrides(loaded),
    )
    _tell(catalog.reload_changed())
    if settings.default_layout and settings.default_layout not in catalog.names:
        suggestion = nearest(settings.default_layout, catalog.names)
        hint = f'; did you mean "{suggestion}"?' if suggestion else "."
        known = f"has {', '.join(catalog.names)}" if catalog.names else "has no layouts"
        raise SettingsError(
            f"{loaded.origins['default_layout']}: there is no layout "
            f'"{settings.default_layout}"{hint} {directory} {known}'
        )
    return catalog


@define(eq=False)
class LayoutWatcher:
    """Picks up edits of layout files while the service runs: looks every ``pause`` seconds."""

    _catalog: LayoutCatalog
    _pause: float = PAUSE
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            _tell(await asyncio.to_thread(self._catalog.reload_changed))


def _is_layout(file: Path) -> bool:
    """Say whether the settings' file describes a layout too (that it is TOML is known by now)."""
    if not file.is_file():
        return False
    return not LAYOUT_KEYS.isdisjoint(read_toml(file.read_text(encoding="utf-8")))


def _overrides(loaded: Loaded) -> Overrides:
    """Return the settings that win over a layout: those of the environment, not of its file."""
    settings = loaded.settings
    given = loaded.is_given_outside_file
    content = settings.bootstrap_content
    ttl, bits = settings.certificate_ttl, settings.certificate_bits
    return Overrides(
        x509_provision=settings.x509_provision if given("x509_provision") else None,
        bootstrap_provision=settings.bootstrap_provision if given("bootstrap_provision") else None,
        autowhite_list=settings.auto_whitelist if given("auto_whitelist") else None,
        profile_id=settings.profile_id if given("profile_id") else None,
        content=json.loads(without_mark(content)) if content else None,
        ttl_seconds=parse_lifetime(ttl) if given("certificate_ttl") else None,
        key_type=choose_key("", bits).key_type if given("certificate_bits") else None,
        longest_ttl_seconds=longest_ttl(settings),
    )


def longest_ttl(settings: Settings) -> int | None:
    """Return how long a certificate may live, in seconds, where the platform refuses more."""
    if settings.uses_atom and settings.atom_certs:
        return parse_lifetime(settings.atom_max_ttl)
    return None


def _tell(states: Iterable[LayoutState]) -> None:
    log = structlog.get_logger()
    for state in states:
        if state.good and state.problems:
            problems = [problem.headline for problem in state.problems]
            log.warning("layout read with warnings", layout=state.name, problems=problems)
        elif state.good:
            log.debug("layout read", layout=state.name)
        else:
            log.error(
                "layout refused",
                layout=state.name,
                serves="its last good version" if state.layout else "nothing",
                problems=[str(problem) for problem in state.problems],
            )
