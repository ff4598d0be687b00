"""The table of what one caller may take, from the limits that the code keeps."""

from __future__ import annotations

from attrs import fields

from bootstrap_core.formats.rendering import BRIEF_STEPS
from bootstrap_core.work import BRIEF_BYTES, MAX_BY_CALLER
from provision.layout.parameters import MAX_MEMORY, MAX_PATTERN
from provision.layout.report import MOST_PROBLEMS
from provision.limits import ServingLimits
from provision.settings import names_of

WORK = (
    (
        "bytes of a body that is decoded on the event loop",
        BRIEF_BYTES,
        "decoded outside the event loop",
    ),
    ("steps of a rendering on the event loop", BRIEF_STEPS, "rendered outside the event loop"),
    (
        "long renderings of previews, or of plans, at a time in a domain",
        MAX_BY_CALLER,
        "429; devices wait for their turn",
    ),
    ("characters of a parameter's pattern", MAX_PATTERN, "refused by lint"),
    ("bytes of a pattern when it is compiled", MAX_MEMORY, "refused by lint"),
    ("problems reported for a layout file", MOST_PROBLEMS, "the others are not reported"),
)


def write() -> str:
    """Return a Markdown table of every limit, of what follows beyond it, and of its setting."""
    rows = ["| limit | most | beyond it | setting |", "|---|---|---|---|"]
    for limit in fields(ServingLimits):
        about = limit.metadata
        setting = f"`{names_of(about['setting']).variables[0]}`" if about["setting"] else ""
        rows.append(f"| {about['meaning']} | {limit.default:,} | {about['answer']} | {setting} |")
    rows += [f"| {meaning} | {most:,} | {answer} | |" for meaning, most, answer in WORK]
    return "\n".join(rows)
