"""Policies side by side: a table for the terminal, and a picture of what differs from the first one.

Owns no figure: which are worth a line stands in `kpi_table.GROUPS`.
"""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from townlet_jax.evaluate import LEVEL, Comparison, Estimate
from townlet_jax.files import replacing
from townlet_jax.run import RunError
from townlet_jax.ui.kpi_table import GROUPS, Line

_CELL = 14  # columns of the longest usual number with its interval
CLEAR, VAGUE = "#1f5fa8", "#b9b9b9"  # a difference that is significant, one that is not


def table(compared: Sequence[Comparison], *, title: str) -> Table:
    """Return means with the half-width of their intervals; differences to the first policy, significant ones bold."""
    made = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("figure", no_wrap=True, min_width=20)
    for place, one in enumerate(compared):
        made.add_column(Text(one.policy), justify="right", no_wrap=True, min_width=_CELL)
        if place:
            made.add_column(Text(f"- {compared[0].policy}"), justify="right", no_wrap=True, min_width=_CELL)
    made.add_column("unit", style="dim", no_wrap=True)
    for group, lines in GROUPS.items():
        made.add_row(Text(group, style="bold cyan"))
        for line in lines:
            made.add_row(Text(f"  {line.label}"), *_cells(compared, line), Text(line.unit))
    return made


def _cells(compared: Sequence[Comparison], line: Line) -> list[Text]:
    cells = []
    for place, one in enumerate(compared):
        cells.append(_shown(one.figures[line.figure], line.digits, signed=False))
        if place:
            cells.append(_shown(one.differences[line.figure], line.digits, signed=True))
    return cells


def _shown(estimate: Estimate, digits: int, *, signed: bool) -> Text:
    if estimate.mean is None:
        return Text("–")
    number = f"{estimate.mean:{'+' if signed else ''},.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return Text(number)
    style = "bold" if signed and estimate.differs_from_zero else "dim" if signed else ""
    return Text(f"{number} ±{(estimate.high - estimate.low) / 2:,.{digits}f}", style=style)


def picture(compared: Sequence[Comparison], path: Path, *, title: str) -> None:
    """Draw the differences to the first policy, in units of its interval's width, into a PNG, SVG or PDF.

    Raises `RunError` where matplotlib is missing or there is nothing to compare.
    """
    if len(compared) < 2:
        raise RunError("A picture shows differences, so it needs at least two policies; give a second --policy.")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RunError("A picture needs matplotlib; pip install 'townlet_jax[plots]'.") from error
    lines = [line for group in GROUPS.values() for line in group]
    lines = [line for line in lines if any(one.differences[line.figure].low is not None for one in compared[1:])]
    drawn = Figure(figsize=(4.2 + 2.4 * (len(compared) - 1), 1.4 + 0.24 * len(lines)), layout="constrained")
    panels = drawn.subplots(1, len(compared) - 1, sharey=True, squeeze=False)[0]
    for panel, one in zip(panels, compared[1:], strict=True):
        for place, line in enumerate(lines):
            estimate, usual = one.differences[line.figure], compared[0].figures[line.figure].mean
            if estimate.mean is None or estimate.low is None or estimate.high is None:
                continue
            scale = max(abs(usual or 0.0), abs(estimate.mean), 1e-9)
            colour = CLEAR if estimate.differs_from_zero else VAGUE
            panel.plot([estimate.low / scale, estimate.high / scale], [place, place], color=colour, linewidth=2)
            panel.plot(estimate.mean / scale, place, "o", color=colour, markersize=4)
        panel.axvline(0.0, color="black", linewidth=0.8)
        panel.set_title(f"{one.policy} against {compared[0].policy}", fontsize=9)
        panel.set_xlabel("difference / size of the figure", fontsize=8)
        panel.tick_params(labelsize=8)
    panels[0].set_yticks(range(len(lines)), [f"{line.label} [{line.unit}]" for line in lines], fontsize=7)
    panels[0].invert_yaxis()
    drawn.suptitle(f"{title}; blue: the {LEVEL:.0%} interval leaves out 0", fontsize=9)
    with replacing(path) as file:
        drawn.savefig(file, format=path.suffix.removeprefix("."), dpi=120)
