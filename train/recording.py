"""Recording a dataset: what towns leave goes into shards while they live.

Owns the order in which things are written: shards, their returns and checksums, the table, and last the head, so that
a folder with a head is whole.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from townlet_jax import runtime
from townlet_jax.config import Built
from townlet_jax.run import RunError
from townlet_jax.snapshots.errors import shown
from townlet_jax.snapshots.manifest import digest
from train import datasets, shards, stress, tables
from train.capture import COUNTS, Plan, Teacher, Towns
from train.datasets import Dataset, Head
from train.stress import Stress
from train.tables import Episode


def record(
    built: Built,
    teacher: Teacher,
    plan: Plan,
    folder: Path,
    *,
    on_tick: Callable[[int], None] = lambda ticks: None,
    stop: Callable[[], bool] = lambda: False,
) -> Dataset | None:
    """Record into a new folder and return the dataset, or None if somebody asked to stop; then it has no head.

    Raises `RunError` for a plan that cannot be had, before anything is compiled.
    """
    kinds, left_out = _kinds(built, plan)
    _room(folder)
    sight = datasets.sight_of(built)
    slots = built.spec.num_agents
    records = [
        shards.made(folder / datasets.SHARDS / shards.name_of(town), sight, plan.ticks, slots)
        for town in range(plan.towns)
    ]
    counts = np.zeros((plan.towns, len(COUNTS)), np.int64)
    towns = Towns(built, teacher, plan, kinds)
    for first in range(0, plan.ticks, plan.step):
        if stop():
            return None
        taken = towns.lived()
        for town, shard in enumerate(records):
            _fill(shard[first : first + plan.step], taken, town)
        counts += taken.counts.sum(axis=0, dtype=np.int64)
        on_tick(first + plan.step)
    tail = _tail(records, plan.discount)
    for shard in records:
        shard["return_to_go"] = shards.returns_to_go(shard, discount=plan.discount, tail=tail)
        shard.flush()
    names = [datasets.PLAIN if kind is None else kind.name for kind in kinds]
    return described(built, teacher, plan, folder, records, counts, names, left_out=left_out, tail=tail)


def _kinds(built: Built, plan: Plan) -> tuple[list[Stress | None], list[str]]:
    if plan.ticks % plan.step:
        near = plan.ticks - plan.ticks % plan.step or plan.step
        raise RunError(
            f"A recording of {plan.ticks} ticks was asked for, but it is made in steps of {plan.step}; ask for {near}."
        )
    if plan.stressed and plan.towns < 2:
        raise RunError("--stress needs at least two towns, one of them in peace; change --towns.")
    return stress.shares(built, plan.towns) if plan.stressed else ([None] * plan.towns, [])


def _room(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise RunError(f"--out {shown(folder)} is not empty; give a new folder.")
        (folder / datasets.SHARDS).mkdir()
    except OSError as error:
        raise RunError(f"--out {shown(folder)} cannot be made ({error.strerror}); give another folder.") from error


def _fill(rows: shards.Records, taken: Any, town: int) -> None:
    """Write what was taken of one town; rows in which nobody acted stay zeros."""
    valid = taken.valid[:, town]
    for name in ("features", "map", "mask", "action", "reward", "terminated", "truncated", "valid", "choice", "uid"):
        values = getattr(taken, name)[:, town]
        rows[name] = np.where(valid.reshape(valid.shape + (1,) * (values.ndim - 2)), values, 0)


def _tail(records: Sequence[shards.Records], discount: float) -> float:
    """Return what stands for all that comes after a cut: the mean reward, for ever."""
    total = sum(float(shard["reward"].sum(dtype=np.float64)) for shard in records)
    rows = sum(int(shard["valid"].sum()) for shard in records)
    return total / max(rows, 1) / (1.0 - discount)


def described(
    built: Built,
    teacher: Teacher,
    plan: Plan,
    folder: Path,
    records: Sequence[shards.Records],
    counts: npt.NDArray[np.int64],
    names: Sequence[str],
    *,
    left_out: list[str],
    tail: float,
) -> Dataset:
    """Write the table and the head."""
    episodes: list[Episode] = []
    for town, shard in enumerate(records):
        episodes += episodes_of(built, folder, shard, town, names[town], counts[town], first=len(episodes))
    table = folder / datasets.EPISODES
    tables.write(table, episodes)
    head = Head(
        kind=datasets.KIND,
        format=datasets.FORMAT,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        config_id=built.names.config_id,
        config_hash=built.names.config_hash,
        spec=json.loads(json.dumps(dataclasses.asdict(built.spec))),
        sight=datasets.sight_of(built),
        policy=teacher.name,
        about=dict(teacher.about),
        labels=plan.labels,
        seed=plan.seed,
        towns=plan.towns,
        ticks=plan.ticks,
        slots=built.spec.num_agents,
        discount=plan.discount,
        tail=tail,
        rows=sum(one.length for one in episodes),
        decisions=sum(one.decisions for one in episodes),
        episodes=len(episodes),
        stress={name: names.count(name) for name in dict.fromkeys(names)},
        left_out=left_out,
        table=digest(table.read_bytes()),
        versions=runtime.versions(),
    )
    datasets.write_head(folder, head)
    return Dataset(folder, head, tuple(episodes))


def episodes_of(
    built: Built,
    folder: Path,
    records: shards.Records,
    town: int,
    kind: str,
    counts: npt.NDArray[np.int64],
    *,
    first: int,
) -> list[Episode]:
    """Return the episodes of a town, numbered from `first`."""
    shard = shards.name_of(town)
    found, day = [], int(built.params.clock.ticks_per_day)
    checksum = shards.checksum(folder / datasets.SHARDS / shard)
    agents = built.names.agents
    for number, (slot, begins, length) in enumerate(shards.spans(records), start=first):
        rows = records[begins : begins + length, slot]
        total = float(rows["reward"].sum(dtype=np.float64))
        found.append(
            Episode(
                episode=number,
                town=town,
                slot=slot,
                agent=agents[slot] if slot < len(agents) else f"slot_{slot}",
                uid=int(rows["uid"][0]),
                first=begins,
                length=length,
                decisions=int(rows["choice"].sum()),
                total_reward=total,
                reward_per_day=total / length * day,
                terminated=bool(rows["terminated"][-1]),
                truncated=bool(rows["truncated"][-1]),
                stress=kind,
                shard=shard,
                sha256=checksum,
                **{f"town_{name}": int(amount) for name, amount in zip(COUNTS, counts, strict=True)},
            )
        )
    return found
