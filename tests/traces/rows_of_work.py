"""Deviations of the work shift: five grocers and a barista around a grace of five ticks (s04).

Away within the grace: grace in ticks 10 to 12, late and absent in 10 to 15, bar in 20 to 25.
"""

from traces.rows import EVERYBODY, Row, Sight, Value, constant, pairs, reward_rows, shifted, through
from traces.rows_of_people import fading

S04 = "s04_work_shift"
MISSING = ("late", "absent")
OPEN, AFTER = through(10, 60), through(61, 90)  # the shift of the grocers
FROM_10, FROM_20 = through(10, 90), through(20, 90)
AWAY = ((("grace",), through(10, 12)), (MISSING, through(10, 15)), (("bar",), through(20, 25)))
HELP_AT_16 = (("absent", ("grace", "late", "leaver", "punct")), ("late", ("absent", "grace", "leaver", "punct")))
TAKEN_AT_41 = (("absent", ("grace", "late", "punct")), ("leaver", ("grace", "late", "punct")))


def _grace_ticks(sight: Sight, subject: str) -> int:
    """Count the ticks for which the original has called the agent late within its grace."""
    ticks = next(ticks for subjects, ticks in AWAY if subject in subjects)
    return min(len(ticks), sight.tick - ticks[0] + 1)


def _less(field: str, each: float = 1) -> Value:
    """Predict the recorded value without the ticks of the grace."""
    return lambda sight, subject: sight.recorded[field, subject] - each * _grace_ticks(sight, subject)


def _never_fined(sight: Sight, subject: str) -> float:
    return float(sight.recorded["wallet", subject] + 0.1 + 0.005 * _grace_ticks(sight, subject))


def _poor(sight: Sight, subject: str) -> float:
    """Predict the purse of the absent one, which the original has emptied a few ticks earlier."""
    return 0.25 - 0.1 - 0.005 * (sight.tick - 15)


GRACE = (
    *(Row("D02", S04, "phase", subjects, ticks, constant("AWAIT")) for subjects, ticks in AWAY),
    *(
        Row("D02", S04, f"flag.{flag}", subjects, ticks, constant(False))
        for flag in ("FINED", "LATE_TOLD", "HELPED")
        for subjects, ticks in ((("grace",), OPEN), (MISSING, through(10, 15)))
    ),
    *(Row("D02", S04, f"flag.{flag}", ("bar",), through(20, 25), constant(False)) for flag in ("FINED", "LATE_TOLD")),
    Row("D02", S04, "late_shifts", ("grace",), FROM_10, constant(0)),
    Row("D02", S04, "late_shifts", MISSING, through(10, 15), constant(0)),
    Row("D02", S04, "late_shifts", ("bar",), through(20, 25), constant(0)),
    Row("D02", S04, "late_today", ("grace", *MISSING), FROM_10, _less("late_today")),
    Row("D02", S04, "late_today", ("bar",), FROM_20, _less("late_today")),
    Row("D02", S04, "shift.late_ticks", ("grace", *MISSING), OPEN, _less("shift.late_ticks")),
    Row("D02", S04, "shift.late_ticks", ("bar",), through(20, 40), _less("shift.late_ticks")),
    Row("D02", S04, "withheld", ("grace", *MISSING), FROM_10, _less("withheld", 0.02)),
    Row("D02", S04, "withheld", ("bar",), FROM_20, _less("withheld", 0.025)),
    Row("D02", S04, "wallet", ("grace",), FROM_10, _never_fined),
    Row("D02", S04, "wallet", ("late",), through(10, 15), constant(1.0)),
    Row("D02", S04, "wallet", ("late",), through(16, 90), shifted("wallet", 6 * 0.005)),
    Row("D02", S04, "wallet", ("absent",), through(10, 15), constant(0.25)),
    Row("D02", S04, "wallet", ("absent",), through(16, 40), _poor),
    Row("D02", S04, "wallet", ("bar",), through(20, 25), constant(1.0)),
    Row("D02", S04, "wallet", ("bar",), through(26, 90), shifted("wallet", 6 * 0.005)),
    Row("D02", S04, "events.late_start", ("",), (10, 20), constant(())),
    Row("D02", S04, "events.late_start", ("",), (16,), constant((("absent",), ("late",)))),
    Row("D02", S04, "events.late_start", ("",), (26,), constant((("bar",),))),
)


def _ties(deviation: str, names: tuple[str, ...], ticks: range, trust: Value, familiarity: Value) -> tuple[Row, ...]:
    return (
        Row(deviation, S04, "trust", names, ticks, trust),
        Row(deviation, S04, "familiarity", names, ticks, familiarity),
    )


def _warmer(trust: float, familiarity: float) -> tuple[Value, Value]:
    return shifted("trust", trust), shifted("familiarity", familiarity)


NOTHING = (constant(0.0), constant(0.0))
LATE_ONES_AND_HELPERS = pairs(("late", "punct"), ("late", "grace"), ("absent", "punct"), ("absent", "grace"))
HELP = (
    Row("D02", S04, "events.helped", ("",), (10,), constant(())),
    Row("D51", S04, "events.helped", ("",), (16,), constant(HELP_AT_16)),
    Row("D51", S04, "events.took_shift", ("",), (41,), constant(TAKEN_AT_41)),
    *_ties("D02", LATE_ONES_AND_HELPERS, through(10, 15), *NOTHING),
    *_ties("D02", pairs(("late", "absent")), through(10, 15), *NOTHING),
    *_ties("D02", pairs(("grace", "punct")), FROM_10, *NOTHING),
    *_ties("D51", pairs(("late", "absent")), through(16, 90), *_warmer(0.2, 0.1)),
    *_ties("D51", pairs(("late", "leaver")), through(16, 90), *_warmer(0.2, 0.1)),
    *_ties("D51", pairs(("absent", "leaver")), through(16, 40), *_warmer(0.2, 0.1)),
    *_ties("D51", pairs(("absent", "leaver")), through(41, 90), *_warmer(0.2 + 0.1, 0.1)),
)


def _known(sight: Sight, subject: str) -> tuple[str, ...]:
    """List the pairs whose predicted ties are not nothing."""
    warm = {pair for (field, pair), value in sight.cells.items() if field in ("trust", "familiarity") and value}
    return tuple(sorted(warm))


TAKERS = tuple((taker, gone) for gone in ("absent", "leaver") for taker in ("punct", "grace", "late"))
OTHER_TIES = (
    Row("D02", S04, "known_ties_after", ("",), FROM_10, _known),
    Row("D19", S04, "rivalry", pairs(*TAKERS), through(41, 90), fading(0.3, 41)),
)


def _late_ticks_stay(sight: Sight, subject: str) -> int:
    return int(sight.of("late_today", subject))


AFTERWARDS = (
    Row("D52", S04, "flag.HELPED", ("grace", "late", "absent", "leaver"), AFTER, constant(False)),
    Row("D52", S04, "flag.TAKEN", ("absent", "leaver"), AFTER, constant(False)),
    Row("D52", S04, "flag.WAS_ON_TIME", ("punct", "grace", "leaver"), AFTER, constant(False)),
    Row("D52", S04, "shift.late_ticks", ("late", "absent", "leaver"), AFTER, _late_ticks_stay),
    Row("D52", S04, "shift.late_ticks", ("bar",), through(41, 90), _late_ticks_stay),
)


def _earned_now(sight: Sight, subject: str) -> float:
    """Predict what the tick itself paid and withheld."""
    paid, withheld = (sight.of(field, subject) - sight.before(field, subject) for field in ("shift.paid", "withheld"))
    return float(paid - withheld)


WAGES = (
    Row("D04", S04, "reward.wage", EVERYBODY, FROM_10, _earned_now, always=False),
    Row("D05", S04, "reward.punctuality", ("leaver",), (*through(30, 54), *AFTER), constant(0.0)),
    Row("D05", S04, "reward.punctuality", ("punct", "grace"), AFTER, constant(0.0)),
    *reward_rows("D04", S04, EVERYBODY, FROM_10, ("work", "total", "clip_adjustment")),
)

ROWS = (*GRACE, *HELP, *OTHER_TIES, *AFTERWARDS, *WAGES)
