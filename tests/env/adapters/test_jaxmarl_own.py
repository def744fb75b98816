"""JaxMARL's own tests and its own learner, run as they are, where a checkout or a source package of it is at hand.

`JAXMARL_TESTS` is the folder `tests` of its source package: `pip download --no-deps --no-binary :all: jaxmarl==0.2.0`.
`JAXMARL_IPPO` is the path of `baselines/IPPO/ippo_ff_mpe.py` of a checkout; it needs `pip install 'jaxmarl[algs]'`.
"""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import pytest

from env.adapters.towns import ENV, NAMES, deadly
from townlet_jax.core.struct import Pytree
from townlet_jax.env.adapters import JaxMARLTown
from townlet_jax.env.adapters.marl import MarlState

TESTS, IPPO = (os.environ.get(name, "") for name in ("JAXMARL_TESTS", "JAXMARL_IPPO"))
HORIZON = 12


@pytest.fixture(autouse=True)
def standard_promotion() -> Any:
    """JaxMARL mixes dtypes."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def own(name: str) -> ModuleType:
    """Return one of JaxMARL's test modules."""
    spec = importlib.util.spec_from_file_location(name, Path(TESTS) / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Placed(Pytree):
    """The state of a town by the names that JaxMARL's test of auto-reset reads, which knows one of its games only."""

    town: MarlState
    step: jax.Array
    p_pos: jax.Array  # tells towns apart: the needs


class Game:
    """The town by the same names; `step` of a state says how late it is, and may be set."""

    def __init__(self, env: JaxMARLTown) -> None:
        self._env = env
        self.agents, self.num_agents, self.action_space = env.agents, env.num_agents, env.action_space
        self.max_steps = HORIZON - 1

    def reset(self, key: jax.Array) -> tuple[Any, Placed]:
        """Begin."""
        seen, state = self._env.reset(key)
        return seen, _placed(state)

    def step(self, key: jax.Array, state: Placed, actions: Any, reset_state: Placed) -> tuple[Any, ...]:
        """Step at the tick that the state names."""
        inner = state.town.inner
        clock = inner.town.clock.replace(tick=jax.numpy.asarray(state.step, jax.numpy.int32))
        now = state.town.replace(inner=inner.replace(town=inner.town.replace(clock=clock)))
        seen, after, *rest = self._env.step(key, now, actions, reset_state=reset_state.town)
        return seen, _placed(after), *rest


def _placed(state: MarlState) -> Placed:
    return Placed(town=state, step=state.step, p_pos=state.inner.town.needs.level)


@pytest.mark.skipif(not TESTS, reason="JAXMARL_TESTS does not name the folder of JaxMARL's tests")
def test_jaxmarls_tests_of_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    module = own("test_envs_implement_base_api")
    env = JaxMARLTown(ENV, deadly(HORIZON), NAMES)
    monkeypatch.setattr(module, "make", lambda name: env)
    module.test_envs("townlet")


@pytest.mark.skipif(not TESTS, reason="JAXMARL_TESTS does not name the folder of JaxMARL's tests")
def test_jaxmarls_test_of_auto_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    module = own("test_jaxmarl_api")
    game = Game(JaxMARLTown(ENV, deadly(HORIZON), NAMES))
    monkeypatch.setattr(module, "make", lambda name: game)
    module.test_auto_reset_to_specific_state()


@pytest.mark.skipif(not IPPO, reason="JAXMARL_IPPO does not name JaxMARL's ippo_ff_mpe.py")
def test_jaxmarls_ippo_trains_on_a_town(root: Path) -> None:
    command = [sys.executable, str(root / "scripts/jaxmarl_ippo.py"), IPPO, "--updates", "10", "--towns", "8"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    metrics = report["metrics"]
    assert report["updates"] == 10
    assert all(len(row) == 10 and all(map(math.isfinite, row)) for row in metrics.values())
    assert metrics["critic_loss"][-1] < metrics["critic_loss"][0] / 2
    assert metrics["returned_episode_lengths"][-1] == 64


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.py", None, "none.py is not there: give the path of a learner of a JaxMARL checkout"),
        ("empty.py", "", "empty.py has no make_train: give the path of a learner of a JaxMARL checkout"),
    ],
)
def test_scripts_that_are_no_learners_are_refused(
    root: Path, tmp_path: Path, name: str, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / name.replace(".py", ".yaml")).write_text("{}")
        (tmp_path / name).write_text(content)
    command = [sys.executable, str(root / "scripts/jaxmarl_ippo.py"), str(tmp_path / name)]
    environment = os.environ | {"PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
