"""`townlet config`: check, show and document town files. Never imports jax, so it starts fast."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
import yaml

from townlet_jax.config import Config, ConfigError, load

app = typer.Typer(help="Check, show and document town files.", no_args_is_help=True, rich_markup_mode=None)

File = Annotated[str, typer.Argument(metavar="PATH", help="A town file, or the name of a preset such as default.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY.SUB=VALUE]...", help="Values to change, e.g. spec.num_agents=16.")
]
SECTION_HELP = "Show only this section, e.g. economy."


class _Block(str):
    """Text that is written as a block."""


class _Dumper(yaml.SafeDumper):
    """Writes maps of a town as blocks."""


def _write_block(dumper: yaml.SafeDumper, text: _Block) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(_Block, _write_block)


def _load(path: str, overrides: Sequence[str] | None) -> Config:
    """Load a file, or say in one sentence why not and leave with code 2."""
    try:
        return load(path, tuple(overrides or ()))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


@app.command()
def check(path: File, overrides: Overrides = None) -> None:
    """Check a town file; print its sizes and what is odd about it."""
    from townlet_jax.config.plan import plan
    from townlet_jax.config.warn import check_warnings

    config = _load(path, overrides)
    made = plan(config)
    spec, names = made.spec, made.names
    print(f"{names.config_id}: ok ({names.config_hash[:12]})")
    print(f"  map {spec.grid_width} x {spec.grid_height}, {len(names.homes)} homes, {len(names.places)} places")
    print(f"  {spec.num_agents} agent slots, {len(names.objects)} objects of {len(names.object_types)} types")
    print(f"  {len(names.affordances)} affordances, {len(names.jobs)} jobs, {len(config.restock)} deliveries")
    print(f"  {len(names.goods)} goods, {len(names.prices)} prices, {len(names.utilities)} utilities")
    print(f"  {len(names.perturbations)} perturbations, {len(names.profiles)} profiles")
    if names.scenario is not None:
        print(f"  scenario of {names.scenario.ticks} ticks, {len(names.scenario.timeline)} commands")
    for warning in check_warnings(config):
        print(f"warning {warning}")


@app.command()
def show(
    path: File, overrides: Overrides = None, section: Annotated[str | None, typer.Option(help=SECTION_HELP)] = None
) -> None:
    """Print the merged configuration as YAML, every default written out."""
    from townlet_jax.config.errors import listed, nearest
    from townlet_jax.config.plan import as_data

    data = as_data(_load(path, overrides))
    if section is not None and section not in data:
        hint = nearest(section, data)
        print(f"error: --section {section} does not exist{hint}; use one of: {listed(data)}.", file=sys.stderr)
        raise typer.Exit(2)
    rows = data["town"]["rows"]
    if rows is not None:
        data["town"]["rows"] = _Block("\n".join(rows) + "\n")
    chosen = data if section is None else {section: data[section]}
    print(yaml.dump(chosen, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120), end="")


@app.command()
def schema() -> None:
    """Print the JSON Schema of town files."""
    from townlet_jax.config.reference import json_schema

    print(json_schema())


@app.command()
def reference() -> None:
    """Print the reference of all keys as Markdown."""
    from townlet_jax.config.reference import markdown

    print(markdown(), end="")


if __name__ == "__main__":
    app()
