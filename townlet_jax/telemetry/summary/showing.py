"""Sheets for people: text for a terminal or a pipe, Markdown for a page."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from townlet_jax.telemetry.summary.sheets import Sheet
from townlet_jax.telemetry.summary.words import markdown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show(sheets: Iterable[Sheet], console: "Console") -> None:
    """Print sheets as tables; nothing in a cell is taken for markup."""
    from rich.text import Text

    for sheet in sheets:
        console.print(Text(sheet.title, style="bold"))
        if sheet.rows:
            console.print(_fitting(sheet, console))
        for note in sheet.notes:
            console.print(Text(f"  {note}"), soft_wrap=True)
        console.print()


def _fitting(sheet: Sheet, console: "Console") -> "Table":
    """Return the table of a sheet, without spare columns as far as there is no room for them."""
    from rich.measure import Measurement

    left_out: set[str] = set()
    made = table(sheet, left_out)
    for column in sheet.spare:
        if Measurement.get(console, console.options.update(max_width=10_000), made).maximum <= console.width:
            break
        left_out.add(column)
        made = table(sheet, left_out)
    return made


def table(sheet: Sheet, left_out: Iterable[str] = ()) -> "Table":
    """Return a sheet as a table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    kept = [place for place, column in enumerate(sheet.columns) if column not in left_out]
    for place in kept:
        is_text = place < sheet.texts
        made.add_column(
            Text(sheet.columns[place]),
            justify="left" if is_text else "right",
            overflow="fold",
            no_wrap=not is_text,
        )
    for row in sheet.rows:
        made.add_row(*(Text(row[place]) for place in kept))
    return made


def as_markdown(sheets: Iterable[Sheet]) -> str:
    """Return sheets as GitHub's Markdown."""
    return "\n".join(_section(sheet) for sheet in sheets)


def _section(sheet: Sheet) -> str:
    lines = [f"## {markdown(sheet.title)}", ""]
    if sheet.rows:
        rules = ["---" if place < sheet.texts else "---:" for place in range(len(sheet.columns))]
        rows = [[markdown(cell) for cell in row] for row in (sheet.columns, *sheet.rows)]
        lines += [f"| {' | '.join(cells)} |" for cells in (rows[0], rules, *rows[1:])]
        lines.append("")
    lines += [line for note in sheet.notes for line in (markdown(note), "")]
    return "\n".join(lines)
