"""The layouts of a directory, by name, picked up when their files are edited.

A broken edit never replaces a good layout: the last good version goes on serving, and the state
says what is wrong with the file.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from attrs import define, evolve, field, frozen

from bootstrap_core.formats.documents import decode_text
from provision.layout.dialects import everything_connected
from provision.layout.errors import LayoutError, Problem, TemplateFileError, UnknownLayoutError
from provision.layout.model import Channel, Client, Dialect, Layout, Overrides, with_overrides
from provision.layout.reader import Reading, read
from provision.layout.report import nearest
from provision.layout.source import MAX_CHARACTERS
from provision.layout.templates import TemplateLoader


@frozen
class Stamp:
    """What tells, without reading it, that a file was changed or replaced."""

    inode: int = 0
    changed_ns: int = 0
    size: int = 0


def read_layout_file(path: Path) -> Reading:
    """Read the layout at ``path``; messages call it by ``path``, as it was given.

    Raises :class:`LayoutError` with every problem there is.
    """
    files = LayoutFiles(path, str(path))
    return read(files.layout(), file=str(path), name=path.stem, load_template=files.beside)


def layout_sources(path: Path) -> dict[str, str]:
    """Return the texts of the layout at ``path`` and of all files that it names, by their names.

    Raises :class:`LayoutError` as :func:`read_layout_file` does.
    """
    files = LayoutFiles(path, str(path))
    text = files.layout()
    read(text, file=str(path), name=path.stem, load_template=files.beside)
    return {path.name: text, **files.texts}


def shown(path: Path) -> str:
    """Return what messages call ``path``: the directory's and the file's name, no more."""
    return str(PurePosixPath(path.absolute().parent.name, path.name))


@define(eq=False)
class LayoutFiles:
    """Reads the layout file ``path``, which messages call ``name``, and those beside it.

    It notes the stamps and texts of what was read, and digests the bytes.
    """

    _path: Path
    _name: str
    stamps: dict[Path, Stamp] = field(factory=dict, init=False)
    texts: dict[str, str] = field(factory=dict, init=False)
    digest: hashlib._Hash = field(factory=hashlib.sha256, init=False)
    _own: str | None = field(default=None, init=False)

    def layout(self) -> str:
        """Return the text of the layout file. Raises :class:`LayoutError`."""
        try:
            self._own = self._text(self._path)
        except TemplateFileError as error:
            problem = Problem(self._name, 1, 1, "unreadable", str(error))
            raise LayoutError([problem]) from error
        return self._own

    @property
    def sources(self) -> dict[str, str]:
        """The texts that were read, the layout's first, by the names that problems call them."""
        beside = PurePosixPath(self._name).parent
        own = {} if self._own is None else {self._name: self._own}
        return own | {str(beside / name): text for name, text in self.texts.items()}

    def beside(self, name: str) -> str:
        """Return the text of the file ``name`` beside the layout file.

        Raises :class:`TemplateFileError` for one that is not there, or not in the directory.
        """
        directory = self._path.parent
        if "\0" in name:
            raise TemplateFileError("a file name cannot have a NUL character")
        path = directory / name
        if not _is_inside(path, directory):
            self.stamps[path] = stamp_of(path)
            raise TemplateFileError(f'file "{name}" is not in the directory of the layout')
        self.texts[name] = self._text(path, name)
        return self.texts[name]

    def _text(self, path: Path, name: str = "") -> str:
        stamp = self.stamps[path] = stamp_of(path)
        if stamp == Stamp():
            self.digest.update(b"\0missing")
            raise TemplateFileError(f'there is no file "{name or path.name}"{_hint(path, name)}')
        if stamp.size > MAX_CHARACTERS:
            self.digest.update(b"\0large")
            raise TemplateFileError(f"file has {stamp.size:,} bytes; at most {MAX_CHARACTERS:,}")
        try:
            content = path.read_bytes()
        except OSError as error:
            self.digest.update(b"\0unreadable")
            raise TemplateFileError(f"file cannot be read: {error.strerror}") from error
        self.digest.update(len(content).to_bytes(8) + content)
        try:
            return decode_text(content)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise TemplateFileError(f"line {line} is not UTF-8") from error


def _hint(path: Path, name: str) -> str:
    try:
        known = sorted(file.name for file in path.parent.iterdir() if file.is_file())
    except OSError:
        return ""
    found = nearest(path.name, known)
    return f'; did you mean "{PurePosixPath(name).with_name(found)}"?' if name and found else ""


def _is_inside(path: Path, directory: Path) -> bool:
    try:
        return path.resolve().is_relative_to(directory.resolve())
    except (OSError, RuntimeError):
        return False


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of the file at ``path``, an empty one if there is none."""
    try:
        found = path.stat()
    except OSError:
        return Stamp()
    if not stat.S_ISREG(found.st_mode):
        return Stamp()
    return Stamp(found.st_ino, found.st_mtime_ns, found.st_size)


BUILTIN_NAME: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def builtin_layout() -> Layout:
    """Return the layout that serves when there is no file: what the Go service has built in."""
    clients = (Client("client", "client", metadata={"external_id": ""}, bootstrap=True),)
    channels = (
        Channel("control-channel", "control-channel", metadata={"type": "control"}),
        Channel("data-channel", "data-channel", metadata={"type": "data"}),
    )
    return Layout(
        name=BUILTIN_NAME,
        description="One client, a control and a data channel (built in)",
        dialect=Dialect.MAGISTRALA,
        clients=clients,
        channels=channels,
        connections=everything_connected(clients, channels),
        file="(built in)",
    )


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


@define(eq=False)
class LayoutCatalog:
    """The layouts of ``directory`` (each ``*.toml``), and the Go service's ``config_file``.

    ``default`` names the layout for requests that name none. Without it that is the one of
    ``config_file`` or, where there is no such file, the built-in one. ``overrides`` are the Go
    service's settings; :func:`provision.layout.model.with_overrides` says which layouts take them.
    Nothing is read before the first :meth:`reload_changed`.
    """

    _directory: Path | None
    _wanted_default: str = field(default="", alias="default", kw_only=True)
    _config_file: Path | None = field(default=None, kw_only=True)
    _overrides: Overrides = field(factory=Overrides, kw_only=True)
    _entries: Mapping[str, _Entry] = field(factory=dict, init=False)

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
        return self._adapted(reading.layout, f"{name}.toml")

    def reload_changed(self) -> tuple[LayoutState, ...]:
        """Read the files that changed and return the states that did, removed ones excepted.

        What did not change costs one ``stat`` for each file. The layouts are exchanged at once.
        """
        before = self._entries
        entries = {name: self._renewed(name, path) for name, path in self._files().items()}
        if not self._wanted_default and not self._serves_config_file(entries):
            state = LayoutState(BUILTIN_NAME, "(built in)", self._adapted(builtin_layout(), ""))
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
        if all(stamp_of(path) == stamp for path, stamp in known.stamps.items()):
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
            layout = self._adapted(reading.layout, shown(path))
        except LayoutError as error:
            state = LayoutState(name, shown(path), last_good, error.problems, files.sources)
        else:
            state = LayoutState(name, shown(path), layout, reading.warnings, files.sources)
        return _Entry(path, state, files.stamps, files.digest.hexdigest())

    def _adapted(self, layout: Layout, file: str) -> Layout:
        """Return a layout as the settings have it. Raises :class:`LayoutError`."""
        adapted = with_overrides(layout, self._overrides)
        if problem := outlives_authority(adapted, self._overrides.longest_ttl_seconds, file):
            raise LayoutError([problem])
        return adapted


def outlives_authority(layout: Layout, longest: int | None, file: str) -> Problem | None:
    """Return what is wrong where the authority refuses the lifetime of a layout's certificates.

    ``longest`` is what it signs at most, in seconds; None where it cuts what is longer.
    """
    wanted = layout.certificates.ttl_seconds
    if (
        longest is None
        or wanted <= longest
        or not any(client.certificate for client in layout.clients)
    ):
        return None
    message = (
        f"the certificates are to live {wanted / 3600:g}h, and the platform signs at most "
        f"{longest / 3600:g}h: write that into certificates.ttl, or let "
        f"MG_PROVISION_CERTS_HOURS_VALID={longest / 3600:g}h cut the lifetime in all layouts"
    )
    return Problem(file, 1, 1, "certificate-too-long", message, key="certificates.ttl")


def _check_name(name: str, path: Path) -> None:
    if not _NAME.fullmatch(name):
        message = (
            f'"{name}" cannot be the name of a layout: letters, digits, dots, underscores and '
            "dashes, at most 128; rename the file"
        )
        raise LayoutError([Problem(shown(path), 1, 1, "file-name", message)])
