"""Commands about the session itself: what there is, how fast it goes, who acts."""

import time
from typing import Literal

from pydantic import Field

from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.host import Host, Promotion
from townlet_jax.console.rows import Answer, Arguments, Row

USUAL_RATE = 4.0  # ticks a second at factor 1
STEP_PATIENCE = 5.0  # seconds in which a step is waited for
LOOK = 0.005  # seconds between two looks whether it is done


class Speed(Arguments):
    """How fast."""

    factor: Literal[1, 10, 100, "max"] = Field(description="1 is four ticks a second")


class Step(Arguments):
    """How far."""

    ticks: int = Field(1, ge=1, le=1_000_000)


class Checkpoint(Arguments):
    """Which policy."""

    checkpoint: str = Field(min_length=1, max_length=1000, description="run folder (RUN[@STEP|@best]) or weights")


class Reason(Arguments):
    """Why."""

    reason: str = Field("", max_length=200, description="kept in the history")


def noop(host: Host, arguments: Arguments) -> Answer:
    """Do nothing."""
    del host, arguments
    return {}


def pace_of(host: Host) -> dict[str, float | bool | str | None]:
    """Return how fast the session is meant to go."""
    rate = host.session.rate
    factor = "max" if rate is None else rate / USUAL_RATE
    return {"paused": host.session.is_paused, "factor": factor, "rate": rate}


def _told(host: Host) -> Answer:
    pace = pace_of(host)
    if host.publisher is not None:
        host.publisher.inform("health", {"pace": pace}, at_once=True)
    return {"tick": host.session.tick, **pace}


def pause(host: Host, arguments: Arguments) -> Answer:
    """Stand still."""
    del arguments
    host.session.pause()
    return host.between(lambda: _told(host))


def resume(host: Host, arguments: Arguments) -> Answer:
    """Go on."""
    del arguments
    host.session.resume()
    return _told(host)


def speed(host: Host, arguments: Speed) -> Answer:
    """Go faster or slower; does not end a pause."""
    host.session.set_pace(None if arguments.factor == "max" else USUAL_RATE * arguments.factor)
    return _told(host)


def step(host: Host, arguments: Step) -> Answer:
    """Pause, and let some ticks pass; the answer comes when they have, or after a while."""
    session = host.session
    if session.is_own_thread:
        raise ConsoleError("unsupported", "A script has no use for step; give its commands a tick.")
    session.step(arguments.ticks)
    until = time.monotonic() + STEP_PATIENCE
    while not session.is_paused and time.monotonic() < until:
        time.sleep(LOOK)
    done = session.is_paused
    answer = host.between(lambda: _told(host)) if done else _told(host)
    return {**answer, "ticks": arguments.ticks, "done": done}


def promotion_status(host: Host, arguments: Arguments) -> Answer:
    """Return the seats, the gate and the history of releases."""
    del arguments
    return {"promotion": dict(_promotion(host).status())}


def load_shadow(host: Host, arguments: Checkpoint) -> Answer:
    """Seat a candidate."""
    return dict(_promotion(host).load_shadow(arguments.checkpoint))


def policy_swap(host: Host, arguments: Checkpoint) -> Answer:
    """Let another policy act from the next tick on."""
    return dict(_promotion(host).swap(arguments.checkpoint))


def promote(host: Host, arguments: Reason) -> Answer:
    """Let the candidate act, if it passes the gate."""
    return dict(_promotion(host).promote(arguments.reason))


def rollback(host: Host, arguments: Reason) -> Answer:
    """Let the policy before act again."""
    return dict(_promotion(host).rollback(arguments.reason))


def _promotion(host: Host) -> Promotion:
    if host.promotion is None:
        raise ConsoleError("unsupported", "This session has no releases to promote; start it with a learned policy.")
    return host.promotion


ROWS = (
    Row(name="noop", about="Nothing; shows that the console answers.", function=noop),
    Row(name="pause", about="Stand still after the chunk that runs.", function=pause, role="admin"),
    Row(name="resume", about="Go on.", function=resume, role="admin"),
    Row(
        name="speed", about="Go at 4, 40 or 400 ticks a second, or as fast as possible.",
        function=speed, arguments=Speed, role="admin", errors=("invalid_args",),
    ),
    Row(
        name="step", about="Pause, and let some ticks pass.",
        function=step, arguments=Step, role="admin", errors=("invalid_args", "unsupported"),
    ),
    Row(
        name="promotion_status", about="Release, candidate, previous policy; gate and history.",
        function=promotion_status, errors=("unsupported",),
    ),
    Row(
        name="load_shadow", about="Seat a candidate that acts nowhere but is scored.",
        function=load_shadow, arguments=Checkpoint, role="admin", needs_id=True, errors=("not_found", "rejected"),
    ),
    Row(
        name="policy_swap", about="Let another policy act from the next tick on.",
        function=policy_swap, arguments=Checkpoint, role="admin", needs_id=True, errors=("not_found", "rejected"),
    ),
    Row(
        name="promote_policy", about="Let the candidate act, if it passes the gate.",
        function=promote, arguments=Reason, role="admin", needs_id=True, errors=("not_ready", "rejected"),
    ),
    Row(
        name="rollback_policy", about="Let the policy before act again.",
        function=rollback, arguments=Reason, role="admin", needs_id=True, errors=("not_ready", "rejected"),
    ),
)  # fmt: skip
