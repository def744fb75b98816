"""The rows of a dataset as they are learned from: which towns, in which order, with which targets.

Rows stay where they lie on the disk until their batch is put together. Only decisions are learned from: where an agent
had no choice there is no label.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from townlet_jax.config import errors
from townlet_jax.run import RunError
from townlet_jax.snapshots.errors import shown
from train import curation, shards
from train.cloning import Rows
from train.datasets import Dataset
from train.shards import Mapped, Records

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Moments:
    """Mean and spread of the returns to go that are learned from."""

    count: int
    mean: float
    square_sum: float

    @property
    def deviation(self) -> float:
        """Return the standard deviation to divide by, as `normalise.deviation` does."""
        return float(np.sqrt(self.square_sum / max(self.count, 1) + 1e-6)) if self.count else 1.0


@dataclass(frozen=True)
class Part:
    """Rows: which shard, and which row of it, counted through ticks and slots."""

    shard: Index
    row: Index

    def __len__(self) -> int:
        return len(self.row)


def joined(parts: Sequence[Part]) -> Part:
    """Return the rows of all parts."""
    none = np.zeros(0, np.int64)
    return Part(
        np.concatenate([none, *(part.shard for part in parts)]), np.concatenate([none, *(part.row for part in parts)])
    )


@dataclass(frozen=True)
class Span:
    """An episode: the rows of one individual in the order in which it lived."""

    shard: int
    first: int  # tick in the shard
    length: int
    slot: int
    slots: int  # of the shard


class Lessons:
    """The rows of one or more datasets, those to learn from and those held out; raises `RunError` if either is empty.

    Towns are held out of each dataset. All have the same layout. Features that are `hidden` read 0.
    """

    def __init__(self, data: Sequence[Dataset], *, held_out: float, seed: int, hidden: Sequence[str] = ()) -> None:
        self.data = tuple(data)
        self.hidden = columns_of(data[0].head.sight.features, hidden)
        self.seed = seed
        self.split = [curation.by_town(one.episodes, held_out, seed) for one in data]
        self._shards: list[Mapped] = []
        self._stress: list[str] = []  # of the town in each shard
        taught, held = list[Part](), list[Part]()
        self.taught_spans, self.held_spans = list[Span](), list[Span]()
        for dataset, (towns, held_towns) in zip(data, self.split, strict=True):
            first, names = len(self._shards), dataset.shards()
            self._shards += [shards.opened(dataset, name) for name in names]
            kinds = {one.shard: one.stress for one in dataset.episodes}
            self._stress += [kinds[name] for name in names]
            taught.append(self._decisions(dataset, first, towns))
            held.append(self._decisions(dataset, first, held_towns))
            self.taught_spans += _spans(dataset, first, towns)
            self.held_spans += _spans(dataset, first, held_towns)
        self.taught, self.held = joined(taught), joined(held)
        for part, which in ((self.taught, "to learn from"), (self.held, "held out")):
            if not len(part):
                named = " and ".join(one.name for one in data)
                raise RunError(f"{named} has no decision among the towns {which}; record longer, or more towns.")
        goals = self.read(self.taught)["return_to_go"].astype(np.float64)
        mean = float(goals.mean())
        self.moments = Moments(len(goals), mean, float(((goals - mean) ** 2).sum()))
        self._random = np.random.default_rng(seed + 1)
        self._waiting = np.zeros(0, np.int64)  # places of `taught` that come next

    def _decisions(self, dataset: Dataset, first: int, towns: Index) -> Part:
        """Return the decisions of some towns of a dataset; its shards are numbered from `first`."""
        chosen = set(towns.tolist())
        places = {name: place for place, name in enumerate(dataset.shards(), start=first)}
        choice = {name: np.asarray(self._shards[place]["choice"]) for name, place in places.items()}
        found = []
        for one in dataset.episodes:
            if one.town in chosen:
                ticks = one.first + np.flatnonzero(choice[one.shard][one.first : one.first + one.length, one.slot])
                place = np.full(len(ticks), places[one.shard], np.int64)
                found.append(Part(place, ticks.astype(np.int64) * dataset.head.slots + one.slot))
        return joined(found)

    @property
    def choices(self) -> list[str]:
        """Return the names of the labels."""
        return self.data[0].head.sight.choices

    def read(self, part: Part) -> Records:
        """Return rows as they were recorded."""
        return shards.taken(self._shards, part.shard, part.row)

    def rows(self, part: Part, *, fill: int = 0, scaled: bool = True) -> Rows:
        """Return rows as a network reads them, filled up to a number of them; `scaled` targets have deviation 1."""
        records = self.read(part)
        count = np.ones(len(records), bool)
        if len(records) < fill:
            blank = np.zeros(fill - len(records), records.dtype)
            records, count = np.concatenate([records, blank]), np.concatenate([count, np.zeros(len(blank), bool)])
        return self._as_read(records, count, scaled=scaled)

    def decisions(self, part: Part, real: npt.NDArray[np.bool_], *, scaled: bool = True) -> Rows:
        """Return rows with the axes of `part`, in which only real decisions count."""
        flat = self.read(Part(part.shard.reshape(-1), part.row.reshape(-1)))
        records = flat.reshape(real.shape)
        return self._as_read(records, records["choice"] & real, scaled=scaled)

    def _as_read(self, records: Records, count: npt.NDArray[np.bool_], *, scaled: bool) -> Rows:
        goal = records["return_to_go"]
        target = (goal - np.float32(self.moments.mean)) / np.float32(self.moments.deviation) if scaled else goal
        features = records["features"]
        if self.hidden:
            features = features.copy()
            features[..., self.hidden] = 0
        return Rows(
            features=jnp.asarray(features),
            map=jnp.asarray(records["map"]),
            mask=jnp.asarray(records["mask"]),
            label=jnp.asarray(records["action"]),
            target=jnp.asarray(target, jnp.float32),
            count=jnp.asarray(count),
        )

    def drawn(self, number: int) -> Part:
        """Return the next rows to learn from, of an endless sequence of shuffles."""
        while len(self._waiting) < number:
            self._waiting = np.concatenate([self._waiting, self._random.permutation(len(self.taught))])
        places, self._waiting = self._waiting[:number], self._waiting[number:]
        return Part(self.taught.shard[places], self.taught.row[places])

    def in_turn(self, part: Part, size: int) -> Iterator[Part]:
        """Yield rows in pieces of a size; the last one may be smaller."""
        for first in range(0, len(part), size):
            yield Part(part.shard[first : first + size], part.row[first : first + size])

    def stress_of(self, part: Part) -> npt.NDArray[Any]:
        """Return what kind of stress the town of every row was under."""
        return np.array(self._stress)[part.shard]


def columns_of(features: Sequence[str], hidden: Sequence[str]) -> list[int]:
    """Return where features stand; raises `RunError` for a name that there is not."""
    for name in hidden:
        if name not in features:
            hint = errors.nearest(name, features)
            raise RunError(
                f"clone.hidden names {shown(name)}, which is no feature here{hint}; take names from head.json."
            )
    return [features.index(name) for name in hidden]


def _spans(dataset: Dataset, first: int, towns: Index) -> list[Span]:
    """Return the episodes of some towns of a dataset; its shards are numbered from `first`."""
    chosen, slots = set(towns.tolist()), dataset.head.slots
    places = {name: place for place, name in enumerate(dataset.shards(), start=first)}
    return [
        Span(places[one.shard], one.first, one.length, one.slot, slots)
        for one in dataset.episodes
        if one.town in chosen
    ]
