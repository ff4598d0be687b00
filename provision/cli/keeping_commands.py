"""``provision keys``, ``backup`` and ``restore``: the data directory, on the service's own host."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from bootstrap_core.sealing import Sealer, SealingKey
from provision.backup import back_up, restore
from provision.cli.client import Data
from provision.cli.exits import MEANINGS, CommandFailed
from provision.cli.output import Json, note, print_json, print_table, progress
from provision.data_directory import DataDirectory
from provision.settings import Settings
from provision.settings_reader import load

PASSES: Final = 5

app = typer.Typer(rich_markup_mode=None)
keys = typer.Typer(
    name="keys",
    help="The keys that data at rest is sealed with.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)
app.add_typer(keys)


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
    """Make a new sealing key, and seal all that is kept with it.

    The service may run.
    Where keys are configured (MG_PROVISION_SEALING_KEYS), put the new one first there yourself:
    everything is then sealed with it.
    """
    settings = load(os.environ, {"data": data or None}).settings
    directory = DataDirectory(Path(settings.data))
    file = directory.key_file
    with directory.changing_keys() as alone:
        if forget and not alone:
            raise CommandFailed(
                f"a service runs on {directory.path}: what it seals in this moment may still need "
                "an old key",
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


@app.command("backup", epilog=MEANINGS)
def backup(
    archive: Annotated[Path, typer.Argument(metavar="FILE.tar.gz", help="Archive to write.")],
    *,
    data: Data = "",
    json: Json = False,
) -> None:
    """Back the data directory up, also while the service runs. Keep the archive secret."""
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


@app.command("restore", epilog=MEANINGS)
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
    note(f"restored {', '.join(names)} to {settings.data}; next: provision serve")


async def _reseal(settings: Settings, sealer: Sealer, *, alone: bool) -> Mapping[str, int]:
    """Seal everything anew, and again what a running service had in hand meanwhile."""
    # A quarter of a second of imports that no other command needs.
    from provision.database import migrate, open_engine
    from provision.rekeying import reseal_all

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
