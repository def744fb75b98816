"""The analysers once more, slow and obvious: one town, plain numbers, every tick remembered (MECHANICS 9.2, 9.3)."""

from dataclasses import dataclass, field
from typing import Any

START, USE = 3, 4
LATE, NOBODY, NEVER = 3, -1, -1
NAMES = (
    "queue_fairness_pressure", "rivalry_spike", "starvation_spike", "option_thrashing", "reward_variance_spike",
    "embedding_reuse_warning", "affordance_failures_exceeded", "lateness_spike", "employment_exit_queue_overflow",
    "employment_exit_backlog",
)  # fmt: skip


@dataclass
class Reference:
    """One town under analysers."""

    settings: dict[str, Any]
    bucket: int
    past: list[dict[str, float]] = field(default_factory=list)
    streaks: dict[int, int] = field(default_factory=dict)
    window_start: int = 0
    window_failed: bool = False
    streak: int = 0
    result: int = 0
    evaluated: int = NEVER
    sums: list[float] = field(default_factory=lambda: [0.0] * 5)
    last_sums: list[float] = field(default_factory=lambda: [0.0] * 5)

    def over(self, tick: int, window: int, name: str) -> float:
        """Sum what was counted in the buckets that a window reaches."""
        oldest = tick // self.bucket - -(-window // self.bucket)
        return sum(row[name] for row in self.past if row["tick"] // self.bucket > oldest)

    def see(self, params: Any, before: Any, after: Any, out: Any) -> list[str]:
        """Return the alerts of a tick."""
        tick, rules = int(after.clock.tick), self.settings
        agents = range(len(out.valid))
        acting = [a for a in agents if out.valid[a]]
        row = {"tick": tick, "incidents": self._incidents(out, agents)}
        row["rewards"], row["sum"] = len(acting), sum(float(out.reward[a]) for a in acting)
        row["squares"] = sum(float(out.reward[a]) ** 2 for a in acting)
        row["switches"] = int(out.measures.switches)
        row["strong"] = self._strong(params, out, agents)
        self.past.append(row)
        found = {
            "queue_fairness_pressure": self._pressure(before, after),
            "rivalry_spike": self._over("rivalry_spike", tick, "strong") >= rules["rivalry_spike"]["threshold"],
            "starvation_spike": self._over("starvation_spike", tick, "incidents")
            > rules["starvation_spike"]["max_incidents"],
            "option_thrashing": self._thrashing(tick),
            "reward_variance_spike": self._variance(tick),
            "affordance_failures_exceeded": self._failures(before, out, agents)
            > rules["affordance_failures_exceeded"]["threshold"],
            "lateness_spike": self._late(out, agents) > rules["lateness_spike"]["threshold"],
        }
        given_out, all_of_them = int(after.embeddings.forced_reuses), int(after.embeddings.allocations)
        warning = float(params.embeddings.reuse_warning)
        found["embedding_reuse_warning"] = warning > 0 and given_out / max(1, all_of_them) > warning
        queued = sum(after.roster.alive[a] and after.exits.asked_tick[a] != NEVER for a in agents)
        limit = int(params.employment.exit_queue_limit)
        found["employment_exit_queue_overflow"] = limit > 0 and queued > limit
        found["employment_exit_backlog"] = queued > 0 and not found["employment_exit_queue_overflow"]
        alerts = [name for name in NAMES if found[name]]
        self._window(tick, alerts, out, agents)
        return alerts

    def _over(self, alert: str, tick: int, name: str) -> float:
        return self.over(tick, self.settings[alert]["window_ticks"], name)

    def _incidents(self, out: Any, agents: range) -> int:
        rule, found = self.settings["starvation_spike"], 0
        for a in agents:
            hungry = out.seen.roster.alive[a] and out.seen.needs.level[a, 0] <= rule["level"] + 1e-5
            self.streaks[a] = self.streaks.get(a, 0) + 1 if hungry else 0
            found += hungry and self.streaks[a] == rule["min_duration"]
            if out.outcomes.departures.gone[a]:
                self.streaks[a] = 0
        return found

    def _strong(self, params: Any, out: Any, agents: range) -> int:
        quarrels, least = out.outcomes.conflicts, float(params.conflict.avoid_threshold)
        ghosts = sum(quarrels.rival_ghost[a] != NOBODY and quarrels.intensity_ghost[a] >= least for a in agents)
        return int(
            ghosts + sum(quarrels.rival_wait[a] != NOBODY and quarrels.intensity_wait[a] >= least for a in agents)
        )

    def _pressure(self, before: Any, after: Any) -> bool:
        rose = (
            int(after.queues.ghost_steps) - int(before.queues.ghost_steps),
            int(after.queues.rotations) - int(before.queues.rotations),
        )
        return max(rose) >= int(self.settings["queue_fairness_pressure"]["threshold"])

    def _thrashing(self, tick: int) -> bool:
        rule = self.settings["option_thrashing"]
        ticks = self._over("option_thrashing", tick, "rewards")
        switches = self._over("option_thrashing", tick, "switches")
        return ticks >= rule["min_samples"] and ticks > 0 and switches / ticks > rule["rate"]

    def _variance(self, tick: int) -> bool:
        rule = self.settings["reward_variance_spike"]
        amount = self._over("reward_variance_spike", tick, "rewards")
        if amount < max(1, rule["min_samples"]):
            return False
        mean = self._over("reward_variance_spike", tick, "sum") / amount
        return self._over("reward_variance_spike", tick, "squares") / amount - mean**2 > rule["max_variance"]

    def _failures(self, before: Any, out: Any, agents: range) -> int:
        told, found = out.outcomes.verdicts, 0
        for a in agents:
            if told.kind[a] in (START, USE):
                held = told.object[a] != NOBODY and before.queues.holding[a] == told.object[a]
                held = held and out.outcomes.shocks.relocated[a] == NOBODY
                found += (5 <= told.reason[a] <= 9 and held) or 11 <= told.reason[a] <= 15
            found += out.outcomes.aborts.reason[a] != 0
        return found

    def _late(self, out: Any, agents: range) -> int:
        return sum(int(out.seen.employment.late_today[a]) for a in agents if out.seen.roster.alive[a])

    def _window(self, tick: int, alerts: list[str], out: Any, agents: range) -> None:
        rule = self.settings["promotion"]
        while tick >= self.window_start + rule["window_ticks"]:
            self.result = 2 if self.window_failed else 1
            self.streak = 0 if self.window_failed else self.streak + 1
            self.evaluated = self.window_start + rule["window_ticks"] - 1
            self.window_start += rule["window_ticks"]
            self.window_failed = False
            self.last_sums, self.sums = self.sums, [0.0] * 5
        self.window_failed |= any(name not in rule["allowed_alerts"] for name in alerts)
        late = sum(out.seen.roster.alive[a] and out.seen.employment.phase[a] == LATE for a in agents)
        now = [float(out.measures.conflict_intensity), late, int(out.measures.late_help), int(out.measures.exits[1])]
        self.sums = [total + value for total, value in zip(self.sums, [*now, sum(out.valid)], strict=True)]
