"""The demo story can be told: every command of it is taken, and what it announces is heard."""

from pathlib import Path

import pytest
import yaml

from scripts import story
from townlet_jax.config import build, load
from townlet_jax.console import script
from townlet_jax.policy import timeline


def test_every_command_of_the_story_fits_the_default_town(root: Path) -> None:
    built = build(load("default"))
    entries = script.read(root / "configs/stories/demo.yaml")
    assert [entry.tick for entry in entries] == sorted(entry.tick for entry in entries)
    assert entries[-1].tick < story.TICKS
    for entry in entries:
        args = {name: value for name, value in entry.args.items() if name not in ("town", "priority", "reason")}
        timeline.interpret(entry.command, args, built.names, built.spec, built.params)


def test_the_story_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "plot.yaml"
    plot.write_text(
        yaml.safe_dump(
            [
                {"tick": 3, "command": "announce_story", "args": {"message": "It begins.", "priority": True}},
                {"tick": 5, "command": "force_chat", "args": {"speaker": "ada", "listener": "ben", "quality": 0.9}},
                {"tick": 9, "command": "kill", "args": {"agent": "hugo", "respawn": False}},
            ]
        ),
        encoding="utf-8",
    )
    film = tmp_path / "story.jsonl"
    assert story.main(["--timeline", str(plot), "--ticks", "20", "--out", str(film)]) == 0
    told = [(one["tick"], one["category"]) for one in story.narrations(film)]
    assert (3, "operator_story") in told
    assert (9, "departure") in told
    said = capsys.readouterr().out
    assert "00:03  operator story" in said
    assert "It begins." in said
    assert "hugo leaves the town" in said
