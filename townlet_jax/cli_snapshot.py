"""`townlet snapshot`: look at snapshots of towns, check them, go on from them, tidy up. Owns its options."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at snapshots, check them, go on from them.", no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[Path, typer.Argument(help="The folder that holds the snapshots.")]
Config = Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped one such as 'default'.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Changes, such as economy.rent_per_day=3.")]
Step = Annotated[int | None, typer.Option("--step", help="Which snapshot, by its tick; default the newest.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@app.command("list")
def list_all(folder: Folder, json: Json = False) -> None:
    """Show all snapshots: tick, towns, size, age, configuration, whether they are whole."""
    from townlet_jax import cli_snapshot_look

    raise typer.Exit(cli_snapshot_look.show_all(folder, as_json=json))


@app.command()
def inspect(folder: Folder, step: Step = None, json: Json = False) -> None:
    """Show what one snapshot says about itself."""
    from townlet_jax import cli_snapshot_look

    raise typer.Exit(cli_snapshot_look.inspect(folder, step, as_json=json))


@app.command()
def verify(folder: Folder, step: Step = None, json: Json = False) -> None:
    """Check every hash of all snapshots, or of one."""
    from townlet_jax import cli_snapshot_look

    raise typer.Exit(cli_snapshot_look.verify(folder, step, as_json=json))


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="File ending in .json or .npz.")],
    town: Annotated[int, typer.Option(help="Which town.")] = 0,
    step: Step = None,
    json: Json = False,
) -> None:
    """Write one town as JSON to read, or as arrays to compute with."""
    from townlet_jax import cli_snapshot_look

    raise typer.Exit(cli_snapshot_look.export(folder, step, town, out, as_json=json))


@app.command()
def restore(
    folder: Folder,
    config: Config,
    overrides: Overrides = None,
    step: Step = None,
    ticks: Annotated[int, typer.Option(help="Ticks to live from there on.")] = 0,
    town: Annotated[list[int] | None, typer.Option(help="Only this town; may be repeated.")] = None,
    branch: Annotated[int, typer.Option(help="Go on with so many copies of each town.")] = 1,
    same_key: Annotated[bool, typer.Option("--same-key", help="Let all copies draw the same numbers.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for a snapshot of what it came to.")] = None,
    json: Json = False,
) -> None:
    """Check that a snapshot fits a configuration, show its figures; let its towns live on, alone or in branches."""
    from townlet_jax import cli_snapshot_use

    wanted = cli_snapshot_use.Wanted(
        folder=folder,
        config=config,
        overrides=tuple(overrides or ()),
        step=step,
        ticks=ticks,
        towns=tuple(town) if town else None,
        branches=branch,
        same_key=same_key,
        out=out,
        json=json,
    )
    raise typer.Exit(cli_snapshot_use.restore(wanted))


@app.command()
def migrate(
    folder: Folder,
    config: Config,
    overrides: Overrides = None,
    step: Step = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the migrated snapshot.")] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Bring a snapshot of an earlier version, or of another configuration, to this one."""
    from townlet_jax import cli_snapshot_use

    wanted = cli_snapshot_use.Wanted(
        folder=folder, config=config, overrides=tuple(overrides or ()), step=step, out=out, json=json
    )
    raise typer.Exit(cli_snapshot_use.migrate(wanted, dry_run=dry_run))


@app.command()
def prune(
    folder: Folder,
    keep_latest: Annotated[int, typer.Option(help="Keep so many of the newest.")],
    keep_every: Annotated[int, typer.Option(help="Keep those whose tick is a multiple of this; 0 = none.")] = 0,
    keep_best: Annotated[str | None, typer.Option(help="Keep the one with the highest figure of this name.")] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Delete the snapshots that no rule keeps."""
    from townlet_jax import cli_snapshot_look

    rules = cli_snapshot_look.Rules(latest=keep_latest, every=keep_every, best=keep_best)
    raise typer.Exit(cli_snapshot_look.prune(folder, rules, dry_run=dry_run, as_json=json))
