"""The table of all commands, by name and by alias."""

from collections.abc import Mapping

from townlet_jax.console import (
    commands_people,
    commands_possession,
    commands_session,
    commands_snapshots,
    commands_ties,
    commands_town,
    commands_views,
)
from townlet_jax.console.commands_help import explaining
from townlet_jax.console.errors import ConsoleError, nearest, one_of, shown
from townlet_jax.console.rows import Row

ROWS: tuple[Row, ...] = (
    explaining(lambda: TABLE),
    *commands_session.ROWS,
    *commands_views.ROWS,
    *commands_people.ROWS,
    *commands_ties.ROWS,
    *commands_possession.ROWS,
    *commands_town.ROWS,
    *commands_snapshots.ROWS,
)
TABLE: Mapping[str, Row] = {name: row for row in ROWS for name in (row.name, *row.aliases)}


def row_named(name: str) -> Row:
    """Return a command by its name or alias; raises `ConsoleError` with the nearest names."""
    if name in TABLE:
        return TABLE[name]
    meant = nearest(name, TABLE)
    hint = f" (did you mean {one_of(meant)}?)" if meant else "; 'help' lists them"
    raise ConsoleError("unknown_command", f"There is no command '{shown(name)}'{hint}.", nearest=meant)
