"""The layouts of a directory, by name, picked up when their files are edited.

A broken edit never replaces a good layout: the
last good version goes on serving, and the state says what is wrong with the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from provision.layout.builtin import BUILTIN_NAME, builtin_layout
from provision.layout.errors import (
    LayoutError,
    Problem,
    UnknownLayoutError,
)
from provision.layout.files import LayoutFiles, Stamp, shown, stamp_of
from provision.layout.model import Layout, Overrides, with_overrides
from provision.layout.profile_template import TemplateLoader
from provision.layout.reader import read
from provision.layout.report import nearest

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@frozen
class LayoutState:
    """How a layout stands.

    ``layout`` is what serves: the last good version, ``None`` if there never was one.
    ``problems`` are the errors of the file as it is now, or else its warnings. ``sources`` are the
    texts of the file and of those that it names, by the names that problems call them.
    """

    name: str
    file: str
    layout: Layout | None
    problems: tuple[Problem, ...] = ()
    sources: Mapping[str, str] = field(factory=dict, repr=False, eq=False)

    @property
    def good(self) -> bool:
        """Whether the file as it is now is the layout that serves."""
        return self.layout is not None and not any(
            problem.severity == "error" for problem in self.problems
        )


@frozen
class _Entry:
    """A layout with the files it was read from: their stamps, and a digest of their bytes."""

    path: Path | None
    state: LayoutState
    stamps: Mapping[Path, Stamp] = field(factory=dict)
    digest: str = ""


class LayoutCatalog:
    """The layouts of ``directory`` (each ``*.toml``), and the Go service's ``config_file``.

    ``default`` names the layout for requests that name none. Without it that is the one of
    ``config_file`` or, where there is no such file, the built-in one. ``overrides`` are the Go
    service's settings; :func:`provision.layout.model.with_overrides` says which layouts take them.
    Nothing is read before the first :meth:`reload_changed`.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        default: str = "",
        config_file: Path | None = None,
        overrides: Overrides | None = None,
    ) -> None:
        self._directory = directory
        self._config_file = config_file
        self._overrides = overrides or Overrides()
        self._wanted_default = default
        self._entries: Mapping[str, _Entry] = {}

    @property
    def default(self) -> str:
        """The name of the layout for requests that name none."""
        if self._wanted_default:
            return self._wanted_default
        if self._config_file is not None and self._config_file.stem in self._entries:
            return self._config_file.stem
        return BUILTIN_NAME

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all layouts, sorted."""
        return tuple(sorted(self._entries))

    @property
    def states(self) -> tuple[LayoutState, ...]:
        """How each layout stands, by name."""
        return tuple(self._entries[name].state for name in self.names)

    def state(self, name: str = "") -> LayoutState:
        """Return how a layout stands. Raises :class:`UnknownLayoutError`."""
        name = name or self.default
        if name not in self._entries:
            raise UnknownLayoutError(name, self.names, nearest(name, self.names))
        return self._entries[name].state

    def get(self, name: str = "") -> Layout:
        """Return a layout by its name, or the default one.

        Raises :class:`UnknownLayoutError`, or :class:`LayoutError` if its file is broken and there
        is no earlier good version.
        """
        state = self.state(name)
        if state.layout is None:
            raise LayoutError(state.problems)
        return state.layout

    def read_given(self, name: str, text: str, load: TemplateLoader) -> Layout:
        """Return a layout that is not served: ``text``, with the files that ``load`` reads.

        It is read as a file of that name would be. Raises :class:`LayoutError`.
        """
        reading = read(text, file=f"{name}.toml", name=name, load_template=load)
        return self._adapted(reading.layout)

    def reload_changed(self) -> tuple[LayoutState, ...]:
        """Read the files that changed and return the states that did, removed ones excepted.

        What did not change costs one ``stat`` for each file. The layouts are exchanged at once.
        """
        before = self._entries
        entries = {name: self._renewed(name, path) for name, path in self._files().items()}
        if not self._wanted_default and not self._serves_config_file(entries):
            state = LayoutState(BUILTIN_NAME, "(built in)", self._adapted(builtin_layout()))
            entries.setdefault(BUILTIN_NAME, before.get(BUILTIN_NAME) or _Entry(None, state))
        self._entries = entries
        return tuple(
            entry.state
            for name, entry in sorted(entries.items())
            if name not in before or before[name].state != entry.state
        )

    def _serves_config_file(self, entries: Mapping[str, _Entry]) -> bool:
        return self._config_file is not None and self._config_file.stem in entries

    def _files(self) -> dict[str, Path]:
        files: dict[str, Path] = {}
        if self._directory is not None and self._directory.is_dir():
            files = {path.stem: path for path in sorted(self._directory.glob("*.toml"))}
        if self._config_file is not None and self._config_file.is_file():
            files[self._config_file.stem] = self._config_file
        return {name: path for name, path in files.items() if not name.startswith(".")}

    def _renewed(self, name: str, path: Path) -> _Entry:
        known = self._entries.get(name)
        if known is None or known.path != path:
            return self._read(name, path, None)
        if all(stamp_of(each) == stamp for each, stamp in known.stamps.items()):
            return known
        fresh = self._read(name, path, known.state.layout)
        if fresh.digest == known.digest:
            return evolve(known, stamps=fresh.stamps)
        return fresh

    def _read(self, name: str, path: Path, last_good: Layout | None) -> _Entry:
        files = LayoutFiles(path, shown(path))
        try:
            _check_name(name, path)
            reading = read(files.layout(), file=shown(path), name=name, load_template=files.beside)
        except LayoutError as error:
            state = LayoutState(name, shown(path), last_good, error.problems, files.sources)
        else:
            layout = self._adapted(reading.layout)
            state = LayoutState(name, shown(path), layout, reading.warnings, files.sources)
        return _Entry(path, state, files.stamps, files.digest.hexdigest())

    def _adapted(self, layout: Layout) -> Layout:
        return with_overrides(layout, self._overrides)


def _check_name(name: str, path: Path) -> None:
    if not _NAME.fullmatch(name):
        message = (
            f'"{name}" cannot be the name of a layout: letters, digits, dots, underscores and '
            "dashes, at most 128; rename the file"
        )
        raise LayoutError([Problem(shown(path), 1, 1, "file-name", message)])
