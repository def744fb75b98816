"""Adapters without their libraries, and the versions that the tests stand on."""

import importlib
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from townlet_jax.env import adapters

LIBRARIES = {
    "parallel": ("pettingzoo", "PettingZoo", "pettingzoo"),
    "vector": ("gymnasium.vector", "Gymnasium", "gymnasium"),
    "marl": ("jaxmarl.environments.spaces", "JaxMARL", "jaxmarl"),
}


@pytest.mark.parametrize("module", list(LIBRARIES))
def test_a_missing_library_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library, name, extra = LIBRARIES[module]
    full = f"townlet_jax.env.adapters.{module}"
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, full, raising=False)
    sentence = rf"^This adapter needs {name}, which cannot be imported: pip install 'townlet_jax\[{extra}\]'\.$"
    with pytest.raises(ImportError, match=sentence):
        importlib.import_module(full)


def test_the_environment_needs_none_of_them() -> None:
    command = (
        "import townlet_jax.env.adapters, sys; print(sorted({'pettingzoo', 'gymnasium', 'jaxmarl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_adapters_are_imported_by_name() -> None:
    assert sorted(adapters.__all__) == ["JaxMARLTown", "ParallelTown", "TownVectorEnv"]
    for name in adapters.__all__:
        assert getattr(adapters, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = adapters.Nothing


def test_importing_jaxmarl_leaves_the_streams_alone() -> None:
    """By itself it sends what follows to the process's own stream."""
    command = (
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()) as told:\n"
        "    import townlet_jax.env.adapters.marl\n"
        "    print('mine')\n"
        "print(told.getvalue().splitlines()[-1:])"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['mine']"


@pytest.mark.parametrize("library", ["pettingzoo", "gymnasium", "jaxmarl"])
def test_the_checkers_are_those_of_the_locked_versions(library: str, root: Path) -> None:
    locked = re.search(rf"^{library}==(\S+)", (root / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert locked is not None
    assert metadata.version(library) == locked[1], "run the tests with the locked packages: make test"
