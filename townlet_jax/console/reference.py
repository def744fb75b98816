"""Writes the commands down for people: a section for each, generated from the table.

`python -m townlet_jax.console.reference docs/console.md` writes them into the page, below its mark.
"""

import sys
from pathlib import Path

from townlet_jax.console import (
    commands_people,
    commands_possession,
    commands_session,
    commands_snapshots,
    commands_ties,
    commands_town,
    commands_views,
)
from townlet_jax.console.rows import Row
from townlet_jax.console.table import TABLE

MARK = "<!-- generated from here on by python -m townlet_jax.console.reference -->"
GROUPS = (
    ("The session", (TABLE["help"], *commands_session.ROWS)),
    ("Looking", commands_views.ROWS),
    ("Agents", commands_people.ROWS),
    ("Between agents", commands_ties.ROWS),
    ("Possession", commands_possession.ROWS),
    ("The town", commands_town.ROWS),
    ("Snapshots", commands_snapshots.ROWS),
)


def markdown() -> str:
    """Return the reference of all commands."""
    lines: list[str] = []
    for title, rows in GROUPS:
        lines += ["", f"### {title}"]
        for row in rows:
            lines += ["", *_section(row)]
    return "\n".join(lines).strip() + "\n"


def _section(row: Row) -> list[str]:
    told = row.described()
    also = f" (also `{'`, `'.join(row.aliases)}`)" if row.aliases else ""
    needs = ", with a `cmd_id`" if row.needs_id else ""
    lines = [f"`{row.usage}`{also}: {row.about} For {row.role}s{needs}."]
    rows = [argument for argument in told["arguments"] if argument["name"] != "town"]
    if rows:
        lines += ["", "| argument | kind | meaning |", "| --- | --- | --- |"]
    for argument in rows:
        about = argument["about"] or argument["name"]
        if "default" in argument:
            about = f"{about}; default {argument['default']}"
        elif not argument["required"] and "default" not in about:
            about = f"{about}; may be left out"
        lines.append(f"| `{argument['name']}` | {argument['kind']} | {about.replace('|', chr(92) + '|')} |")
    if row.errors:
        lines += ["", f"Refusals: {', '.join(f'`{code}`' for code in row.errors)}."]
    return lines


def rewritten(page: str) -> str:
    """Return a page with the reference below its mark."""
    head, mark, _ = page.partition(MARK)
    return f"{head.rstrip()}\n\n{mark or MARK}\n\n{markdown()}"


def main() -> None:
    """Write the reference into the page that is named."""
    page = Path(sys.argv[1])
    page.write_text(rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
