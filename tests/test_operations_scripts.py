"""The operations scripts: soak, capture suite, goldens, employment smoke, profile, and what docs/soak.md shows of them.

What needs programs of its own (15 s each to compile) is slow; the soak of the hamlet is not.
"""

import dataclasses
import hashlib
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import lives
import numpy as np
import pytest
from core.stories import told
from core.worlds import World, hamlet

from townlet_jax import invariants, soak
from townlet_jax.core.enums import NEVER, Fault
from townlet_jax.snapshots import Store
from townlet_jax.traffic import FOUL_WORDS, Operator

PAGE = "docs/soak.md"
SCRIPTS = ("soak", "capture_suite", "golden", "employment_smoke", "profile_tick")
SMALLER = {  # fewer towns and ticks, same commands
    "--towns 4096 --agent-ticks 1e8": "--towns 4 --chunk 20 --agent-ticks 2000 --growth 0.1",
    "--towns 64 --agent-ticks 1e6": "--towns 4 --chunk 20 --agent-ticks 2000 --growth 0.1",
    "--towns 64 --days 5": "--towns 2 --days 1",
    "--towns 256": "--towns 4 --ticks 5",
    "golden.py check\n": "golden.py check observation_baseline\n",
    "capture_suite.py captured\n": "capture_suite.py captured --only observation_baseline\n",
}


def script(root: Path, name: str) -> ModuleType:
    """Return a script as a module."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", root / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_is_quick_to_come_by_and_points_to_the_page(root: Path, name: str) -> None:
    watched = (
        "import atexit, runpy, sys; atexit.register(lambda: print('jax' in sys.modules)); "
        f"sys.argv = ['x', '--help']; runpy.run_path('scripts/{name}.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", watched], cwd=root, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage:")
    assert done.stdout.splitlines()[-1] == "False"
    assert PAGE in (root / "scripts" / f"{name}.py").read_text(encoding="utf-8").splitlines()[0]


def two(world: World) -> Any:
    """Return a batch of two towns: the morning as it is, and the state of a world."""
    states = (World().state, world.state)
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *states)


def broken_in(states: Any, ordered: Any = None) -> dict[str, tuple[int, ...]]:
    """Return what is broken in which towns."""
    specs = states.perturbations.until_tick.shape[1]
    never = np.full((2, specs), NEVER, np.int32) if ordered is None else ordered
    tick = int(states.clock.tick[0])
    found = invariants.violations(hamlet().params, states, first_tick=1, last_tick=tick, ordered_until=never)
    return {one.invariant: one.towns for one in found}


def _crowd(state: Any) -> None:
    state.queues.holding[:2] = 0


def _queue_twice(state: Any) -> None:
    state.queues.waiting[:2], state.queues.joined_tick[:2] = 0, 0


def _run_for_ever(state: Any) -> None:
    state.queues.holding[0], state.activities.affordance[0], state.activities.remaining[0] = 2, 0, 99


def _five_events(state: Any) -> None:
    state.perturbations.until_tick[:5] = 50
    state.perturbations.started_tick[:5] = 0


BREAKS: dict[str, Callable[[Any], None]] = {
    "no NaN": lambda state: state.ledger.potential.__setitem__(0, np.nan),
    "needs in [0, 1]": lambda state: state.needs.level.__setitem__((0, 1), 1.5),
    "wallets at least 0": lambda state: state.economy.wallet.__setitem__(2, -0.25),
    "stock at least 0": lambda state: state.economy.stock.__setitem__((0, 0), -1),
    "returns within the cap": lambda state: state.ledger.episode_return.__setitem__(0, -1e6),
    "episode ticks within the day": lambda state: state.clock.episode_tick.__setitem__(0, 10**6),
    "no faults": lambda state: state.faults.__setitem__((), int(Fault.BAD_INTENT)),
    "one holder an object": _crowd,
    "distinct tickets": _queue_twice,
    "remaining ticks within the duration": _run_for_ever,
    "stalls only of holders": lambda state: state.queues.stalls.__setitem__(0, 1),
    "joined in the past": lambda state: state.queues.joined_tick.__setitem__(1, 5),
    "the living stand on free tiles": lambda state: state.roster.position.__setitem__(0, (0, 0)),
    "vacant slots are at home": lambda state: state.roster.position.__setitem__(9, (5, 5)),
    "vacant slots are empty in economy": lambda state: state.economy.wallet.__setitem__(9, 1),
    "vacant slots are empty in roster": lambda state: state.roster.last_ticks.__setitem__(9, 1),
    "trust in [-1, 1]": lambda state: state.ties.trust.__setitem__((0, 1), -1.25),
    "rivalry in [0, 1]": lambda state: state.ties.rivalry.__setitem__((0, 1), -0.25),
    "nobody is tied to itself": lambda state: state.ties.trust.__setitem__((1, 1), 0.5),
    "distinct embedding slots": lambda state: state.embeddings.slot.__setitem__(1, 0),
    "distinct individuals": lambda state: state.roster.uid.__setitem__(1, 0),
    "allocations are arrivals": lambda state: state.embeddings.allocations.__setitem__((), 99),
    "attendance in [0, 1]": lambda state: state.employment.attendance.__setitem__((0, 0), 1.5),
    "perturbations within max_concurrent": _five_events,
    "magnitude 1 when nothing runs": lambda state: state.perturbations.magnitude.__setitem__(0, 2),
    "members only of events": lambda state: state.perturbations.member.__setitem__((0, 0), True),
}


def test_a_morning_breaks_nothing() -> None:
    assert broken_in(two(World())) == {}


@pytest.mark.parametrize("name", sorted(BREAKS))
def test_what_is_broken_is_named_with_its_town(name: str) -> None:
    world = World()
    BREAKS[name](world.state)
    assert broken_in(two(world))[name] == (1,)


def test_the_clock_of_every_town_is_checked() -> None:
    world = World()
    world.state.clock.tick[...] = 7
    assert "clock" in broken_in(two(world))


def test_events_that_an_operator_ordered_do_not_count() -> None:
    world = World()
    _five_events(world.state)
    states = two(world)
    ordered = np.full((2, states.perturbations.until_tick.shape[1]), 50, np.int32)
    assert broken_in(states, ordered) == {}


def test_a_violation_reads_as_one_sentence() -> None:
    found = invariants.Violation(invariant="no NaN", towns=tuple(range(1, 9)), first_tick=61, last_tick=120)
    assert str(found) == (
        "the invariant 'no NaN' (MECHANICS 16.2) is broken in towns 1, 2, 3, 4, 5 and 3 more after ticks 61 to 120"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "default", "parity"])
def test_no_moment_of_the_stories_breaks_anything(name: str) -> None:
    story = told(name)
    never = jnp.full(story.after.perturbations.until_tick.shape[2], NEVER, jnp.int32)
    each = jax.vmap(invariants.holding, in_axes=(0, 0, 0, None))  # towns have numbers of their own
    ticks = jax.vmap(each, in_axes=(None, 0, 0, None))
    kept = jax.jit(ticks)(story.params, jax.tree.map(jnp.asarray, story.after), jnp.asarray(story.tick), never)
    broken = {name for name, holds in kept.items() if not np.asarray(holds).all()}
    assert broken <= {"no faults"}  # chaos asks for what cannot be


def settings(**changes: Any) -> soak.Settings:
    """Return a small soak."""
    return soak.Settings(**({"agent_ticks": 4000, "commands": 4.0, "growth_limit": 0.05} | changes))


def test_a_soak_of_the_hamlet_takes_every_command_and_finds_nothing() -> None:
    shown = []
    with soak.Soak(hamlet(), lives.plan(), settings(), policy=lives.restless()) as one:
        report = one.run(on_progress=lambda progress: shown.append(progress.agent_ticks))
        assert report.ticks == one.session.tick
    assert report.problems == ()
    assert report.compilations == 0
    assert report.agent_ticks >= 4000
    assert shown == sorted(shown)
    assert shown[-1] == report.agent_ticks
    assert report.looks == len(shown) == (report.ticks - report.warm_ticks) // lives.CHUNK
    every = {command.split()[0] for command in Operator(hamlet(), towns=2, seed=0).commands}
    assert set(report.taken) == every
    assert len(every) == 19  # all of the timeline
    assert report.refused > report.looks / 2
    assert json.loads(json.dumps(report.as_json, allow_nan=False))["growth_limit"] == 0.05


def test_a_soak_tells_what_broke_where_and_keeps_the_state(tmp_path: Path) -> None:
    wish = settings(failures=tmp_path / "kept", commands=0.0)
    with soak.Soak(hamlet(), lives.plan(), wish, policy=lives.restless()) as one:
        moment = one.session.moment()
        trust = moment.states.ties.trust
        selfish = trust.at[1, 2, 2].set(0.5)
        broken = jax.tree.map(lambda leaf: selfish if leaf is trust else leaf, moment.states)
        one.session.adopt(dataclasses.replace(moment, states=broken))
        report = one.run()
    first, second = report.problems[0], report.problems[-1]
    assert first == (
        "the invariant 'nobody is tied to itself' (MECHANICS 16.2) is broken in town 1 after ticks 1 to 10."
    )
    (folder,) = (tmp_path / "kept" / "failures").iterdir()
    assert str(folder) in second
    assert json.loads((folder / "error.json").read_text(encoding="utf-8"))["last_tick"] == 10
    commands = {wish["command"] for wish in json.loads((folder / soak.COMMANDS_FILE).read_text(encoding="utf-8"))}
    assert {"kill", "spawn", "set_rel"} <= commands
    with Store(folder, identity=None, read_only=True) as store:
        assert store.steps() == [0]


def test_growth_is_told_from_the_first_to_the_last_tenth() -> None:
    assert soak.grown([100] * 10 + [300] + [101] * 9) == pytest.approx(0.01)
    assert soak.grown([]) == soak.grown([5]) == 0.0
    assert soak.resident_bytes() > 10**7


def test_an_operator_draws_the_same_again_and_is_foul_when_told_to() -> None:
    alive = np.ones((2, hamlet().spec.num_agents), bool)

    def drawn(seed: int, foul: float) -> list[Any]:
        operator = Operator(hamlet(), towns=2, seed=seed, foul_share=foul)
        return [operator.wish(alive) for _ in range(100)]

    assert drawn(1, 0.0) == drawn(1, 0.0)
    assert drawn(1, 0.0) != drawn(2, 0.0)
    assert not any(wish.is_fair for wish in drawn(1, 1.0))
    assert {wish.command for wish in drawn(1, 1.0)} & set(FOUL_WORDS)
    assert not {wish.command for wish in drawn(1, 0.0)} & set(FOUL_WORDS)


@pytest.mark.parametrize(
    ("name", "words", "sentence"),
    [
        ("soak", ["--agent-ticks", "nan"], "--agent-ticks is nan, but must be 1 to 1e+15; change it."),
        ("soak", ["--foul", "2"], "--foul is 2, but must be 0 to 1; change it."),
        ("golden", ["check", "tea"], "There is no golden 'tea'; choose one of default, demo_story_arc"),
        ("golden", ["check", "default", "--goldens", "empty"], "cannot be read (FileNotFoundError); make it with:"),
        ("capture_suite", ["out", "--only", "tea"], "--only is 'tea', but must be one of demo_story_arc"),
        ("capture_suite", ["full"], "full is not empty, but captures go into a folder of their own"),
        ("employment_smoke", ["--days", "0"], "A run of 0 ticks was asked for"),
    ],
)
def test_bad_input_is_one_sentence(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    words: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    assert script(root, name).main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert sentence in said
    assert said.count("\n") == 1


def test_golden_differences_are_rows(root: Path) -> None:
    rows = script(root, "golden").differences(
        {
            "same": {"value": 1.0, "tolerance": 0.01},
            "near": {"value": 1.0, "tolerance": 0.01},
            "far": {"value": 1.0, "tolerance": 0.01},
            "gone": {"value": 1.0, "tolerance": 0.01},
            "dumb": {"value": None, "tolerance": 0.0},
            "mute": {"value": None, "tolerance": 0.0},
        },
        {
            "same": {"value": 1.0, "tolerance": 9.0},
            "near": {"value": 1.009, "tolerance": 9.0},
            "far": {"value": 0.98, "tolerance": 9.0},
            "dumb": {"value": None, "tolerance": 0.0},
            "mute": {"value": 3.0, "tolerance": 9.0},
            "came": {"value": None, "tolerance": 0.0},
        },
    )
    assert rows == [
        ("came", "not there", "no meaning", "", ""),
        ("far", "1", "0.98", "-0.02", "0.01"),
        ("gone", "1", "not there", "", ""),
        ("mute", "no meaning", "3", "", ""),
    ]


def test_every_scenario_has_a_golden_that_names_what_it_is_of(root: Path) -> None:
    goldens = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (root / "tests/goldens").iterdir()}
    scenarios = {path.stem for path in (root / "configs" / "scenarios").glob("*.yaml")}
    assert set(goldens) == scenarios | {"default"}
    for name, golden in goldens.items():
        assert golden["towns"] == (16 if name == "default" else 1)
        assert len(golden["figures"]) > 50
        assert all(one["tolerance"] > 0 for one in golden["figures"].values() if one["value"] is not None)
    assert goldens["kitchen_breakfast"]["figures"]["reward_mean"]["value"] == pytest.approx(
        -0.2
    )  # 14.9: -8 in 40 ticks


def test_instructions_are_counted_by_the_scope_they_come_from(root: Path) -> None:
    profile = script(root, "profile_tick")
    text = """
  %add.1 = f32[] add(%a, %b), metadata={op_name="jit(run)/while/body/vmap(act)/add"}
  ROOT %tuple.3 = (f32[]) tuple(%add.1)
  wrapped = f32[2]{0} fusion(%x), kind=kLoop, metadata={op_name="jit(run)/vmap(jit(tick))/live/mul" source_line=3}
  dot = f32[] dot(%a, %b), metadata={op_name="jit(act_of_god)/dot"}
"""
    assert profile.scopes_of(text) == {"add.1": "act", "tuple.3": "between", "wrapped": "live", "dot": "between"}


@pytest.mark.slow
def test_goldens_hold_and_a_change_is_shown(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = script(root, "golden")
    names = ["kitchen_breakfast", "observation_baseline"]
    assert golden.main(["check", *names]) == 0
    assert capsys.readouterr().out.count("figures as written\n") == 2
    kept = json.loads((root / "tests/goldens/observation_baseline.json").read_text(encoding="utf-8"))
    kept["figures"]["wallet_mean"]["value"] += 0.5
    kept["seed"] = 5
    (tmp_path / "observation_baseline.json").write_text(json.dumps(kept), encoding="utf-8")
    words = ["observation_baseline", "--goldens", str(tmp_path)]
    assert golden.main(["check", *words]) == 1
    said = capsys.readouterr().out
    assert "(seed 5 is now 8080)" in said
    assert re.search(r"wallet_mean\W+1\.5\W+1\W+-0\.5", said)
    assert golden.main(["write", *words]) == 0
    assert golden.main(["check", *words]) == 0


@pytest.mark.slow
def test_what_is_captured_is_what_the_manifest_says(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path / "captured"), "--only", "observation_baseline", "--json"]
    assert script(root, "capture_suite").main(words) == 0
    (told_of,) = json.loads(capsys.readouterr().out)["scenarios"]
    folder = tmp_path / "captured" / "observation_baseline"
    assert told_of == json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (told_of["seed"], told_of["ticks"], told_of["towns"]) == (8080, 20, 1)
    assert [file["name"] for file in told_of["files"]] == ["summary.json", "telemetry.jsonl"]
    for file in told_of["files"]:
        assert file["sha256"] == hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest()
    records = [json.loads(line) for line in (folder / "telemetry.jsonl").read_text(encoding="utf-8").splitlines()]
    frames = [record["tick"] for record in records if record["payload_type"] in ("snapshot", "diff")]
    assert frames == list(range(1, 21))


@pytest.mark.slow
def test_the_soak_of_the_default_town(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script(root, "soak").main(["default", "--towns", "256", "--agent-ticks", "3e6", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["agent_ticks"] >= 3e6
    assert (report["problems"], report["compilations"]) == ([], 0)
    assert report["growth"] <= 0.01


def commands(root: Path) -> list[str]:
    """Return the commands that the page shows."""
    text = (root / PAGE).read_text(encoding="utf-8")
    return "".join(re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)).splitlines(keepends=True)


def test_the_page_shows_every_script(root: Path) -> None:
    assert {Path(shlex.split(command)[1]).stem for command in commands(root)} == set(SCRIPTS)


@pytest.mark.slow
def test_the_commands_of_the_page_run(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in commands(root):
        for large, small in SMALLER.items():
            command = command.replace(large, small)
        program, file, *words = shlex.split(command)
        assert program == "python"
        if words[:1] == ["write"]:
            words += ["--goldens", "goldens"]
        assert script(root, Path(file).stem).main(words) == 0, (command, capsys.readouterr())
