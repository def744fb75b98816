"""How the script hands its decisions over to the network, and when it stops to: plain numbers, no arrays.

Owns the key figures that are watched and the rules of MECHANICS 5.6.1 and issue 4: the share of the script falls in a
straight line; while a key figure is too far below the start it stays where it is, and falls on when all are well again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Figures = Mapping[str, float]
Status = Literal["PASS", "HOLD", "FAIL"]


@dataclass(frozen=True)
class Watched:
    """A key figure: the line of the log it is read from, whether more is better, and what is too little to matter."""

    name: str
    field: str
    slack: float  # in its own unit: a change that is smaller is none
    sign: float = 1.0  # -1: less is better
    offset: float = 0.0

    def of(self, row: Figures) -> float:
        """Return the figure of an update; more is always better."""
        return self.offset + self.sign * row[self.field]


WATCHED = (
    Watched("return", "return_per_agent_day", slack=2.0),
    Watched("self_sufficiency", "wages_per_agent_day", slack=0.2),  # coins earned
    Watched("attendance", "absences_per_agent_day", slack=0.05, sign=-1.0, offset=1.0),
    Watched("lateness", "late_starts_per_agent_day", slack=0.1, sign=-1.0),
)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When handing over stops."""

    window: int = 5  # updates over which figures are averaged
    tolerance: float = 0.3  # of the start
    patience: int = 60  # frozen updates in all stages together


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """How the share of the script falls in one stage."""

    updates: int
    script_from: float = 0.0
    script_to: float = 0.0

    def at(self, place: int) -> float:
        """Return the share after so many updates that were not frozen: the last one has `script_to`."""
        if self.updates <= 1:
            return self.script_to
        done = min(place, self.updates - 1) / (self.updates - 1)
        return self.script_from + (self.script_to - self.script_from) * done


@dataclass(frozen=True, kw_only=True)
class Handover:
    """Where the handing over stands. `place` counts updates of the stage that were not frozen."""

    ramp: Ramp
    place: int = 0
    frozen: int = 0  # updates, in all stages so far
    is_frozen: bool = False
    start: Figures | None = None  # means over the first window, None until it is full
    recent: tuple[Figures, ...] = ()  # the last updates, at most a window

    @property
    def share(self) -> float:
        """Return the share of decisions that the script makes in the next update."""
        return self.ramp.at(self.place)

    @property
    def is_over(self) -> bool:
        """Tell whether the stage has had its updates."""
        return self.place >= self.ramp.updates

    def next_stage(self, ramp: Ramp) -> "Handover":
        """Return where the next stage begins; the start stays that of the first one."""
        return replace(self, ramp=ramp, place=0, is_frozen=False)


def advanced(now: Handover, row: Figures, rules: Rules) -> Handover:
    """Return where the handing over stands after an update.

    An update whose figures are bad freezes the share: the next one has the same. Nothing is judged before the first
    window is full.
    """
    figures = {one.name: one.of(row) for one in WATCHED}
    recent = (*now.recent, figures)[-rules.window :]
    start = now.start
    if start is None and len(recent) == rules.window:
        start = means(recent)
    bad = bool(worse(start, means(recent), rules.tolerance)) if start is not None else False
    can_fall = now.ramp.script_from != now.ramp.script_to
    freezes = bad and can_fall and now.place < now.ramp.updates - 1
    return replace(
        now,
        place=now.place + (0 if freezes else 1),
        frozen=now.frozen + (1 if freezes else 0),
        is_frozen=freezes,
        start=start,
        recent=recent,
    )


def means(rows: Sequence[Figures]) -> dict[str, float]:
    """Return the mean of every figure."""
    return {one.name: sum(row[one.name] for row in rows) / len(rows) for one in WATCHED}


def thresholds(start: Figures, tolerance: float) -> dict[str, float]:
    """Return the lowest value of each figure that is well: `start - max(tolerance |start|, slack)`."""
    return {one.name: start[one.name] - max(tolerance * abs(start[one.name]), one.slack) for one in WATCHED}


def worse(start: Figures, now: Figures, tolerance: float) -> list[str]:
    """Return the figures that are below their threshold."""
    lowest = thresholds(start, tolerance)
    return [name for name, least in lowest.items() if now[name] < least]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How an anneal ended: PASS, HOLD (not handed over, or worse than at the start), FAIL; and why."""

    status: Status
    reasons: tuple[str, ...]


def verdict(
    end: Handover | None, rules: Rules, *, gates_missed: Sequence[str], lost: Sequence[str], stopped: bool
) -> Verdict:
    """Judge an anneal. `end` is where its PPO stages ended, None if it had none."""
    failures = [f"{name} is no number any more" for name in lost] + list(gates_missed)
    if failures:
        return Verdict(status="FAIL", reasons=tuple(failures))
    held = ["somebody asked to stop"] if stopped else []
    if end is not None:
        if end.share > 0:
            held.append(f"the script still makes {end.share:.0%} of the decisions")
        if end.frozen > rules.patience:
            held.append(f"the share was frozen for {end.frozen} updates, more than {rules.patience}")
        if end.start is None:
            held.append(f"fewer than {rules.window} updates were done, so there is nothing to compare with")
        else:
            now = means(end.recent)
            lowest = thresholds(end.start, rules.tolerance)
            held += [
                f"{name} is {now[name]:.3g}, below {lowest[name]:.3g}"
                for name in worse(end.start, now, rules.tolerance)
            ]
    return Verdict(status="HOLD" if held else "PASS", reasons=tuple(held))
