"""A dataset: what some policy saw and did in many towns, in a folder of plain arrays that says what it holds.

    head.json           what it is: town, layout of the observations, choices, policy, counts, checksum of the table
    episodes.parquet    one row an episode: one individual from its first tick in the recording to its last
    shards/town-000000.npy    one town: a row for each tick and slot (`train.shards`)

Owns these names and the records. Nothing is believed before it is checked: see `train.audit`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, JsonValue, ValidationError

from townlet_jax import files
from townlet_jax.config import Built
from townlet_jax.core.observe.layout import layout
from townlet_jax.run import RunError
from townlet_jax.snapshots.errors import shown
from townlet_jax.snapshots.identity import Model
from townlet_jax.snapshots.manifest import digest
from townlet_jax.snapshots.weights import choices_of
from train import tables
from train.tables import CALM, Episode

KIND, FORMAT = "dataset", 1
HEAD, EPISODES, SHARDS = "head.json", "episodes.parquet", "shards"
MOST_HEAD, MOST_TABLE = 4 * 2**20, 2**30  # bytes
PLAIN = "none"  # the stress of a town that was left in peace


class Sight(Model):
    """What stands where in an observation, and what can be chosen."""

    variant: str
    features: list[str]
    channels: list[str]
    window: int = Field(ge=1, le=4096)
    path_channels: list[str]
    action_space: str
    choices: list[str]


class Head(Model):
    """What a dataset says about itself."""

    kind: str
    format: int
    created: str
    config_id: str
    config_hash: str
    spec: dict[str, JsonValue]
    sight: Sight
    policy: str
    about: dict[str, JsonValue]  # of the policy's weights, if it has some
    labels: str  # own: actions are what was done; script: what the script would have done
    seed: int
    towns: int = Field(ge=1)
    ticks: int = Field(ge=1)  # of each town
    slots: int = Field(ge=1)
    discount: float = Field(ge=0, lt=1)  # of the returns to go
    tail: float  # the return to go that stands for what came after a cut: mean reward / (1 - discount)
    rows: int = Field(ge=0)  # in which an individual acted
    decisions: int = Field(ge=0)  # of them with a choice
    episodes: int = Field(ge=0)
    stress: dict[str, int]  # towns by kind
    left_out: list[str]  # kinds of stress that this town cannot have
    table: str = Field(pattern="^[0-9a-f]{64}$")  # SHA-256 of the table of episodes
    versions: dict[str, str]


@dataclass(frozen=True)
class Dataset:
    """An opened dataset, not yet checked. `curated` says by what a table was chosen, "" for all episodes."""

    folder: Path
    head: Head
    episodes: tuple[Episode, ...]
    curated: str = ""

    @property
    def name(self) -> str:
        """Return its name for people."""
        return shown(self.folder)

    def shards(self) -> list[str]:
        """Return the files that hold its episodes, in order of towns."""
        return list(dict.fromkeys(one.shard for one in self.episodes))

    def path(self, shard: str) -> Path:
        """Return where a shard is."""
        return self.folder / SHARDS / shard

    def checksums(self) -> dict[str, str]:
        """Return the checksum of every shard."""
        return {one.shard: one.sha256 for one in self.episodes}


def sight_of(built: Built) -> Sight:
    """Return what agents see and choose in a town."""
    seen = layout(built.spec)
    return Sight(
        variant=built.spec.variant,
        features=list(seen.features),
        channels=list(seen.channels),
        window=seen.window,
        path_channels=list(seen.path_channels),
        action_space=built.spec.action_space,
        choices=choices_of(built),
    )


def demand_sight(dataset: Dataset, built: Built) -> None:
    """Raise `RunError` unless a network sees and chooses in a town what the dataset holds."""
    there, here = dataset.head.sight, sight_of(built)
    for field in Sight.model_fields:
        one, other = getattr(there, field), getattr(here, field)
        if one != other:
            raise RunError(
                f"{dataset.name} was recorded with another layout: {field} {_difference(one, other)}; give the town "
                "and the action space of the recording, or record it again."
            )


def _difference(there: Any, here: Any) -> str:
    """Say where two values part."""
    if not isinstance(there, list) or not isinstance(here, list):
        return f"is {there} there and {here} here"
    for place, (one, other) in enumerate(zip(there, here, strict=False)):
        if one != other:
            return f"number {place} is {shown(str(one))} there and {shown(str(other))} here"
    return f"has {len(there)} names there and {len(here)} here"


def opened(place: Path) -> Dataset:
    """Open a dataset: its folder, or a curated table in it. Raises `RunError` for what is none.

    Shards are not looked at; see `train.audit.demand`.
    """
    folder, table = (place.parent, place) if place.suffix == ".parquet" else (place, place / EPISODES)
    head = _head(folder)
    if not table.is_file():
        raise RunError(f"{shown(table)} is missing, the table of the episodes; {CALM}.")
    raw = _bytes(table, MOST_TABLE)
    episodes, curated = tables.read(raw, table)
    if not curated and digest(raw) != head.table:
        raise RunError(f"{shown(table)} is not the table that {HEAD} speaks of (another checksum); {CALM}.")
    return Dataset(folder, head, episodes, curated)


def _head(folder: Path) -> Head:
    path = folder / HEAD
    if not path.is_file():
        raise RunError(f"{shown(folder)} is no dataset, because it has no {HEAD}; {CALM}.")
    try:
        head = Head.model_validate_json(_bytes(path, MOST_HEAD))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise RunError(f"{shown(path)} cannot be used ({where}: {first['msg']}); {CALM}.") from error
    if (head.kind, head.format) != (KIND, FORMAT):
        raise RunError(f"{shown(path)} is {head.kind} of format {head.format}, not {KIND} {FORMAT}; {CALM}.")
    return head


def _bytes(path: Path, most: int) -> bytes:
    """Return a file that is not larger than it may be, and no link to somewhere else."""
    if path.is_symlink():
        raise RunError(f"{shown(path)} is a link, which a dataset may not hold; {CALM}.")
    size = path.stat().st_size
    if size > most:
        raise RunError(f"{shown(path)} has {size:,} bytes, more than the {most:,} it may have; {CALM}.")
    return path.read_bytes()


def write_head(folder: Path, head: Head) -> None:
    """Write what a dataset says about itself; do it last."""
    with files.replacing(folder / HEAD) as file:
        file.write((json.dumps(head.model_dump(mode="json"), indent=2, allow_nan=False) + "\n").encode())
