"""The table of a dataset: one row an episode, as Parquet. Owns its columns."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townlet_jax import files
from townlet_jax.run import RunError
from townlet_jax.snapshots.errors import shown

CURATED = b"townlet_curated"  # key in the metadata of a table of chosen episodes: what was asked for
CALM = "choose another folder, or record it again with scripts/capture_rollouts.py"


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One individual from its first tick in the recording to its last; a row of the table."""

    episode: int
    town: int
    slot: int
    agent: str  # name of the slot
    uid: int  # of the individual
    first: int  # row of the shard, 0 is the first tick
    length: int  # ticks
    decisions: int  # ticks with a choice
    total_reward: float
    reward_per_day: float
    terminated: bool  # the individual left
    truncated: bool  # a time limit struck
    stress: str
    shard: str  # file under `shards`
    sha256: str  # of that file
    town_late_starts: int  # what happened in the whole town while it was recorded
    town_absences: int
    town_conflicts: int
    town_chats_ok: int
    town_aborts: int
    town_faints: int


def parquet() -> Any:
    """Return the library for tables; raises `RunError` if it is not there."""
    try:
        import pyarrow.parquet  # type: ignore[import-untyped]  # it ships no types
    except ImportError as error:
        raise RunError("Datasets need the extra package pyarrow; run pip install 'townlet_jax[parquet]'.") from error
    return pyarrow.parquet


def schema() -> Any:
    """Return the columns of the table."""
    parquet()
    import pyarrow

    kinds = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string(), bool: pyarrow.bool_()}
    return pyarrow.schema([(field.name, kinds[field.type]) for field in dataclasses.fields(Episode)])  # type: ignore[index]  # classes


def write(path: Path, episodes: Iterable[Episode], curated: str = "") -> None:
    """Write a table of episodes."""
    library = parquet()
    import pyarrow

    columns = schema()
    if curated:
        columns = columns.with_metadata({CURATED: curated.encode()})
    table = pyarrow.Table.from_pylist([dataclasses.asdict(one) for one in episodes], schema=columns)
    with files.replacing(path) as file:
        library.write_table(table, file)


def read(raw: bytes, path: Path) -> tuple[tuple[Episode, ...], str]:
    """Return the episodes of a table and by what they were chosen; raises `RunError` for what is no such table."""
    library = parquet()
    import pyarrow

    try:
        table = library.read_table(pyarrow.BufferReader(raw))
    except (pyarrow.ArrowException, OSError) as error:
        raise RunError(f"{shown(path)} cannot be read ({type(error).__name__}); {CALM}.") from error
    wanted = schema()
    if not table.schema.equals(wanted, check_metadata=False):
        missing = [name for name in wanted.names if name not in table.schema.names]
        said = f"lacks {', '.join(missing)}" if missing else "has columns of other types"
        raise RunError(f"{shown(path)} is no table of episodes: it {said}; {CALM}.")
    if any(column.null_count for column in table.columns):
        raise RunError(f"{shown(path)} has empty fields; {CALM}.")
    curated = (table.schema.metadata or {}).get(CURATED, b"").decode(errors="replace")
    return tuple(Episode(**row) for row in table.to_pylist()), curated
