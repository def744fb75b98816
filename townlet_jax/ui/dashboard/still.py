"""One picture of the dashboard as a file or as text: for pages, bug reports and pipes."""

import io
from pathlib import Path

from rich.console import Console
from rich.text import Text

from townlet_jax import files
from townlet_jax.ui.dashboard.block import Piece, Row, cells
from townlet_jax.ui.dashboard.layout import arrange
from townlet_jax.ui.dashboard.look import Look


def canvas(look: Look, width: int, height: int) -> list[Row]:
    """Return the rows of the whole picture."""
    grid = [[Piece(" ")] * width for _ in range(height)]
    for place in arrange(look, width, height):
        rows = place.panel.draw(look, place.width, place.height).lines(place.width, place.height)
        for y, row in enumerate(rows, start=place.y):
            x = place.x
            for text, style in row:
                for letter in text:
                    size = cells(letter)
                    if size:
                        grid[y][x : x + size] = [Piece(letter, style), *[Piece("", style)] * (size - 1)]
                        x += size
                    elif x:  # stands on the letter before
                        grid[y][x - 1] = Piece(grid[y][x - 1].text + letter, grid[y][x - 1].style)
    return [_joined(row) for row in grid]


def _joined(row: list[Piece]) -> Row:
    found: list[Piece] = []
    for piece in row:
        if found and found[-1].style == piece.style:
            found[-1] = Piece(found[-1].text + piece.text, piece.style)
        else:
            found.append(piece)
    return found


def write(look: Look, path: Path, width: int, height: int) -> None:
    """Write the picture as SVG, or as plain text if the name says so."""
    rows = canvas(look, width, height)
    if path.suffix == ".txt":
        text = "\n".join("".join(piece.text for piece in row).rstrip() for row in rows) + "\n"
    else:
        text = _svg(rows, width, height)
    with files.replacing(path) as file:
        file.write(text.encode())


def _svg(rows: list[Row], width: int, height: int) -> str:
    console = Console(width=width, height=height, record=True, file=io.StringIO(), color_system="truecolor")
    for row in rows:
        console.print(Text.assemble(*((text, style) for text, style in row)), no_wrap=True, crop=True)
    return console.export_svg(title="townlet watch")
