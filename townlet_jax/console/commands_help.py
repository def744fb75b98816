"""The command that explains the others."""

from collections.abc import Callable, Mapping

from pydantic import Field

from townlet_jax.console.errors import ConsoleError, nearest, one_of, shown
from townlet_jax.console.host import Host
from townlet_jax.console.rows import Answer, Arguments, Row


class Help(Arguments):
    """What is to be explained."""

    name: str | None = Field(None, description="a command; default all of them")


def explaining(rows: Callable[[], Mapping[str, Row]]) -> Row:
    """Return the row of `help` over a table."""

    def explain(host: Host, arguments: Help) -> Answer:
        del host
        table = rows()
        if arguments.name is None:
            names = {row.name: row for row in table.values()}
            return {
                "commands": [
                    {"usage": row.usage, "role": row.role, "about": row.about} for _, row in sorted(names.items())
                ]
            }
        if arguments.name not in table:
            meant = nearest(arguments.name, table)
            hint = f" (did you mean {one_of(meant)}?)" if meant else ""
            raise ConsoleError("not_found", f"There is no command '{shown(arguments.name)}'{hint}.", nearest=meant)
        return table[arguments.name].described()

    return Row(
        name="help", about="All commands, or one with its arguments.", function=explain, arguments=Help,
        errors=("not_found",),
    )  # fmt: skip
