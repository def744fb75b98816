"""Several processes that train together: each finds the others before jax starts its devices.

Every process runs the same command. Towns are split over the devices of all of them, and XLA brings the gradients
together. Who saves and writes is `snapshots.processes`' business.
"""

import argparse
import re

import jax
from jax.sharding import Mesh

from townlet_jax.run import RunError
from townlet_jax.snapshots import processes

WAIT = 300  # seconds for the others to come
_BY_HAND = ("coordinator", "processes", "process")
_ADDRESS = re.compile(r"\[?[\w.:-]+\]?:\d{1,5}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add how a process finds the others."""
    group = parser.add_argument_group("several processes")
    group.add_argument(
        "--distributed",
        action="store_true",
        help="this is one of the processes of a run; Slurm and Open MPI say by themselves which, else say it here",
    )
    group.add_argument("--coordinator", metavar="HOST:PORT", help="where process 0 can be reached")
    group.add_argument("--processes", type=int, metavar="N", help="how many there are")
    group.add_argument("--process", type=int, metavar="I", help="which one this is, 0 to N - 1")
    group.add_argument("--wait", type=int, default=WAIT, metavar="SECONDS", help=f"for the others; default {WAIT}")


def meet(given: argparse.Namespace) -> None:
    """Join the other processes, if this is one of several; raises `RunError` if they do not come together.

    Call it before anything computes.
    """
    told = {name: getattr(given, name) for name in _BY_HAND if getattr(given, name) is not None}
    if not given.distributed:
        if told:
            raise RunError(f"--{next(iter(told))} is for several processes; add --distributed, or leave it out.")
        return
    if told:
        _demand_whole(told)
    if given.wait < 1:
        raise RunError(f"--wait is {given.wait}, but must be 1 second or more; change it.")
    try:
        jax.distributed.initialize(
            coordinator_address=told.get("coordinator"),
            num_processes=told.get("processes"),
            process_id=told.get("process"),
            initialization_timeout=given.wait,
        )
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise RunError(
            f"The processes of this run did not come together ({reason}); give --coordinator, --processes and "
            "--process, start all of them, and see that process 0 can be reached."
        ) from error


def _demand_whole(told: dict[str, object]) -> None:
    """Refuse what does not fit together."""
    for name in _BY_HAND:
        if name not in told:
            raise RunError(f"--{name} is missing; give all of --coordinator, --processes and --process, or none.")
    number, which = int(str(told["processes"])), int(str(told["process"]))
    if number < 1:
        raise RunError(f"--processes is {number}, but must be 1 or more; say how many there are.")
    if not 0 <= which < number:
        raise RunError(f"--process is {which}, but must be 0 to {number - 1}; each process has its own number.")
    if _ADDRESS.fullmatch(str(told["coordinator"])) is None:
        raise RunError("--coordinator must be HOST:PORT, such as node1:12345; give where process 0 can be reached.")


def demand_all(mesh: Mesh) -> None:
    """Raise `RunError` unless the mesh has the devices of all processes: a process without any would be idle."""
    if not processes.is_alone() and mesh.size != jax.device_count():
        raise RunError(
            f"Only {mesh.size} of {jax.device_count()} devices of {jax.process_count()} processes can share the towns "
            "of a minibatch evenly; make towns a multiple of ppo.minibatches times all devices."
        )
