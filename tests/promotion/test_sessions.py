"""Sessions with a manager: what acts, what is compiled, what is rolled back; decisions; the drill."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import jax
import lives
import numpy as np
import pytest
from lives import bits
from pydantic import TypeAdapter

from promotion.trained import WINDOW, acted, candidate, running
from townlet_jax import cli
from townlet_jax.console.desk import Console
from townlet_jax.console.wire import address_of
from townlet_jax.promotion.drill import Drill, Trouble, rehearsed
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.session import Session
from townlet_jax.snapshots import weights
from townlet_jax.snapshots.weights import choices_of
from townlet_jax.stretch import Watched
from townlet_jax.telemetry import sections
from townlet_jax.telemetry.decisions import Inspector
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.sections import Decision

READY = 2 * WINDOW  # the first window is judged in tick 4


@pytest.fixture
def compilations() -> Any:
    """Return what is compiled meanwhile."""
    found: list[str] = []

    def note(event: str, seconds: float, **more: object) -> None:
        del seconds, more
        if event == lives.COMPILATION:
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    yield found
    jax.monitoring.unregister_event_duration_listener(note)


def hash_in(session: Session) -> str:
    """Return the hash of the weights that act."""
    return weights.hash_of(jax.device_get(session.fleet.params.weights))


def test_a_promotion_changes_the_very_next_tick_and_compiles_nothing(place: Path, compilations: list[str]) -> None:
    _, other = candidate(place, "walks")
    with running(place) as (session, manager):
        session.run(2)
        assert acted(session) == "waited"
        before = bits(session.fleet.params)
        manager.load_shadow(str(place / "walks"))
        with pytest.raises(PromotionError, match="The candidate is not ready: 0% of the towns") as refused:
            manager.promote()
        assert refused.value.code == "not_ready"
        session.run(READY)
        assert manager.status()["state"] == "ready"
        assert manager.status()["candidate_ready_tick"] == WINDOW
        compilations.clear()
        status = manager.promote("better")
        assert (status["state"], status["promoted_tick"]) == ("promoted", None)
        session.run(READY + 1)
        assert acted(session) == "walked", "the next tick's actions are those of the new weights"
        assert hash_in(session) == other.policy_hash == manager.status()["release"]["policy_hash"]
        assert manager.status()["promoted_tick"] == READY
        published = sections.Promotion.model_validate_json(json.dumps(manager.status()))
        assert published.release is not None
        assert published.release.policy_hash == other.policy_hash
        session.run(READY + 2)
        assert manager.rollback("worse")["state"] == "monitoring"
        session.run(READY + 3)
        assert acted(session) == "waited"
        assert bits(session.fleet.params) == before, "the previous bits act again"
        assert compilations == []
        with pytest.raises(PromotionError, match="Nothing was promoted"):
            manager.rollback()


def test_streaks_begin_anew_under_another_release(place: Path) -> None:
    with running(place) as (session, manager):
        manager.load_shadow(str(place / "walks"))
        session.run(READY)
        manager.promote()
        session.run(READY + 1)
        window = session.fleet.memory.stability.window
        assert np.asarray(window.start).tolist() == [READY + 1] * 2
        assert np.asarray(window.pass_streak).tolist() == [0, 0]
        assert not manager.status()["candidate_ready"]


def test_a_failed_gate_promotes_nothing_and_is_written_down(place: Path, tmp_path: Path) -> None:
    log = tmp_path / "logs/history.jsonl"
    told: list[tuple[str, int, dict[str, Any]]] = []
    with running(place, gate="fail", log=log, tell=lambda *said: told.append(said)) as (session, manager):
        manager.load_shadow(str(place / "walks"))
        session.run(READY)
        with pytest.raises(PromotionError, match=r"did not pass the gate: return_mean in hamlet: too low\.") as refused:
            manager.promote("please")
        assert refused.value.code == "rejected"
        assert refused.value.details["status"] == "fail"
        session.run(READY + 1)
        assert acted(session) == "waited"
        assert manager.status()["state"] == "ready"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["gate_failed", "gate_failed"]
    assert lines[1]["metadata"] == {"reason": "please"}
    assert lines[1]["gate"]["scenarios"]["hamlet"]["faints"]["pass"] is False
    assert told == [], "nothing happened to the town"


def test_a_red_key_figure_rolls_back_by_itself(place: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, dict[str, Any]]] = []
    with running(place, log=tmp_path / "history.jsonl", tell=lambda *said: told.append(said)) as (session, manager):
        manager.load_shadow(str(place / "walks"))
        session.run(READY)
        before = hash_in(session)
        manager.promote("better")
        session.run(READY + 1)
        assert hash_in(session) != before
        session.submit("kill", {"agent": "ada"})  # no faint: no harm
        session.run(READY + 1 + WINDOW)
        assert manager.status()["windows_watched"] == 1
        assert manager.status()["state"] == "promoted"
        faint(session)
        session.run(READY + 3 + 2 * WINDOW)
        status = manager.status()
        assert status["state"] == "monitoring"
        assert status["kpis"] == {}, "windows of the release before are seen anew"
        assert hash_in(session) == before
        assert acted(session) == "waited"
    assert [event for event, _, _ in told] == ["policy.promoted", "policy.rolled_back"]
    reason = told[1][2]["metadata"]["reason"]
    assert reason.startswith("automatic: ")
    assert "faints turned red (1)" in reason
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [(line["event"], line["state"]) for line in lines] == [("promoted", "promoted"), ("rollback", "monitoring")]
    assert lines[0]["previous"] == lines[1]["release"] == before


def faint(session: Session) -> None:
    """Let somebody in each town faint in the next tick."""
    states = session.fleet.states
    streak = np.array(states.lifecycle.faint_streak)
    level = np.array(states.needs.level)
    streak[:, 1], level[:, 1, 0] = 10_000, 0.0
    leaves, tree = jax.tree_util.tree_flatten_with_path(states)
    changes = {".lifecycle.faint_streak": streak, ".needs.level": level}
    changed = [
        jax.device_put(changes[name], leaf.sharding) if (name := jax.tree_util.keystr(path)) in changes else leaf
        for path, leaf in leaves
    ]
    session.fleet.states = jax.tree.unflatten(tree, changed)


def test_swaps_need_no_gate_and_end_a_candidacy(place: Path) -> None:
    with running(place, gate="fail") as (session, manager):
        manager.load_shadow(str(place / "waits_too"))
        session.run(1)
        status = manager.swap(str(place / "walks"))
        assert (status["state"], status["shadow"]) == ("monitoring", None)
        assert status["release"]["name"].endswith("walks/checkpoints@7")
        assert status["previous"]["name"].endswith("waits/checkpoints@7")
        session.run(2)
        assert acted(session) == "walked"


def test_what_is_no_policy_for_these_towns_is_refused(place: Path) -> None:
    with running(place) as (_, manager):
        for path, code, words in (
            ("nowhere", "not_found", "There is nothing at"),
            ("waits@99", "not_found", "There is no snapshot 99"),
            ("hamlet.yaml", "rejected", "is a file"),
            ("recurrent", "rejected", "another kind of network"),
            ("waits", "rejected", "holds the weights that act already"),
        ):
            with pytest.raises(PromotionError, match=words) as refused:
                manager.load_shadow(str(place / path))
            assert refused.value.code == code, path
            assert manager.status()["shadow"] is None
        with pytest.raises(PromotionError, match="There is no candidate"):
            manager.promote()


def test_what_a_snapshot_keeps_is_gone_on_from(place: Path) -> None:
    with running(place) as (session, manager):
        manager.load_shadow(str(place / "walks"))
        session.run(READY)
        manager.promote("better")
        session.run(READY + 2)
        figures = json.loads(json.dumps(manager.figures()))
        status = manager.status()
        moment = session.moment()
        again = running(place)
        with again as (other, second):
            other.adopt(moment)
            second.restore(figures)
            assert second.status() == status
            other.run(READY + 3)
            assert acted(other) == "walked", "the weights are in the snapshot"
            second.rollback()
            other.run(READY + 4)
            assert acted(other) == "waited", "the previous ones are read again"


def test_a_snapshot_between_a_promotion_and_its_tick_goes_on_with_the_new_release(place: Path) -> None:
    with running(place) as (session, manager):
        manager.load_shadow(str(place / "walks"))
        session.run(READY)
        manager.promote()
        figures, moment = json.loads(json.dumps(manager.figures())), session.moment()
        with running(place) as (other, second):
            other.adopt(moment)
            second.restore(figures)
            other.run(READY + 1)
            assert acted(other) == "walked"
            assert second.status()["promoted_tick"] == READY


def test_windows_that_end_before_new_weights_act_are_not_theirs(place: Path) -> None:
    with running(place) as (session, manager):
        session.run(WINDOW + 1)
        assert manager.status()["kpis"]["faints"]["value"] == 0.0
        session.run(2 * WINDOW - 1)
        manager.swap(str(place / "walks"))
        session.run(2 * WINDOW + 1)
        assert manager.status()["kpis"] == {}
        session.run(3 * WINDOW)
        assert set(manager.status()["kpis"]) == {"queue_conflict_intensity", "late_ticks", "late_help", "faints"}


def test_commands_ask_a_running_session(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, _ = candidate(place, "waits")
    console = Console(config, is_admin=True)
    with running(place) as (session, manager):
        console.attach(session, None, promotion=manager)
        address = str(console.serve(address_of(str(tmp_path / "console"))))

        def ask(*arguments: str) -> int:
            return cli.execute(["promotion", *arguments, "--console", address])

        try:
            session.run(READY)
            assert ask("promote") == 1
            assert "There is no candidate" in capsys.readouterr().err
            assert ask("evaluate", "--candidate", str(place / "nowhere")) == 1
            assert "There is nothing at" in capsys.readouterr().err
            assert ask("evaluate", "--candidate", str(place / "walks")) == 0
            assert "gate: pass" in capsys.readouterr().out
            session.run(READY + 1)
            assert ask("promote", "--reason", "better") == 0
            assert capsys.readouterr().out.startswith("state     promoted")
            session.run(READY + 2)
            assert acted(session) == "walked"
            assert ask("rollback", "--json") == 0
            assert json.loads(capsys.readouterr().out)["release"]["name"].endswith("waits/checkpoints@7")
            assert ask("status") == 0
            assert f"history   tick {READY + 1} promoted: better" in capsys.readouterr().out
        finally:
            console.close()


def test_decisions_are_those_of_the_network(place: Path) -> None:
    _, one = candidate(place, "walks")
    assert one.actor is not None
    inspector = Inspector(Words(one.built), one.actor, choices_of(one.built))
    with running(place, run="walks") as (session, _):
        session.run(3)
        before: Any = jax.tree.map(lambda leaf: leaf[:1], session.moment().states)
        memory = jax.tree.map(lambda leaf: leaf[:1].copy(), session.moment().memory)
        before = jax.tree.map(lambda leaf: leaf.copy(), before)
        session.run(4)
        after = jax.tree.map(lambda leaf: leaf[0], session.moment().memory)
        watched = Watched(before=before, after=before, outputs=before, memory=memory, remembered=after)  # type: ignore[arg-type]  # nobody looks at them
        section = inspector.section(session.fleet.params, watched)
        assert (
            inspector.section(session.fleet.params, Watched(before=before, after=before, outputs=before, memory=None))
            == {}
        )  # type: ignore[arg-type]  # the same
    told = TypeAdapter(dict[str, Decision]).validate_python(section)
    assert list(told) == ["ada", "ben", "cleo", "dan", "eva", "finn"]
    for slot, decision in enumerate(told.values()):
        assert decision.action == choices_of(one.built)[int(after.inner.layer[slot])]
        assert decision.action.startswith("move_")
        assert decision.log_prob == pytest.approx(0.0, abs=1e-5), "the wish is certain"
        assert [choice.action for choice in decision.top] == [decision.action]
        assert decision.top[0].probability == 1.0


NAMES = ["load", "ready", "gate", "promote", "roll back", "release", "compilations"]


def drill(place: Path, candidate: str, *overrides: str, trouble: Trouble = "alerts", folder: Path | None = None) -> Any:
    """Rehearse in the town of six and return the steps."""
    return rehearsed(
        Drill(
            config=str(place / "hamlet.yaml"),
            overrides=overrides,
            release=str(place / "waits"),
            candidate=str(place / candidate),
            towns=2,
            chunk=1,
            folder=folder,
            trouble=trouble,
        )
    )


@pytest.mark.parametrize(
    ("trouble", "word"), [("alerts", "failed a promotion window"), ("faints", "faints turned red")]
)
def test_a_drill_from_beginning_to_end(trouble: Trouble, word: str, place: Path, tmp_path: Path) -> None:
    steps = drill(place, "waits_too", trouble=trouble, folder=tmp_path / "desk")
    assert [(step.name, step.ok) for step in steps] == [(name, True) for name in NAMES], steps
    assert word in steps[4].said
    assert steps[1].tick == WINDOW
    history = [json.loads(line) for line in (tmp_path / "desk/history.jsonl").read_text().splitlines()]
    assert [record["event"] for record in history] == ["promoted", "rollback"]
    state = json.loads((tmp_path / "desk/state.json").read_text())
    assert (state["state"], state["previous"]) == ("monitoring", None)
    assert state["release"]["policy_hash"] == history[0]["previous"]


def test_a_drill_says_where_it_failed(place: Path) -> None:
    (last,) = drill(place, "recurrent")
    assert (last.name, last.ok) == ("load", False)
    assert "another kind of network" in last.said


def test_the_script(root: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = importlib.util.spec_from_file_location("promotion_drill", root / "scripts" / "promotion_drill.py")
    assert found is not None
    assert found.loader is not None
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    words = ["--config", str(place / "hamlet.yaml"), "--towns", "2", "--window", str(WINDOW), "--games", "1"]
    assert script.main(words) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in out[:4]] == ["load", "ready", "gate", "promote"]
    assert out[-1] == "The drill went well."
    assert script.main([*words, "--release", "runs/first"]) == 2
    assert "belong together" in capsys.readouterr().err
