"""The recordings of the original Townlet against the core under the parity preset (MECHANICS 15).

Every cell of every tick is compared: amounts to 1e-5, everything else exactly. Where a deviation is deliberate the
value that it predicts is asserted, and it must really differ from the recording.
"""

import copy
import re
from collections import defaultdict
from pathlib import Path

import pytest

from townlet_jax.config import ConfigError, from_mapping
from traces.coverage import COMPARED, NOT_COMPARED, fields_of
from traces.here import cells_here
from traces.predict import ROWS, Use, predict
from traces.recordings import NAMES, Cells, Recording, read, same
from traces.replay import play
from traces.rows import EVERYBODY, Row
from traces.translate import DEAD_TARGETS, dead_spec, town_mapping

MOST_SHOWN = 20


def mismatches(here: Cells, expected: Cells, tick: int) -> list[str]:
    """Describe the cells that are not as expected, and those that only one side has."""
    missing = object()
    found = []
    for cell in sorted({*here, *expected}):
        one, other = here.get(cell, missing), expected.get(cell, missing)
        if missing in (one, other) or not same(one, other):
            found.append(f"tick {tick}, {cell[0]} of {cell[1] or 'the town'}: {one}, expected {other}")
    return found


def replay_mismatches(recording: Recording) -> list[str]:
    """Play a recording and compare all of it."""
    replay = play(recording)
    found: list[str] = []
    for tick, expected in enumerate(predict(recording.name).ticks, start=1):
        found += mismatches(cells_here(recording, replay, tick), expected, tick)
    return found


def all_uses() -> dict[Row, list[Use]]:
    """Return the uses of every row in all recordings."""
    uses: dict[Row, list[Use]] = defaultdict(list)
    for name in NAMES:
        for use in predict(name).uses:
            uses[use.row].append(use)
    return uses


def describe(row: Row) -> str:
    """Name a row of the table in a message."""
    return f"{row.deviation} {row.recording} {row.field} {row.subjects}"


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_is_recorded_or_predicted(name: str) -> None:
    found = replay_mismatches(read(name))
    assert not found, "\n".join([f"{name}: {len(found)} cells differ", *found[:MOST_SHOWN]])


def test_no_exclusion_is_stale() -> None:
    uses = all_uses()
    for row in ROWS:
        met = {(use.subject, use.tick) for use in uses[row]}
        wanted = {(subject, tick) for subject in row.subjects for tick in row.ticks or ()}
        assert met, f"{describe(row)}: never met"
        assert row.when or row.subjects == EVERYBODY or wanted <= met, f"{describe(row)}: not met everywhere"
        differing = {use.subject for use in uses[row] if use.differs}
        assert differing == {use.subject for use in uses[row]}, f"{describe(row)}: a subject that never differs"
        assert not row.always or all(use.differs for use in uses[row]), f"{describe(row)}: a cell that is as recorded"


def test_most_of_a_recording_is_compared_as_recorded() -> None:
    shares = {}
    for name in NAMES:
        prediction = predict(name)
        differing = sum(use.differs for use in prediction.uses)
        shares[name] = differing / sum(len(cells) for cells in prediction.ticks)
    assert shares.pop("s04_work_shift") < 0.15  # wages, and five agents whose lateness begins later
    assert max(shares.values()) < 0.06, shares
    assert sum(len(cells) for name in NAMES for cells in predict(name).ticks) > 100_000


def test_no_field_of_a_recording_is_forgotten() -> None:
    fields = set().union(*(fields_of(line) for name in NAMES for line in read(name).ticks))
    assert fields == COMPARED | NOT_COMPARED.keys()
    assert not COMPARED & NOT_COMPARED.keys()


@pytest.mark.parametrize(
    ("name", "path", "value", "field"),
    [
        ("s02_queue_ghost_step", ("queue_fairness", "ghost_step_after"), 4, "holder of shower_1"),
        ("s06_chat", ("rewards", "decay_rates", "energy"), 0.0001, "needs.energy of a"),
    ],
)
def test_another_number_is_noticed(name: str, path: tuple[str, ...], value: float, field: str) -> None:
    recording = copy.deepcopy(read(name))
    section = recording.header["config"]
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    assert any(field in line for line in replay_mismatches(recording))


def test_a_cell_of_one_side_only_is_noticed() -> None:
    assert mismatches({("wallet", "a"): 1.0}, {}, 7)
    assert mismatches({}, {("wallet", "a"): 1.0}, 7)
    assert mismatches({("wallet", "a"): 1.0}, {("wallet", "a"): 1.0 + 5e-6}, 7) == []
    assert mismatches({("wallet", "a"): 1.0}, {("wallet", "a"): 1.00002}, 7)


@pytest.mark.parametrize("spec", sorted(DEAD_TARGETS))
def test_dead_targets_are_errors(spec: str) -> None:
    mapping = town_mapping(read("s07_perturbations_manual"))
    mapping["perturbations"]["specs"][spec] = dead_spec(spec)
    with pytest.raises(ConfigError, match=spec):
        from_mapping(mapping)


def documented(root: Path) -> dict[str, set[str]]:
    """Return the rows of docs/deviations.md: id -> the recordings in which values are replaced."""
    text = (root / "docs" / "deviations.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in re.findall(r"^\| D\d+ .*$", text, re.M)]
    assert all(len(row) == 6 for row in rows), [row for row in rows if len(row) != 6]
    assert [row[0] for row in rows] == [f"D{number:02d}" for number in range(1, len(rows) + 1)]
    return {row[0]: set(re.findall(r"s0\dc?", row[5])) for row in rows}


def test_every_deviation_is_documented(root: Path) -> None:
    replaced = defaultdict(set)
    for name in NAMES:
        for use in predict(name).uses:
            replaced[use.row.deviation].add(name.partition("_")[0])
    assert {deviation: names for deviation, names in documented(root).items() if names} == replaced
