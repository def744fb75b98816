"""What a session tells those who listen to it: one record for each chunk of ticks. Owns its records and their reader.

The session hands out a stretch one chunk behind the device. Arrays may still lie on the device: whoever wants their
values copies them with `jax.device_get`, on a thread of its own if that takes long.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from townlet_jax.core.actions import Intents
from townlet_jax.core.outcomes import Measures, TickOutput
from townlet_jax.core.state import TownState
from townlet_jax.core.totals import Totals
from townlet_jax.stability import Standing


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One watched town over a chunk. The state after tick i is `before[i + 1]`, or `after` for the last one."""

    before: TownState  # leading axis ticks: the state before each tick
    after: TownState  # the state after the last tick, without that axis
    outputs: TickOutput  # leading axis ticks
    memory: Any  # leading axis ticks: the policy's memory before each tick; None if it has none
    intents: Intents | None = None  # leading axis ticks: what everybody asked for; None where nobody knows
    remembered: Any = None  # the policy's memory after the last tick, without that axis


@dataclass(frozen=True, kw_only=True)
class Edited:
    """An operator's command that was applied right before `tick`."""

    tick: int
    command: str
    arguments: Mapping[str, Any]
    town: int | None = None  # None = all towns


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A chunk of ticks that was executed, first and last included."""

    first_tick: int
    last_tick: int
    num_towns: int
    totals: Totals | None  # sums over the chunk, leading axis towns
    series: Measures | None  # leading axis ticks, averaged over all towns
    watched: Mapping[int, Watched]  # by index of the town; towns that nobody watches are never copied
    edits: tuple[Edited, ...]  # applied since the chunk before
    seconds: float  # wall time of the chunk
    standing: Standing | None = None  # shares of towns in trouble after it; None without analysers


class Listener(Protocol):
    """Hears every chunk of a session, in order, on the thread of the session."""

    def hear(self, stretch: Stretch) -> None:
        """Take one chunk; must return quickly."""

    def close(self) -> None:
        """Finish: nothing more will be heard."""

    def figures(self) -> Mapping[str, Any]:
        """Return what a snapshot keeps, as JSON."""

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Go on from what `figures` returned."""
