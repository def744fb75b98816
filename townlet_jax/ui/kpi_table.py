"""The key figures of a run as a table for people: grouped, with units, mean and spread over the towns.

Owns which figures are worth a line and when one is coloured; all of them are in the JSON.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

Spread = Mapping[str, float | None]


class Line(NamedTuple):
    """One figure of the table."""

    figure: str
    label: str
    unit: str = ""
    digits: int = 2
    good: Callable[[float], bool] | None = None  # of the mean; None = no judgement


def _all_of_them(value: float) -> bool:
    return value >= 0.99


def _none(value: float) -> bool:
    return value == 0.0


A_DAY, COINS_A_DAY = "per agent-day", "coins/agent-day"
GROUPS: dict[str, tuple[Line, ...]] = {
    "Life": (
        Line("alive", "living agents", "per town"),
        Line("exits_faint_per_agent_day", "faints", A_DAY, good=_none),
        Line("exits_eviction_job_per_agent_day", "evictions, absence", A_DAY, good=_none),
        Line("exits_eviction_rent_per_agent_day", "evictions, rent", A_DAY, good=_none),
        Line("arrivals_per_agent_day", "arrivals", A_DAY),
        Line("survival_days", "life until a faint", "days"),
    ),
    "Needs": (
        Line("hunger_mean", "hunger", "level"),
        Line("hygiene_mean", "hygiene", "level"),
        Line("energy_mean", "energy", "level"),
        Line("hunger_min", "hunger, lowest ever", "level", good=lambda value: value > 0.1),
        Line("hygiene_min", "hygiene, lowest ever", "level"),
        Line("energy_min", "energy, lowest ever", "level"),
    ),
    "Work": (
        Line("punctuality", "punctuality", "of shift ticks", good=_all_of_them),
        Line("late_starts_per_agent_day", "late starts", A_DAY, good=lambda value: value <= 0.1),
        Line("absences_per_agent_day", "absences", A_DAY, good=_none),
        Line("wages_paid_per_agent_day", "wages", COINS_A_DAY),
        Line("fines_per_agent_day", "fines", COINS_A_DAY),
    ),
    "Money": (
        Line("wallet_mean", "wallet", "coins"),
        Line("wallet_min", "wallet, poorest ever", "coins"),
        Line("wallet_gini", "inequality (gini)", "0 to 1"),
        Line("coins_spent_per_agent_day", "spent", COINS_A_DAY),
        Line("rent_paid_per_agent_day", "rent", COINS_A_DAY),
        Line("solvency", "solvency", "of rents due", good=_all_of_them),
    ),
    "People": (
        Line("chats_ok_per_agent_day", "good chats", A_DAY),
        Line("chats_failed_per_agent_day", "failed chats", A_DAY),
        Line("shared_meals_per_agent_day", "shared meals", A_DAY),
        Line("conflicts_per_agent_day", "conflicts", A_DAY),
        Line("trust_mean", "trust", "-1 to 1", 3),
        Line("rivalry_mean", "rivalry", "0 to 1", 3),
    ),
    "Queues": (
        Line("queue_length", "waiting", "per object", 3),
        Line("handovers_per_agent_day", "handovers", A_DAY),
        Line("ghost_steps_per_agent_day", "ghost steps", A_DAY),
        Line("refused_per_agent_day", "refused actions", A_DAY),
    ),
    "Reward": (
        Line("reward_mean", "reward", "per agent-tick", 4),
        Line("reward_per_agent_day", "reward", A_DAY),
    ),
}


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _styled(line: Line, spread: Spread) -> Text:
    mean = spread["mean"]
    style = ""
    if line.good is not None and mean is not None:
        style = "green" if line.good(mean) else "bold red"
    return Text(_number(mean, line.digits), style=style)


def table(kpis: Mapping[str, Spread], *, affordances: tuple[str, ...], title: str) -> Table:
    """Return the table of the figures, 80 columns wide at most for figures below a million, affordances last."""
    made = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("figure", no_wrap=True, min_width=20)
    for name in ("mean", "p5", "p50", "p95"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("unit", style="dim", no_wrap=True)
    used = tuple(Line(f"starts_{name}_per_agent_day", name, A_DAY) for name in affordances)
    for group, lines in {**GROUPS, "Begun": used}.items():
        made.add_row(Text(group, style="bold cyan"))
        for line in lines:
            spread = kpis[line.figure]
            made.add_row(
                Text(f"  {line.label}"),
                _styled(line, spread),
                *(Text(_number(spread[name], line.digits)) for name in ("p5", "p50", "p95")),
                Text(line.unit),
            )
    return made
