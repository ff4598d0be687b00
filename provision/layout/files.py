"""Reading a layout file, and the files beside it that it names.

The only part of this package that reads files.
"""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path, PurePosixPath

from attrs import frozen

from provision.layout.errors import LayoutError, Problem, TemplateFileError
from provision.layout.reader import Reading, read
from provision.layout.source import MAX_CHARACTERS


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


class LayoutFiles:
    """Reads a layout file and the files beside it, noting what was read."""

    def __init__(self, path: Path, name: str) -> None:
        """Read ``path``, which messages call ``name``."""
        self._path = path
        self._name = name
        self.stamps: dict[Path, Stamp] = {}
        self.texts: dict[str, str] = {}
        self._own: str | None = None
        self.digest = hashlib.sha256()

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
        self.texts[name] = self._text(path)
        return self.texts[name]

    def _text(self, path: Path) -> str:
        stamp = self.stamps[path] = stamp_of(path)
        if stamp == Stamp():
            self.digest.update(b"\0missing")
            raise TemplateFileError(f'there is no file "{path.name}"')
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
            return content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise TemplateFileError(f"line {line} is not UTF-8") from error


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
