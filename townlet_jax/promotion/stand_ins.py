"""Tiny networks that only ever do what they are told: policies for rehearsals, saved as training saves its own."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config import Built, build, load
from townlet_jax.core.actions import FLAT_WAIT
from townlet_jax.core.observe.layout import layout
from townlet_jax.policy import network
from townlet_jax.policy.network import NetworkConfig
from townlet_jax.snapshots import Best, Store, sources, weights

TINY = NetworkConfig(map_width=4, feature_width=4, trunk_width=4, core_width=4)
DEAREST, STEP = 150.0, 30.0  # logits of the first wish, and between two wishes


def made(folder: Path, config: str, overrides: Sequence[str]) -> tuple[str, str]:
    """Make two policies for the towns of a configuration that both only wait, and return their places."""
    built = build(load(config, (*overrides, "spec.action_space=flat")))
    places = []
    for number, name in enumerate(("release", "candidate")):
        save(folder / name, built, wants=(FLAT_WAIT,), seed=number)
        places.append(str(folder / name))
    return places[0], places[1]


def save(run: Path, built: Built, *, wants: Sequence[int], seed: int, kind: NetworkConfig = TINY) -> None:
    """Save a network of flat actions that does the first of its wishes that is possible."""
    parameters: dict[str, Any] = network.init(network.Network(kind, layout(built.spec)), jax.random.key(seed))
    bias = np.zeros(parameters["policy"]["bias"].shape, np.float32)
    bias[list(wants)] = DEAREST - STEP * np.arange(len(wants), dtype=np.float32)
    parameters["policy"]["bias"] = jnp.asarray(bias)
    nothing = np.float32(0)
    tree = {"parameters": parameters, "returns": {"count": nothing, "mean": nothing, "square_sum": nothing}}
    meta = {
        "kind": sources.KIND,
        "format": sources.FORMAT,
        "members": 0,
        "network": dataclasses.asdict(kind),
        "settings": {"town": {"horizon": 0}},
        "best": {"metric": "return", "mode": "max"},
    }
    best, whose = Best("return"), weights.identity_of(built, kind)
    with Store(run / sources.FOLDER, identity=whose, keep_best=best) as store:
        store.save(7, {"learner": tree}, meta=meta, metrics={"return": 1.0})
