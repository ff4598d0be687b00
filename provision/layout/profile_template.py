"""The content template of a layout's own profile: in the layout, or in a file beside it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final, Protocol

from provision.layout.errors import Problem, TemplateFileError
from provision.layout.model import JsonObject, KeyPath
from provision.layout.report import Report
from provision.layout.source import place_at
from provision.layout.templates import syntax_problem

_INLINE: Final[KeyPath] = ("profile", "content_template")
_FILE: Final[KeyPath] = ("profile", "content_template_file")


class TemplateLoader(Protocol):
    """Reads the template files that layouts name."""

    def __call__(self, name: str) -> str:
        """Return the text of the file ``name``. Raises :class:`TemplateFileError`."""
        ...


def no_template_files(name: str) -> str:
    """Refuse every file: for a layout that is read from text alone."""
    raise TemplateFileError(f'file "{name}" cannot be read: the layout was read without files')


def profile_template(report: Report, data: JsonObject, load: TemplateLoader) -> str:
    """Return the template of the profile in checked ``data``; what is wrong goes to ``report``."""
    profile = data.get("profile")
    if profile is None:
        return ""
    given = [path for path in (_INLINE, _FILE) if path in report.source.marks]
    if len(given) != 1:
        found = "both" if given else "neither"
        message = f"[profile] must have content_template or content_template_file, not {found}"
        report.at_key(given[1] if given else ("profile",), "profile-template", message)
    raw = profile.get("content_format") == "raw"
    if "content_template" in profile:
        text: str = profile["content_template"]
        if not raw and (problem := syntax_problem(text)):
            report.inside(_INLINE, problem.index, problem.rule, problem.message)
        return text
    if "content_template_file" not in profile:
        return ""
    name: str = profile["content_template_file"]
    try:
        text = load(name)
    except TemplateFileError as error:
        report.at_value(_FILE, "template-file", f"profile.content_template_file: {error}")
        return ""
    if not raw and (problem := syntax_problem(text)):
        place = place_at(text, problem.index)
        file = str(PurePosixPath(report.source.file).parent / name)
        shown = text.split("\n")[place.line - 1]
        report.problems.append(
            Problem(file, place.line, place.column, problem.rule, problem.message, source=shown)
        )
    return text
