"""Bad input gets one sentence: place, path, value, what is allowed, what to do (issue: what bad input gets)."""

import re
from pathlib import Path
from typing import Any

import pytest

from townlet_jax.config import Config, ConfigError, build, from_mapping, load

LEGEND = {
    ".": {"tile": "floor", "walkable": True},
    "#": {"tile": "wall", "walkable": False},
    "H": {"home": True},
    "b": {"object": "bed"},
    "S": {"site": "desk"},
    "P": {"place": "park"},
}
FIELD: dict[str, Any] = {"town": {"size": [5, 5]}, "agents": [{"name": "a", "position": [0, 0]}]}
SHIFT = {"start": 1, "end": 2, "site": [0, 0]}
SIT = {"id": "sit", "object_type": "bench", "duration": 1}


def drawn(*rows: str, **more: Any) -> dict[str, Any]:
    return {"town": {"rows": list(rows), "legend": LEGEND}, **more}


def field(**more: Any) -> dict[str, Any]:
    return {**FIELD, **more}


def event(**more: Any) -> dict[str, Any]:
    return field(perturbations={"specs": {"x": {"duration": 3, **more}}})


def agent(**more: Any) -> dict[str, Any]:
    return field(agents=[{"name": "a", "position": [0, 0], **more}])


def play(**entry: Any) -> dict[str, Any]:
    return agent(schedule=[entry])


CASES: list[tuple[dict[str, Any], str, str]] = [
    # unknown keys, wrong types, bounds
    (field(chatt={}), "chatt", "unknown key (did you mean 'chat'?); keys allowed here are schema, config_id"),
    (field(chat={"bse": 1}), "chat.bse", "unknown key (did you mean 'base'?)"),
    (agent(naem="b"), "agents[0].naem", "did you mean 'name'"),
    (field(chat={"base": "yes"}), "chat.base", "is 'yes', but must be a finite number from 0 to 1 (a probability)"),
    (field(chat={"base": True}), "chat.base", "is true, but must be a finite number"),
    (field(chat={"base": 1.5}), "chat.base", "is 1.5, but must be a finite number from 0 to 1"),
    (field(queue={"cooldown_ticks": 601}), "queue.cooldown_ticks",
     "from 0 to 600 ticks (more than half a day starves)"),
    (field(queue={"cooldown_ticks": 1.0}), "queue.cooldown_ticks", "is 1.0, but must be a whole number"),
    (field(lifecycle={"mortality": 1}), "lifecycle.mortality", "is 1, but must be true or false"),
    (field(reward={"punctuality_bonus": None}), "reward.punctuality_bonus", "is null, but must be a finite number"),
    (field(seed=-1), "seed", "is -1, but must be a whole number from 0 to 4294967295 (seeds are 32-bit)"),
    (field(needs={"decay_rate": [0, 2, 0]}), "needs.decay_rate[1]", "is 2, but must be a finite number from 0 to 1"),
    (field(needs={"decay_rate": [0, 0]}), "needs.decay_rate[2]", "is missing; the list needs 3 or more entries"),
    (field(restock={}), "restock", "is a map of 0 keys, but must be a list (deliveries)"),
    (field(jobs=[SHIFT]), "jobs", "must be a map of keys and values (shifts, in index order)"),
    (field(spec={"variant": "huge"}), "spec.variant", "is 'huge', but must be one of 'hybrid', 'full' or 'compact'"),
    (field(schema="other"), "schema", "is 'other', but must be one of 'townlet_jax/config@1'"),
    (field(jobs={"x": {"start": 1, "end": 2}}), "jobs.x.site", "is missing and has no default"),
    (field(jobs={"Big Job": SHIFT}), "jobs.Big Job", "is not allowed; use lower-case letters, digits and _"),
    (field(snapshot={"autosave": {"every_ticks": 5}}), "snapshot.autosave.every_ticks", "from 100 to 1000000000 ticks"),
    (field(telemetry={"sinks": [{"kind": "pigeon"}]}), "telemetry.sinks[0].kind", "is 'pigeon', but must be one of"),
    # bombs
    (field(spec={"num_agents": 10**9}), "spec.num_agents", "from 1 to 2048 (relationships are stored for every pair"),
    (field(town={"size": [10**6, 10**6]}), "town.size[0]", "is 1000000, but must be a whole number from 1 to 512"),
    (event(kind="arranged_meet", at="x", max_participants=10**12), "perturbations.specs.x.max_participants",
     "2 to 2048"),
    (field(affordances=[{**SIT, "duration": 10**30}]), "affordances[0].duration", "whole number from 1 to 10000"),
    (field(town={"rows": ["." * 513]}), "town.rows[0]", "at most 512 characters"),
    (field(town={"size": [512, 512]}, objects=[{"id": f"o{x}", "type": "t", "at": [x, 1]} for x in range(40)]), "town",
     "has 43 objects, jobs, homes and places on 512 x 512 tiles"),
    # the map
    (drawn("H.", "..."), "town.rows", "row 2 has 3 characters but row 1 has 2"),
    (drawn("H?"), "town.rows", "'?' in row 1, column 2 is not in town.legend; use one of: ., #, H, b, S, P"),
    (drawn(), "town.rows", "is empty"),
    ({"town": {"rows": "H", "size": [1, 1], "legend": LEGEND}}, "town.size", "stands beside town.rows"),
    ({}, "town", "has neither rows nor size"),
    ({"town": {"rows": "H", "legend": {"H": {"home": True, "tile": "x"}}}}, "town.legend.H", "says tile and home"),
    ({"town": {"rows": "H", "legend": {"H": {}}}}, "town.legend.H", "says nothing"),
    ({"town": {"rows": "H", "legend": {"H": {"tile": "x"}}}}, "town.legend.H.walkable", "is missing"),
    ({"town": {"rows": "H", "legend": {"H": {"home": False}}}}, "town.legend.H.home", "is false"),
    ({"town": {"rows": "H", "legend": {"HH": {"home": True}}}}, "town.legend.HH", "use a single character"),
    (drawn("H#b"), "town.rows", "bed_1 at [2, 0] cannot be reached from home_0 at [0, 0]"),
    (drawn("H#H"), "town.rows", "home_1 at [2, 0] cannot be reached from home_0 at [0, 0]; open a way"),
    (drawn("H#P"), "town.rows", "the place park at [2, 0] cannot be reached from home_0"),
    (drawn("H#S", jobs={"x": {**SHIFT, "site": "desk"}}), "jobs.x.site", "the site of x at [2, 0] cannot be reached"),
    (drawn("HSS"), "town.rows", "the site desk is drawn at [1, 0] and at [2, 0]"),
    (drawn("H.", jobs={"x": {**SHIFT, "site": "desk"}}), "jobs.x.site", "'desk' is not a site on the map"),
    (drawn("H#", jobs={"x": {**SHIFT, "site": [1, 0]}}), "jobs.x.site",
     "the site of x at [1, 0] is on a tile that is blocked"),
    (field(jobs={"x": {**SHIFT, "site": [9, 0]}}), "jobs.x.site", "lies outside the map of 5 x 5"),
    (field(jobs={"x": {**SHIFT, "site": [-1, 0]}}), "jobs.x.site", "or a tile [x, y] from 0 to 511"),
    # objects
    (field(objects=[{"id": "x", "at": [1, 1]}]), "objects[0].type",
     "is missing, and no object of the map is called 'x'"),
    (field(objects=[{"id": "x", "type": "t", "at": [9, 9]}]), "objects[0].at", "[9, 9] lies outside the map"),
    (field(objects=[{"id": "x", "type": "t", "at": [1, 1]}, {"id": "x", "type": "t", "at": [2, 1]}]), "objects[1]",
     "'x' already stands at [1, 1]"),
    (field(objects=[{"id": "x", "type": "t", "at": [1, 1]}, {"id": "y", "type": "t", "at": [1, 1]}]), "objects[1]",
     "repeats x or its tile [1, 1]"),
    (drawn("H#", objects=[{"id": "x", "type": "t", "at": [1, 0]}]), "objects[0].at", "is not walkable ground"),
    (drawn("Hb", objects=[{"id": "bed_1", "type": "sofa"}]), "objects[0].type",
     "is 'sofa', but the map shows a bed there"),
    (drawn("Hb", objects=[{"id": "bed_1", "link": {"meals": "x"}}]), "objects[0].link.meals", "'x' is not an object"),
    (drawn("Hb", objects=[{"id": "bed_1", "stock": {"gold": 1}}]), "objects[0].stock.gold", "'gold' is not a good"),
    # people
    ({"town": {"size": [3, 3]}, "agents": [{"name": "a"}]}, "agents[0]",
     "a has no home: the map has none and there is no position"),
    (agent(position=[9, 0]), "agents[0].position", "a at [9, 0] lies outside the map of 5 x 5; use [0..4, 0..4]"),
    (agent(home=3), "agents[0].home", "is 3, but the town has 1 homes; use 0 to 0"),
    (agent(job="baker"), "agents[0].job", "'baker' is not a job; use one of: none, or add it under jobs"),
    (agent(profile="wild"), "agents[0].profile", "'wild' is not a profile; use one of: balanced, socialite"),
    (agent(ties={"b": {}}), "agents[0].ties.b", "'b' is not an agent"),
    (agent(ties={"a": {}}), "agents[0].ties.a", "is a tie to itself"),
    (agent(name="Zoë"), "agents[0].name", "must be a name of another form"),
    (field(agents=[*FIELD["agents"], *FIELD["agents"]]), "agents[1].name", "'a' is used twice"),
    (field(spec={"num_agents": 1}, agents=[{"name": n, "position": [0, 0]} for n in "ab"]), "spec.num_agents",
     "is 1, but 2 agents are listed"),
    (field(spec={"num_agents": 65}), "spec.embedding_slots", "is 64, but 65 agent slots need one each"),
    (field(personalities={"distribution": {"blanced": 1}}), "personalities.distribution.blanced",
     "did you mean 'balanced'"),
    (field(personalities={"distribution": {"balanced": 0}}), "personalities.distribution", "only weights of 0"),
    (field(personalities={"profiles": {"stoic": {}}}), "personalities.profiles.stoic", "is built in"),
    (field(personalities={"overrides": {"b": "stoic"}}), "personalities.overrides.b", "names nobody"),
    # tables
    (field(affordances=[SIT, SIT]), "affordances[1].id", "'sit' is used twice; give each affordance an id of its own"),
    (field(affordances=[{**SIT, "cost": ["gold"]}]), "affordances[0].cost.gold", "'gold' is not a price key"),
    (field(affordances=[{**SIT, "utilities": ["gas"]}]), "affordances[0].utilities", "'gas' is not a network"),
    (field(affordances=[{**SIT, "effects": {"joy": 1}}]), "affordances[0].effects.joy",
     "use one of: hunger, hygiene, energy"),
    (field(affordances=[{**SIT, "consume": {"gold": 1}}]), "affordances[0].consume.gold", "'gold' is not a good"),
    (field(affordances=[{**SIT, "output_to": "moon"}]), "affordances[0].output_to",
     "use self, home or linked:<object type>"),
    (field(affordances=[{**SIT, "menus": ["dance"]}]), "affordances[0].menus[0]", "is 'dance', but must be one of"),
    (field(affordances=[{**SIT, "counts": {"start": "laughs"}}]), "affordances[0].counts.start", "must be one of"),
    (field(goods={"names": ["a"]}, affordances=[{**SIT, "produce": {"a": 1}, "output_to": "home"}]),
     "affordances[0].output_to",
     "goods.home_store names no object type for a"),
    (drawn("Hb", affordances=[{**SIT, "object_type": "bed", "produce": {"meals": 1}, "output_to": "linked:safe"}]),
     "affordances[0].output_to", "sends what sit makes on bed_1 to a safe, but there is none"),
    (field(goods={"names": ["a", "a"]}), "goods.names[1]", "'a' is used twice"),
    (field(goods={"price_groups": {"g": ["gold"]}}), "goods.price_groups.g[0]", "'gold' is not a price key"),
    (field(economy={"utilities": ["water", "power"]}), "economy.utilities", "must begin with power, water"),
    (field(economy={"prices": {"global": 1}}), "economy.prices", "the word for all prices"),
    (field(economy={"basket_weight": {"gold": 1}}), "economy.basket_weight.gold", "'gold' is not a price key"),
    (field(basket={"hunger": "feast"}), "basket.hunger", "'feast' is not an affordance"),
    (field(restock=[{"type": "bnch", "good": "meals", "every": 1, "amount": 1}], affordances=[SIT]), "restock[0].type",
     "did you mean 'bench'"),
    (field(restock=[{"type": "bench", "good": "meals", "every": 1441, "amount": 1}], affordances=[SIT]),
     "restock[0].every",
     "is 1441, but a day has 1440 ticks"),
    (field(jobs={"auto": SHIFT}), "jobs.auto", "is a reserved word"),
    (field(jobs={"x": {**SHIFT, "grace_ticks": 3}}), "jobs.x.grace_ticks", "is reserved, not implemented"),
    (field(jobs={"x": {**SHIFT, "absence_penalty": 1.0}}), "jobs.x.absence_penalty", "is reserved, not implemented"),
    (field(jobs={"x": {**SHIFT, "end": 1440}}), "jobs.x.end", "is 1440, but a day has 1440 ticks; use 0 to 1439"),
    (field(jobs={"x": {**SHIFT, "end": 0}}), "jobs.x.end", "makes a shift of 1440 ticks, but at most 1439 fit"),
    # relations between numbers
    (field(employment={"absent_cutoff": 4}), "employment.absent_cutoff", "is 4, below grace_ticks of 5; raise it"),
    (field(employment={"absence_days": 8}), "employment.absence_days", "must be below spec.absence_ring, which is 8"),
    (field(lifecycle={"respawn_min": 21}), "lifecycle.respawn_min", "is 21, above respawn_max of 20"),
    (field(needs={"start_low": 0.95}), "needs.start_low", "of hunger is above start_high"),
    (field(economy={"start_wallet_low": 4}), "economy.start_wallet_low", "above start_wallet_high of 3.0"),
    (field(reward={"punctuality_bonus": 0.1, "needs_weight": 0.05}), "reward.punctuality_bonus",
     "above needs_weight of hunger"),
    (field(spec={"local_window": 4}), "spec.local_window", "must be odd"),
    (field(spec={"top_friends": 5, "top_rivals": 4}), "spec.top_rivals", "only 8 social slots"),
    (field(spec={"object_channels": ["bed"]}), "spec.object_channels", "need variant compact"),
    # perturbations
    (field(perturbations={"max_events_per_window": 5}), "perturbations.max_events_per_window",
     "spec.fired_ring remembers 4"),
    (event(kind="price_spike", magnitude=2), "perturbations.specs.x.targets",
     "is missing, and kind price_spike needs it"),
    (event(kind="price_spike", magnitude=2, targets=["moon"]), "perturbations.specs.x.targets[0]",
     "is not a price key or price group"),
    (event(kind="blackout", targets=["a"]), "perturbations.specs.x.targets", "is not used by kind blackout"),
    (event(kind="blackout", utility="gas"), "perturbations.specs.x.utility", "'gas' is not a network"),
    (event(kind="blackout", duration=[5, 3]), "perturbations.specs.x.duration", "is [5, 3], least after most"),
    (event(kind="blackout", prob_per_day=1441), "perturbations.specs.x.prob_per_day", "use 0 to 1440"),
    (event(kind="arranged_meet"), "perturbations.specs.x.at", "is missing, and kind arranged_meet needs it"),
    (event(kind="arranged_meet", at="moon"), "perturbations.specs.x.at",
     "'moon' is not an object, object type or place"),
    (event(kind="queue_bottleneck"), "perturbations.specs.x.object_type", "needs it or object"),
    (event(kind="queue_bottleneck", object="moon"), "perturbations.specs.x.object", "'moon' is not an object"),
    # plays
    (play(do="dance"), "agents[0].schedule[0].do", "is 'dance', but must be one of"),
    (play(do="chat"), "agents[0].schedule[0].target", "is missing, and chat needs it"),
    (play(do="chat", target="a"), "agents[0].schedule[0].target", "'a' is not another agent"),
    (play(do="leave", ticks=3), "agents[0].schedule[0].ticks", "is not used by leave, which takes none"),
    (play(do="walk_to", position=[9, 9]), "agents[0].schedule[0].position", "lies outside the map"),
    (play(do="request", object="x"), "agents[0].schedule[0].object", "'x' is not an object"),
    (field(scenario={"timeline": [{"tick": 1, "command": "spawn_agent"}]}), "scenario.timeline[0].command",
     "write spawn"),
    (field(scenario={"timeline": [{"tick": 1, "command": "kil"}]}), "scenario.timeline[0].command",
     "did you mean 'kill'"),
    (field(scenario={"timeline": [{"tick": 0, "command": "kill"}]}), "scenario.timeline[0].tick",
     "the first tick is 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("mapping", "path", "words"), CASES, ids=[f"{row}:{case[1]}" for row, case in enumerate(CASES)]
)
def test_sentence(mapping: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(mapping)
    text = str(caught.value)
    assert text.startswith(f"<mapping>: {path}: ")
    assert words in text
    assert text.endswith(".")
    assert "\n" not in text
    assert re.search(
        r"[;,] (use|add|write|delete|make|choose|give|keep|lower|raise|swap|list|end|shorten|put|\w+)", text
    )


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ([], "a configuration is a map of sections"),
        ({1: 2}, "keys are strings"),
        ({"seed": float("nan")}, "numbers are finite"),
        ({"seed": object()}, "holds a object"),
        ({"seed": {1, 2}}, "holds a set"),
        ({"base": 3}, "must be default, parity or a file"),
        ({"base": ["default"]}, "must be default, parity or a file"),
    ],
)
def test_mappings_that_no_file_could_hold(mapping: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(mapping)
    assert words in str(caught.value)


def test_a_mapping_that_holds_itself() -> None:
    mapping: dict[str, Any] = {}
    mapping["train"] = mapping
    with pytest.raises(ConfigError, match="deeper than 64 levels"):
        from_mapping(mapping)


def test_files_say_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "town.yaml"
    file.write_text("base: default\nchat:\n  range: 1\n  bse: 0.5\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}:4:3: chat.bse: unknown key (did you mean 'base'?)")
    file.write_text("base: default\nseed: 1\nseed: 2\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value) == f"{file}:3:1: repeats the key 'seed' of line 2: keep one of the two."


def test_the_file_that_said_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "below.yaml").write_text("base: default\nemployment: {grace_ticks: 50}\n")
    (tmp_path / "above.yaml").write_text("base: below.yaml\nseed: 3\n")
    with pytest.raises(ConfigError, match=r"default|below") as caught:
        load(tmp_path / "above.yaml")
    assert "employment.absent_cutoff: is 30, below grace_ticks of 50" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"- a\n- b\n", "holds a list of 2 at the top"),
        (b"just words\n", "holds 'just words' at the top"),
        (b"seed: \xff\xfe\n", "is not UTF-8 text"),
        (b"\x00\x01\x02", "control character U+0000"),
        (b"x" * (2**20 + 1), "more than 1048576 bytes"),
        (b"seed: 1\n\tx: 2\n", "is not valid YAML"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "town.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.yaml", "the file does not exist"),
        ("", "give the path of a YAML file"),
        ("a\0b", "give the path of a YAML file"),
        ("x" * 5000, "give the path of a YAML file"),
        ("/dev/null", "is not a regular file"),
        ("/", "is a directory"),
    ],
)
def test_paths_that_are_no_file(name: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(name)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 700
    assert "\0" not in str(caught.value)


def test_terminals_see_printable_text_only() -> None:
    for name in ("\x1b[31mred", "a\nb", "\u202egnp"):
        with pytest.raises(ConfigError) as caught:
            from_mapping(field(**{name: 1}))
        assert str(caught.value).isprintable()


def test_build_of_a_config_made_by_hand_fails_alike() -> None:
    with pytest.raises(ConfigError, match="has neither rows nor size"):
        build(Config())
