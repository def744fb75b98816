"""Whatever is in a file: a configuration or a `ConfigError`, quickly (reliability target R7)."""

import copy
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.config import ConfigError, from_mapping, load
from townlet_jax.config.reader import parse

SHIPPED = ("default.yaml", "parity.yaml", "scenarios/queue_conflict.yaml", "scenarios/demo_story_arc.yaml")
SECONDS = 5.0  # far above the target of 1 s, because test machines are shared
WORDS = (
    "null", "true", "-1", "1e-3", "010", "1e999", ".inf", "99999999999999999999", "no", "[]", "{}", "[[[[",
    "&a", "*a", "!!int", "'", '"', "\t", "\x00", "\x1b", "\u202e", "---", "...", "? ", "- ", ": ", "#", "|", ">", "%",
    "base: default", "base: parity", "seed: x", "500000000", "1000000", "wallet > 1", "bed", "ada", "global", "é",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 513, 10**6, 10**9, 10**20, -(10**20), 0.5, -0.5, 1e-9, 1e300, "", "x", "bed", "ada",
    "meals", "global", "default", "self", "linked:fridge", "wallet > 1", "((((", "not", [], {}, [1], [1, 2], [1, 2, 3],
    [0, 0], ["a"], [[]], {"a": 1}, {"": ""}, "\x1b[2J", "x" * 5000, [0] * 3000, list(range(100)), {"x": {"y": {}}},
)  # fmt: skip


def tried(action: Callable[[], object]) -> bool:
    """Run a load; tell whether it worked. Any exception but `ConfigError` escapes."""
    start = time.perf_counter()
    sentence = None
    try:
        action()
    except ConfigError as error:
        sentence = str(error)
    assert time.perf_counter() - start < SECONDS
    if sentence is not None:
        assert sentence.splitlines()[0].endswith(".")
        assert all(line.isprintable() for line in sentence.splitlines())
    return sentence is None


def scrambled(text: str, draw: random.Random) -> bytes:
    """Damage a text in a few places."""
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(text) + 1)
        kind = draw.randrange(5)
        length = draw.choice((1, 1, 2, 10, 200))
        if kind == 0:
            text = text[:place] + draw.choice(WORDS) + text[place:]
        elif kind == 1:
            text = text[:place] + text[place + length :]
        elif kind == 2:
            text = text[:place] + text[place : place + length] * 2 + text[place + length :]
        elif kind == 3:
            text = text[:place] + chr(draw.randrange(1, 0x3000)) + text[place + 1 :]
        else:
            lines = text.split("\n")
            row, other = draw.randrange(len(lines)), draw.randrange(len(lines))
            lines[row], lines[other] = lines[other], lines[row]
            text = "\n".join(lines)
    raw = bytearray(text.encode("utf-8", "replace"))
    if draw.random() < 0.1:
        raw[draw.randrange(len(raw))] = draw.randrange(256)
    return bytes(raw)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List all paths of a tree."""
    found = [path] if path else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += places(value, (*path, key))
    return found


def mutated(data: Any, draw: random.Random) -> None:
    """Change a few values of a tree in place."""
    for _ in range(draw.randint(1, 3)):
        path = draw.choice(places(data))
        parent = data
        for part in path[:-1]:
            parent = parent[part]
        kind = draw.randrange(4)
        if kind == 0:
            del parent[path[-1]]
        elif kind == 1 and isinstance(parent, dict):
            parent[draw.choice(("x", "id", "name", "at", "size", "rows", "kind", "position"))] = copy.deepcopy(
                draw.choice(VALUES)
            )
        else:
            parent[path[-1]] = copy.deepcopy(draw.choice(VALUES))


@pytest.mark.parametrize("name", SHIPPED)
def test_scrambled_files(root: Path, tmp_path: Path, name: str) -> None:
    text = (root / "configs" / name).read_text(encoding="utf-8")
    draw = random.Random(name)
    file = tmp_path / "town.yaml"
    good = 0
    for _ in range(60):
        file.write_bytes(scrambled(text, draw))
        good += tried(lambda: load(file))
    assert good < 60


@pytest.mark.parametrize("name", SHIPPED)
def test_mutated_trees(root: Path, name: str) -> None:
    draw = random.Random(name)
    good = 0
    for _ in range(100):
        data = parse((root / "configs" / name).read_text(encoding="utf-8"))
        mutated(data, draw)
        good += tried(lambda data=data: from_mapping(data))  # type: ignore[misc]  # mypy cannot infer the default
    assert 0 < good < 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_many_mutated_files(root: Path, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    file = tmp_path / "town.yaml"
    for _ in range(400):
        path = root / "configs" / draw.choice(SHIPPED)
        text = path.read_text(encoding="utf-8")
        if draw.random() < 0.5:
            file.write_bytes(scrambled(text, draw))
            tried(lambda: load(file))
        else:
            data = parse(text)
            mutated(data, draw)
            tried(lambda data=data: from_mapping(data))  # type: ignore[misc]  # mypy cannot infer the default


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["base", "town", "agents", "jobs", "spec", "needs", "train"]), TREES, max_size=4)
)
def test_any_tree(data: dict[str, Any]) -> None:
    tried(lambda: from_mapping(data))


@given(st.text(max_size=40), st.sampled_from(["chat.base", "agents.0.name", "town.rows", "jobs", "needs.decay_rate"]))
def test_any_override(value: str, path: str) -> None:
    tried(lambda: from_mapping({"base": "parity"}, overrides=[f"{path}={value}"]))
    tried(lambda: from_mapping({"base": "parity"}, overrides=[value]))


@given(st.binary(max_size=200))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(content)
    tried(lambda: load(file))
