"""From a recorded run of the original to a configuration, operator edits and intents of this simulator.

All recordings become towns of one shape (six slots, three objects, two jobs, five perturbation specs), so that one
compiled tick plays them all. What a recording does not have stands there unused: vacant slots, idle objects.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from townlet_jax.core import actions
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NOBODY, Kind
from traces.recordings import Recording

SLOTS = 6
SPARE_TILES = ((40, 40), (41, 40), (42, 40), (43, 40))
OBJECTS = {
    "shower_1": {"type": "shower", "at": [10, 10]},
    "stove_1": {"type": "stove", "at": [6, 5]},
    "fridge_1": {"type": "fridge", "at": [5, 5]},
}
GOODS = ("meals", "raw_ingredients")
DEFAULT_QUALITY = 0.5  # what the original takes when a chat names no number
DEAD_TARGETS = {"grocer_spike", "meet_cafe"}  # name things that do not exist: errors here


def town_mapping(recording: Recording) -> dict[str, Any]:
    """Return the town of a recording: the parity preset and what the recording's own configuration says."""
    config = recording.header["config"]
    fairness, delay = config["queue_fairness"], config.get("lifecycle", {}).get("respawn_delay_ticks", 0)
    weights = config["rewards"]["needs_weights"]
    return {
        "base": "parity",
        "config_id": recording.name,
        "seed": recording.header["seed"],
        "clock": {"ticks_per_day": recording.header["ticks_per_day"]},
        "needs": {"decay_rate": list(config["rewards"]["decay_rates"].values())},
        "queue": {key: fairness[key] for key in ("cooldown_ticks", "ghost_step_after", "age_priority_weight")},
        "employment": {"arrival_buffer": config["behavior"]["job_arrival_buffer"]},
        "lifecycle": {"respawn_min": delay, "respawn_max": delay},
        "reward": {"needs_weight": [weights[need] for need in ("hunger", "hygiene", "energy")]},
        "jobs": {name: _job(job, recording.header["ticks_per_day"]) for name, job in config["jobs"].items()},
        "objects": [_object(name, recording) for name in OBJECTS],
        "perturbations": {"max_concurrent": 4, "specs": _specs()},
        "agents": _agents(recording),
    }


def _job(job: dict[str, Any], day: int) -> dict[str, Any]:
    return {
        "start": job["start_tick"] % day,
        "end": job["end_tick"] % day,
        "wage_rate": job["wage_rate"],
        "lateness_penalty": job["lateness_penalty"],
        "site": job["location"],
    }


def _object(name: str, recording: Recording) -> dict[str, Any]:
    found = recording.header["initial"]["objects"].get(name)
    if found is None:
        return {"id": name, **OBJECTS[name]}
    stock = {good: units for good, units in found["stock"].items() if good in GOODS}
    return {"id": name, "type": found["type"], "at": found["position"], "stock": stock}


def _specs() -> dict[str, Any]:
    spike = {"kind": "price_spike", "duration": 20, "magnitude": 1.5}
    return {
        "price_spike": {**spike, "targets": ["market"]},
        "price_spike_2": {**spike, "targets": ["meal"]},
        "blackout": {"kind": "blackout", "duration": 10},
        "outage": {"kind": "outage", "duration": 10},
        "meet_shower": {"kind": "arranged_meet", "duration": 5, "at": "shower"},
    }


def dead_spec(name: str) -> dict[str, Any]:
    """Return a recorded spec whose targets do not exist, as it would be written here."""
    if name == "grocer_spike":
        return {"kind": "price_spike", "duration": 10, "magnitude": 1.5, "targets": ["grocer", "cafe"]}
    return {"kind": "arranged_meet", "duration": 5, "at": "cafe"}


def _agents(recording: Recording) -> list[dict[str, Any]]:
    """Return the cast at home; where somebody starts elsewhere is an edit of the start."""
    agents: list[dict[str, Any]] = [
        {
            "name": name,
            "position": entry["home_position"],
            "job": entry["job"]["job_id"],
            "profile": entry["profile"],
            "needs": entry["needs"],
            "wallet": entry["wallet"],
        }
        for name, entry in recording.header["initial"]["agents"].items()
    ]
    spare = range(SLOTS - len(agents))
    return agents + [
        {"name": f"nobody_{i}", "alive": False, "job": None, "position": list(SPARE_TILES[i])} for i in spare
    ]


def slot_of(recording: Recording, name: str) -> int:
    """Return the slot of an individual; an unknown name is the last slot, which is vacant then."""
    base = name.partition("#")[0]
    return recording.agents.index(base) if base in recording.agents else SLOTS - 1


def moves_of(recording: Recording, tick: int) -> dict[int, tuple[int, int]]:
    """Return the jumps of a tick: slot -> tile."""
    return {
        slot_of(recording, agent): tuple(action["position"])
        for agent, action in recording.at(tick)["actions"].items()
        if action["kind"] == "move"
    }


def intents_of(recording: Recording, tick: int) -> Intents:
    """Return the actions of a tick as structured intents; jumps are edits, so their agents wait."""
    fields = {name: np.array(value) for name, value in vars(actions.waiting(SLOTS)).items()}
    objects = list(OBJECTS)
    affordances = list(recording.header["affordances"])
    for agent, action in recording.at(tick)["actions"].items():
        slot = slot_of(recording, agent)
        kind = {"noop": "wait", "move": "wait"}.get(action["kind"], action["kind"])
        fields["kind"][slot] = Kind[kind.upper()]
        if "object" in action:
            fields["object"][slot] = objects.index(action["object"])
        if "affordance" in action:
            fields["affordance"][slot] = affordances.index(action["affordance"])
        if "success" in action:
            fields["success"][slot] = action["success"]
        if kind == "chat":
            target = action.get("target", action.get("listener"))
            fields["target"][slot] = NOBODY if target is None else slot_of(recording, target)
            fields["quality"][slot] = quality_of(action)
    return Intents(**{name: jnp.asarray(value) for name, value in fields.items()})


def quality_of(action: dict[str, Any]) -> float:
    """Return the quality the original works with: clipped, and the default where there is no number."""
    given = action.get("quality", DEFAULT_QUALITY)
    return min(max(float(given), 0.0), 1.0) if isinstance(given, int | float) else DEFAULT_QUALITY
