"""Analysers in sessions: they change nothing, are the same everywhere, and telemetry tells what they say."""

import dataclasses
import functools
import json
from typing import Any

import jax
import lives
import numpy as np
import pytest
from core.worlds import hamlet
from lives import CHUNK, Ears, bits, restless
from pydantic import TypeAdapter

from stability.bench import settings
from townlet_jax import stability
from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.core import batch
from townlet_jax.policy import interface
from townlet_jax.policy.interface import Policy
from townlet_jax.stability import NAMES, Alert, Analysed, analysed
from townlet_jax.stretch import Stretch
from townlet_jax.telemetry import measures, schema, sections
from townlet_jax.telemetry.frames import Town
from townlet_jax.telemetry.lived import Judged, Lived, fetch
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.stream import EMPTY

EAGER: dict[str, Any] = {
    "reward_variance_spike": {"window_ticks": 20, "max_variance": 0.0, "min_samples": 0},
    "promotion": {"window_ticks": 4, "required_passes": 2, "allowed_alerts": ("reward_variance_spike",)},
}


@functools.cache
def watched() -> Policy:
    """Return the restless policy under eager analysers."""
    return analysed(restless(), hamlet().spec, settings(**EAGER))


def town_of(tree: Any, town: int) -> Any:
    """Return one town's part of what all towns have."""
    return jax.tree.map(lambda leaf: leaf[town], tree)


def test_towns_live_as_without_analysers_and_watched_ones_remember_the_same() -> None:
    plain, ears = lives.session(), Ears()
    plain.run(2 * CHUNK)
    with lives.session(policy=watched(), listeners=[ears], watched=[1]) as session:
        session.run(2 * CHUNK)
        memory = session.moment().memory
        assert bits(session.states) == bits(plain.states)
        assert bits(memory.inner) == bits(plain.moment().memory)
        seen = ears.heard[-1].watched[1]
        assert bits(seen.remembered) == bits(town_of(memory, 1))
        assert bits(seen.memory.stability.alerts[0]) == bits(ears.heard[0].watched[1].remembered.stability.alerts)
        known = interface.within(memory, Analysed)
        assert known is not None
        window = known.stability.window
        assert window.pass_streak.tolist() == [5, 5], "windows of 4 ticks were judged at 4, 8, 12, 16 and 20"
        shares = stability.shares(memory)
    assert shares is not None
    np.testing.assert_allclose(shares.alerts, np.asarray(known.stability.alerts).mean(axis=0))
    assert float(shares.any_alert) == np.asarray(known.stability.alerts).any(axis=1).mean()
    assert (float(shares.ready), float(shares.passed), float(shares.failed)) == (1.0, 1.0, 0.0)
    assert int(shares.evaluated_tick) == 19
    np.testing.assert_allclose(shares.sums, np.asarray(window.last_sums).mean(axis=0))
    assert float(shares.sums[stability.Sum.AGENT_TICKS]) == 24.0, "six agents, four ticks"
    assert stability.shares(plain.moment().memory) is None


@pytest.mark.slow
def test_a_town_alone_remembers_the_same() -> None:
    with lives.session(policy=watched()) as session:
        session.run(2 * CHUNK)
        expected = town_of(session.moment().memory, 0)
    start = town_of(batch.init_batch(hamlet().spec, hamlet().params, 3, 2), 0)
    alone = jax.jit(
        lambda params, state: batch.record(watched(), params, state, watched().init(params, state), 2 * CHUNK)[1]
    )
    assert bits(alone(hamlet().params, start)) == bits(expected)


def test_limits_of_one_town_are_numbers_and_restarts_compile_nothing() -> None:
    with lives.session(policy=watched()) as session:
        session.run(CHUNK)
        stability.shares(session.moment().memory)
        fleet = session.fleet
        compiled: list[str] = []
        jax.monitoring.register_event_duration_secs_listener(note := _noting(compiled))
        fleet.memory = stability.restarted(fleet.memory, session.tick)
        leaves, tree = jax.tree_util.tree_flatten_with_path(fleet.memory)
        changed = [_lenient(leaf) if jax.tree_util.keystr(path).endswith(".limit") else leaf for path, leaf in leaves]
        fleet.memory = jax.tree.unflatten(tree, changed)
        window = fleet.memory.stability.window
        assert np.asarray(window.start).tolist() == [CHUNK + 1] * 2
        assert np.asarray(window.pass_streak).tolist() == [0, 0]
        assert not np.asarray(window.is_ready).any()
        session.run(2 * CHUNK)
        jax.monitoring.unregister_event_duration_listener(note)
        after = session.moment().memory.stability
        assert np.asarray(after.alerts)[:, Alert.REWARD_VARIANCE_SPIKE].tolist() == [True, False]
        assert np.asarray(after.window.pass_streak).tolist() == [2, 2], "judged at 15 and 19"
    assert compiled == []


def _lenient(limit: jax.Array) -> jax.Array:
    """Return limits by which rewards in town 1 may vary."""
    changed = np.array(limit)
    changed[1, Alert.REWARD_VARIANCE_SPIKE] = -1
    return jax.device_put(changed, limit.sharding)


def _noting(found: list[str]) -> Any:
    def note(event: str, seconds: float, **more: object) -> None:
        del seconds, more
        if event == lives.COMPILATION:
            found.append(event)

    return note


def test_wrappers_are_looked_through() -> None:
    with lives.session(policy=watched()) as session:
        memory = session.moment().memory
    inner = memory.inner
    twice = memory.replace(inner=memory)
    assert interface.within(twice, jax.Array) is inner
    assert interface.within(twice, Analysed) is twice
    assert interface.within(twice, dict) is None
    changed = interface.changing(twice, jax.Array, lambda array: array + 1)
    np.testing.assert_array_equal(changed.inner.inner, inner + 1)
    assert interface.changing(twice, Analysed, lambda found: found.inner) is memory
    assert interface.changing(inner, dict, lambda found: {}) is inner
    assert interface.inner_hear(restless()) is None


@functools.cache
def heard() -> tuple[Stretch, ...]:
    """Return the stretches of a short session under eager analysers."""
    ears = Ears()
    with lives.session(policy=watched(), listeners=[ears], watched=[1]) as session:
        session.run(2 * CHUNK)
    return tuple(ears.heard)


def lived(place: int) -> Lived:
    """Return the watched town in one of the stretches."""
    stretch = heard()[place]
    return fetch(1, stretch.first_tick, stretch.watched[1])


def judged(place: int) -> Judged:
    """Return what analysers knew in one of the stretches."""
    found = lived(place).judged
    assert found is not None
    return found


def test_edges_of_alerts_and_windows_are_events() -> None:
    town = Town(Words(hamlet()), TelemetrySection(), town=1, every_ticks=1)
    outside = {name: EMPTY[name] for name in ("identity", "stability", "promotion", "policy", "transport", "health")}
    found: list[tuple[int, str, Any]] = []
    frames: list[dict[str, Any]] = []
    for place in range(2):
        bodies, events = town.hear(lived(place), (), (), outside)
        frames += [json.loads(f"{{{body.text}}}") for body in bodies]
        for happened in events:
            found += [
                (event["tick"], event["event"], event.get("alert", event.get("result")))
                for event in happened
                if event["event"] in ("alert_raised", "alert_cleared", "promotion_window")
            ]
    stands = np.concatenate([judged(0).alerts, judged(1).alerts[1:]])
    edges = np.argwhere(stands[1:] != stands[:-1]).tolist()
    assert edges, "something happened"
    expected = [(i + 1, "alert_raised" if stands[i + 1, code] else "alert_cleared", NAMES[code]) for i, code in edges]
    windows = [(tick, "promotion_window", "pass") for tick in (4, 8, 12, 16, 20)]
    assert sorted(found) == sorted(expected + windows)
    first, last = frames[0], frames[-1]
    section = sections.Stability.model_validate_json(json.dumps(first["stability"]))
    assert section.thresholds["reward_variance_spike"] == 0.0
    assert section.promotion_window.window_ticks == 4
    assert not section.promotion_window.candidate_ready
    changed = last["changes"]["stability"]
    assert changed["promotion_window"]["pass_streak"] == 5
    assert changed["promotion_window"]["last_evaluated_tick"] == 19
    assert changed["promotion_window"]["last_sums"]["agent_ticks"] == 24
    assert changed["alerts"] == [name for name, stood in zip(NAMES, stands[-1], strict=True) if stood]
    assert changed["metrics"]["reward_variance_spike"] == pytest.approx(float(judged(1).readings[-1][4]), abs=1e-6)


def test_without_analysers_the_section_is_what_others_say() -> None:
    bare = lived(0)
    town = Town(Words(hamlet()), TelemetrySection(), town=1, every_ticks=10)
    outside = {name: EMPTY[name] for name in ("identity", "stability", "promotion", "policy", "transport", "health")}
    bodies, events = town.hear(dataclasses.replace(bare, judged=None), (), (), outside)
    assert json.loads(f"{{{bodies[0].text}}}")["stability"] == {}
    assert not [event for happened in events for event in happened if event["event"].startswith("alert")]


def test_shares_of_all_towns_stand_in_the_measures() -> None:
    stretch = heard()[-1]
    assert stretch.standing is not None
    assert stretch.totals is not None
    told = measures.of_all(Words(hamlet()), stretch.totals, stretch.series, stretch.standing)["stability"]
    checked = TypeAdapter(schema.Trouble).validate_python(told)
    assert (checked.candidate_ready, checked.windows_passed, checked.windows_failed) == (1.0, 1.0, 0.0)
    assert checked.alerts["reward_variance_spike"] == checked.any_alert
    assert measures.of_all(Words(hamlet()), stretch.totals, stretch.series)["stability"] is None
