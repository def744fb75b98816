"""Records with something wrong in them: every command answers or refuses, and never falls over."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import ask
from telling import Record, lines, small_town, training_rows

ODD = (
    None, True, -1, 0, 1e308, -1e308, 1e-320, 2**53, 2**62, 10**18, 10**400, "", "x" * 300, "\x1b[1m", "\ud800", [], {},
    [1], {"a": 1}, 3.5, "1.0", {"mean": 1e308}, {"mean": None}, {"mean": True},
)  # fmt: skip
Place = tuple[str | int, ...]


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Go through every place within a record."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*above, key)
        yield from places(one, (*above, key))


def wronged(record: Record, chance: random.Random) -> Record:
    """Return a record in which one thing is odd, gone, or called otherwise."""
    made = copy.deepcopy(record)
    *above, last = chance.choice(list(places(made)))
    owner: Any = made
    for key in above:
        owner = owner[key]
    turn = chance.random()
    if turn < 0.2 and isinstance(owner, dict):
        del owner[last]
    elif turn < 0.4 and isinstance(owner, dict):
        owner[chance.choice(["odd", "a.b", "\u202e", "agents", "mean"])] = owner.pop(last)
    else:
        owner[last] = chance.choice(ODD)
    return made


@pytest.mark.parametrize("seed", range(12))
def test_no_record_makes_a_command_fall_over(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    whole = [*small_town()[:40], *training_rows(3, kl=[1.0, 2.0, 3.0])]
    records = [wronged(one, chance) if chance.random() < 0.5 else one for one in whole]
    data = bytearray(lines(records))
    for _ in range(10 * (seed % 2)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path = tmp_path / "run.jsonl"
    path.write_bytes(bytes(data) + lines([small_town()[-1]]))
    exports = [
        ("export", path, "--what", what, "--out", tmp_path / "t.parquet") for what in ("frames", "events", "measures")
    ]
    for command in (("summary", path, "--format", "json"), ("summary", path), ("validate", path, "--json"), *exports):
        code, said, errors = ask(*command)
        assert code in (0, 2)
        assert errors.replace("\n", "").isprintable()
        if {"json", "--json"} & set(command) and said:
            json.loads(said, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
