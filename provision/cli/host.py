"""Commands on the service's own host: its settings, its health, and what its data needs."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
from attrs import fields

from bootstrap_core.secrets import Sealer, SealingKey, Secret
from provision.cli.client import Data, Url, serve_command, service_address
from provision.cli.output import (
    MEANINGS,
    CommandFailed,
    Json,
    note,
    print_json,
    print_table,
    print_text,
    progress,
)
from provision.maintenance.backup import back_up, restore
from provision.settings import Settings, names_of
from provision.settings_reader import Loaded, load
from provision.store.data_directory import DataDirectory

PASSES: Final = 5

app = typer.Typer(rich_markup_mode=None)
data_app = typer.Typer(rich_markup_mode=None)
keys = typer.Typer(
    name="keys",
    help="The keys that seal stored secrets.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)
data_app.add_typer(keys)


@app.command("settings", epilog=MEANINGS)
def settings_command(
    *,
    config: Annotated[str | None, typer.Option(help="TOML file of settings and layout.")] = None,
    json: Json = False,
) -> None:
    """Show every setting in force and where its value came from."""
    loaded = load(os.environ, {"config_file": config})
    rows = _rows(loaded)
    if json:
        print_json({"settings": rows, "warnings": list(loaded.warnings)})
        return
    headings = ("setting", "value", "from")
    print_table(headings, ([row[name] for name in headings] for row in rows))
    note(f"platform: {loaded.settings.platform}")
    for warning in loaded.warnings:
        note(f"warning: {warning}")


def _rows(loaded: Loaded) -> list[dict[str, Any]]:
    rows = []
    for attribute in fields(Settings):
        value = getattr(loaded.settings, attribute.name)
        shown: object = value
        if isinstance(value, Secret):
            shown = str(value)
        elif isinstance(value, tuple):
            shown = list(value)
        names = names_of(attribute.name)
        rows.append(
            {
                "setting": names.variables[0],
                "value": "" if shown is None else shown,
                "from": loaded.origins[attribute.name],
                "about": names.help,
            }
        )
    return rows


@app.command("healthcheck", epilog=MEANINGS)
def healthcheck_command(
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Tell whether the service on this host works."""
    status = _health(url, data)
    if json:
        print_json({"status": status})
    else:
        print_text(status)


HEALTH_TIMEOUT: Final = 2.5
HEALTHY: Final = ("pass", "warn")
"""With ``warn`` the platform is not to be used; to start this service again would cure nothing."""


def _health(url: str, data: str) -> str:
    """Return the status that ``GET /health`` answers. Raises ``CommandFailed`` unless it works."""
    settings = load(os.environ, {"data": data or None}).settings
    base = service_address(settings, url)
    try:
        # The certificate names the public host and not this one; nothing secret is sent.
        answer = httpx.get(
            f"{base}/health", timeout=HEALTH_TIMEOUT, verify=not settings.server_cert
        )
        status = str(answer.json().get("status", ""))
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise CommandFailed(
            f"{base}/health: {error or type(error).__name__}",
            "see the service's log; --url or PROVISION_URL names another address",
        ) from error
    if answer.is_error or status not in HEALTHY:
        raise CommandFailed(
            f"{base}/health answered {answer.status_code}, status {status!r}",
            "see the service's log; its store may not answer",
        )
    return status


@keys.command("rotate", epilog=MEANINGS)
def rotate(
    *,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget", help="Drop the old keys once nothing needs them; no service may run."
        ),
    ] = False,
    data: Data = "",
    json: Json = False,
) -> None:
    """Make a new sealing key, and seal all stored secrets with it.

    The service may run.
    If you set MG_PROVISION_SEALING_KEYS, put the new key first there yourself. The command then
    seals everything with it.
    """
    settings = load(os.environ, {"data": data or None}).settings
    directory = DataDirectory(Path(settings.data))
    file = directory.key_file
    with directory.changing_keys() as alone:
        if forget and not alone:
            raise CommandFailed(
                f"a service runs on {directory.path}: it may be sealing something with an old key",
                "rotate without --forget; drop the old keys when the service is stopped next",
            )
        if not settings.sealing_keys:
            file.write([SealingKey.generate(), *file.read()])
        sealer = directory.sealer(settings.sealing_keys)
        changed = asyncio.run(_reseal(settings, sealer, alone=alone))
        if forget and not settings.sealing_keys:
            file.write(file.read()[:1])
    if json:
        print_json({"key": sealer.key_id, "resealed": changed, "service_runs": not alone})
        return
    print_table(("what", "sealed anew"), changed.items())
    note(f"everything is sealed with key {sealer.key_id}")
    if not alone and not settings.sealing_keys:
        note("the running service seals with it, too, from now on")
    if settings.sealing_keys:
        note("next: take the old keys out of MG_PROVISION_SEALING_KEYS, and restart all replicas")
    elif not forget:
        note(f"next: keep the old keys in {file.path} as long as you keep backups made with them")


@data_app.command("backup", epilog=MEANINGS)
def backup(
    archive: Annotated[Path, typer.Argument(metavar="FILE.tar.gz", help="Archive to write.")],
    *,
    data: Data = "",
    json: Json = False,
) -> None:
    """Back up the data directory, also while the service runs. Keep the archive secret."""
    settings = load(os.environ, {"data": data or None}).settings
    with progress() as bar:
        task = bar.add_task("Copying")
        names = back_up(
            Path(settings.data),
            archive,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if json:
        print_json({"archive": str(archive), "files": list(names)})
    note(f"wrote {archive} with {', '.join(names)}")
    if settings.database_url:
        note("the database of MG_PROVISION_DATABASE_URL is not in it: use pg_dump for that")


@data_app.command("restore", epilog=MEANINGS)
def restore_command(
    archive: Annotated[Path, typer.Argument(metavar="FILE.tar.gz", exists=True, dir_okay=False)],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    data: Data = "",
    json: Json = False,
) -> None:
    """Put a backup in place; the service must be stopped."""
    settings = load(os.environ, {"data": data or None}).settings
    names = restore(archive, Path(settings.data), overwrite=force)
    if json:
        print_json({"data": settings.data, "files": list(names)})
    note(f"restored {', '.join(names)} to {settings.data}")
    note(f"next: {serve_command(data)}")


async def _reseal(settings: Settings, sealer: Sealer, *, alone: bool) -> Mapping[str, int]:
    """Seal everything anew, and again what a running service had in hand meanwhile."""
    # A quarter of a second of imports that no other command needs.
    from provision.maintenance.rekeying import reseal_all
    from provision.store.database import migrate, open_engine

    engine = open_engine(settings.database)
    try:
        if alone:
            await migrate(engine)
        changed: Counter[str] = Counter()
        with progress() as bar:
            task = bar.add_task("Sealing", total=None)
            for _ in range(PASSES):
                more = await reseal_all(
                    engine,
                    sealer,
                    lambda kind: bar.update(task, description=f"Sealing {kind}"),
                )
                changed.update(more)
                if not any(more.values()):
                    return dict(changed)
        raise CommandFailed(
            "something still seals with an old key",
            "put the new key first on every replica, restart them, then rotate again",
        )
    finally:
        await engine.dispose()
