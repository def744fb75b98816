"""Deviations that are about people: ties, chats, arrivals and departures."""

from traces.rows import Row, Value, constant, pairs, reward_rows, shifted, through

S05, S06, S08 = "s05_rivalry_build_decay", "s06_chat", "s08_termination_respawn"
RIVALRY_DECAY = 0.005
ARRIVALS = (("starver#1", 8), ("leaver#1", 15), ("mayfly#1", 27))


def fading(amount: float, tick: int) -> Value:
    """Predict a rivalry that is `amount` before the decay of that tick and then only fades."""
    return lambda sight, subject: max(0.0, amount - RIVALRY_DECAY * (sight.tick - tick + 1))


TIES = (
    Row("D19", S05, "rivalry", pairs(("a", "b")), through(16, 59), fading(1.0, 16)),
    Row("D19", S05, "rivalry", pairs(("a", "b")), through(60, 224), fading(0.78 + 0.05, 60)),
    Row("D19", S06, "rivalry", pairs(("a", "c")), through(3, 11), fading(0.05, 3)),
)

SELF_CHAT = (
    Row("D47", S06, "last_action.ok", ("a",), (12,), constant(False)),
    Row("D47", S06, "events.chat", ("",), (12,), constant(())),
    Row("D47", S06, "reward.social_bonus", ("a",), (12,), constant(0.0)),
    *reward_rows("D47", S06, ("a",), (12,), ("social", "total")),
)


def _first_tick(agent: str, tick: int) -> tuple[Row, ...]:
    """Return the rows of an arrival that does not act in its first tick."""
    who, now = (agent,), (tick,)
    return (
        Row("D48", S08, "episode_tick", who, through(tick, 45), shifted("episode_tick", -1)),
        Row("D48", S08, "reward.survival", who, now, constant(0.0)),
        Row("D48", S08, "reward.needs_penalty", who, now, constant(0.0)),
        *reward_rows("D48", S08, who, now, ("homeostasis", "total", "clip_adjustment")),
    )


COMING_AND_GOING = (
    Row("D49", S08, "holders_after", ("",), (3,), constant(())),
    Row("D50", S08, "reward.guard", ("starver",), (3,), constant(True)),
    Row("D50", S08, "reward.guard", ("leaver",), (10,), constant(True)),
    Row("D50", S08, "reward.guard", ("mayfly",), (22,), constant(True)),
    *(row for agent, tick in ARRIVALS for row in _first_tick(agent, tick)),
)

ROWS = (*TIES, *SELF_CHAT, *COMING_AND_GOING)
