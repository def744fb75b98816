"""What docs/sinks.md says is so."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from townlet_jax.config.schema.shell import Buffer, Sink, TelemetrySection
from townlet_jax.telemetry.sinks.opening import ALLOWED, NEEDED
from townlet_jax.telemetry.sinks.targets import sink_of


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "sinks.md").read_text(encoding="utf-8")


def rows(page: str, header: str) -> list[list[str]]:
    table = page.partition(header)[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def test_the_example_is_a_configuration(page: str) -> None:
    text = page.partition("```yaml\n")[2].partition("```")[0]
    section = TelemetrySection.model_validate(yaml.safe_load(text)["telemetry"])
    assert [sink.kind for sink in section.sinks] == ["file", "tcp", "prometheus"]


def test_every_kind_and_key_is_there(page: str) -> None:
    found = {}
    for kinds, needs, may, _ in rows(page, "| kind | needs | may have | extra to install |"):
        for kind in re.findall(r"`(\w+)`", kinds):
            found[kind] = set(re.findall(r"`(\w+)`", needs + may))
    assert set(found) == set(get_args(Sink.model_fields["kind"].annotation))
    assert found == {kind: {*NEEDED.get(kind, ()), *ALLOWED.get(kind, ())} for kind in found}


def test_the_words_of_the_command_line_work(page: str) -> None:
    words = [re.findall(r"`([^`]+)`", word)[0] for word, _ in rows(page, "| word | sink |")]
    kinds = [sink_of(word.replace("HOST:PORT", "a:1").replace("HOST", "a")).kind for word in words]
    assert kinds == ["file", "parquet", "stdout", "tcp", "http", "websocket", "tensorboard", "prometheus"]


def test_the_buffer_is_described(page: str) -> None:
    keys = {key for cell, _ in rows(page, "| key | meaning |") for key in re.findall(r"`(\w+)`", cell)}
    assert keys == set(Buffer.model_fields)
    policies = [cell.strip("`") for cell, _, _ in rows(page, "| backpressure | the caller waits | lost |")]
    assert set(policies) == set(get_args(Buffer.model_fields["backpressure"].annotation))
