"""`python -m train.ppo`: settings, refusals, the log, being stopped."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import jax
import pytest
import yaml
from core.worlds import HAMLET
from hamlet import STEPS, TINY, TOWNS, settings, shared
from pydantic import BaseModel

from townlet_jax.config import ConfigError, explain
from train import building, logging, ppo, reading
from train.logging import Log
from train.settings import PpoSettings, Settings


def test_what_is_not_written_has_its_default(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    assert reading.load(empty) == Settings()
    changed = reading.load(empty, ["ppo.clip=0.1", "towns=8", "town.overrides=[economy.rent_per_day=3]"])
    assert (changed.ppo.clip, changed.towns, changed.town.overrides) == (0.1, 8, ("economy.rent_per_day=3",))


@pytest.mark.parametrize("name", ["options", "flat"])
def test_shipped_settings_can_be_set_up(root: Path, name: str) -> None:
    found = reading.load(root / f"configs/train/{name}.yaml")
    assert found.town.action_space == name
    assert building.built_town(found).spec.action_space == name
    assert len(building.usable(found, jax.devices()[:2])) == 2


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("ppo.clipp=1", "ppo.clipp: unknown key (did you mean 'clip'?)"),
        ("ppo.clip=-3", "ppo.clip: is -3, but must be a finite number from 0.001 to 10"),
        ("towns=0", "towns: is 0, but must be a whole number from 1 to 1000000"),
        ("towns=1.5", "towns: is 1.5, but must be a whole number"),
        ("ppo.anneal=3", "ppo.anneal: is 3, but must be true or false"),
        ("town.action_space=both", "town.action_space: is 'both', but must be one of flat, options"),
        ("ppo=3", "ppo: is 3, but must be a map"),
        ("town.overrides=3", "town.overrides: is 3, but must be a list of texts"),
        ("nonsense", "'nonsense' is not an override"),
        ("--population=-1", "--population is -1, but must be 0 to 1024"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(
    override: str, said: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ppo.main([str(root / "configs/train/options.yaml"), override, "--json"]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_file_that_is_no_settings_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("- 1\n")
    with pytest.raises(ConfigError, match="settings are a map of sections"):
        reading.load(wrong)
    wrong.write_text("towns: 4\nppo: {clip: high}\n")
    with pytest.raises(ConfigError, match=r"wrong.yaml:2:7: ppo.clip: is 'high'"):
        reading.load(wrong)
    with pytest.raises(ConfigError, match="cannot be read"):
        reading.load(tmp_path / "missing.yaml")


def test_schedules_are_straight_lines() -> None:
    chosen = PpoSettings(learning_rate=0.01, anneal=True, entropy_start=0.2, entropy_end=0.1)
    rates = [float(building.hyper_at(chosen, update, 5).learning_rate) for update in range(5)]
    assert rates == pytest.approx([0.01, 0.008, 0.006, 0.004, 0.002])
    weights = [float(building.hyper_at(chosen, update, 5).entropy_weight) for update in range(5)]
    assert weights == pytest.approx([0.2, 0.175, 0.15, 0.125, 0.1])
    assert float(building.hyper_at(chosen, 0, 5).value_clip) == float("inf")


def test_every_update_is_a_line_of_json(tmp_path: Path) -> None:
    setup = replace(shared(), settings=settings(updates=3))
    with Log(tmp_path) as log:
        trained = ppo.train(setup, log=log)
    lines = (tmp_path / logging.FILE).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == trained.rows
    assert [row["update"] for row in trained.rows] == [0, 1, 2]
    first = trained.rows[0]
    assert first["agent_steps"] == TOWNS * STEPS * 6
    assert first["return_per_agent_day"] == pytest.approx(1440 * first["reward_per_agent_step"])
    assert trained.rows[2]["agent_steps_total"] == 3 * first["agent_steps"]
    assert [row["update"] for row in ppo.summary(setup, trained)["last"]] == [2]


@pytest.mark.slow
def test_a_wish_to_stop_is_heard_after_the_running_update() -> None:
    setup = replace(shared(), settings=settings(updates=9))
    heard: list[Any] = []
    with Log(None) as log:
        trained = ppo.train(setup, log=log, on_row=heard.append, stop=lambda: len(heard) == 2)
    assert len(trained.rows) == 2


@pytest.mark.slow
def test_training_stops_when_a_figure_is_no_number() -> None:
    wild = settings().ppo.model_copy(update={"learning_rate": float("nan")})
    setup = replace(shared(), settings=settings(updates=9).model_copy(update={"ppo": wild}))
    with Log(None) as log:
        trained = ppo.train(setup, log=log)
    assert len(trained.rows) == 1
    assert "loss" in trained.lost
    assert json.loads(logging.as_json(trained.rows[0]))["loss"] is None


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_and_keeps_its_files(
    number: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command as a whole, in a hamlet with options and time limits."""
    town = tmp_path / "hamlet.yaml"
    town.write_text(yaml.safe_dump(HAMLET | {"spec": {"num_agents": 6}, "perturbations": {"specs": {}}}))
    where = {"config": str(town), "horizon": 6, "staggered": False}
    chosen = TINY | {"town": where, "towns": 2, "steps": 4, "updates": 100_000}
    file = tmp_path / "train.yaml"
    file.write_text(yaml.safe_dump(chosen))
    log = tmp_path / "out" / logging.FILE

    def ask() -> None:
        while not (log.exists() and log.read_text(encoding="utf-8").count("\n") > 5):
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    assert ppo.main([str(file), "--out", str(tmp_path / "out"), "--json", "-q"]) == code
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    said = json.loads(capsys.readouterr().out)
    assert said["updates"] == len(rows) > 5
    assert said == json.loads((tmp_path / "out" / ppo.SUMMARY).read_text(encoding="utf-8"))
    assert sum(row["truncated"] for row in rows) > 0
    assert all(0 < row["choice_share"] <= 1 for row in rows)
    assert rows[1]["agent_steps"] < rows[0]["agent_steps"] == 2 * 4 * 6, "the second rollout spends a step on a reset"


def rows_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Return a line of the table of settings for every field."""
    for name, field in model.model_fields.items():
        kind = explain.bare(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from rows_of(kind, f"{prefix}{name}.")
            continue
        low, high = explain.bounds(field.metadata)
        allowed = {str: "text", bool: "true, false"}.get(kind, "texts")
        if kind in (int, float):
            allowed = f"{explain.plain_number(low)} to {explain.plain_number(high)}"
        if get_origin(kind) is Literal:
            allowed = ", ".join(get_args(kind))
        default = "[]" if field.default == () else str(field.default)
        default = default.lower() if kind is bool else default
        yield f"| `{prefix}{name}` | {default} | {allowed} | {field.description} |"


def test_the_page_on_training_lists_every_setting_and_every_field_of_the_log(root: Path) -> None:
    page = (root / "docs/training.md").read_text(encoding="utf-8")
    missing = [row for row in rows_of(Settings) if row not in page]
    assert not missing, f"docs/training.md lacks {missing}"
    setup = replace(shared(), settings=settings(updates=1))
    with Log(None) as log:
        (row,) = ppo.train(setup, log=log).rows
    for field in row:
        name = field.removesuffix("_per_agent_day")
        assert f"`{field}`" in page or f"`{name}`" in page or name.startswith("exits_"), f"the page lacks {field}"
