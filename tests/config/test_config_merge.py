"""Bases, overrides, what a new map takes away, and the hash."""

from pathlib import Path

import numpy as np
import pytest

from townlet_jax.config import ConfigError, build, from_mapping, load
from townlet_jax.config.merge import layered, merged
from townlet_jax.config.plan import as_data, config_hash

FIELD = {"town": {"size": [5, 5]}, "agents": [{"name": "a", "position": [0, 0]}]}


def test_maps_merge_deeply_and_lists_are_replaced() -> None:
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merged(base, {"a": {"y": [3], "z": 2}}) == {"a": {"x": 1, "y": [3], "z": 2}, "b": 1}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


def test_base_of_a_file_is_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "ground.yaml").write_text("base: default\nchat: {base: 0.25, cooldown_ticks: 7}\n")
    (tmp_path / "deep" / "town.yaml").write_text("base: ../ground.yaml\nchat: {cooldown_ticks: 8}\n")
    config = load(tmp_path / "deep" / "town.yaml")
    assert (config.chat.base, config.chat.cooldown_ticks, config.chat.range) == (0.25, 8, 1)
    assert len(config.agents) == 8


def test_circles_and_missing_bases(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: b.yaml\n")
    (tmp_path / "b.yaml").write_text("seed: 1\nbase: a.yaml\n")
    (tmp_path / "c.yaml").write_text("base: nowhere.yaml\n")
    with pytest.raises(ConfigError, match=r"b\.yaml:2:1: base: 'a\.yaml' includes itself"):
        load(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match=r"c\.yaml:1:1: base: nowhere\.yaml: the file does not exist"):
        load(tmp_path / "c.yaml")


def test_presets_have_names() -> None:
    assert load("default").config_id == "default"
    assert load("queue_conflict").config_id == "queue_conflict"
    assert from_mapping({"base": "parity"}).config_id == "parity"
    with pytest.raises(ConfigError, match="did you mean 'default'"):
        load("defalt")


def test_an_open_map_drops_what_stood_on_the_old_one() -> None:
    _, params, names = build(from_mapping({"base": "default", **FIELD, "spec": {"num_agents": 1}}))
    assert (names.objects, names.jobs, names.places, names.agents) == ((), (), (), ("a",))
    assert names.perturbations == ("price_spike", "blackout", "outage", "queue_bottleneck")
    assert len(names.affordances) == 8
    assert np.asarray(params.world.home_tile).tolist() == [[0, 0]]


def test_drawn_rows_keep_the_legend_and_the_jobs_whose_site_is_drawn() -> None:
    child = {"base": "default", "town": {"rows": ["H.Bc", "...."]}, "spec": {"num_agents": 1}}
    _, _, names = build(from_mapping(child))
    assert names.objects == ("cafe_counter_1",)
    assert names.jobs == ("barista",)
    assert "arranged_meet" in names.perturbations
    assert names.agents == ("slot_0",)


def test_what_a_child_says_itself_is_never_dropped() -> None:
    with pytest.raises(ConfigError, match=r"jobs\.clerk\.site: 'clerk' is not a site on the map"):
        from_mapping({"base": "default", **FIELD, "jobs": {"clerk": {"wage_rate": 1}}, "spec": {"num_agents": 1}})
    base = {"jobs": {"a": {"site": "here"}, "b": {"site": [1, 1]}}, "town": {"rows": "x", "size": None}}
    assert layered(base, {"town": {"size": [3, 3]}}) == {"jobs": {"b": {"site": [1, 1]}}, "town": {"size": [3, 3]}}


@pytest.mark.parametrize("town", [{"rows": 3}, {"size": "big"}, {"rows": [1, None]}, {"rows": "H", "legend": 3}])
def test_broken_maps_are_left_to_the_schema(town: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        from_mapping({"base": "default", "town": town})


def test_overrides() -> None:
    config = load(
        "default",
        ["chat.base=1e-1", "agents.ada.job=null", "agents.1.wallet=2", "jobs.clerk={start: 1, end: 2, site: clerk}"],
    )
    assert config.chat.base == 0.1
    assert (config.agents[0].job, config.agents[1].wallet, config.agents[2].job) == (None, 2, "grocer")
    assert config.jobs["clerk"].wage_rate == 0
    assert load("default").agents[0].job == "barista", "the preset is not changed"
    assert list(np.asarray(build(config).params.start.job)[:2]) == [-1, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chat", "write it as key.sub=value"),
        ("=3", "write it as key.sub=value"),
        ("chat..base=3", "write it as key.sub=value"),
        ("base=parity", "cannot be overridden"),
        ("seed.deep=3", "cannot be set below it"),
        ("agents.99.name=x", "use an index below 8"),
        ("agents.adda.name=x", "did you mean 'ada'"),
        ("chat.base=[", "not valid YAML"),
        ("chat.bse=1", "did you mean 'base'"),
        ("chat.base=yes", "is 'yes', but must be a finite number from 0 to 1"),
        ("town.size=[5, 5]", "stands beside town.rows"),
    ],
)
def test_impossible_overrides(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("default", [text])
    assert str(caught.value).startswith(f"override {text}: ")
    assert words in str(caught.value)


def test_the_hash_is_that_of_the_meaning() -> None:
    one, other = from_mapping(FIELD), from_mapping({**FIELD, "seed": 0, "chat": {"base": 0.7}})
    assert config_hash(one) == config_hash(other)
    assert config_hash(one) != config_hash(from_mapping({**FIELD, "seed": 1}))
    again = from_mapping(as_data(load("demo_story_arc")))
    assert config_hash(again) == config_hash(load("demo_story_arc"))
    assert len(config_hash(one)) == 64


def test_a_scalar_stands_for_all_needs_and_for_both_ends() -> None:
    config = from_mapping({**FIELD, "needs": {"decay_rate": 0}, "observation": {"hint_type": "bed"}})
    assert config.needs.decay_rate == (0, 0, 0)
    assert config.observation.hint_type == ("bed", "bed", "bed")


def test_the_cast_of_a_scenario_replaces_the_agents() -> None:
    config = from_mapping({**FIELD, "scenario": {"ticks": 3, "agents": [{"name": "b", "position": [1, 1]}]}})
    assert build(config).names.agents == ("b",)


def test_agents_carry_schedules_without_a_scenario() -> None:
    agent = {"name": "a", "position": [0, 0], "schedule": [{"do": "wait", "ticks": 3}]}
    names = build(from_mapping({"town": {"size": [5, 5]}, "agents": [agent]})).names
    assert names.scenario is not None
    assert names.scenario.schedules[0][0].ticks == 3
