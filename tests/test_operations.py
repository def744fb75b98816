"""What docs/operations.md shows is true: its commands run in order, with fewer towns and ticks, and its Python."""

import re
import shlex
from pathlib import Path

import pytest

from townlet_jax import cli

PAGE = "docs/operations.md"
SMALLER = {  # the same programs for all commands
    "default --towns 1024": "default --towns 2 --policy idle",
    "--days 30": "--ticks 200",
    "--days 14": "--ticks 300",
    "--days 7": "--ticks 200",
    "--days 1 ": "--ticks 100 ",
    "--ticks 720": "--ticks 100",
    "1440": "100",
    "--watch-town 5": "--watch-town 1",
    "--town 5 --town 6": "--town 0 --town 1",
    "--town 5": "--town 1",
    "--branch 8": "--branch 2",
}


def blocks(root: Path, kind: str) -> list[str]:
    """Return the fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", (root / PAGE).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_commands_run(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = "".join(blocks(root, "")).splitlines()
    assert len(commands) == 13
    for command in commands:
        for large, small in SMALLER.items():
            command = command.replace(large, small)
        program, *arguments = shlex.split(command)
        assert program == "townlet"
        assert cli.execute(arguments) == 0, (command, capsys.readouterr().err)
        said = capsys.readouterr()
        if "snapshot list" in command:
            ticks = [line.split()[0] for line in said.out.splitlines()[2:] if line.strip()]
            assert ticks[-3:] == ["100", "200", "300"]
        if "--dry-run" in command and "prune" in command:
            assert said.out.startswith("1 would be deleted (100)")
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"weeks", "month", "week.jsonl", "town.json", "branches"}


def test_the_python_runs_and_prints_what_it_says(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(root, "python")
    exec(compile(code, PAGE, "exec"), {})  # our own text
    promised = re.findall(r"print\(.*\)  # (.+)$", code, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == promised
