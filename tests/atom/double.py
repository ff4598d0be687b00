"""A working double of Atom: its GraphQL and REST routes over what is kept in memory.

It has the habits of the real one: what is deleted keeps its ID, a document goes on after an error,
blocks and policies are made twice without complaint, every failure has status 200, five wrong
sign-ins lock a name.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import jwt
from attrs import define, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.atom.graphql_server import AtomError, Refused, execute
from tests.atom.operations import Operations
from tests.atom.records import Caller, Credential, Thing, new_id, now, said

HOUR: Final = timedelta(hours=1)
OPEN: Final = {"health", "login", "caChain", "__typename"}
"""What needs no token."""
LOCKED_AFTER: Final = 5
JSON: Final = "application/json"


def snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


@define
class Session:
    """A sign-in: every token of it ends with it."""

    entity_id: str
    expires_at: datetime
    id: str = field(factory=new_id)
    revoked: bool = False


@define
class AtomDouble:
    """The double; ``app`` answers as Atom does.

    ``lifetime`` is that of a session. ``cut_after``: so many mutations from now on are carried
    out, then the connection breaks off: once, if it ``recovers``.
    """

    operations: Operations = field(factory=Operations)
    lifetime: timedelta = HOUR
    rate_limit: int | None = None
    cut_after: int | None = None
    recovers: bool = True
    sessions: dict[str, Session] = field(factory=dict)
    failures: dict[str, int] = field(factory=dict)
    asked: int = 0
    secret: str = field(factory=lambda: secrets.token_hex(32))

    @property
    def store(self) -> Any:
        return self.operations.store

    # People and tenants, as a test finds them

    def person(self, name: str, password: str, identifier: str | None = None) -> Thing:
        """Make a person with a password."""
        made = Thing(identifier or new_id(), "human", name)
        self.store.entities[made.id] = made
        known = Credential(made.id, "password", password)
        self.store.credentials[known.id] = known
        return made

    def tenant_of(self, person: Thing, name: str) -> Thing:
        """Make a tenant that a person administers."""
        self.operations.create_tenant(Caller(person.id), {"input": {"name": name, "alias": name}})
        found: Thing = next(each for each in self.store.tenants.values() if each.name == name)
        return found

    def token_of(self, entity: Thing) -> str:
        """Return a token of a new session."""
        session = Session(entity.id, now() + self.lifetime)
        self.sessions[session.id] = session
        return self._token(session)

    def _token(self, session: Session) -> str:
        entity = self.store.entities[session.entity_id]
        claims = {
            "iss": "atom",
            "aud": "magistrala",
            "sub": session.entity_id,
            "sid": session.id,
            "tid": entity.tenant_id,
            "iat": now(),
            "exp": session.expires_at,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self.secret, "HS256")

    # Who asks

    def caller(self, headers: Mapping[str, str]) -> Caller | None:
        """Return who asks; nobody where no header says so. Raises ``Refused``."""
        given = headers.get("authorization")
        if given is None:
            return None
        kind, _, token = given.partition(" ")
        if kind != "Bearer":
            raise Refused("Authorization header must use Bearer")
        caller = self._by_key(token) if token.startswith("atom_") else self._by_session(token)
        entity = self.store.entities.get(caller.entity_id)
        if entity is None or entity.deleted or entity.status != "active":
            raise Refused("entity is not active")
        return caller

    def _by_key(self, token: str) -> Caller:
        for each in self.store.credentials.values():
            if each.kind == "access_token" and each.secret == token:
                if each.revoked:
                    raise Refused("api key revoked")
                if not each.is_good:
                    raise Refused("api key expired")
                return Caller(each.entity_id, each.scoped, each.permissions)
        raise Refused("invalid token: InvalidToken")

    def _by_session(self, token: str) -> Caller:
        try:
            claims = jwt.decode(token, self.secret, ["HS256"], audience="magistrala", leeway=60)
        except jwt.ExpiredSignatureError as error:
            raise Refused("invalid token: ExpiredSignature") from error
        except jwt.InvalidSignatureError as error:
            raise Refused("invalid token: InvalidSignature") from error
        except jwt.PyJWTError as error:
            raise Refused("invalid token: InvalidToken") from error
        session = self.sessions[claims["sid"]]
        if session.revoked:
            raise Refused("session revoked")
        if session.expires_at <= now():
            raise Refused("session expired")
        return Caller(session.entity_id, session_id=session.id)

    # Sign-in

    def sign_in(self, identifier: str, secret: str, kind: str, tenant_id: str | None) -> Session:
        """Open a session. Raises ``Locked`` and ``AtomError``."""
        locked = identifier.lower()
        if self.failures.get(locked, 0) >= LOCKED_AFTER:
            raise Locked
        entity = self._entity(identifier, tenant_id)
        good = entity and any(
            each.entity_id == entity.id
            and each.kind == kind
            and each.secret == secret
            and each.is_good
            for each in self.store.credentials.values()
        )
        if entity is None or not good:
            self.failures[locked] = self.failures.get(locked, 0) + 1
            raise AtomError("invalid credentials")
        if entity.status != "active":
            raise AtomError("entity is not active")
        self.failures.pop(locked, None)
        session = Session(entity.id, now() + self.lifetime)
        self.sessions[session.id] = session
        return session

    def _entity(self, identifier: str, tenant_id: str | None) -> Thing | None:
        live = [each for each in self.store.entities.values() if not each.deleted]
        named = [
            each
            for each in live
            if each.id == identifier.lower() or (identifier and each.name == identifier)
        ]
        found = [each for each in named if tenant_id in (None, each.tenant_id)]
        return found[0] if len(found) == 1 else None

    # Routes

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/graphql", self.graphql, methods=["POST"]),
                Route("/auth/login", self.login, methods=["POST"]),
                Route("/auth/logout", self.logout, methods=["POST"]),
                Route("/auth/introspect", self.introspect),
                Route("/health", self.health),
                Route("/certs/ca-chain", self.chain),
                Route("/certs/crl", self.revocation_list),
            ]
        )

    async def graphql(self, request: Request) -> Response:
        self.asked += 1
        if self.rate_limit is not None and self.asked > self.rate_limit:
            return refused(429, "rate limit exceeded", retry_after="59")
        try:
            body = await request.json()
        except ValueError:
            return PlainTextResponse("Invalid JSON", 400)
        if not isinstance(body, dict):
            return PlainTextResponse("Invalid request", 400)
        try:
            caller = self.caller(request.headers)
        except Refused as error:
            return JSONResponse({"data": None, "errors": [{"message": str(error)}]})
        return JSONResponse(execute(body, self._resolve(caller)))

    def _resolve(self, caller: Caller | None) -> Callable[[str, Mapping[str, Any]], Any]:
        def resolve(name: str, values: Mapping[str, Any]) -> Any:
            if name == "login":
                given = values["input"]
                session = self.sign_in(
                    given["identifier"], given["secret"], given.get("kind", "password"), None
                )
                return self._signed_in(session)
            if caller is None and name not in OPEN:
                raise AtomError("missing authentication")
            if name == "refreshSession":
                return self._refreshed(caller)
            if name in CHANGES:
                self._count()
            method = getattr(self.operations, snake(name), None)
            if method is None:
                raise AtomError(f"the double does not know {name}")
            return method(caller or Caller(""), values)

        return resolve

    def _count(self) -> None:
        if self.cut_after is None:
            return
        if self.cut_after == 0:
            self.cut_after = None if self.recovers else 0
            raise httpx.ReadError("the connection broke off")
        self.cut_after -= 1

    def _refreshed(self, caller: Caller | None) -> dict[str, Any]:
        if caller is None or caller.session_id is None:
            raise AtomError("forbidden")
        session = self.sessions[caller.session_id]
        session.expires_at = now() + self.lifetime
        return self._signed_in(session)

    def _signed_in(self, session: Session) -> dict[str, Any]:
        return {
            "token": self._token(session),
            "entityId": session.entity_id,
            "sessionId": session.id,
            "expiresAt": said(session.expires_at),
            "emailVerified": None,
            "verificationRequired": False,
        }

    async def login(self, request: Request) -> Response:
        raw = await request.body()
        if len(raw) > 32_768:
            return PlainTextResponse(
                "Failed to buffer the request body: length limit exceeded", 413
            )
        if request.headers.get("content-type") != JSON:
            return PlainTextResponse("Expected request with `Content-Type: application/json`", 415)
        if self.rate_limit is not None and self.asked >= self.rate_limit:
            return refused(429, "rate limit exceeded", retry_after="59")
        try:
            given = await request.json()
        except ValueError:
            return PlainTextResponse("Failed to parse the request body as JSON", 400)
        kind = given.get("kind", "password")
        if "secret" not in given or kind not in KINDS:
            return PlainTextResponse(
                "Failed to deserialize the JSON body into the target type", 422
            )
        if kind == "access_token":
            return refused(400, "unsupported credential kind: AccessToken")
        try:
            session = self.sign_in(
                given["identifier"], given["secret"], kind, given.get("tenant_id")
            )
        except Locked:
            return refused(429, "too many failed login attempts", retry_after="900")
        except AtomError as error:
            return refused(401, str(error))
        token = self._token(session)
        answer = JSONResponse(
            {
                "token": token,
                "entity_id": session.entity_id,
                "session_id": session.id,
                "expires_at": said(session.expires_at),
            }
        )
        answer.headers["set-cookie"] = f"atom_token={token}; Path=/; HttpOnly; SameSite=Lax"
        return answer

    async def logout(self, request: Request) -> Response:
        return self._as_caller(request, self._logged_out)

    def _logged_out(self, caller: Caller) -> Response:
        if caller.session_id:
            self.sessions[caller.session_id].revoked = True
        return JSONResponse({"authenticated": False})

    async def introspect(self, request: Request) -> Response:
        return self._as_caller(request, self._introspected)

    def _introspected(self, caller: Caller) -> Response:
        entity = self.store.entities[caller.entity_id]
        return JSONResponse(
            {
                "active": True,
                "entity_id": caller.entity_id,
                "session_id": caller.session_id,
                "tenant_id": entity.tenant_id,
            }
        )

    def _as_caller(self, request: Request, answer: Callable[[Caller], Response]) -> Response:
        try:
            caller = self.caller(request.headers)
        except Refused as error:
            return refused(401, str(error))
        return answer(caller) if caller else refused(401, "missing authentication")

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def chain(self, _: Request) -> Response:
        return PlainTextResponse(self.operations.authority.chain())

    async def revocation_list(self, _: Request) -> Response:
        made = self.operations.authority.revocation_list()
        return Response(made, media_type="application/pkix-crl")


class Locked(Exception):
    """The name is locked."""


KINDS: Final = {"password", "access_token", "certificate", "shared_key"}
CHANGES: Final = {
    "createEntity",
    "createSharedKey",
    "createResource",
    "createPermissionBlock",
    "createDirectPolicy",
    "updateEntity",
    "updateResource",
    "deleteEntity",
    "deleteResource",
    "deleteDirectPolicy",
    "deletePermissionBlock",
    "revokeCredential",
    "issueCertificateFromCsr",
    "revokeEntityCertificates",
    "revokeCertificate",
}


def refused(status: int, words: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"error": words}, status, named)


Handler = Callable[[Request], Awaitable[Response]]
