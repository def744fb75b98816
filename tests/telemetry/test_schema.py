"""The schema: what is read, what is refused, and what is written down about it."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.telemetry import lives
from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.telemetry import reference, schema
from townlet_jax.telemetry.publisher import Publisher
from townlet_jax.telemetry.schema import SchemaError, SchemaWarning

END: dict[str, Any] = {
    "schema_version": "1.0", "payload_type": "end", "run_id": "r", "sequence": 3, "tick": 9, "why": "finished",
    "ticks": 9, "counters": {"records.run": 1},
}  # fmt: skip
DIFF: dict[str, Any] = {
    "schema_version": "1.0", "payload_type": "diff", "run_id": "r", "sequence": 3, "tick": 9, "town": 0,
    "changes": {"utilities": {"power": True}}, "removed": [],
}  # fmt: skip


def published() -> list[bytes]:
    """Return the lines of a short run."""
    shelf = Shelf()
    publisher = Publisher(
        lives.built("dense"), lives.plan(), section=TelemetrySection(), watched=(0, 1), channels=[shelf], every_ticks=5
    )
    for first in (0, 20):
        publisher.hear(lives.stretch("dense", first, first + 20, towns=(0, 1)))
    publisher.close()
    return [item.data for item in shelf.items]


Shelf = lives.Shelf


def test_every_line_of_a_run_is_read() -> None:
    lines = published()
    records = [schema.parse(line) for line in lines]
    assert {record.payload_type for record in records} == set(schema.KINDS)
    assert [record.sequence for record in records] == list(range(len(records)))
    for line, record in zip(lines, records, strict=True):
        kept = json.loads(record.model_dump_json(exclude_unset=True))
        assert kept == json.loads(line)


def test_a_text_is_read_as_well_as_bytes() -> None:
    record = schema.parse(json.dumps(END))
    assert isinstance(record, schema.End)
    assert record.counters == {"records.run": 1}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "not a JSON object"),
        ('{"schema_version": "1.0", "payl', "cut off"),
        ("[" * 100_000, "not a JSON object"),
        ('{"schema_version": "1.0", "tick": NaN}', "not a JSON object"),
        ("[1]", "holds \\[1\\]"),
        (b"\xff\xfe", "not a JSON object"),
        ("{}", "schema_version is None"),
        ('{"schema_version": 1.0}', "schema_version is 1.0"),
        ('{"schema_version": "one"}', "schema_version is 'one'"),
        (json.dumps(END | {"schema_version": "2.0"}), "reads 1.x"),
        (json.dumps(END | {"schema_version": "0.9"}), "reads 1.x"),
        (json.dumps(END | {"payload_type": "letter"}), "payload_type"),
        (json.dumps(END | {"tick": "9"}), "end.tick"),
        (json.dumps(END | {"tick": 9.5}), "end.tick"),
        (json.dumps(END | {"tick": True}), "end.tick"),
        (json.dumps({key: value for key, value in END.items() if key != "why"}), "end.why"),
        (json.dumps(END | {"colour": 1}), "unknown key 'colour'"),
        (json.dumps(DIFF | {"changes": {"weather": {}}}), "'weather' is not a section"),
        (json.dumps(DIFF | {"changes": {"utilities": {"power": 1}}}), "changes.utilities.power"),
        (json.dumps(DIFF | {"changes": {"employment": {"jobs": 1}}}), "changes.employment"),
        (json.dumps(DIFF | {"changes": {"events": [{"event": "rain", "tick": 1, "town": 0}]}}), "unknown event 'rain'"),
    ],
)
def test_what_is_no_record_is_refused_in_one_sentence(line: str | bytes, words: str) -> None:
    with pytest.raises(SchemaError, match=words) as caught:
        schema.parse(line)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_newer_minor_version_is_read_with_a_warning_and_kept_whole() -> None:
    event = {"event": "rain", "tick": 1, "town": 0, "litres": 3}
    newer = DIFF | {"schema_version": "1.7", "mood": "fine", "changes": {"events": [event], "weather": {"sun": 1}}}
    with pytest.warns(SchemaWarning, match=r"1\.7"):
        record = schema.parse(json.dumps(newer))
    assert isinstance(record, schema.Diff)
    assert record.changes == newer["changes"]
    assert json.loads(record.model_dump_json(exclude_unset=True)) == newer


def test_this_version_gives_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schema.parse(json.dumps(DIFF))


def test_the_published_json_schema_is_that_of_the_models(root: Path) -> None:
    published_schema = (root / "docs" / "telemetry.schema.json").read_text(encoding="utf-8")
    assert published_schema == schema.json_schema(), "write schema.json_schema() to docs/telemetry.schema.json"


def test_the_reference_is_that_of_the_models(root: Path) -> None:
    text = (root / "docs" / "telemetry.md").read_text(encoding="utf-8")
    assert text.split("\n---\n\n", 1)[1] == reference.markdown(), "write reference.markdown() below the line"


def test_every_field_says_what_it_means() -> None:
    for line in reference.markdown().splitlines():
        if line.startswith("| `"):
            assert (
                line.split("|")[3].strip()
                or line.startswith(("| `status`", "| `payload_type`", "| `reason`"))
                or ("_delta`" in line)
            ), line
