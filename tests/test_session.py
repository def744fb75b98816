"""The session: chunks, edits, pace, watched towns, faults. Nothing that is asked of it disturbs anything else."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import jax
import lives
import numpy as np
import pytest
from core.worlds import hamlet
from lives import CHUNK, TICKS, TOWNS, Ears, bits, restless

from townlet_jax.config.schema.shell import SnapshotSection
from townlet_jax.core import batch
from townlet_jax.failing import FailureError
from townlet_jax.plans import RunError
from townlet_jax.policy.arguments import CommandError
from townlet_jax.resuming import restored
from townlet_jax.session import Session
from townlet_jax.snapshots import Store
from townlet_jax.stretch import Stretch
from townlet_jax.town_snapshots import FailureLog, identity_of

MAD = {"agent": 0, "amount": 999}
RICH = {"agent": 1, "amount": 50}


@contextmanager
def running(session: Session, until: int = 10**6) -> Iterator[Session]:
    """Run a session on a thread of its own, and end it."""
    session.prepare(until, is_paced=True)
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(session.run, until)
        try:
            yield session
        finally:
            session.stop()
            run.result(timeout=60)


def soon(condition: Callable[[], bool], seconds: float = 90.0) -> bool:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def test_listeners_hear_every_chunk_in_order_and_the_totals_are_theirs() -> None:
    ears = Ears()
    with lives.session(listeners=[ears]) as session:
        session.run(TICKS)
        assert session.tick == TICKS
        totals, states = session.totals, session.states
    spans = [(stretch.first_tick, stretch.last_tick) for stretch in ears.heard]
    assert spans == [(tick, tick + CHUNK - 1) for tick in range(1, TICKS, CHUNK)]
    assert ears.closings == 1
    walked = sum(np.asarray(stretch.totals.sums.wallet_mean, np.float64) for stretch in ears.heard)
    np.testing.assert_array_equal(totals["sums.wallet_mean"], walked)
    np.testing.assert_array_equal(totals["ticks"], [TICKS] * TOWNS)
    assert ears.heard[0].series.need_mean.shape == (CHUNK, 3)
    assert {stretch.num_towns for stretch in ears.heard} == {TOWNS}
    assert all(stretch.seconds > 0 and not stretch.watched for stretch in ears.heard)
    undisturbed = batch.init_batch(hamlet().spec, hamlet().params, 3, TOWNS)
    assert bits(states) != bits(undisturbed)
    np.testing.assert_array_equal(states.clock.tick, [TICKS] * TOWNS)


def test_a_watched_town_is_the_town_in_the_batch_bit_for_bit() -> None:
    ears = Ears()
    with lives.session(listeners=[ears], watched=[1]) as session:
        session.run(3 * CHUNK)
        assert bits(ears.heard[-1].watched[1].after) == bits(batch.town_of(session.states, 1))
        assert bits(ears.heard[-1].watched[1].memory[-1]) != bits(session.moment().memory[1])
        later = session.watch([0])
        session.run(4 * CHUNK)
        assert later.done()
    assert [list(stretch.watched) for stretch in ears.heard] == [[1], [1], [1], [0]]
    for one, other in zip(ears.heard[:2], ears.heard[1:3], strict=True):
        first = jax.tree.map(lambda leaf: leaf[0], other.watched[1].before)
        assert bits(one.watched[1].after) == bits(first)
    seen = ears.heard[0].watched[1]
    assert seen.before.clock.tick.tolist() == list(range(CHUNK))
    assert seen.memory.tolist()[0] == list(range(hamlet().spec.num_agents))
    assert seen.outputs.measures.alive.shape == (CHUNK,)


def test_edits_are_applied_in_order_between_ticks_to_all_towns_or_one() -> None:
    ears = Ears()
    with lives.session(listeners=[ears]) as session:
        answers = [
            session.submit("set_wallet", {"agent": 1, "amount": 7}),
            session.submit("set_wallet", RICH),
            session.submit("set_wallet", {"agent": 1, "amount": 20}, town=1),
            session.submit("set_wallet", {"agent": "nobody", "amount": 1}),
            session.submit("set_wallet", RICH, town=TOWNS),
        ]
        session.run(CHUNK)
        assert session.states.economy.wallet[:, 1].tolist() == [50.0, 20.0]
        assert [answer.result(0) for answer in answers[:3]] == [1, 1, 1]
        with pytest.raises(CommandError, match="agent"):
            answers[3].result(0)
        with pytest.raises(RunError, match="no town 2; choose one of 0 to 1"):
            answers[4].result(0)
        late = session.submit("set_wallet", RICH)
    assert [(edit.tick, edit.command, edit.arguments["amount"]) for edit in ears.heard[0].edits] == [
        (1, "set_wallet", 7),
        (1, "set_wallet", 50),
        (1, "set_wallet", 20),
    ]
    with pytest.raises(RunError, match="has ended"):
        late.result(0)


def test_pause_step_resume_and_pace_from_another_thread_compile_nothing() -> None:
    with running(lives.session()) as session:
        session.pause()
        assert soon(lambda: session.is_paused and not _moves(session))
        session.submit("set_wallet", RICH).result(20)
        events: list[str] = []

        def note(event: str, seconds: float, **more: object) -> None:
            del seconds, more
            if event == lives.COMPILATION:
                events.append(event)

        jax.monitoring.register_event_duration_secs_listener(note)
        stood = session.tick
        session.step(13)
        assert soon(lambda: session.tick == stood + 13)
        assert not _moves(session)
        session.submit("set_wallet", {"agent": 2, "amount": 3}).result(20)
        began, stood = time.monotonic(), session.tick
        session.set_pace(50)
        session.resume()
        assert soon(lambda: session.tick >= stood + 25)
        assert time.monotonic() - began >= 25 / 50 - 0.1
        asked = time.monotonic()
        session.submit("set_wallet", {"agent": 2, "amount": 4}).result(20)
        heard_after = time.monotonic() - asked
        session.set_pace(None)
        stood = session.tick
        assert soon(lambda: session.tick > stood + 200)
        jax.monitoring.unregister_event_duration_listener(note)
    assert events == []
    assert heard_after < 1.0, "0.1 s on a quiet machine; this one may be busy"
    for refused in (lambda: session.step(0), lambda: session.set_pace(0)):
        with pytest.raises(RunError, match="asked for"):
            refused()
    session.close()


def _moves(session: Session) -> bool:
    before = session.tick
    time.sleep(0.1)
    return session.tick != before


def test_a_stop_ends_the_run_after_the_chunk() -> None:
    with lives.session() as session:
        threading.Timer(0.05, session.stop).start()
        session.run(10**7)
        assert 0 < session.tick < 10**7
        assert session.tick == int(session.totals["ticks"][0])


def test_a_fault_ends_the_run_with_one_sentence_and_the_state_before_it_is_kept(tmp_path: Path) -> None:
    section, built = SnapshotSection(), hamlet()
    log = FailureLog(root=tmp_path, identity=identity_of(built, "idle", section))
    with lives.session(failures=log) as session:
        session.run(CHUNK)
        before = {path: data for path, _, data in bits(session.states)}
        session.submit("set_wallet", MAD, town=1)
        with pytest.raises(FailureError) as failed:
            session.run(TICKS)
    (folder,) = (tmp_path / "failures").iterdir()
    assert folder.name.startswith("tick_000000010_")
    said = str(failed.value)
    assert said.startswith("Ticks 11 to 20 left faults (BAD_INTENT in town 1)")
    assert str(folder) in said
    assert json.loads((folder / "error.json").read_text())["first_tick"] == 11
    with Store(folder, identity=log.identity, read_only=True) as store:
        moment, _ = restored(store, built, restless(), section)
    assert moment.tick == CHUNK
    kept = {path: data for path, _, data in bits(moment.states)}
    assert [path for path in kept if kept[path] != before[path]] == [".economy.wallet"], "the edit, nothing else"
    assert moment.states.economy.wallet[1, 0] == MAD["amount"]


def test_known_faults_do_not_stop_a_session_that_may_go_on() -> None:
    with lives.session(stop_at_faults=False) as session:
        session.submit("set_wallet", MAD)
        session.run(TICKS)
        assert session.tick == TICKS
        assert session.states.faults.tolist() == [2, 2]


def test_a_listener_that_fails_names_the_ticks_and_the_state_is_kept(tmp_path: Path) -> None:
    class Broken(Ears):
        def hear(self, stretch: Stretch) -> None:
            if stretch.last_tick == 2 * CHUNK:
                raise ValueError("no more\nroom")

    log = FailureLog(root=tmp_path, identity=identity_of(hamlet(), "idle", SnapshotSection()))
    with lives.session(listeners=[Broken()], failures=log) as session, pytest.raises(FailureError) as failed:
        session.run(TICKS)
    (folder,) = (tmp_path / "failures").iterdir()
    assert str(failed.value) == (
        f"Ticks 11 to 20 failed (ValueError: no more room); the state before them is in {folder}, look at it with "
        "townlet snapshot inspect."
    )
    assert isinstance(failed.value.__cause__, ValueError)
    with Store(folder, identity=None, read_only=True) as store:
        assert store.steps() == [CHUNK]
