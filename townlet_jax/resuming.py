"""From a snapshot of towns back to towns: what may be restored, and into what (MECHANICS 13.2)."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np

from townlet_jax.config import Built
from townlet_jax.config.schema.shell import SnapshotSection
from townlet_jax.core import batch
from townlet_jax.layers import adapted, layers_of, wanted
from townlet_jax.report import printable
from townlet_jax.snapshots import Manifest, Match, Restored, Store, StoreError
from townlet_jax.town_snapshots import Moment, faulty

CONFIG_FIELDS = frozenset({"config_id", "config_hash"})


class UnfitError(StoreError):
    """A snapshot is whole, but its towns cannot be gone on with."""


def allowed_roots(section: SnapshotSection) -> tuple[Path, ...]:
    """Return where snapshots may lie; none, which is anywhere, unless the configuration lists folders."""
    return (Path(section.root), *map(Path, section.allowed_paths)) if section.allowed_paths else ()


def newest(store: Store, step: int | None = None) -> Manifest:
    """Return the manifest of a certain snapshot, or of the newest that can be read."""
    steps = sorted(store.steps(), reverse=True) if step is None else [step]
    for candidate in steps[:-1]:
        try:
            return demand_towns(store, store.manifest(candidate))
        except StoreError:
            continue
    return demand_towns(store, store.manifest(steps[-1] if steps else 0))


def demand_towns(store: Store, about: Manifest) -> Manifest:
    """Raise `UnfitError` for a snapshot of something else, such as a learner."""
    wanted: dict[str, Any] = {"towns": int, "seed": int, "policy": str, "parents": list, "edits": list}
    if not all(isinstance(about.meta.get(name), kind) for name, kind in wanted.items()):
        raise UnfitError(
            f"Snapshot {about.step} in {printable(str(store.root))} is not one of towns; give a folder that "
            "townlet run wrote."
        )
    return about


def restored(
    store: Store,
    built: Built,
    policy: batch.Policy,
    section: SnapshotSection,
    *,
    step: int | None = None,
    migrate: bool | None = None,
) -> tuple[Moment, Restored]:
    """Return the towns of a snapshot, the newest that is whole or a certain one.

    `migrate` None leaves it to the configuration whether an older snapshot is migrated. Towns of another
    configuration, if it may be another one, go on with the numbers of this one.
    """
    about = newest(store, step)
    target = _target(built, policy, about)
    memory, saved = target["memory"], _layers(about)
    is_layered = layers_of(memory) != saved
    if is_layered:
        target["memory"] = wanted(memory, saved)
    found = store.restore(
        target,
        step=step,
        match=Match(exact_config=section.require_exact_config, allow_newer=section.allow_downgrade),
        subset=is_layered,
        migrate=section.migrations.auto_apply if migrate is None else migrate,
    )
    is_other = any(difference.field in CONFIG_FIELDS for difference in found.differences)
    moment = moment_of(found)
    _demand_sound(moment, section)
    if is_other:
        moment = dataclasses.replace(moment, params=built.params)
    if is_layered:
        fresh = jax.jit(functools.partial(batch.init_memory, policy))(moment.params, moment.states)
        moment = dataclasses.replace(moment, memory=adapted(fresh, saved, moment.memory))
    return moment, found


def _layers(about: Manifest) -> list[list[str]]:
    """Return what stood around the policy of a snapshot; nothing in those that do not say it."""
    said = about.meta.get("layers", [])
    layers = said if isinstance(said, list) else []
    return [[str(name) for name in layer] for layer in layers if isinstance(layer, list)]


def moment_of(found: Restored) -> Moment:
    """Return what a restored tree and its notes say."""
    return Moment(tick=found.manifest.step, notes=found.manifest.meta, **found.tree)


def _target(built: Built, policy: batch.Policy, about: Manifest) -> dict[str, Any]:
    """Return the tree of so many towns as the snapshot holds, shapes only."""
    towns = int(str(about.meta["towns"]))
    states = jax.eval_shape(functools.partial(batch.init_batch, built.spec, seed=0, num_towns=towns), built.params)
    memory = jax.eval_shape(functools.partial(batch.init_memory, policy), built.params, states)
    totals = {
        str(leaf.path[1]): np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape)
        for leaf in about.leaves
        if leaf.path[0] == "totals"
    }
    params = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), built.params)
    return {"states": states, "params": params, "memory": memory, "totals": totals}


def _demand_sound(moment: Moment, section: SnapshotSection) -> None:
    seen = faulty(np.asarray(moment.states.faults))
    if seen and not section.allow_faults:
        raise UnfitError(
            f"Snapshot {moment.tick} holds faults ({seen}); take an earlier one, or set snapshot.allow_faults=true."
        )
