"""A recorded town: what everybody asked for, tick by tick, with all that is needed to live it again.

Owns the file format and the digest of a state. A recording holds the whole configuration, the town's key, the
intents, the operator's edits, and at checkpoints the SHA-256 of the state. A file is data only: nothing in it is
executed, and no size that it claims is believed before it has been checked.
"""

import dataclasses
import hashlib
import json
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, ValidationError

from townlet_jax.config.schema.fields import Section
from townlet_jax.config.schema.scenario import TimelineEntry
from townlet_jax.config.schema.town import MAX_AGENTS
from townlet_jax.core.actions import Intents
from townlet_jax.core.state import TownState
from townlet_jax.report import printable
from townlet_jax.run import MOST_TICKS, MOST_TOWNS, RunError

FORMAT: Literal["townlet_jax/recording@1"] = "townlet_jax/recording@1"
MOST_BYTES = 512 * 2**20  # of all arrays of a file together
MOST_EVERY = 1440  # ticks between checkpoints
DIGEST_BYTES = 32
FIELDS = tuple(field.name for field in dataclasses.fields(Intents))
MEMBERS = ("description", "key", "checkpoint_tick", "checkpoint_digest", *(f"intents_{name}" for name in FIELDS))
HEADER = re.compile(  # of an array file, version 1.0
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<dtype>[<|][biuf][1248])', 'fortran_order': False, "
    rb"'shape': \((?P<shape>(\d{1,9}(, ?|))*)\), \} *\n",
    re.DOTALL,
)
Table = npt.NDArray[Any]


class RecordingError(RunError):
    """A recording cannot be read or made; the text is one sentence."""


class Description(Section):
    """What a recording says about itself, as JSON in the file."""

    model_config = ConfigDict(strict=True)

    format: Literal["townlet_jax/recording@1"]
    config_id: str
    config_hash: str = Field(pattern="^[0-9a-f]{64}$")
    config: dict[str, Any]
    spec: dict[str, Any]
    policy: str
    seed: int = Field(ge=0, lt=2**31)
    town: int = Field(ge=0, lt=MOST_TOWNS)
    agents: int = Field(ge=1, le=MAX_AGENTS)
    ticks: int = Field(ge=1, le=MOST_TICKS)
    every: int = Field(ge=1, le=MOST_EVERY)
    edits: list[TimelineEntry]
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One town's run."""

    description: Description
    key: npt.NDArray[np.uint32]  # [2]
    intents: Mapping[str, Table]  # by field of `Intents`, axes [ticks, A], dtypes of the core
    checkpoints: Mapping[int, str]  # digest of the state after a tick, in hexadecimal


def digest(state: TownState) -> str:
    """Return the SHA-256 of all arrays of a state with their names, types and shapes."""
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        plain = jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        array = np.asarray(plain)
        total.update(f"{jax.tree_util.keystr(path)} {array.dtype.str} {array.shape};".encode())
        total.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return total.hexdigest()


def demand_room(ticks: int, agents: int) -> None:
    """Raise `RecordingError` if a run is too long for one file."""
    most = MOST_BYTES // (agents * 4 * len(FIELDS))
    if ticks > most:
        raise RecordingError(
            f"A recording of {ticks:,} ticks of {agents} agents was asked for, but a file holds {most:,} of them; "
            "record fewer ticks."
        )


def save(file: IO[bytes], recording: Recording) -> None:
    """Write a recording; the same recording gives the same bytes."""
    text = recording.description.model_dump_json().encode()
    digests = [np.frombuffer(bytes.fromhex(value), np.uint8) for value in recording.checkpoints.values()]
    members: dict[str, Table] = {
        "description": np.frombuffer(text, np.uint8),
        "key": recording.key,
        "checkpoint_tick": np.asarray(list(recording.checkpoints), np.int32),
        "checkpoint_digest": np.stack(digests),
        **{f"intents_{name}": narrowed(recording.intents[name]) for name in FIELDS},
    }
    np.savez_compressed(file, **members)  # type: ignore[arg-type]  # the names are not options


def narrowed(table: Table) -> Table:
    """Return whole numbers in the smallest type that holds them."""
    if table.dtype != np.int32:
        return table
    low, high = int(table.min()), int(table.max())
    fitting = (kind for kind in (np.int8, np.int16) if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return table.astype(next(fitting, np.int32))


def load(path: Path) -> Recording:
    """Read a recording; raises `RecordingError` for anything that is not one."""
    name = printable(str(path))
    try:
        with path.open("rb") as file:
            members = _members(file)
        return _recording(members)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RecordingError(f"{name} cannot be read ({reason}); give a file that townlet record made.") from error
    except _DamageError as error:
        raise RecordingError(f"{name} is not a recording that can be used: {error}.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise RecordingError(
            f"{name} is not a recording, or it is damaged; give a file that townlet record made, whole."
        ) from error


class _DamageError(Exception):
    """Why a file is not accepted, as the end of a sentence."""


def _members(file: IO[bytes]) -> dict[str, Table]:
    """Read the arrays of the archive, no more bytes than it may hold."""
    with zipfile.ZipFile(file) as archive:
        found = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(archive.infolist()) != len(MEMBERS) or set(found) != set(MEMBERS):
            raise _DamageError("it does not hold the arrays of one")
        if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in found.values()):
            raise _DamageError("it is packed in a way that is not read")
        size = sum(info.file_size for info in found.values())
        if size > MOST_BYTES:
            raise _DamageError(f"it claims {size:,} bytes, but the most are {MOST_BYTES:,}")
        return {name: _array(name, _bytes(archive, found[name])) for name in MEMBERS}


def _bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Unpack one member piece by piece, so that no more is unpacked than it declares."""
    pieces = []
    with archive.open(info) as member:
        while piece := member.read(2**20):
            pieces.append(piece)
    return b"".join(pieces)


def _array(name: str, content: bytes) -> Table:
    """Read an array as numpy writes it, and nothing else: its size must be that of what follows the header."""
    said = HEADER.match(content)
    if said is None:
        raise _DamageError(f"its array {name} does not begin as one")
    start = int.from_bytes(content[8:10], "little") + 10
    dtype = np.dtype(said["dtype"].decode())
    shape = tuple(int(length) for length in said["shape"].decode().replace(",", " ").split())
    if math.prod(shape) * dtype.itemsize != len(content) - start or start < said.end():
        raise _DamageError(f"its array {name} is not as large as it says")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def _recording(members: Mapping[str, Table]) -> Recording:
    """Check that the arrays fit together."""
    about = _description(members["description"])
    _demand(members, "key", (2,), np.uint32)
    number = len(members["checkpoint_tick"]) if members["checkpoint_tick"].ndim else 0
    _demand(members, "checkpoint_tick", (number,), np.int32)
    _demand(members, "checkpoint_digest", (number, DIGEST_BYTES), np.uint8)
    ticks = members["checkpoint_tick"].tolist()
    if not ticks or ticks[0] < 1 or ticks[-1] != about.ticks or sorted(set(ticks)) != ticks:
        raise _DamageError("its checkpoints are not in order up to the last tick")
    intents: dict[str, Table] = {}
    for name in FIELDS:
        wanted = {"quality": (np.float32,), "success": (np.bool_,), "switched": (np.bool_,)}
        kinds = wanted.get(name, (np.int8, np.int16, np.int32))
        _demand(members, f"intents_{name}", (about.ticks, about.agents), *kinds)
        table = members[f"intents_{name}"]
        intents[name] = table.astype(np.int32) if name not in wanted else table
    digests = [row.tobytes().hex() for row in members["checkpoint_digest"]]
    return Recording(
        description=about,
        key=members["key"],
        intents=intents,
        checkpoints=dict(zip(ticks, digests, strict=True)),
    )


def _demand(members: Mapping[str, Table], name: str, shape: tuple[int, ...], *kinds: type[np.generic]) -> None:
    table = members[name]
    if table.shape != shape or table.dtype not in [np.dtype(kind) for kind in kinds]:
        raise _DamageError(f"its array {name} is {table.dtype} {table.shape}, but must be {np.dtype(kinds[0])} {shape}")


def _description(content: Table) -> Description:
    if content.dtype != np.uint8 or content.ndim != 1:
        raise _DamageError("its description is not text")
    try:
        data = json.loads(content.tobytes().decode())
    except (ValueError, RecursionError):
        raise _DamageError("its description is not JSON") from None
    said = data.get("format") if isinstance(data, dict) else None
    if said != FORMAT:
        raise _DamageError(f"its format is {printable(str(said))[:40]!r}, but this program reads {FORMAT!r}")
    try:
        return Description.model_validate(data)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "too deep"}
        place = printable(".".join(str(part) for part in first["loc"]))[:80]
        raise _DamageError(f"its description is wrong at {place or 'the top'} ({first['msg']})") from None
