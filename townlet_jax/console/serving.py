"""A session with a console, from a configuration: for whoever wants to look on, in this program or another one.

The session runs on a thread of its own until the context ends; everything goes through the console's address.
"""

import functools
import logging
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from townlet_jax.config import Built, Config, build
from townlet_jax.console.commands_session import USUAL_RATE
from townlet_jax.console.desk import Console
from townlet_jax.console.rehearsal import rehearse
from townlet_jax.console.wire import address_of
from townlet_jax.core import batch
from townlet_jax.failing import FAILURES
from townlet_jax.pacing import SHORT
from townlet_jax.plans import MOST_TICKS, RunError, plan_for, policy_of
from townlet_jax.policy.possessed import possessed
from townlet_jax.session import Session
from townlet_jax.snapshots import StoreError
from townlet_jax.stability import analysed
from townlet_jax.telemetry.publisher import Publisher
from townlet_jax.town_snapshots import identity_of

_log = logging.getLogger(__name__)


def steered(policy: batch.Policy, built: Built, config: Config) -> batch.Policy:
    """Return a policy whose agents can be possessed, in towns that are analysed."""
    return possessed(analysed(policy, built.spec, config.stability.model_dump()))


def prepare(session: Session) -> threading.Thread:
    """Compile what the first tick needs, and everything else meanwhile; the thread ends when nothing is left."""
    return session.prepare_soon(functools.partial(rehearse, session.built))


@contextmanager
def served(
    config: Config,
    *,
    towns: int = 1,
    ticks: int | None = None,
    policy: str | None = None,
    seed: int | None = None,
    watched: Sequence[int] = (0,),
    admin: bool = True,
    address: str | None = None,
    factor: float | None = 1.0,
    is_paused: bool = False,
) -> Iterator[str]:
    """Run a session on a thread of its own and yield where its console answers, a Unix socket by default.

    `factor` is the pace, 1 for four ticks a second, None for as fast as possible. Programs are compiled before the
    first tick; commands wait for that. Raises `ConfigError` and `RunError`.
    """
    built = build(config)
    plan = plan_for(
        built,
        towns=towns,
        ticks=MOST_TICKS if ticks is None else ticks,
        days=None,
        policy=policy,
        seed=config.seed if seed is None else seed,
        chunk=SHORT,
    )
    with ExitStack() as stack:
        if address is None:
            address = str(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="townlet-"))) / "console")
        console = Console(config, is_admin=admin)
        publisher = Publisher(
            built,
            plan,
            section=config.telemetry,
            watched=watched,
            every_ticks=config.telemetry.every_ticks,
            policy_hash=identity_of(built, plan.policy, config.snapshot).policy_hash,
            more_channels=[console.hub],
            is_live=True,
        )
        stack.callback(publisher.close)
        acting = steered(policy_of(plan.policy, built), built, config)
        session = Session(built, plan, policy=acting, listeners=[publisher, console], watched=watched)
        session.set_pace(None if factor is None else USUAL_RATE * factor)
        if is_paused:
            session.pause()
        console.attach(session, publisher)
        place = console.serve(address_of(address))
        stack.callback(session.close)
        runner = threading.Thread(target=functools.partial(_run, session), name="session", daemon=True)
        runner.start()
        stack.callback(_end, session, runner)
        yield str(place)


def _run(session: Session) -> None:
    try:
        prepare(session)
        session.run(session.plan.ticks)
    except (RunError, StoreError, *FAILURES) as error:
        _log.error("The session ended: %s", error)


def _end(session: Session, runner: threading.Thread) -> None:
    session.stop()
    runner.join()
