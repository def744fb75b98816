"""Whether a dataset is what it says: every claim of its head, its table and its shards held against the rows.

A finding is one sentence. `demand` refuses a dataset with any; `findings` lists all of them.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from townlet_jax.run import RunError
from townlet_jax.snapshots.errors import shown
from train import datasets, shards
from train.datasets import Dataset
from train.shards import Mapped, Records
from train.tables import CALM, Episode

TOLERANCE = 1e-4  # of sums, relative to what was added up
FLOATS = ("features", "reward", "return_to_go")


def demand(dataset: Dataset) -> None:
    """Raise `RunError` with the first finding."""
    for finding in findings(dataset):
        raise RunError(finding)


def findings(dataset: Dataset) -> Iterator[str]:
    """Yield what is wrong with a dataset, one sentence each."""
    yield from _counts(dataset)
    for name, claimed in dataset.checksums().items():
        try:
            records = shards.opened(dataset, name)
        except RunError as error:
            yield str(error)
            continue
        if shards.checksum(dataset.path(name)) != claimed:
            yield f"{shown(dataset.path(name))} has another checksum than the table says; {CALM}."
            continue
        own = [one for one in dataset.episodes if one.shard == name]
        yield from (f"{shown(dataset.path(name))}: {said}; {CALM}." for said in _rows(dataset, records, own))


def _counts(dataset: Dataset) -> Iterator[str]:
    """Hold the table against itself and the head."""
    head, name = dataset.head, shown(dataset.folder / datasets.HEAD)
    if not dataset.episodes:
        yield f"{dataset.name} has no episodes; {CALM}."
        return
    if sum(head.stress.values()) != head.towns:
        yield f"{name} speaks of {head.towns} towns, but of {sum(head.stress.values())} kinds of stress; {CALM}."
    if dataset.curated:
        return
    for what, claimed, found in (
        ("episodes", head.episodes, len(dataset.episodes)),
        ("rows", head.rows, sum(one.length for one in dataset.episodes)),
        ("decisions", head.decisions, sum(one.decisions for one in dataset.episodes)),
        ("towns", head.towns, len(dataset.shards())),
    ):
        if claimed != found:
            yield f"{name} speaks of {claimed} {what}, but the table has {found}; {CALM}."


def _rows(dataset: Dataset, records: Mapped, episodes: Iterable[Episode]) -> Iterator[str]:
    """Hold the rows of a town against the table and against each other; what is wrong, without the file."""
    for name in FLOATS:
        broken = ~np.isfinite(records[name])
        if broken.any():
            where = tuple(int(place) for place in np.argwhere(broken)[0])
            yield f"{name} of tick {where[0]}, slot {where[1]} is no finite number"
            return
    choices = len(dataset.head.sight.choices)
    action, choice = np.asarray(records["action"]), np.asarray(records["choice"])
    if ((action < 0) | (action >= choices))[np.asarray(records["valid"])].any():
        yield f"an action is none of the {choices} choices"
        return
    legal = np.take_along_axis(np.asarray(records["mask"]), np.clip(action, 0, choices - 1)[..., None], axis=2)[..., 0]
    if (choice & ~(legal & np.asarray(records["valid"]))).any():
        yield "a decision is not legal in the mask beside it"
    if (choice & (np.asarray(records["mask"]).sum(axis=2) < 2)).any():
        yield "a decision had nothing to choose from"
    wanted = shards.returns_to_go(records, discount=dataset.head.discount, tail=dataset.head.tail)
    off = np.abs(wanted - records["return_to_go"]) > TOLERANCE * (1.0 + np.abs(wanted))
    if off.any():
        where = tuple(int(place) for place in np.argwhere(off)[0])
        yield f"the returns to go do not add up, first at tick {where[0]}, slot {where[1]}"
    yield from _episodes(dataset, records, list(episodes))


def _episodes(dataset: Dataset, records: Records, episodes: list[Episode]) -> Iterator[str]:
    spans = set(shards.spans(records))
    listed = {(one.slot, one.first, one.length) for one in episodes}
    if not listed <= spans or (not dataset.curated and listed != spans):
        yield f"its {len(spans)} episodes are not the {len(listed)} of the table"
        return
    for one in episodes:
        rows = records[one.first : one.first + one.length, one.slot]
        found = float(rows["reward"].sum(dtype=np.float64))
        if abs(found - one.total_reward) > TOLERANCE * (1.0 + float(np.abs(rows["reward"]).sum(dtype=np.float64))):
            yield f"the rewards of episode {one.episode} add up to {found:.6g}, not to {one.total_reward:.6g}"
        if int(rows["choice"].sum()) != one.decisions:
            yield f"episode {one.episode} has {int(rows['choice'].sum())} decisions, not {one.decisions}"
        if int(rows["uid"][0]) != one.uid:
            yield f"episode {one.episode} is about individual {int(rows['uid'][0])}, not {one.uid}"
        if (bool(rows["terminated"][-1]), bool(rows["truncated"][-1])) != (one.terminated, one.truncated):
            yield f"episode {one.episode} does not end as the table says"
