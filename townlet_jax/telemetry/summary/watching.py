"""What there is to see of a run that goes on: the newest figures, people and stories. Owns no terminal."""

import math
import threading
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from townlet_jax.telemetry.summary.found import Found
from townlet_jax.telemetry.summary.frames import Stream
from townlet_jax.telemetry.summary.sheets import Sheet
from townlet_jax.telemetry.summary.tally import USUAL_DAY
from townlet_jax.telemetry.summary.words import clean, number

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN = (  # figure, and what a line calls it
    ("alive", "alive"), ("reward_per_agent_day", "reward/day"), ("wallet_mean", "wallet"), ("hunger_mean", "hunger"),
    ("hygiene_mean", "hygiene"), ("energy_mean", "energy"), ("punctuality", "punctual"), ("solvency", "solvent"),
    ("conflicts_per_agent_day", "conflicts/day"), ("chats_ok_per_agent_day", "chats/day"), ("trust_mean", "trust"),
    ("rivalry_mean", "rivalry"), ("exits_faint_per_agent_day", "faints/day"),
    ("arrivals_per_agent_day", "arrivals/day"),
)  # fmt: skip
IN_A_LINE = ("alive", "reward/day", "wallet", "conflicts/day", "faints/day")
LEARNING = ("return_per_agent_day", "entropy", "kl", "explained_variance", "agent_steps_per_s")
MOST_PEOPLE, MOST_STORIES, MOST_FIGURES = 10, 5, 30


class View:
    """The newest of everything; fed by one thread, shown by another."""

    def __init__(self, town: int | None = None) -> None:
        self.ended: str | None = None
        self.is_fresh = False  # something worth a line came since the last one
        self.bad_lines = 0
        self._lock = threading.Lock()
        self._town = town
        self._stream = Stream()
        self._run: Mapping[str, Any] = {}
        self._tick = 0
        self._measures: Mapping[str, Any] = {}
        self._before: Mapping[str, Any] = {}
        self._health: Mapping[str, Any] = {}
        self._training: Mapping[str, Any] = {}
        self._agents: Mapping[str, Any] = {}
        self._stories: deque[tuple[str, str, str]] = deque(maxlen=MOST_STORIES)

    def take(self, found: Found) -> None:
        """Take a record."""
        with self._lock:
            self._take(found)

    def _take(self, found: Found) -> None:
        data, kind = found.data, found.kind
        if kind == "training":
            self._training, self.is_fresh = data, True
            return
        if kind == "run" and data["run_id"] != self._run.get("run_id"):
            self._stream, self.ended = Stream(), None
        if not self._stream.is_new(found):
            return
        self._tick = data["tick"]
        if kind == "run":
            self._run, self.ended = data, None
        elif kind in ("snapshot", "diff"):
            self._frame(found)
        elif kind == "measures":
            self._before, self._measures, self.is_fresh = self._measures, data, True
        elif kind == "health":
            self._health = data
        elif kind == "end":
            self.ended, self.is_fresh = clean(data["why"]), True

    def skip(self) -> None:
        """Forget numbers and frames: what comes next does not follow on what came before."""
        with self._lock:
            self._stream = Stream()

    def _frame(self, found: Found) -> None:
        taken = self._stream.frame(found)
        if taken is None:
            return
        frame, fresh = taken
        if self._town is None:
            self._town = found.data["town"]
        if self._town == found.data["town"] and frame.is_whole:
            self._agents, self.is_fresh = frame.sections.get("agents", {}), True
            for story in fresh.get("narrations", ()):
                self._stories.append((f"{story['tick']:,}", clean(story["category"]), clean(story["message"])))

    def line(self) -> str:
        """Return the newest in one line."""
        self.is_fresh = False
        if self._training:
            row = self._training
            figures = [f"{name} {number(_real(row.get(name)))}" for name in LEARNING if name in row]
            return " | ".join([f"update {row['update']:,}", *figures])
        figures = [f"{label} {number(self._now(name))}" for name, label in SHOWN if label in IN_A_LINE]
        parts = [self._where(), *(figures if self._measures else ()), *self._warnings()]
        return " | ".join(parts)

    def _where(self) -> str:
        day = self._run.get("ticks_per_day") or USUAL_DAY
        planned = self._run.get("planned_ticks", 0)
        of = f" of {number(planned / day, 1)}" if planned else ""
        speed = f", {number(self._health['ticks_per_second'])} town-ticks/s" if self._health else ""
        return f"tick {self._tick:,}, day {number(self._tick / day, 1)}{of}{speed}"

    def _warnings(self) -> list[str]:
        """Return what is not as it should be."""
        dropped = sum(one["dropped"] for one in self._health.get("channels", ()))
        faults = ", ".join(clean(name) for name in self._health.get("faults", {}))
        found = {
            "records lost": self._stream.sequences.lost,
            "dropped": dropped,
            "chunks skipped": self._health.get("skipped_chunks", 0),
            "bad lines": self.bad_lines,
        }
        return [f"{count:,} {what}" for what, count in found.items() if count] + (
            [f"FAULTS {faults}"] if faults else []
        )

    def _now(self, name: str, part: str = "mean", *, before: bool = False) -> float | None:
        record = self._before if before else self._measures
        return _real(record.get("kpis", {}).get(name, {}).get(part))

    def sheets(self) -> list[Sheet]:
        """Return the newest as tables."""
        if self._training:
            figures = list(self._training.items())[:MOST_FIGURES]
            learnt = tuple((clean(name), number(_real(value))) for name, value in figures)
            return [Sheet(title="", columns=("figure", "now"), rows=learnt)]
        made = []
        if self._measures:
            rows = tuple(
                (name, number(self._now(name)), number(self._now(name, before=True)), number(self._now(name, "p5")),
                 number(self._now(name, "p95")))
                for name, _ in SHOWN
            )  # fmt: skip
            columns = ("figure of the last chunk", "now", "before", "p5", "p95")
            made.append(Sheet(title="", columns=columns, rows=rows))
        if self._agents:
            made.append(self._people())
        if self._stories:
            made.append(Sheet(title="", columns=("tick", "category", "story"), rows=tuple(self._stories), texts=3))
        return made

    def _people(self) -> Sheet:
        alive = {name: one for name, one in self._agents.items() if one["alive"]}
        rows = tuple(
            (
                clean(name, 20),
                clean(_doing(one), 30),
                number(one["wallet"]),
                *(number(level, 2) for level in _needs(one)),
            )
            for name, one in list(alive.items())[:MOST_PEOPLE]
        )
        needs = [clean(need, 12) for need in next(iter(alive.values()))["needs"]][:4] if alive else []
        more = len(alive) - len(rows)
        notes = (f"and {more:,} more",) if more > 0 else ()
        columns = (f"agents of town {self._town}", "does", "wallet", *needs)
        return Sheet(title="", columns=columns, rows=rows, texts=2, notes=notes)

    def picture(self) -> "RenderableType":
        """Return the newest as something a terminal shows."""
        with self._lock:
            return self._picture()

    def _picture(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        from townlet_jax.telemetry.summary.showing import table

        run = self._run
        name = (
            f"{clean(run['config_id'])}, {clean(run['policy'])}, {run['towns']:,} towns"
            if run
            else "waiting for records"
        )
        head = Text(name if not self._training else "training", style="bold")
        place = Text(self._where() if not self._training else "")
        warnings = [Text(", ".join(self._warnings()), style="bold red")] if self._warnings() else []
        end = [Text(f"ended: {self.ended}", style="bold")] if self.ended is not None else []
        sheets = self.sheets()
        notes = [Text(note) for sheet in sheets for note in sheet.notes]
        return Group(head, place, *(table(sheet) for sheet in sheets), *notes, *warnings, *end)


def _real(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _doing(agent: Mapping[str, Any]) -> str:
    """Return what an agent does, in a few words."""
    if agent["activity"]:
        return f"{agent['activity']['affordance']} at {agent['activity']['object']}"
    if agent["queue"]:
        return f"waits for {agent['queue']['object']}"
    return str(agent["action"]["kind"])


def _needs(agent: Mapping[str, Any]) -> list[float]:
    return list(agent["needs"].values())[:4]
