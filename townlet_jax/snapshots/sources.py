"""Where weights come from and go to: a learner's checkpoints, and safetensors files.

Owns the spelling of places (`runs/first@120#3`) and the file in which weights are handed on. Nothing is unpickled, and
nothing is believed before it is checked.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np

from townlet_jax import files
from townlet_jax.policy.network import NetworkConfig
from townlet_jax.snapshots.errors import MissingError, StoreError, TargetError, shown
from townlet_jax.snapshots.identity import Identity
from townlet_jax.snapshots.manifest import Manifest
from townlet_jax.snapshots.retention import Best
from townlet_jax.snapshots.store import Store
from townlet_jax.snapshots.weights import Tree, Weights, flat, nested

KIND, FORMAT = "learner", 1
FOLDER = "checkpoints"  # in the folder of a run
SUFFIX = ".safetensors"
ABOUT = "townlet"  # the entry of a safetensors file that says what it holds
PARTS = ("parameters", "returns")  # of what a learner knows, what others may take over
_PLACE = re.compile(r"(?P<path>.+?)(?:@(?P<step>\d{1,12}|best|latest))?(?:#(?P<member>\d{1,6}))?", re.DOTALL)


def read(place: str) -> Weights:
    """Return the weights at a place: a safetensors file, or a folder of a run or of checkpoints.

    A folder may be followed by `@STEP`, `@best` or `@latest` (the default), a population by `#MEMBER`. Raises
    `StoreError`.
    """
    root, step, member = located(place)
    if root.suffix == SUFFIX and not root.is_dir():
        return _of_file(root)
    with Store(root, identity=None, read_only=True) as store:
        about = store.manifest(chosen(store, step))
        name = f"{shown(root)}@{about.step}"
        members = demand_learner(about, name)
        _demand_member(member, members, name)
        restored = store.restore({"learner": _target(about)}, step=about.step, subset=True).tree["learner"]
    if members:
        name = f"{name}#{member}"
        restored = jax.tree.map(lambda leaf: leaf[member], restored)
    assert about.identity is not None, "demand_learner has seen it"
    return Weights(
        name=name,
        step=about.step,
        config=config_of(about.meta["network"], name),
        identity=about.identity,
        settings=dict(_table(about.meta["settings"])),
        **restored,
    )


def is_there(place: str) -> bool:
    """Tell whether a place names something, whatever it holds."""
    try:
        located(place)
    except MissingError:
        return False
    return True


def located(place: str) -> tuple[Path, str, int | None]:
    """Return folder or file, step and member of a place; raises `MissingError` if nothing is there."""
    if Path(place).exists():
        path, step, member = Path(place), None, None
    else:
        match = _PLACE.fullmatch(place)
        assert match is not None, "any text matches"
        path, step, member = Path(match["path"]), match["step"], match["member"]
    if not path.exists():
        raise MissingError(f"There is nothing at {shown(path)}; give a folder of a run, or a {SUFFIX} file.")
    if step is None and path.is_dir() and path.name.isdigit() and (path / "manifest").is_dir():
        path, step = path.parent, path.name
    elif (path / FOLDER).is_dir():
        path = path / FOLDER
    return path, step or "latest", None if member is None else int(member)


def chosen(store: Store, step: str) -> int:
    """Return the number of a snapshot: `latest`, `best` by the rule of the newest one, or the number itself."""
    newest = store.latest()
    if newest is None:
        raise MissingError(f"There are no snapshots in {shown(store.root)}; give a folder that holds some.")
    if step == "latest":
        return newest
    if step != "best":
        return int(step)
    rule = _table(store.manifest(newest).meta.get("best"))
    best = store.best(Best(str(rule["metric"]), "min" if rule["mode"] == "min" else "max")) if rule else None
    if best is None:
        raise MissingError(f"No snapshot in {shown(store.root)} says how good it is; give a step instead of best.")
    return best


def demand_learner(about: Manifest, name: str) -> int:
    """Return how many members a learner's snapshot holds, 0 for one alone; raises `TargetError` for any other one."""
    members = about.meta.get("members")
    if about.identity is None or about.meta.get("kind") != KIND or not isinstance(members, int):
        raise TargetError(f"{name} is no checkpoint of a learner; give one that training has saved.")
    return members


def _demand_member(member: int | None, members: int, name: str) -> None:
    if members and member is None:
        raise MissingError(f"{name} holds a population; say which of its members, {name}#0 to #{members - 1}.")
    if member is not None and member >= members:
        held = f"it holds #0 to #{members - 1}" if members else "it holds one learner; leave the number out"
        raise MissingError(f"{name} has no member {member}; {held}.")


def config_of(table: Any, name: str) -> NetworkConfig:
    """Return the kinds and sizes of a network; raises `TargetError` for what there is not."""
    try:
        return NetworkConfig(**_table(table))
    except (TypeError, ValueError) as error:
        raise TargetError(f"{name} holds a network that this program does not know ({shown(str(error))}).") from error


def _target(about: Manifest) -> Tree:
    """Return empty arrays for what others may take over of a learner."""
    found: dict[str, Any] = {}
    for leaf in about.leaves:
        if leaf.path[0] == "learner" and leaf.path[1] in PARTS:
            found["/".join(map(str, leaf.path[1:]))] = np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape)
    return {"returns": {}} | nested(found)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def export(weights: Weights, path: Path) -> None:
    """Write weights and all that must be known of them into a safetensors file; raises `RunError` or `StoreError`."""
    _library()
    from safetensors import numpy as tensors

    arrays = {f"parameters/{name}": np.ascontiguousarray(array) for name, array in flat(weights.parameters)}
    arrays |= {f"returns/{name}": np.ascontiguousarray(array) for name, array in flat(weights.returns)}
    about = {
        "kind": KIND,
        "format": FORMAT,
        "step": weights.step,
        "network": dataclasses.asdict(weights.config),
        "identity": weights.identity.model_dump(mode="json"),
        "settings": dict(weights.settings),
    }
    with files.replacing(path) as file:
        file.write(tensors.save(arrays, metadata={ABOUT: json.dumps(about, allow_nan=False)}))


def _of_file(path: Path) -> Weights:
    tensors = _library()
    name = shown(path)
    try:
        with tensors.safe_open(str(path), framework="np") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "null"))
            tree = nested({key: np.asarray(file.get_tensor(key)) for key in file.keys()})  # noqa: SIM118  # no mapping
    except (OSError, ValueError, TypeError, LookupError, RecursionError, tensors.SafetensorError) as error:
        raise TargetError(f"{name} cannot be read ({shown(str(error))}); export it again.") from error
    if not isinstance(about, dict) or (about.get("kind"), about.get("format")) != (KIND, FORMAT):
        raise TargetError(
            f"{name} does not say which network it holds; give a file that 'python -m train.export' made."
        )
    try:
        return Weights(
            name=name,
            step=int(about["step"]),
            config=config_of(about["network"], name),
            identity=Identity.model_validate(about["identity"]),
            parameters=_table(tree.get("parameters")),
            returns=_table(tree.get("returns")),
            settings=_table(about["settings"]),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise TargetError(f"{name} says too little about itself ({type(error).__name__}); export it again.") from error


def _library() -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise StoreError(
            f"Files ending in {SUFFIX} need the extra package safetensors; run pip install 'townlet_jax[weights]'."
        ) from error
    return safetensors
