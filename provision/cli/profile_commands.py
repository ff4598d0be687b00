"""``provision bootstrap profiles``: templates of configurations."""

from __future__ import annotations

import typer

from provision.cli.bootstrap_access import (
    Document,
    DomainId,
    OneOrAll,
    ProfileId,
    UserToken,
    connected,
    profiles_path,
    taken,
)
from provision.cli.client import Data, Url, read_json
from provision.cli.exits import MEANINGS
from provision.cli.output import Json, print_document, print_done

app = typer.Typer(
    name="profiles",
    help="Profiles: templates.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)


@app.command("create", epilog=MEANINGS)
def create_profile(
    profile: Document,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Create a profile."""
    with connected(url, token, domain, data) as client:
        print_document(client.ask("POST", profiles_path(client), read_json(profile)), json=json)


@app.command("get", epilog=MEANINGS)
def get_profile(
    profile: OneOrAll,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Show a profile, or all of them."""
    with connected(url, token, domain, data) as client:
        if profile == "all":
            found = list(client.pages(profiles_path(client), "profiles", {}))
            print_document({"total": len(found), "profiles": found}, json=json)
        else:
            print_document(client.ask("GET", profiles_path(client, profile)), json=json)


@app.command("update", epilog=MEANINGS)
def update_profile(
    profile: Document,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Change a profile; the JSON names it by "id"."""
    document = read_json(profile)
    profile_id = taken(document, "id", "profile_id")
    with connected(url, token, domain, data) as client:
        print_document(client.ask("PATCH", profiles_path(client, profile_id), document), json=json)


@app.command("remove", epilog=MEANINGS)
def remove_profile(
    profile_id: ProfileId,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Remove a profile."""
    with connected(url, token, domain, data) as client:
        client.ask("DELETE", profiles_path(client, profile_id))
    print_done(f"profile {profile_id} is removed", {"id": profile_id, "removed": True}, json=json)
