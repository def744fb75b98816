"""The anneal: when the script hands over and when it stops to, who learns from whose decisions, and the result."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import recorded
import yaml
from env.places import AGENTS, seeded
from hamlet import TINY, TOWNS, hamlet, hyper, settings, shared
from policy.test_blend import FLAT, OPTIONS, TICKS, actor, bits, equipped, mixed

from townlet_jax.env import begin
from townlet_jax.env.rollouts import BatchEnv, rollout
from townlet_jax.policy import learned
from townlet_jax.snapshots import sources
from train import anneal, annealing, capture, guided, handover, recipes, recording
from train.capture import Plan
from train.handover import Handover, Ramp, Rules
from train.recipes import AnnealRun

RULES = Rules(window=2, tolerance=0.3, patience=3)
WELL = {
    "return_per_agent_day": 20.0,
    "wages_per_agent_day": 4.0,
    "absences_per_agent_day": 0.0,
    "late_starts_per_agent_day": 0.0,
}


def lived(ramp: Ramp, rows: list[dict[str, float]], rules: Rules = RULES) -> list[Handover]:
    """Return where the handing over stands before the first row and after each."""
    stands = [Handover(ramp=ramp)]
    for row in rows:
        stands.append(handover.advanced(stands[-1], row, rules))
    return stands


def test_the_share_falls_in_a_straight_line_to_its_end() -> None:
    ramp = Ramp(updates=5, script_from=0.8, script_to=0.0)
    assert [round(ramp.at(place), 6) for place in range(7)] == [0.8, 0.6, 0.4, 0.2, 0.0, 0.0, 0.0]
    assert Ramp(updates=1, script_from=0.8, script_to=0.1).at(0) == 0.1
    stands = lived(ramp, [WELL] * 5)
    assert [round(stand.share, 6) for stand in stands] == [0.8, 0.6, 0.4, 0.2, 0.0, 0.0]
    assert [stand.is_over for stand in stands] == [False] * 5 + [True]
    assert stands[-1].frozen == 0


def test_the_share_is_frozen_while_a_figure_is_bad_and_falls_on_afterwards() -> None:
    poor = WELL | {"return_per_agent_day": 5.0}
    stands = lived(Ramp(updates=6, script_from=0.8), [WELL, WELL, WELL, poor, poor, poor, WELL, WELL, WELL])
    shares = [round(stand.share, 3) for stand in stands]
    #  the window of two: 20, 20, 20, 12.5 (bad), 5, 5, 12.5 (bad), 20
    assert shares == [0.8, 0.64, 0.48, 0.32, 0.32, 0.32, 0.32, 0.32, 0.16, 0.0]
    assert [stand.is_frozen for stand in stands] == [False] * 4 + [True] * 4 + [False] * 2
    assert stands[-1].frozen == 4
    assert stands[-1].start == {"return": 20.0, "self_sufficiency": 4.0, "attendance": 1.0, "lateness": 0.0}


@pytest.mark.parametrize(
    ("field", "near", "far", "name"),
    [
        ("return_per_agent_day", 14.1, 13.9, "return"),
        ("wages_per_agent_day", 2.81, 2.79, "self_sufficiency"),
        ("absences_per_agent_day", 0.29, 0.31, "attendance"),
        ("late_starts_per_agent_day", 0.09, 0.11, "lateness"),
    ],
)
def test_every_figure_may_fall_by_30_percent_of_the_start(field: str, near: float, far: float, name: str) -> None:
    start = handover.means([{one.name: one.of(WELL) for one in handover.WATCHED}])
    for value, expected in ((near, []), (far, [name])):
        now = {one.name: one.of(WELL | {field: value}) for one in handover.WATCHED}
        assert handover.worse(start, now, 0.3) == expected


def test_a_negative_start_leaves_room_below_it() -> None:
    start = {"return": -10.0, "self_sufficiency": 0.0, "attendance": 0.2, "lateness": -1.0}
    assert handover.thresholds(start, 0.3) == pytest.approx(
        {"return": -13.0, "self_sufficiency": -0.2, "attendance": 0.14, "lateness": -1.3}
    )


def test_the_next_stage_goes_on_from_the_same_start() -> None:
    end = lived(Ramp(updates=3, script_from=0.5), [WELL] * 3)[-1]
    poor = WELL | {"wages_per_agent_day": 0.0}
    later = end.next_stage(Ramp(updates=2))
    assert (later.share, later.place, later.start) == (0.0, 0, end.start)
    for _ in range(2):
        later = handover.advanced(later, poor, RULES)
    assert later.is_over, "a share that does not fall is not frozen"
    said = handover.verdict(later, RULES, gates_missed=[], lost=[], stopped=False)
    assert said == handover.Verdict(status="HOLD", reasons=("self_sufficiency is 0, below 2.8",))


def test_verdicts() -> None:
    done = lived(Ramp(updates=3, script_from=0.5), [WELL] * 3)[-1]
    assert handover.verdict(done, RULES, gates_missed=[], lost=[], stopped=False).status == "PASS"
    half = lived(Ramp(updates=3, script_from=0.5), [WELL] * 2)[1]
    said = handover.verdict(half, RULES, gates_missed=[], lost=[], stopped=True)
    assert (said.status, len(said.reasons)) == ("HOLD", 3)
    assert said.reasons[1] == "the script still makes 25% of the decisions"
    tired = replace(done, frozen=4)
    assert handover.verdict(tired, RULES, gates_missed=[], lost=[], stopped=False).status == "HOLD"
    failed = handover.verdict(done, RULES, gates_missed=["cloning reached 80%"], lost=["loss"], stopped=False)
    assert failed == handover.Verdict(status="FAIL", reasons=("loss is no number any more", "cloning reached 80%"))
    assert handover.verdict(None, RULES, gates_missed=[], lost=[], stopped=False).status == "PASS"


def test_shipped_settings_are_sound(root: Path) -> None:
    run = recipes.load(AnnealRun, root / "configs/train/anneal.yaml")
    kinds = [(stage.kind, stage.updates, stage.script_from, stage.script_to) for stage in run.anneal.stages]
    assert kinds == [("clone", 0, 0.0, 0.0), ("ppo", 500, 0.9, 0.0), ("ppo", 400, 0.0, 0.0)]
    assert run.learner().updates == 900 + run.anneal.patience
    assert run.learner().town.horizon == 14400


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["anneal.stages=[{kind: dream}]"], "anneal.stages[0].kind: is 'dream', but must be one of clone, ppo"),
        (["anneal.stages=[{kind: ppo, update: 3}]"], "unknown key (did you mean 'updates'?)"),
        (["anneal.stages=[{kind: ppo, script_from: 2}]"], "script_from: is 2, but must be a finite number from 0 to 1"),
        (["anneal.windows=3"], "anneal.windows: unknown key (did you mean 'window'?)"),
        ([], "A clone stage needs a dataset; give --data"),
        (["--save-every", "0"], "--save-every is 0, but must be 1 or more"),
    ],
)
def test_anneals_that_cannot_be_had_are_refused(
    words: list[str], said: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert anneal.main([str(root / "configs/train/anneal.yaml"), *words, "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FLAT, OPTIONS])
def test_a_guided_town_lives_as_the_mixture_of_the_rules(kind: Any) -> None:
    """Learners in guided towns and `policy.blend` give the same towns, bit for bit, whatever the share."""
    one, params = actor(*kind), equipped(kind)
    env = guided.Guided(one.spec)
    batch_env = BatchEnv(env)
    acts = guided.greedily if one.greedy else guided.experience.acting

    def live(params: Any, key: jax.Array, share: jax.Array) -> Any:
        act = guided.mixture(acts(one.network, params.weights))
        params = guided.mixed(params, share)
        state, timestep = jax.vmap(env.reset, in_axes=(0, None))(key[None], params)
        memory = learned.no_memory(one, jax.tree.map(lambda leaf: leaf[0], state.town))
        standing = begin(state, timestep, jax.tree.map(lambda leaf: leaf[None], memory))
        return rollout(batch_env, act, params, standing, TICKS)[0].state.town

    compiled = jax.jit(live)
    for share in (0.0, 0.3, 1.0):
        wanted = mixed(one)(params, seeded(5), jnp.float32(share))[0]
        found = jax.tree.map(lambda leaf: leaf[0], compiled(params, seeded(5), jnp.float32(share)))
        assert bits(found) == bits(wanted), share


@pytest.mark.slow
def test_what_the_script_decided_teaches_the_values_alone() -> None:
    run = recipes.AnnealRun(town=settings().town.model_copy(update={"action_space": "flat"}))
    setup = annealing.among_guides(replace(shared(), built=hamlet()), run)
    learner, params = setup.learner, setup.built.params

    def updated(share: float, **changes: float) -> Any:
        learner.live_under(guided.mixed(params, share))
        knowledge, standing = learner.begin(3)
        before = jax.device_get(knowledge.parameters)
        knowledge, _, report = learner.step(hyper(**changes), knowledge, standing)
        return before, jax.device_get(knowledge.parameters), jax.device_get(report)

    before, after, report = updated(0.0, value_weight=0.0)
    assert bits(before) == bits(after), "nothing but the script decided, and values do not count"
    assert (int(report.choices), int(report.steps)) == (0, TOWNS * setup.settings.steps * AGENTS)
    before, after, report = updated(0.0)
    assert bits(before["value"]) != bits(after["value"])
    assert bits(before["policy"]) == bits(after["policy"])
    assert float(report.terms.policy) == float(report.terms.entropy) == 0
    _, _, half = updated(0.5)
    _, _, whole = updated(1.0)
    assert 0.4 < int(half.choices) / int(whole.choices) < 0.6
    assert learner.traces == 1


@pytest.mark.slow
def test_from_the_script_to_the_learner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands one after the other, in a hamlet: record, anneal, read the result and the weights."""
    built = recorded.town()
    data = tmp_path / "data"
    assert recording.record(built, capture.teacher("scripted", built), Plan(towns=6, ticks=240, step=60), data)
    chosen = {
        "town": {"config": recorded.config(tmp_path), "action_space": "flat"},
        "network": TINY["network"],
        "ppo": TINY["ppo"],
        "towns": 8,
        "steps": 16,
        "clone": {"steps": 200, "batch_rows": 256, "learning_rate": 0.01, "accuracy": 0.5},
        "anneal": {
            "stages": [
                {"kind": "clone"},
                {"kind": "ppo", "updates": 4, "script_from": 0.8},
                {"kind": "ppo", "updates": 2},
            ],
            "window": 2,
            "tolerance": 1.0,
            "patience": 0,
        },
    }
    file = tmp_path / "anneal.yaml"
    file.write_text(yaml.safe_dump(chosen))
    out = tmp_path / "out"
    code = anneal.main([str(file), "--data", str(data), "--out", str(out), "--json", "-q"])
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads((out / anneal.RESULT).read_text())
    assert code == anneal.CODES[said["status"]]
    assert said["status"] in ("PASS", "HOLD"), said["reasons"]
    assert set(said["metrics"]) == set(said["thresholds"]) == {one.name for one in handover.WATCHED}
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    shares = [round(row["script_share"], 3) for row in rows if row["stage"] == "ppo"]
    assert shares[:4] == [0.8, 0.533, 0.267, 0.0] or said["frozen_updates"]
    assert [stage["kind"] for stage in said["stages"]] == ["clone", "ppo", "ppo"][: len(said["stages"])]
    assert said["stages"][0]["accuracy"] == said["clone_accuracy"] > 0.5
    assert said["anneal_ratio"] == 1 - said["script_share"] == said["identity"]["anneal_ratio"]
    known = sources.read(said["checkpoint"])
    assert known.step == said["updates"] == len(shares)
    choices = [row["choice_share"] for row in rows if row["stage"] == "ppo"]
    assert choices[0] < 0.4 * max(choices)
    again = anneal.main([str(file), "--data", str(data), "--out", str(out), "-q"])
    assert again == 2, "its folder is taken"
    missed = [str(file), "clone.accuracy=1.0", "--data", str(data), "--out", str(tmp_path / "missed"), "--json", "-q"]
    capsys.readouterr()
    assert anneal.main(missed) == anneal.CODES["FAIL"]
    failed = json.loads(capsys.readouterr().out)
    assert (failed["status"], failed["updates"], failed["checkpoint"]) == ("FAIL", 0, None)
    assert np.isfinite(failed["clone_accuracy"])
