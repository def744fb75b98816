"""The section `stability` of a frame: what the analysers say of a watched town (MECHANICS 11.1)."""

import numpy as np

from townlet_jax.core.enums import NEVER
from townlet_jax.stability import NAMES, Result, Sum
from townlet_jax.telemetry.frames_base import Section, Shot
from townlet_jax.telemetry.lived import Judged, Table
from townlet_jax.telemetry.text import dumps, rounded

SUMS = tuple(figure.name.lower() for figure in Sum)


class Stability(Section):
    """Alerts, the figures they rest on, their limits, and the promotion window."""

    def __init__(self, shot: Shot, judged: Judged) -> None:
        super().__init__(shot)
        window, rules = judged.window, judged.thresholds
        self.alerts, self.readings = shot.after(judged.alerts), rounded(shot.after(judged.readings))
        self.limits = rounded(shot.after(rules.limit))
        self.sums, self.last_sums = rounded(shot.after(window.sums)), rounded(shot.after(window.last_sums))
        self.numbers = np.stack(
            [
                shot.after(column)
                for column in (
                    window.start, rules.promotion_ticks, window.has_failed, window.pass_streak, rules.required_passes,
                    window.is_ready, window.last_evaluated_tick, window.last_result,
                )
            ],
            axis=-1,
        )  # fmt: skip

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        standing = [name for name, stands in zip(NAMES, self.alerts[k], strict=True) if stands]
        return dumps(
            {
                "alerts": standing,
                "latest_alert": standing[0] if standing else None,
                "metrics": _named(NAMES, self.readings[k]),
                "thresholds": _named(NAMES, self.limits[k]),
                "promotion_window": self._window(k),
            }
        )

    def _window(self, k: int) -> dict[str, object]:
        start, length, failed, streak, required, ready, evaluated, result = self.numbers[k].tolist()
        return {
            "window_start": start,
            "window_ticks": length,
            "failed": bool(failed),
            "pass_streak": streak,
            "required_passes": required,
            "candidate_ready": bool(ready),
            "last_evaluated_tick": None if evaluated == NEVER else evaluated,
            "last_result": Result(result).name.lower(),
            "sums": _named(SUMS, self.sums[k]),
            "last_sums": _named(SUMS, self.last_sums[k]),
        }


def _named(names: tuple[str, ...], values: Table) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
