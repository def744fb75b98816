"""How sinks word what went wrong. Owns the spelling of reasons and the sentence about a missing extra."""

import importlib
from pathlib import Path
from types import ModuleType

from townlet_jax.report import printable
from townlet_jax.telemetry.sinks.contracts import SinkError

SHOWN = 160  # characters of somebody else's text that a message repeats


def shown(value: str | Path) -> str:
    """Write a path, an address or somebody else's text on one printable line, shortened."""
    line = printable(" ".join(str(value).split()))
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 3]}..."


def reason(error: BaseException) -> str:
    """Return why something failed, in the fewest words that say it."""
    if isinstance(error, OSError) and error.strerror:
        return shown(error.strerror)
    return shown(str(error)).rstrip(".") or type(error).__name__


def extra(module: str, name: str, what: str) -> ModuleType:
    """Import a library that only some sinks need; raises `SinkError` that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise SinkError(
            f"{what} needs the package {library}, which is not installed; pip install 'townlet_jax[{name}]'.",
            lasting=True,
        ) from error
