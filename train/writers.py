"""More ways to keep the log: Parquet, TensorBoard, Weights & Biases. Each needs an extra package and says so.

Owns their files. A run that goes on hands in the lines that it keeps, so that what comes after them is written once.
"""

import importlib
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from townlet_jax import files
from townlet_jax.report import printable
from townlet_jax.run import RunError

Row = dict[str, Any]
EXTRAS = {  # by the name of the log: module, and extra of the package
    "parquet": ("pyarrow.parquet", "parquet"),
    "tensorboard": ("tensorboardX", "tensorboard"),
    "wandb": ("wandb", "wandb"),
}
PARQUET, TENSORBOARD, RUN_ID = "log.parquet", "tensorboard", "wandb-run.json"
PROJECT = "townlet_jax"
UPDATES_A_PART = 100


@runtime_checkable
class Writer(Protocol):
    """One more place for the lines of a log."""

    def add(self, row: Row) -> None:
        """Take a line."""

    def close(self) -> None:
        """Write out what is left."""


def demand(kinds: Sequence[str], folder: Path | None) -> None:
    """Raise `RunError` for a log that cannot be had, before anything is compiled."""
    for kind in kinds:
        if kind not in EXTRAS:
            raise RunError(f"--log is '{printable(kind)}', but must be one of {', '.join(EXTRAS)}; choose one.")
        if folder is None:
            raise RunError(f"--log {kind} needs a folder for its files; give --out.")
        _library(kind)


def opened(kinds: Sequence[str], folder: Path, settings: Mapping[str, Any], kept: Sequence[Row]) -> list[Writer]:
    """Return writers that go on after the lines that are kept; raises `RunError`."""
    made: list[Writer] = []
    for kind in dict.fromkeys(kinds):
        if kind == "parquet":
            made.append(ParquetWriter(folder / PARQUET, kept))
        elif kind == "tensorboard":
            made.append(TensorBoardWriter(folder / TENSORBOARD, kept))
        else:
            made.append(WandbWriter(folder, settings, kept))
    return made


def _library(kind: str) -> Any:
    module, extra = EXTRAS[kind]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise RunError(
            f"--log {kind} needs the extra package {package}; run pip install 'townlet_jax[{extra}]'."
        ) from error


class ParquetWriter:
    """A folder of files with the lines of `UPDATES_A_PART` updates each, to be read as one table."""

    def __init__(self, folder: Path, kept: Sequence[Row], *, updates: int = UPDATES_A_PART) -> None:
        self._folder = folder
        self._updates = updates
        self._rows: list[Row] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for part in folder.glob("part-*.parquet"):
                part.unlink()
        except OSError as error:
            raise RunError(f"{printable(str(folder))} cannot be written ({error.strerror}); remove it.") from error
        for row in kept:
            self.add(row)

    def add(self, row: Row) -> None:
        """Take a line; a part is written when the first line of the next one comes."""
        if self._rows and row["update"] // self._updates != self._rows[-1]["update"] // self._updates:
            self._write()
        self._rows.append(row)

    def close(self) -> None:
        """Write the last part."""
        if self._rows:
            self._write()

    def _write(self) -> None:
        parquet = _library("parquet")
        import pyarrow  # type: ignore[import-untyped]  # it ships no types

        types = {int: pyarrow.int64(), float: pyarrow.float64()}
        schema = pyarrow.schema([(name, types[type(value)]) for name, value in self._rows[0].items()])
        path = self._folder / f"part-{self._rows[0]['update'] // self._updates:06d}.parquet"
        with files.replacing(path) as file:
            parquet.write_table(pyarrow.Table.from_pylist(self._rows, schema=schema), file)
        self._rows = []


class TensorBoardWriter:
    """Event files; what an interrupted run wrote beyond the lines that are kept is no longer shown."""

    def __init__(self, folder: Path, kept: Sequence[Row]) -> None:
        first = kept[-1]["update"] + 1 if kept else 0
        self._writer = _library("tensorboard").SummaryWriter(logdir=str(folder), purge_step=first)

    def add(self, row: Row) -> None:
        """Take a line."""
        for name, value in figures(row).items():
            self._writer.add_scalar(name, value, row["update"])

    def close(self) -> None:
        """Write out what is left."""
        self._writer.close()


class WandbWriter:
    """A run of Weights & Biases; `WANDB_MODE=offline` keeps it on this machine. A run that goes on keeps its id."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], kept: Sequence[Row]) -> None:
        wandb = _library("wandb")
        path = folder / RUN_ID
        known = json.loads(path.read_text(encoding="utf-8")) if kept and path.exists() else {"id": uuid.uuid4().hex}
        with files.replacing(path) as file:
            file.write(json.dumps(known).encode())
        try:
            self._run = wandb.init(
                project=PROJECT,
                name=folder.name,
                id=known["id"],
                dir=str(folder),
                config=dict(settings),
                resume="allow",
                settings=wandb.Settings(console="off", silent=True),
            )
        except (wandb.errors.Error, OSError) as error:
            said = " ".join(printable(str(error)).split()).rstrip(".")
            raise RunError(f"--log wandb could not begin ({said}); log in, or set WANDB_MODE=offline.") from error
        self._now: Row = {}
        self._update = -1

    def add(self, row: Row) -> None:
        """Take a line; the members of a population make one step together."""
        if row["update"] != self._update:
            self._send()
        self._update = row["update"]
        self._now |= figures(row)

    def close(self) -> None:
        """Write out what is left."""
        self._send()
        self._run.finish()

    def _send(self) -> None:
        if self._now:
            self._run.log(self._now, step=self._update)
        self._now = {}


def figures(row: Row) -> dict[str, float]:
    """Return the figures of a line by name; those of a member of a population say whose they are."""
    member = f"member_{row['member']}/" if "member" in row else ""
    return {f"{member}{name}": value for name, value in row.items() if name not in ("update", "member")}
