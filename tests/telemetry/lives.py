"""Lives to publish: towns of the stories, and worlds put together by hand, as a session hands them out."""

import functools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from core import stories
from core.stories import Story
from core.worlds import World

from townlet_jax.config import Built
from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.core import totals
from townlet_jax.core.totals import Totals
from townlet_jax.run import Plan
from townlet_jax.stretch import Edited, Stretch, Watched
from townlet_jax.telemetry.decode import decode
from townlet_jax.telemetry.frames import Town
from townlet_jax.telemetry.lived import Lived, fetch
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.sinks import Item, Status
from townlet_jax.telemetry.stream import EMPTY

TICKS = stories.TICKS


def watched(story: Story, town: int, first: int, last: int) -> Watched:
    """Return rows first..last-1 of a town's story."""
    before, outputs = (jax.tree.map(lambda leaf: leaf[first:last, town], part) for part in (story.before, story.out))
    after = jax.tree.map(lambda leaf: leaf[last - 1, town], story.after)
    return Watched(before=before, after=after, outputs=outputs, memory=None)


def tick_at(story: Story, row: int) -> int:
    """Return the number of a tick."""
    return int(story.tick[row, 0])


def lived(story: Story, town: int, first: int = 0, last: int = TICKS) -> Lived:
    """Return part of a town's story on the host."""
    return fetch(town, tick_at(story, first), watched(story, town, first, last))


@functools.cache
def whole(name: str, town: int) -> Lived:
    """Return a town's whole story on the host."""
    return lived(stories.told(name), town)


def built(name: str, town: int = 0) -> Built:
    """Return what a town of a story is made of."""
    story = stories.told(name)
    return story.built._replace(params=jax.tree.map(lambda leaf: leaf[town], story.params))


@functools.cache
def words(name: str, town: int, *, hashed: bool = False) -> Words:
    """Return the words of a town of a story, with its own numbers."""
    return Words(built(name, town), hashed=hashed, salt="pepper")


@functools.cache
def happened(name: str, town: int) -> list[list[dict[str, Any]]]:
    """Return the events of a town's whole story."""
    return decode(words(name, town), whole(name, town))


OUTSIDE = {name: EMPTY[name] for name in ("identity", "stability", "promotion", "policy", "transport", "health")}


def frames_of(
    name: str, town: int, *, every: int = 1, chunks: Sequence[int] = (TICKS,), hashed: bool = False, **rules: Any
) -> list[dict[str, Any]]:
    """Return the frames of a town's story as a reader parses them, without envelope but for tick and kind."""
    made = Town(words(name, town, hashed=hashed), TelemetrySection(**rules), town=town, every_ticks=every)
    bodies, first = [], 0
    for last in np.cumsum(chunks).tolist():
        some, _ = made.hear(lived(stories.told(name), town, first, last), (), (), OUTSIDE)
        bodies += some
        first = last
    bodies += made.finish(OUTSIDE)
    head = {"schema_version": "1.0", "run_id": "r", "sequence": 0, "town": town}
    return [head | {"tick": body.tick, "payload_type": body.kind} | json.loads(f"{{{body.text}}}") for body in bodies]


def one_tick(world: World, *, before: Any = None) -> Lived:
    """Let a hand-made world live one tick and return it on the host."""
    state = world.state if before is None else before
    world.run()
    rows = jax.tree.map(lambda leaf: leaf[None], (state, world.out))
    return fetch(
        0, int(world.state.clock.tick), Watched(before=rows[0], after=world.state, outputs=rows[1], memory=None)
    )


def sums(story: Story, first: int, last: int) -> Totals:
    """Return the totals of all towns over rows first..last-1."""
    measures = jax.tree.map(lambda leaf: leaf[first:last], story.out.measures)
    shifts, gone = story.out.outcomes.shifts, story.out.outcomes.departures
    age = (story.tick[..., None] - story.before.roster.born_tick)[first:last]
    fainted = gone.reason[first:last] == 1
    rows = slice(first, last)
    found = totals.nothing(jax.tree.map(lambda leaf: leaf[0, 0], measures))
    leaves = {
        "ticks": np.full(measures.alive.shape[1], last - first),
        "sums": jax.tree.map(lambda leaf: leaf.sum(axis=0, dtype=np.float32), measures),
        "need_min": measures.need_min.min(axis=0),
        "wallet_min": measures.wallet_min.min(axis=0),
        "on_time_ticks": shifts.on_time_ticks[rows].sum(axis=(0, 2)),
        "shift_ticks": shifts.length[rows].sum(axis=(0, 2)),
        "faint_age_ticks": np.where(fainted, age, 0).sum(axis=(0, 2)).astype(np.float32),
        "rents_paid": (story.out.outcomes.trades.rent_paid[rows] > 0).sum(axis=(0, 2)),
    }
    flat = [leaf for name in leaves for leaf in jax.tree.leaves(leaves[name])]
    made: Totals = jax.tree.unflatten(jax.tree.structure(found), flat)
    return made


def stretch(
    name: str, first: int, last: int, *, towns: Iterable[int] = (0,), edits: Sequence[Edited] = (), seconds: float = 0.5
) -> Stretch:
    """Return rows first..last-1 of a story as a session hands them out."""
    story = stories.told(name)
    return Stretch(
        first_tick=tick_at(story, first),
        last_tick=tick_at(story, last - 1),
        num_towns=story.tick.shape[1],
        totals=sums(story, first, last),
        series=jax.tree.map(lambda leaf: leaf[first:last].mean(axis=1), story.out.measures),
        watched={town: watched(story, town, first, last) for town in towns},
        edits=tuple(edits),
        seconds=seconds,
    )


def plan(ticks: int = TICKS) -> Plan:
    """Return what a session was asked for."""
    return Plan(towns=stories.TOWNS, ticks=ticks, policy="scripted", seed=1)


class Shelf:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.gap = False
        self.is_closed = False

    def put(self, item: Item) -> None:
        self.items.append(item)

    def status(self) -> Status:
        return Status(
            name="shelf", connected=not self.is_closed, sent=len(self.items), dropped=0, bytes=0, queue=0, peak=0,
            retries=0, restarts=0, last_error=None, last_success_tick=None,
        )  # fmt: skip

    def take_gap(self) -> bool:
        gap, self.gap = self.gap, False
        return gap

    def close(self) -> None:
        self.is_closed = True

    def records(self, *kinds: str) -> list[dict[str, Any]]:
        """Return what was put there, of some kinds."""
        return [json.loads(item.data) for item in self.items if not kinds or item.kind in kinds]
