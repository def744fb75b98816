"""Datasets: what is recorded, how returns add up, how episodes are found, chosen and split."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import recorded
from core.worlds import HAMLET, editable
from env.places import AGENTS

from scripts import audit_datasets, capture_rollouts
from townlet_jax.config import build, from_mapping
from townlet_jax.core import batch
from townlet_jax.policy import timeline
from townlet_jax.policy.scripted import scripted
from townlet_jax.run import RunError
from train import anneal, arguments, audit, bc, capture, curation, datasets, recording, shards, stress
from train.capture import Plan
from train.recipes import AnnealSettings, CloneSettings, Stage


def records(ticks: int, slots: int = 1) -> Any:
    """Return rows in which everybody acts."""
    found = np.zeros((ticks, slots), shards.row(datasets.sight_of(recorded.town())))
    found["valid"] = True
    return found


def test_returns_to_go_end_at_a_leave_and_are_estimated_after_a_cut() -> None:
    rows = records(6)
    rows["reward"][:, 0] = (1, 2, 4, 8, 16, 32)
    rows["terminated"][1] = True
    rows["valid"][2] = False
    rows["uid"][3:] = 7
    rows["truncated"][3] = True
    found = shards.returns_to_go(rows, discount=0.5, tail=10.0)[:, 0]
    assert found.tolist() == [1 + 0.5 * 2, 2, 0, 8 + 0.5 * 10, 16 + 0.5 * (32 + 0.5 * 10), 32 + 0.5 * 10]


def test_an_episode_is_one_individual_without_a_gap() -> None:
    rows = records(8, 3)
    rows["valid"][:2, 0] = False  # arrives in the third tick
    rows["uid"][5:, 1] = 9  # one after the other, without a vacant tick
    rows["truncated"][3, 2] = True
    assert shards.spans(rows) == [(0, 2, 6), (1, 0, 5), (1, 5, 3), (2, 0, 4), (2, 4, 4)]


def test_rows_are_taken_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    dataset = recorded.made(tmp_path / "data")
    whole = [shards.opened(dataset, name) for name in dataset.shards()]
    which, row = np.array([3, 0, 3, 1]), np.array([17, 5, 2, 11])
    found = shards.taken(whole, which, row)
    for place in range(4):
        tick, slot = divmod(int(row[place]), AGENTS)
        assert found[place].tobytes() == whole[which[place]][tick, slot].tobytes()


def test_a_dataset_says_what_it_holds(tmp_path: Path) -> None:
    recorded.made(tmp_path / "data")
    dataset = datasets.opened(tmp_path / "data")
    head = dataset.head
    vacant = 5 * recorded.TOWNS
    assert head.rows == recorded.TOWNS * recorded.TICKS * AGENTS - vacant
    assert head.episodes == recorded.TOWNS * (AGENTS + 2) == len(dataset.episodes)
    assert head.stress == {"none": 3, "low_money": 2}
    assert head.sight.choices[:3] == ["wait", "move_north", "move_east"]
    one = next(one for one in dataset.episodes if one.town == 2 and one.slot == 1)
    rows = shards.opened(dataset, one.shard)[: one.length, 1]
    assert (one.first, one.length, one.terminated, one.truncated, one.agent) == (0, 20, True, False, "ben")
    assert one.total_reward == pytest.approx(rows["reward"].sum())
    assert one.reward_per_day == pytest.approx(1440 * rows["reward"].mean())
    assert json.loads((tmp_path / "data/head.json").read_text())["policy"] == "scripted"


def test_towns_are_held_out_of_every_kind(tmp_path: Path) -> None:
    episodes = recorded.made(tmp_path / "data").episodes
    taught, held = curation.by_town(episodes, 0.4, seed=3)
    assert sorted([*taught, *held]) == [0, 1, 2, 3, 4]
    assert len(set(held) & {0, 1, 2}) == 1
    assert len(set(held) & {3, 4}) == 1
    assert curation.by_town(episodes, 0.4, seed=3)[1].tolist() == held.tolist()
    assert len({tuple(curation.by_town(episodes, 0.4, seed=seed)[1]) for seed in range(20)}) > 3
    assert len(curation.by_town(episodes, 0.01, seed=0)[1]) == 1, "at least one"
    with pytest.raises(RunError, match="1 towns cannot be split"):
        curation.by_town([one for one in episodes if one.town == 0], 0.4, seed=0)


def test_episodes_are_chosen_by_return_length_and_share(tmp_path: Path) -> None:
    episodes = recorded.made(tmp_path / "data").episodes
    long = curation.curated(episodes, curation.Wish(min_length=40))
    assert {one.length for one in long} == {40}
    median = float(np.median([one.reward_per_day for one in episodes]))
    good = curation.curated(episodes, curation.Wish(min_return=median))
    assert min(one.reward_per_day for one in good) >= median
    assert len(good) == len(episodes) // 2
    best = curation.curated(episodes, curation.Wish(top_share=0.1, stress=("low_money",)))
    of_kind = sorted(one.reward_per_day for one in episodes if one.stress == "low_money")
    assert sorted(one.reward_per_day for one in best) == of_kind[-2:]
    with pytest.raises(RunError, match=r"None of 40 episodes is as wanted \(min_return=1e\+09\); the best brings"):
        curation.curated(episodes, curation.Wish(min_return=1e9))
    with pytest.raises(RunError, match="--top-share is 0, but must be above 0"):
        curation.curated(episodes, curation.Wish(top_share=0.0))


def test_towns_are_left_in_peace_or_get_each_kind_in_turn() -> None:
    built = build(from_mapping(HAMLET | {"spec": {"num_agents": AGENTS}}))
    kinds, left_out = stress.shares(built, 9)
    assert [None if kind is None else kind.name for kind in kinds] == [
        *[None] * 5,
        *["low_money", "outage", "price_spike", "queues"],
    ]
    assert left_out == ["lateness"], "nobody works there"
    quiet = built._replace(names=replace(built.names, perturbations=()))
    assert stress.shares(quiet, 4)[1] == ["outage", "price_spike", "lateness"], "and nothing happens there"


def test_every_kind_of_stress_is_made_of_commands_that_a_town_takes() -> None:
    agents = [{**one, "job": "grocer"} for one in HAMLET["agents"]]
    built = build(from_mapping(HAMLET | {"spec": {"num_agents": AGENTS}, "agents": agents}))
    state = jax.device_get(jax.tree.map(lambda leaf: leaf[0], batch.init_batch(built.spec, built.params, 0, 1)))
    shift = int(built.params.jobs.start[built.names.jobs.index("grocer")])
    commands = {}
    for kind in stress.KINDS:
        struck = []
        for tick in range(0, 1440, 60):
            town = editable(state)
            town.clock.tick[...] = tick
            town.activities.affordance[2] = built.names.affordances.index("use_shower")
            made = kind.strikes(built, town, 60)
            for command in made:
                timeline.interpret(command.name, command.arguments, built.names, built.spec, built.params)
            struck += [(tick, command) for command in made]
        commands[kind.name] = struck
    assert [tick for tick, _ in commands["low_money"]] == [360] * AGENTS
    assert {tick for tick, _ in commands["outage"]} == set(range(0, 1440, 180))
    assert {command.arguments["spec"] for _, command in commands["outage"]} <= {"blackout", "outage"}
    assert {tick for tick, _ in commands["price_spike"]} == {360, 1080}
    assert {(tick, command.arguments["need"]) for tick, command in commands["queues"]} == {
        (360, "hygiene"),
        (720, "hunger"),
        (1080, "hygiene"),
    }
    assert {tick for tick, _ in commands["lateness"]} == {(shift - 1) // 60 * 60}
    assert [command.name for _, command in commands["lateness"]].count("teleport") == AGENTS
    assert [command.name for _, command in commands["lateness"]].count("setneed") == AGENTS // 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--share", "1.5"], "--share is 1.5, but must be 0 to 1"),
        (["--policy", "clever"], "--policy is 'clever', but must be scripted, random, or where weights are"),
        (["--ticks", "0"], "A run of 0 ticks was asked for"),
        (["--towns", "0"], "--towns is 0, but must be 1"),
        (["--towns", "1", "--stress"], "--stress needs at least two towns"),
        (["--discount", "1"], "--discount is 1.0, but must be 0 or more and below 1"),
        (["spec.num_agentz=3"], "unknown key"),
        (["--out", "TAKEN"], "is not empty; give a new folder"),
    ],
)
def test_recordings_that_cannot_be_had_are_refused_in_one_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").write_text("")
    out = [] if "--out" in words else ["--out", str(tmp_path / "new")]
    words = [str(tmp_path / "taken") if word == "TAKEN" else word for word in words]
    assert capture_rollouts.main([recorded.config(tmp_path), *words, *out]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "new/head.json").exists()


def test_the_page_lists_every_setting(root: Path) -> None:
    page = (root / "docs/datasets.md").read_text(encoding="utf-8")
    sections = (("clone.", CloneSettings), ("anneal.", AnnealSettings), ("anneal.stages[].", Stage))
    for prefix, section in sections:
        for name, field in section.model_fields.items():
            assert f"| `{prefix}{name}` |" in page, name
            assert f"| {field.description} |" in page, name
            if isinstance(field.default, int | float):
                assert f"| `{prefix}{name}` | {str(field.default).lower()} |" in page, name
    for kind in stress.KINDS:
        assert f"| `{kind.name}` |" in page


def test_what_the_page_shows_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (root / "docs/datasets.md").read_text(encoding="utf-8")
    blocks = [block.split("\n", 1) for block in page.split("```")[1::2]]
    parsers = {
        "scripts/capture_rollouts.py": capture_rollouts._parser(),
        "scripts/audit_datasets.py": audit_datasets._parser(),
        "train.bc": bc._parser(),
        "train.anneal": anneal._parser(),
        "train.ppo": arguments.parser("train.ppo", "", summary=""),
    }
    lines = [line.split() for language, text in blocks if language == "sh" for line in text.splitlines()]
    asked = [words[2 if words[1] == "-m" else 1 :] for words in lines if words and words[0] == "python"]
    assert len(asked) == 7
    for program, *words in asked:
        parsers[program].parse_intermixed_args(words)
    (tmp_path / "data").mkdir()
    recorded.made(tmp_path / "data/scripted")
    monkeypatch.chdir(tmp_path)
    for language, text in blocks:
        if language == "python":
            exec(compile(text, "docs/datasets.md", "exec"), {})


@pytest.mark.slow
def test_the_scripts_life_is_recorded_as_it_is(tmp_path: Path) -> None:
    """Both spaces record the life that `core.batch` gives to the script, and say so truly."""
    ticks, towns = 120, 3
    lives = {}
    for space in ("flat", "options"):
        built = build(from_mapping(HAMLET | {"spec": {"num_agents": AGENTS, "action_space": space}}))
        plan = Plan(towns=towns, ticks=ticks, seed=4, step=40)
        dataset = recording.record(built, capture.teacher("scripted", built), plan, tmp_path / space)
        assert dataset is not None
        assert list(audit.findings(datasets.opened(tmp_path / space))) == []
        lives[space] = np.stack([shards.opened(dataset, name)["reward"] for name in dataset.shards()], axis=1)
        rows = np.stack([shards.opened(dataset, name) for name in dataset.shards()], axis=1)
        assert 0 < rows["choice"].mean() < 1
    policy = scripted()
    states = batch.init_batch(built.spec, built.params, 4, towns)
    live = jax.jit(
        jax.vmap(lambda state: batch.record(policy, built.params, state, policy.init(built.params, state), ticks))
    )
    outputs = live(states)[-1]
    wanted = np.swapaxes(np.asarray(outputs.reward), 0, 1)
    np.testing.assert_array_equal(lives["flat"], wanted)
    np.testing.assert_array_equal(lives["options"], wanted)


@pytest.mark.slow
def test_trouble_is_felt_and_labelled(tmp_path: Path) -> None:
    agents = [{**one, "job": "grocer"} for one in HAMLET["agents"]]
    built = build(from_mapping(HAMLET | {"spec": {"num_agents": AGENTS}, "agents": agents}))
    plan = Plan(towns=20, ticks=1440, seed=1, stressed=True)
    dataset = recording.record(built, capture.teacher("scripted", built), plan, tmp_path / "data")
    assert dataset is not None
    assert dataset.head.stress == {"none": 10, **dict.fromkeys([kind.name for kind in stress.KINDS], 2)}
    assert list(audit.findings(dataset)) == []
    felt = {name: [one for one in dataset.episodes if one.stress == name] for name in dataset.head.stress}
    mean = {name: np.mean([one.reward_per_day for one in some]) for name, some in felt.items()}
    assert max(one.town_aborts for one in felt["outage"]) > max(one.town_aborts for one in felt["none"])
    assert mean["queues"] < mean["none"]
    late = {name: np.mean([one.town_late_starts + one.town_absences for one in some]) for name, some in felt.items()}
    assert late["lateness"] > late["none"]


@pytest.mark.slow
def test_what_the_script_would_do_is_recorded_beside_what_others_do(tmp_path: Path) -> None:
    """The same random lives with both kinds of labels; where the script itself acts they are the same."""
    for space in ("flat", "options"):
        built = build(from_mapping(HAMLET | {"spec": {"num_agents": AGENTS, "action_space": space}}))
        found = {}
        for policy, labels in (("random", "own"), ("random", "script"), ("scripted", "own"), ("scripted", "script")):
            out = tmp_path / f"{space}-{policy}-{labels}"
            plan = Plan(towns=1, ticks=80, seed=2, step=40, labels=labels)
            dataset = recording.record(built, capture.teacher(policy, built), plan, out)
            assert dataset is not None
            assert list(audit.findings(datasets.opened(out))) == []
            found[policy, labels] = shards.opened(dataset, dataset.shards()[0])
        own, script = found["random", "own"], found["random", "script"]
        for name in ("features", "reward", "mask"):
            assert own[name].tobytes() == script[name].tobytes(), "the same life"
        assert (own["action"] != script["action"]).mean() > 0.2
        free = found["scripted", "own"]["choice"]
        own, script = found["scripted", "own"]["action"][free], found["scripted", "script"]["action"][free]
        np.testing.assert_array_equal(own, script)
