"""Events of the analysers: alerts raised and cleared, promotion windows judged (MECHANICS 10)."""

import numpy as np

from townlet_jax.stability import NAMES, Result
from townlet_jax.telemetry.decode_things import Found, places
from townlet_jax.telemetry.lived import Lived
from townlet_jax.telemetry.naming import Words

NUM_ALERTS = len(NAMES)


def alerts(words: Words, lived: Lived) -> Found:
    """Edges of alerts."""
    del words
    if lived.judged is None:
        return
    stands = lived.judged.alerts
    for i, code in places(stands[1:] != stands[:-1]):
        yield i, code, {"event": "alert_raised" if stands[i + 1, code] else "alert_cleared", "alert": NAMES[code]}


def promotion_windows(words: Words, lived: Lived) -> Found:
    """Windows judged."""
    del words
    if lived.judged is None:
        return
    window = lived.judged.window
    evaluated = np.asarray(window.last_evaluated_tick)
    for (i,) in places(evaluated[1:] != evaluated[:-1]):
        result = Result(int(window.last_result[i + 1])).name.lower()
        yield i, 0, {"event": "promotion_window", "result": result, "streak": int(window.pass_streak[i + 1])}
