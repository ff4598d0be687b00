"""The section Onboard: the form, its plan, and the onboarding in the background."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import segno
import structlog
from attrs import evolve, field, frozen
from starlette.responses import Response, StreamingResponse

from bootstrap_core.model import segment
from bootstrap_core.secrets import Secret
from provision.console.api import RECORD
from provision.console.errors import ConsoleError, Refused, TooManyJobs
from provision.console.forms import (
    Form,
    ParameterField,
    defaults_of,
    fields_of,
    new_external_key,
    values_of,
    with_refusal,
)
from provision.console.layouts import drawing_of
from provision.console.pages import Page, PageRequest
from provision.console.widgets import address

AT_ONCE: Final = 8
"""Jobs of one session that may run at a time."""
MAX_JOBS: Final = 500
"""Jobs of all sessions together."""
JOB_TTL: Final = timedelta(minutes=15)
"""How long a job is kept. The API bounds its own work to much less."""

Result = Mapping[str, Any] | ConsoleError


@frozen(eq=False)
class BackgroundJob:
    """A request for a gateway that was started, with its session, form and key.

    ``work`` never raises: an error is its result.
    """

    id: str
    session_id: str
    external_id: str
    external_key: Secret
    form: Form = field(repr=False)
    started_at: datetime
    work: asyncio.Task[Result] = field(repr=False)

    @property
    def result(self) -> Result | None:
        """The API's answer or the error; None while it runs."""
        return self.work.result() if self.work.done() else None


@frozen
class BackgroundJobs:
    """Requests that take longer than a page may: they run on, and their session asks for them.

    They are in the memory of this process, bounded in number and in time.
    """

    now: Callable[[], datetime]
    _jobs: dict[tuple[str, str], BackgroundJob] = field(init=False, factory=dict)

    def start(
        self,
        key: tuple[str, str],
        external_id: str,
        external_key: Secret,
        form: Form,
        send: Callable[[], Awaitable[Mapping[str, Any]]],
    ) -> BackgroundJob:
        """Start ``send``, or return the job that was started with ``key`` (session and ID) before.

        Raises ``TooManyJobs``.
        """
        self._forget_old()
        if key in self._jobs:
            return self._jobs[key]
        session_id, name = key
        running = [
            job
            for job in self._jobs.values()
            if job.session_id == session_id and job.result is None
        ]
        if len(running) >= AT_ONCE or len(self._jobs) >= MAX_JOBS:
            raise TooManyJobs
        work = asyncio.create_task(_outcome(send))
        job = BackgroundJob(name, session_id, external_id, external_key, form, self.now(), work)
        self._jobs[key] = job
        # Keys do not stay until somebody asks for something else.
        asyncio.get_running_loop().call_later(JOB_TTL.total_seconds() + 1, self._forget_old)
        return job

    def find(self, session_id: str, name: str) -> BackgroundJob | None:
        """Return the job that this session started under this ID, unless it is forgotten."""
        self._forget_old()
        return self._jobs.get((session_id, name))

    def forget_key(self, job: BackgroundJob) -> None:
        """Keep the result of a job, but neither its key nor the form that has it."""
        self._jobs[job.session_id, job.id] = evolve(job, external_key=Secret(""), form=Form())

    async def close(self) -> None:
        """Stop waiting for answers; what the API has started ends without the console."""
        running = [job.work for job in self._jobs.values() if job.result is None]
        for work in running:
            work.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._jobs.clear()

    def _forget_old(self) -> None:
        oldest = self.now() - JOB_TTL
        for job in [job for job in self._jobs.values() if job.started_at < oldest]:
            job.work.cancel()
            del self._jobs[job.session_id, job.id]


async def _outcome(send: Callable[[], Awaitable[Mapping[str, Any]]]) -> Result:
    try:
        return await send()
    except ConsoleError as error:
        return error
    except Exception as error:
        structlog.get_logger().exception("undertaking failed", exc_info=error)
        return ConsoleError("The service failed with an error of its own; its log has the details.")


WATCH: Final = "/console/onboard/watch/{name}"
RESULT: Final = "/console/onboard/result/{onboarding_id}"
WATCH_INTERVAL: Final = 0.3
"""Seconds between two readings of the journal."""
NOT_FOUND: Final = 404
NO_CONTENT: Final = 204
MESSAGES: Final = {
    "created": "The gateway {} is onboarded.",
    "reused": "The gateway {} was there already; nothing has changed.",
    "repaired": "The gateway {} was repaired.",
    "rotated": "The gateway {} has new secrets and certificates.",
    "replaced": "The gateway {} was replaced.",
}


@frozen
class OnboardWatch:
    """The pages from the start of an onboarding on; ``public_url`` may be empty."""

    jobs: BackgroundJobs
    public_url: str

    def pages(self) -> Sequence[Page]:
        return [
            Page("GET", WATCH, self.watch),
            Page("GET", WATCH + "/events", self.events),
            Page("GET", RESULT, self.result),
        ]

    async def watch(self, request: PageRequest) -> Response:
        """Show how far it is; when it is done, go on to its result or show what went wrong."""
        found = self.jobs.find(request.session.id, request.path("name"))
        if found is None:
            return await request.page("onboard/lost.html", status=NOT_FOUND)
        result = found.result
        if result is None:
            progress = {"external_id": found.external_id, "row": await _row(request, found)}
            return await request.page("onboard/watch.html", progress | {"name": found.id})
        if isinstance(result, ConsoleError):
            failure = {
                "external_id": found.external_id,
                "error": result,
                "fields": {name: found.form.text(name) for name in found.form.values},
            }
            return await request.page("onboard/failed.html", failure)
        return await self._arrived(request, found, result)

    async def events(self, request: PageRequest) -> Response:
        """Stream how far it is, as server-sent events: ``steps`` (HTML) and, at last, ``done``."""
        found = self.jobs.find(request.session.id, request.path("name"))
        if found is None:
            return Response(status_code=NO_CONTENT)

        async def stream() -> AsyncIterator[str]:
            last = ""
            while found.result is None:
                shown = _steps(request, await _row(request, found))
                if shown != last:
                    yield _event("steps", shown)
                last = shown
                await asyncio.wait({found.work}, timeout=WATCH_INTERVAL)
            yield _event("steps", _steps(request, await _row(request, found)))
            yield _event("done", "")

        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)

    async def result(self, request: PageRequest) -> Response:
        """Show what an onboarding has made; the external key was shown before and is not known."""
        row = await request.api.in_domain.get("onboardings", request.path("onboarding_id"))
        try:
            gateway = await request.api.in_domain.get("mapping", row["external_id"], query=RECORD)
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            gateway = None
        url = self._bootstrap_url(request, row["external_id"])
        context = {
            "row": row,
            "gateway": gateway,
            "url": url,
            "command": _command(url, "<external key>"),
            "qr_code": qr_code_of(url),
        }
        return await request.page("onboard/result.html", context)

    async def _arrived(
        self, request: PageRequest, found: BackgroundJob, result: Mapping[str, Any]
    ) -> Response:
        after = address("onboard", "result", result["onboarding"]["id"])
        key = found.external_key
        if not key:
            return request.redirect(after)
        self.jobs.forget_key(found)
        shown = {"External key": key}
        if "bootstrap" in result:
            url = self._bootstrap_url(request, found.external_id)
            shown["The device's request"] = Secret(_command(url, key.reveal()))
        message = MESSAGES.get(result["onboarding"]["outcome"], MESSAGES["created"])
        sentences = [message.format(found.external_id)]
        sentences += [f"Warning: {warning['message']}." for warning in result.get("warnings", ())]
        return await request.done(after, " ".join(sentences), shown)

    def _bootstrap_url(self, request: PageRequest, external_id: str) -> str:
        base = (self.public_url or str(request.http.base_url)).rstrip("/")
        return f"{base}/clients/bootstrap/{segment(external_id)}"


async def _row(request: PageRequest, found: BackgroundJob) -> Mapping[str, Any] | None:
    """Return the journal's row about the gateway, if one was written since the start."""
    query: dict[str, str | int] = {"external_id": found.external_id, "limit": 1}
    try:
        page = await request.api.in_domain.get("onboardings", query=query)
    except ConsoleError:
        # The onboarding's own answer tells what is wrong; the view of it just waits.
        return None
    rows = [
        row
        for row in page["onboardings"]
        if datetime.fromisoformat(row["updated_at"]) >= found.started_at
    ]
    return rows[0] if rows else None


def _steps(request: PageRequest, row: Mapping[str, Any] | None) -> str:
    return request.layout.templates.render("onboard/steps.html", {"row": row})


def _event(kind: str, data: str) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def _command(url: str, key: str) -> str:
    return shlex.join(["curl", "-sS", url, "-H", f"Authorization: Client {key}"])


FORM: Final = "/console/onboard"
NAMES: Final = ("layout", "external_id", "external_key", "name", "on_existing")
REQUEST_ID_BYTES: Final = 24
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
ON_EXISTING: Final = (
    ("reuse", "Leave it as it is"),
    ("fail", "Refuse the request"),
    ("repair", "Repair: put back what is missing or changed"),
    ("rotate", "Rotate: this external key, new secrets and certificates"),
    ("replace", "Replace it by a new gateway"),
)


@frozen
class Offer:
    """The layouts to choose from, and the parameters of the chosen one (empty: there is none)."""

    layouts: Sequence[Mapping[str, Any]]
    chosen: Mapping[str, Any]
    fields: Sequence[ParameterField]

    @property
    def name(self) -> str:
        """The name of the chosen layout."""
        return str(self.chosen.get("name", ""))


@frozen
class Onboard:
    """The pages up to the start of an onboarding."""

    jobs: BackgroundJobs

    def pages(self) -> Sequence[Page]:
        return [
            Page("GET", FORM, self.show),
            Page("POST", FORM, self.again),
            Page("POST", FORM + "/plan", self.plan),
            Page("POST", FORM + "/start", self.start),
        ]

    async def show(self, request: PageRequest) -> Response:
        """Show the form, filled in with the defaults of the layout that the address names."""
        offer = await _offer(request, request.query("layout"))
        first = {"layout": offer.name, "external_id": request.query("external_id")}
        form = Form.of(**first, **defaults_of(offer.fields))
        return await request.page("onboard/form.html", _shown(offer) | {"form": form})

    async def again(self, request: PageRequest) -> Response:
        """Show the form as it was filled in; a key that the service made is not filled in."""
        form = request.form
        if form.text("key_is_made"):
            form = form.with_values(external_key="")
        offer = await _offer(request, form.text("layout"))
        return await request.page("onboard/form.html", _shown(offer) | {"form": form})

    async def plan(self, request: PageRequest) -> Response:
        """Show what would be made, and made of an existing gateway; nothing is made."""
        form = request.form
        is_made = not form.text("external_key") or bool(form.text("key_is_made"))
        if not form.text("external_key"):
            form = form.with_values(external_key=new_external_key())
        offer = await _offer(request, form.text("layout"))
        try:
            plan = await request.api.in_domain.post(
                "mapping", body=_body(offer, form), query={"dry_run": "true"}
            )
        except Refused as error:
            form = _refused(request.form, error)
            return await request.page("onboard/form.html", _shown(offer), form=form)
        carried = _carried(offer, form) | {"key_is_made": "yes" if is_made else ""}
        context = {
            "plan": plan,
            "drawing": drawing_of(plan, plan["external_id"], offer.chosen.get("description", "")),
            "fields": carried | {"request_id": secrets.token_urlsafe(REQUEST_ID_BYTES)},
            "carried": carried,
            "key_is_made": is_made,
            "on_existing": dict(ON_EXISTING).get(form.text("on_existing"), ""),
            "objection": _objection(plan, form.text("on_existing"), key_is_made=is_made),
        }
        return await request.page("onboard/plan.html", context)

    async def start(self, request: PageRequest) -> Response:
        """Start to onboard, once for each plan that was shown, and show the progress.

        The plan's request ID is the Idempotency-Key too: a form that is sent twice, to this
        process or to another one, makes nothing twice.
        """
        form, name = request.form, request.form.text("request_id")
        if not REQUEST_ID.fullmatch(name) or not form.text("external_key"):
            return await self.plan(request)
        offer = await _offer(request, form.text("layout"))
        api, body = request.api.in_domain, _body(offer, form)
        headers = {"Idempotency-Key": f"console-{request.session.id[:16]}-{name}"}

        async def onboard() -> Mapping[str, Any]:
            answer: Mapping[str, Any] = await api.post("mapping", body=body, headers=headers)
            return answer

        self.jobs.start(
            (request.session.id, name),
            form.text("external_id"),
            Secret(form.text("external_key")),
            Form.of(**_carried(offer, form), key_is_made=form.text("key_is_made")),
            onboard,
        )
        return request.redirect(address("onboard", "watch", name))


async def _offer(request: PageRequest, name: str) -> Offer:
    """Return the layouts that serve, and the parameters of the one with this name.

    A name that is unknown, or none, stands for the default layout, or else for the first one.
    """
    # Fails where the session has no domain, before anything is filled in.
    _ = request.api.in_domain
    found = await request.api.get("layouts")
    layouts = [layout for layout in found["layouts"] if "digest" in layout]
    by_name = {layout["name"]: layout for layout in layouts}
    first = layouts[0] if layouts else {}
    chosen = by_name.get(name) or by_name.get(found["default"]) or first
    if not chosen:
        return Offer(layouts, {}, ())
    schema = await request.api.get("layouts", chosen["name"], "schema")
    return Offer(layouts, chosen, fields_of(schema))


def _shown(offer: Offer) -> dict[str, Any]:
    options = [(layout["name"], layout["name"]) for layout in offer.layouts]
    return {
        "offer": offer,
        "chooser": Form.of(layout=offer.name),
        "layouts": options,
        "on_existing": ON_EXISTING,
    }


def _body(offer: Offer, form: Form) -> dict[str, Any]:
    body: dict[str, Any] = {
        "external_id": form.text("external_id"),
        "external_key": form.text("external_key"),
        "layout": offer.name,
        "on_existing": form.text("on_existing") or ON_EXISTING[0][0],
    }
    if form.text("name"):
        body["name"] = form.text("name")
    if parameters := values_of(offer.fields, form):
        body["parameters"] = dict(parameters)
    return body


def _objection(plan: Mapping[str, Any], on_existing: str, *, key_is_made: bool) -> str:
    """Return why the service would refuse the plan as it is; nothing where it would not."""
    if not plan["exists"]:
        return ""
    if on_existing == "fail":
        return "The gateway exists, and you chose to refuse one that does."
    if on_existing in ("reuse", "repair") and key_is_made:
        return (
            "The gateway exists and has an external key: change the form and give that key. "
            "Rotating or replacing the gateway gives it a new one."
        )
    return ""


def _carried(offer: Offer, form: Form) -> dict[str, str]:
    names = (*NAMES, *(parameter.name for parameter in offer.fields))
    return {name: form.text(name) for name in names}


def _refused(form: Form, error: Refused) -> Form:
    named = with_refusal(form, error)
    return named if named.errors else form.refused(error, NAMES)


QUIET_MODULES: Final = 4
MODULE_PIXELS: Final = 5


def qr_code_of(text: str) -> str:
    """Return the address (``data:``) of a QR code of ``text``, dark on light in every theme."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_data_uri(
        scale=MODULE_PIXELS, border=QUIET_MODULES, dark="#000", light="#fff", omitsize=False
    )
