"""One session with a console for all tests of a worker that do not need their own."""

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from console.desks import Desk


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a session of two hamlets that stands still; it is made before the first test file says how to compile."""
    folder = tmp_path_factory.mktemp("desk")
    usual = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    with Desk(folder=folder / "snapshots", settings={"audit_path": str(folder / "audit.jsonl")}) as made:
        made.live(20)
        jax.config.update("jax_disable_most_optimizations", usual)
        yield made


@pytest.fixture(scope="package")
def address(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where the session's console answers."""
    return desk.serve(Path(tmp_path_factory.mktemp("socket")))
