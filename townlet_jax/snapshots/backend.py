"""The only file that knows the checkpoint library: how a snapshot is written whole or not at all, and read.

The data is cut into pieces of 32 MiB, each an array of bytes: few arrays, because each costs about a millisecond, and
none that the library would cast, name after its keys or fail to save because it is empty. Every call is made on one
thread, which has no event loop of its own.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from townlet_jax.snapshots.errors import FlawError, reason
from townlet_jax.snapshots.leaves import Data
from townlet_jax.snapshots.paths import TRASH

PIECE = 32 * 2**20  # bytes
PATIENCE = 10.0  # seconds for threads that still write after another one failed
FAILURES = (  # what the library and its storage raise when files are damaged, or cannot be written
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def _library() -> Any:
    """Import the library on first use: it takes seconds, and whoever only lists snapshots needs none of it."""
    import orbax.checkpoint as ocp  # type: ignore[import-untyped]  # it ships no types

    return ocp


def opened(root: Path) -> Any:
    """Return a manager that writes into a folder and keeps everything; half-written snapshots are deleted."""
    ocp = _library()

    registry = ocp.handlers.DefaultCheckpointHandlerRegistry()
    for item in ("meta", "manifest"):
        registry.add(item, ocp.args.JsonSave, ocp.JsonCheckpointHandler(f"{item}.json"))
    options = ocp.CheckpointManagerOptions(
        create=False,
        cleanup_tmp_directories=True,
        todelete_subdir=TRASH,
        enable_async_checkpointing=False,
        lightweight_initialize=True,
        save_root_metadata=False,
        multiprocessing_options=_alone(),
    )
    return ocp.CheckpointManager(root, options=options, handler_registry=registry)


def _alone() -> Any:
    """Keep the library from talking to other processes: only the primary calls it."""
    import jax

    own = jax.process_index()
    return _library().options.MultiprocessingOptions(primary_host=own, active_processes={own})


def write(manager: Any, step: int, data: Data, meta: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Write a snapshot; when this returns it has its name, and all of it is in the system's hands."""
    ocp = _library()

    pieces = {_name(number): data[number * PIECE :][:PIECE] for number in range(_number(data.size))}
    args = ocp.args.Composite(
        state=ocp.args.PyTreeSave(pieces), meta=ocp.args.JsonSave(meta), manifest=ocp.args.JsonSave(manifest)
    )
    with _quiet():
        try:
            manager.save(step, args=args, force=True)
        except FAILURES:
            _settled()
            raise


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from printing tracebacks: what fails is raised, and said once."""
    logger = logging.getLogger("absl")

    def is_foreign(record: logging.LogRecord) -> bool:
        return "orbax" not in Path(record.pathname).parts

    logger.addFilter(is_foreign)
    try:
        yield
    finally:
        logger.removeFilter(is_foreign)


def _settled() -> None:
    """Return when the library's threads have ended: when one of them fails, the others still write."""
    until = time.monotonic() + PATIENCE
    while (writing := _threads()) and time.monotonic() < until:
        for thread in writing:  # their own `join` would raise what went wrong with each
            threading.Thread.join(thread, max(0.0, until - time.monotonic()))


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if type(thread).__module__.startswith("orbax.")]


def read(folder: Path, size: int) -> Data:
    """Return the data of a snapshot; raises `FlawError` unless it is that many bytes."""
    ocp = _library()

    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=_alone())
    place = folder / "state"
    wanted = {_name(number): (min(PIECE, size - number * PIECE),) for number in range(_number(size))}
    try:
        with _quiet():
            _demand(handler.metadata(place), wanted)
            restored = handler.restore(place, args=_restore_args(wanted))
        pieces = [np.asarray(restored[name]) for name in wanted]
    except FAILURES as error:
        raise FlawError("state", reason(error)) from error
    if any(piece.dtype != np.uint8 or piece.shape != wanted[name] for name, piece in zip(wanted, pieces, strict=True)):
        raise FlawError("state", "its arrays have another type or size")
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _restore_args(wanted: Mapping[str, tuple[int]]) -> Any:
    ocp = _library()

    return ocp.args.PyTreeRestore(
        item={name: np.broadcast_to(np.uint8(0), shape) for name, shape in wanted.items()},
        restore_args={name: ocp.RestoreArgs(restore_type=np.ndarray) for name in wanted},
    )


def _demand(about: Any, wanted: Mapping[str, tuple[int]]) -> None:
    """Raise `FlawError` before memory is asked for, if the arrays are not those of the manifest."""
    held = {name: (tuple(array.shape), np.dtype(array.dtype)) for name, array in about.tree.items()}
    if held != {name: (shape, np.dtype(np.uint8)) for name, shape in wanted.items()}:
        raise FlawError("state", "it holds other arrays than were saved")


def _number(size: int) -> int:
    return -(-size // PIECE)


def _name(number: int) -> str:
    return f"piece_{number:06d}"
