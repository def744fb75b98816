"""Train JaxMARL's own IPPO on a town: runs a script of a JaxMARL checkout as it is, with the town as its environment.

    python scripts/jaxmarl_ippo.py ~/JaxMARL/baselines/IPPO/ippo_ff_mpe.py --updates 20

The script must have `make_train(config)`, as JaxMARL's learners do; its settings are read from `config/<its name>.yaml`
beside it. Only the environment and the sizes are replaced. Needs `pip install 'townlet_jax[jaxmarl]' 'jaxmarl[algs]'`.
The last line on stdout is one JSON object with the learner's metrics, one number an update.
"""

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from townlet_jax import runtime
from townlet_jax.config import ConfigError, build, load

TOWN = "townlet"  # name of the environment within JaxMARL
LEARNER = "a learner of a JaxMARL checkout, such as baselines/IPPO/ippo_ff_mpe.py"


def main(arguments: Sequence[str]) -> int:
    """Train and report; returns 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    runtime.configure(cpu_devices=1)
    try:
        built = build(load(given.town, [f"clock.horizon_ticks={given.horizon}", *given.overrides]))
        settings = _settings(given)
        register(built)
        script = loaded(given.script)
        report = trained(script, settings, seed=given.seed)
    except (ConfigError, OSError, ImportError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({"script": given.script.name, "agents": list(built.names.agents), **report}))
    return 0


def register(built: Any) -> None:
    """Let `jaxmarl.make` know the town."""
    import jaxmarl
    from jaxmarl import registration

    from townlet_jax.env import TownEnv
    from townlet_jax.env.adapters import JaxMARLTown

    others = registration.make

    def make(env_id: str, **settings: Any) -> Any:
        """Return the town, or what JaxMARL has under that name."""
        if env_id != TOWN:
            return others(env_id, **settings)
        return JaxMARLTown(TownEnv(built.spec), built.params, built.names.agents, **settings)

    registration.registered_envs.append(TOWN)
    registration.make = jaxmarl.make = make


def loaded(path: Path) -> ModuleType:
    """Return the script as a module, without running what it does when it is started."""
    found = importlib.util.spec_from_file_location("jaxmarl_script", path)
    if found is None or found.loader is None:
        raise ValueError(f"{path} is no Python file: give the path of {LEARNER}.")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    if not hasattr(module, "make_train"):
        raise ValueError(f"{path} has no make_train: give the path of {LEARNER}.")
    return module


def trained(script: ModuleType, settings: dict[str, Any], *, seed: int) -> dict[str, Any]:
    """Train, and return the seconds it took and the mean of every metric by update."""
    import jax
    import numpy as np

    if hasattr(script, "wandb"):
        script.wandb.init(mode="disabled")
    begun = time.perf_counter()
    made = jax.jit(script.make_train(settings))(jax.random.PRNGKey(seed))
    metrics = jax.device_get(made["metrics"])
    seconds = time.perf_counter() - begun
    rows = {}
    for path, values in jax.tree_util.tree_leaves_with_path(metrics):
        means = np.asarray(values, np.float64).reshape(len(values), -1).mean(axis=1)
        rows["/".join(str(part.key) for part in path)] = [round(float(mean), 6) for mean in means]
    return {"seconds": round(seconds, 1), "updates": settings["NUM_UPDATES"], "metrics": rows}


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    """Return the script's own settings with our environment and sizes."""
    beside = given.script.parent / "config" / f"{given.script.stem}.yaml"
    for file in (given.script, beside):
        if not file.is_file():
            raise ValueError(f"{file} is not there: give the path of {LEARNER}.")
    settings: dict[str, Any] = yaml.safe_load(beside.read_text(encoding="utf-8"))
    return settings | {
        "ENV_NAME": TOWN,
        "ENV_KWARGS": {},
        "NUM_ENVS": given.towns,
        "NUM_STEPS": given.steps,
        "TOTAL_TIMESTEPS": given.updates * given.steps * given.towns,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("script", type=Path, help=LEARNER)
    parser.add_argument("overrides", nargs="*", metavar="KEY.SUB=VALUE", help="values of the town to change")
    parser.add_argument("--town", default="default", help="file or preset of the town")
    parser.add_argument("--towns", type=int, default=4, help="towns at once")
    parser.add_argument("--steps", type=int, default=64, help="ticks of a rollout")
    parser.add_argument("--horizon", type=int, default=64, help="ticks of an episode")
    parser.add_argument("--updates", type=int, default=8, help="updates of the network")
    parser.add_argument("--seed", type=int, default=0, help="seed of the learner")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
