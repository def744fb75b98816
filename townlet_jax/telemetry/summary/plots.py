"""Pictures of a run (key figures with bands, needs, reward terms, events) and of a training log. Needs matplotlib.

The line of a figure is its mean over towns, the band goes from the 5th to the 95th percentile. Time is in days.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from townlet_jax.telemetry.summary.collecting import Collected
from townlet_jax.telemetry.summary.curves import Curves, Series
from townlet_jax.telemetry.summary.output import folder, replacing
from townlet_jax.telemetry.summary.sources import ReadError
from townlet_jax.telemetry.summary.tally import RunTally
from townlet_jax.telemetry.summary.training import TrainingTally
from townlet_jax.telemetry.summary.words import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE, GRID, FAINT = "#1f5fa8", "#e3e3e3", "#6b6b6b"
COLOURS = ("#1f5fa8", "#d98d1f", "#3c8f5a", "#b8423f", "#7a5ba6", "#5e8ea8", "#9a7b4f", "#c46f9c", "#7d8f2e", "#444444")
DOTS = 120  # pixels an inch
WIDE, ROW = 10.0, 1.75  # inches
KPIS = (  # what is worth a panel, where it is there
    "alive", "reward_per_agent_day", "wallet_mean", "wallet_gini", "punctuality", "solvency",
    "conflicts_per_agent_day", "chats_ok_per_agent_day", "shared_meals_per_agent_day", "trust_mean", "rivalry_mean",
    "late_starts_per_agent_day", "absences_per_agent_day", "exits_faint_per_agent_day", "queue_length",
)  # fmt: skip
FRAME_KPIS = (
    "alive", "reward_mean", "wallet_mean", "wallet_gini", "on_shift", "queue_length_mean", "trust_mean", "rivalry_mean",
    "basket_cost",
)  # fmt: skip
TRAINING = (
    "return_per_agent_day", "entropy", "kl", "clip_fraction", "explained_variance", "value_loss", "policy_loss",
    "grad_norm", "choice_share", "agent_steps_per_s", "learning_rate", "conflicts_per_agent_day",
)  # fmt: skip
NEED = re.compile(r"(?P<need>\w+)_mean$|need_mean\.(?P<label>.+)$")
NO_NEEDS = frozenset({"wallet", "reward", "trust", "familiarity", "rivalry", "need"})
FEW_POINTS = 40  # of a line that shows its points
MOST_EVENTS = 9  # kinds with a colour of their own
CONSTANT = ("action.", "relationship_")  # what happens all the time would bury all other events


def draw(collected: Collected, into: Path) -> list[Path]:
    """Draw everything that there is into a folder and return the files; raises `ReadError`."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ReadError("--plots needs matplotlib; pip install 'townlet_jax[plots]'.") from error
    folder(into)
    several = len(collected.runs) + len(collected.training) > 1
    written = []
    for place, (stem, picture) in enumerate(pictures(collected, Figure)):
        path = into / f"{place:02}-{stem}.png" if several else into / f"{stem}.png"
        with replacing(path) as file:
            picture.savefig(file, format="png", dpi=DOTS)
        written.append(path)
    return written


def pictures(collected: Collected, blank: "type[Figure]") -> "Iterator[tuple[str, Figure]]":
    for run in collected.runs.values():
        made = {
            "key_figures": _kpis(run, blank),
            "needs": _needs(run, blank),
            "reward_terms": _terms(run, blank),
            "events": _events(run, blank),
        }
        for name, picture in made.items():
            if picture is not None:
                picture.suptitle(f"{_title(run)}: {name.replace('_', ' ')}", fontsize=10)
                yield name, picture
    for log in collected.training.values():
        drawn = _training(log, blank)
        if drawn is not None:
            yield "training", drawn


def _title(run: RunTally) -> str:
    if run.header is None:
        return f"run {run.run_id}"
    chosen = f"town {run.choice.town} of " if run.choice.town is not None else ""
    return f"{run.header.config_id}, {run.header.policy}, {chosen}{run.header.towns:,} towns, seed {run.header.seed}"


def _kpis(run: RunTally, blank: "type[Figure]") -> "Figure | None":
    return _grid(run.kpis, FRAME_KPIS if run.of_frames else KPIS, blank, scale=run.ticks_per_day, unit="day")


def _training(log: TrainingTally, blank: "type[Figure]") -> "Figure | None":
    picture = _grid(log.curves, TRAINING, blank, scale=1, unit="update")
    if picture is not None:
        picture.suptitle(f"training {log.name}", fontsize=10)
    return picture


def _grid(curves: Curves, wanted: Sequence[str], blank: "type[Figure]", *, scale: int, unit: str) -> "Figure | None":
    """Draw one panel a figure, two or three beside each other; those that are nothing but 0 are left out."""
    drawn = {name: curves.series(name) for name in wanted if name in curves.names}
    drawn = {name: series for name, series in drawn.items() if np.nan_to_num(series.mean).any()}
    if not drawn:
        return None
    columns = 3 if len(drawn) > 4 else min(2, len(drawn))
    rows = -(-len(drawn) // columns)
    picture = blank(figsize=(WIDE, 0.6 + ROW * rows), layout="constrained")
    panels = picture.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for panel, (name, series) in zip(panels, drawn.items(), strict=False):
        _style(panel, clean(name).replace("_", " ").replace("per agent day", "per agent-day"))
        _curve(panel, series, scale, LINE)
    for panel in panels[len(drawn) :]:
        panel.set_visible(False)
    for place in range(max(0, len(drawn) - columns), len(drawn)):
        panels[place].set_xlabel(unit, fontsize=8)
        panels[place].tick_params(labelbottom=True)
    return picture


def _curve(panel: "Axes", series: Series, scale: int, colour: str, label: str | None = None) -> None:
    """Draw a figure where it has a meaning; a constant gets room around it."""
    known = np.isfinite(series.mean)
    at, mean = series.at[known] / scale, series.mean[known]
    has_band = np.isfinite(series.p5[known]) & np.isfinite(series.p95[known])
    if has_band.any():
        low, high = series.p5[known][has_band], series.p95[known][has_band]
        panel.fill_between(at[has_band], low, high, color=colour, alpha=0.18, linewidth=0)
    is_patchy = known.sum() < FEW_POINTS or not known.all()
    panel.plot(at, mean, color=colour, linewidth=1.4, marker="o" if is_patchy else None, markersize=3, label=label)
    values = np.concatenate([part[np.isfinite(part)] for part in (mean, series.p5, series.p95)])
    if np.ptp(values) <= 1e-9 * max(np.abs(values).max(), 1e-9):
        panel.set_ylim(*sorted((0.0, 1.25 * values[0] or 1.0)))


def _style(panel: "Axes", title: str) -> None:
    panel.set_title(title, fontsize=8.5, loc="left")
    panel.grid(color=GRID, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=7.5, color=FAINT)
    panel.ticklabel_format(axis="y", useOffset=False)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        panel.spines[side].set_color(FAINT)


def _needs(run: RunTally, blank: "type[Figure]") -> "Figure | None":
    """Draw the mean of each need with its band, and dotted the lowest, where it is known."""
    found: dict[str, tuple[Series, Series | None]] = {}
    names = set(run.kpis.names)
    for name in run.kpis.names:
        form = NEED.match(name)
        need = (form["need"] or form["label"]) if form is not None else ""
        lowest = f"{need}_min" if form is not None and form["need"] else f"need_min.{need}"
        if need and need not in NO_NEEDS and lowest in names:
            found[clean(need)] = run.kpis.series(name), run.kpis.series(lowest)
    if not found:
        return None
    picture = blank(figsize=(WIDE, 3.6), layout="constrained")
    panel = picture.subplots()
    _style(
        panel, "mean over agents and towns, with the band of the towns; dotted: the lowest of a town, mean over towns"
    )
    for colour, (need, (mean, low)) in zip(COLOURS, found.items(), strict=False):
        _curve(panel, mean, run.ticks_per_day, colour, need)
        if low is not None:
            panel.plot(low.at / run.ticks_per_day, low.mean, color=colour, linewidth=1.0, linestyle=":")
    panel.set_ylim(0.0, 1.0)
    panel.set_xlabel("day", fontsize=8)
    panel.set_ylabel("level", fontsize=8)
    panel.legend(fontsize=8, frameon=False, ncols=len(found), loc="lower left")
    return picture


def _terms(run: RunTally, blank: "type[Figure]") -> "Figure | None":
    """Stack the reward terms, gains above zero and losses below, with their sum as a line."""
    series = {name: run.terms.series(name) for name in run.terms.names}
    series = {name: one for name, one in series.items() if np.nan_to_num(one.mean).any()}
    if not series:
        return None
    at = next(iter(series.values())).at / run.ticks_per_day
    edges, widths = _bars(at)
    picture = blank(figsize=(WIDE, 4.0), layout="constrained")
    panel = picture.subplots()
    _style(panel, "reward an agent-tick, mean over agents and towns; black: the sum")
    above, below, total = np.zeros(len(at)), np.zeros(len(at)), np.zeros(len(at))
    for colour, (name, one) in zip(COLOURS, series.items(), strict=False):
        value = np.nan_to_num(one.mean)
        base = np.where(value >= 0, above, below)
        panel.bar(
            edges, value, widths, base, align="edge", color=colour, label=clean(name).replace("_", " "), linewidth=0
        )
        above, below = above + np.maximum(value, 0), below + np.minimum(value, 0)
        total += value
    ends = np.append(edges, edges[-1] + widths[-1])
    panel.step(ends, np.append(total, total[-1]), where="post", color="black", linewidth=1.2)
    panel.axhline(0.0, color=FAINT, linewidth=0.8)
    panel.set_xlabel("day", fontsize=8)
    panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return picture


def _bars(at: Any) -> tuple[Any, Any]:
    """Return left edges and widths of bars around points that need not be evenly spaced."""
    if len(at) == 1:
        return at - 0.5, np.ones(1)
    inner = (at[1:] + at[:-1]) / 2
    edges = np.concatenate(([2 * at[0] - inner[0]], inner, [2 * at[-1] - inner[-1]]))
    return edges[:-1], np.diff(edges)


def _events(run: RunTally, blank: "type[Figure]") -> "Figure | None":
    """Stack how often events happened, apart from those that never stop."""
    table = run.spans.table()
    totals = {clean(name): count for name, count in run.spans.totals.most_common()}
    groups = {
        "events a day in all watched towns": [name for name in totals if not name.startswith(CONSTANT)],
        "actions and changes of ties": [name for name in totals if name.startswith(CONSTANT)],
    }
    groups = {title: names for title, names in groups.items() if names}
    if not groups:
        return None
    picture = blank(figsize=(WIDE, 0.4 + 3.0 * len(groups)), layout="constrained")
    panels = picture.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    days = max(run.spans.width / run.ticks_per_day, 1 / run.ticks_per_day)
    for panel, (title, names) in zip(panels, groups.items(), strict=True):
        _style(panel, title)
        _stack(panel, table, names, run, days)
    panels[-1].set_xlabel("day", fontsize=8)
    return picture


def _stack(panel: "Axes", table: dict[int, Counter[str]], names: list[str], run: RunTally, days: float) -> None:
    own, rest = names[:MOST_EVENTS], names[MOST_EVENTS:]
    at = np.array(list(table)) / run.ticks_per_day
    base = np.zeros(len(at))
    layers = [(name, [name]) for name in own] + ([(f"{len(rest)} others", rest)] if rest else [])
    for colour, (label, held) in zip(COLOURS, layers, strict=False):
        height = np.array([sum(counts[name] for name in held) for counts in table.values()]) / days
        panel.bar(at, height, 0.92 * days, base, align="edge", color=colour, label=label, linewidth=0)
        base += height
    panel.legend(fontsize=7.5, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True)
