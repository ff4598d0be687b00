"""People who use the platform in tests."""

from __future__ import annotations

from typing import Any

import httpx
from attrs import frozen

PASSWORD = "a-good-password"


@frozen
class Person:
    """A user who is signed in."""

    http: httpx.AsyncClient
    id: str
    name: str
    access: str
    refresh: str

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request in this user's name."""
        return await self.http.request(method, path, headers=bearer(self.access), **options)

    async def domain(self, name: str) -> str:
        """Create a domain; return its ID."""
        made = await self.ask("POST", "/domains", json={"name": name, "route": name})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def client(self, domain_id: str, **fields: Any) -> dict[str, Any]:
        """Create a client."""
        made = await self.ask("POST", f"/{domain_id}/clients", json=fields)
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def channel(self, domain_id: str, **fields: Any) -> dict[str, Any]:
        """Create a channel."""
        made = await self.ask("POST", f"/{domain_id}/channels", json=fields)
        assert made.status_code == 201, made.text
        return dict(made.json())


def bearer(token: str) -> dict[str, str]:
    """Return the headers that carry a token."""
    return {"Authorization": f"Bearer {token}"}


async def person(http: httpx.AsyncClient, administrator_token: str, name: str) -> Person:
    """Let the administrator create a user, and sign in as that user."""
    body = {
        "first_name": name,
        "last_name": "Example",
        "email": f"{name}@example.com",
        "credentials": {"username": name, "secret": PASSWORD},
    }
    made = await http.post("/users", json=body, headers=bearer(administrator_token))
    assert made.status_code == 201, made.text
    tokens = await sign_in(http, name, PASSWORD)
    return Person(
        http, made.json()["id"], name, tokens.json()["access_token"], tokens.json()["refresh_token"]
    )


async def sign_in(http: httpx.AsyncClient, name: str, password: str) -> httpx.Response:
    """Ask for tokens."""
    return await http.post("/users/tokens/issue", json={"username": name, "password": password})
