"""Datasets written out by hand: random rows of the hamlet whose labels can be learned from what is seen."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from core.worlds import HAMLET
from env.places import AGENTS

from townlet_jax.config import Built, build, from_mapping
from train import capture, datasets, recording, shards
from train.capture import Plan
from train.datasets import Dataset

TOWN = HAMLET | {"spec": {"num_agents": AGENTS}, "perturbations": {"specs": {}}}
TICKS, TOWNS, DISCOUNT = 40, 5, 0.9
SIGN_TICKS = 4
KINDS = ("none", "none", "none", "low_money", "low_money")


@functools.cache
def town() -> Built:
    """Return the hamlet with flat actions."""
    return build(from_mapping(TOWN))


def config(folder: Path) -> str:
    """Write the hamlet into a file for commands; return its name."""
    path = folder / "hamlet.yaml"
    path.write_text(yaml.safe_dump(TOWN))
    return str(path)


def rows(records: Any, random: np.random.Generator, *, noise: float) -> None:
    """Fill a town: whoever is hungry takes the first legal action, others the last one, but for some noise."""
    ticks, slots = records.shape
    last = records["mask"].shape[-1] - 1
    records["features"][..., :3] = random.normal(size=(ticks, slots, 3))
    records["mask"] = random.random(records["mask"].shape) < 0.5
    records["mask"][..., 0] = False
    records["mask"][..., 0] = ~records["mask"].any(axis=-1)
    lowest, highest = records["mask"].argmax(axis=-1), last - records["mask"][..., ::-1].argmax(axis=-1)
    hungry = (records["features"][..., 0] < 0) ^ (random.random((ticks, slots)) < noise)
    records["action"] = np.where(hungry, lowest, highest)
    records["reward"] = random.normal(size=(ticks, slots)) + records["features"][..., 0]
    records["valid"] = True
    records["uid"] = np.arange(slots)
    records["terminated"][19, 1] = True  # one leaves, and its slot stays empty for a while
    records["uid"][20:, 1] = slots
    for name in records.dtype.names:
        records[name][20:25, 1] = 0
    records["truncated"][9, 2] = True
    records["choice"] = records["valid"] & (records["mask"].sum(axis=-1) > 1)


def remembered(records: Any, random: np.random.Generator) -> None:
    """Fill a town: a sign shows every fourth tick, and everybody does what the last one said, until the next."""
    rows(records, random, noise=0.0)
    ticks, slots = records.shape
    last = records["mask"].shape[-1] - 1
    shown = random.integers(0, 2, (ticks, slots))
    since = np.arange(ticks) % SIGN_TICKS
    said = np.take_along_axis(shown, (np.arange(ticks) - since)[:, None] * np.ones(slots, np.int64), axis=0)
    records["features"][..., :3] = 0
    records["features"][..., 0] = np.where(since[:, None] == 0, 2 * shown - 1, 0)
    records["mask"] = False
    records["mask"][..., (0, last)] = True
    records["action"] = np.where(said, last, 0)
    for name in records.dtype.names:
        records[name][20:25, 1] = 0
    records["choice"] = records["valid"]


def made(folder: Path, *, noise: float = 0.0, seed: int = 0, memory: bool = False) -> Dataset:
    """Write a whole dataset into a new folder; with `memory` one whose labels are about what was seen before."""
    built, random = town(), np.random.default_rng(seed)
    (folder / datasets.SHARDS).mkdir(parents=True)
    sight = datasets.sight_of(built)
    plan = Plan(towns=TOWNS, ticks=TICKS, seed=seed, discount=DISCOUNT, step=20)
    all_records = []
    for number in range(TOWNS):
        records = shards.made(folder / datasets.SHARDS / shards.name_of(number), sight, TICKS, AGENTS)
        if memory:
            remembered(records, random)
        else:
            rows(records, random, noise=noise)
        records["return_to_go"] = shards.returns_to_go(records, discount=DISCOUNT, tail=0.5)
        records.flush()
        all_records.append(records)
    return recording.described(
        built,
        capture.teacher("scripted", built),
        plan,
        folder,
        all_records,
        np.zeros((TOWNS, len(capture.COUNTS)), np.int64),
        KINDS,
        left_out=[],
        tail=0.5,
    )
