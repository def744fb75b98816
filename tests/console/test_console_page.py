"""The page about the console is true: its reference is that of the table, its examples run, `--help` says the same."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from console.desks import Desk, soon
from townlet_jax import cli
from townlet_jax.console import reference, script
from townlet_jax.console.client import Link
from townlet_jax.console.prompt import Talk
from townlet_jax.console.table import ROWS
from townlet_jax.plans import RunError

TOWNLET = [sys.executable, "-c", "from townlet_jax.cli import main; main()"]


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "console.md").read_text(encoding="utf-8")


def test_the_reference_is_that_of_the_table(page: str) -> None:
    assert reference.rewritten(page) == page, "run python -m townlet_jax.console.reference docs/console.md"
    for row in ROWS:
        assert f"`{row.usage}`" in page


def blocks(page: str, kind: str) -> list[str]:
    """Return the examples of a kind."""
    return re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)


def test_the_examples_of_commands_are_commands(page: str, desk: Desk, address: str) -> None:
    typed = re.findall(r"^townlet> (.+)$", page, re.MULTILINE)
    typed += re.findall(r'-c "([^"]+)"', page)
    assert len(typed) >= 5
    with Link.connect(address) as link:
        said: list[str] = []
        talk = Talk(link, show=said.append)
        assert talk.follow(typed) == 0, said


def test_the_timeline_of_the_page_can_be_read(page: str, tmp_path: Path) -> None:
    (text,) = (block for block in blocks(page, "yaml") if "command:" in block)
    file = tmp_path / "story.yaml"
    file.write_text(text, encoding="utf-8")
    assert [(entry.tick, entry.command) for entry in script.read(file)] == [
        (10, "announce_story"), (20, "perturbation_trigger"), (30, "set_wallet"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tick: 1", "must hold a list"), ("- {tick: 0, command: noop}", "entry 1: tick"), ("- [", "line"),
        ("- {tick: 1, command: frob}", "entry 1, tick 1: There is no command 'frob'"),
        ("- {tick: 1, command: kill}", "entry 1, tick 1: kill: agent"),
        ("- {tick: 1, command: kill, args: {agent: ada, x: 1}}", "no argument 'x'"),
        ("- {tick: 1, command: noop, extra: 1}", "extra"), ("- {tick: 1, command: pause}\n- 7", "entry 2"),
    ],
)  # fmt: skip
def test_bad_timelines_are_refused_before_anything_runs(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RunError) as refused:
        script.read(file)
    assert said in str(refused.value)
    assert str(refused.value).startswith("--timeline ")
    with pytest.raises(RunError, match="cannot be read"):
        script.read(tmp_path / "nowhere.yaml")


def townlet(*arguments: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    own = {**os.environ, **environment}
    given = "" if stdin is None else stdin
    return subprocess.run(
        [*TOWNLET, *arguments], input=given, capture_output=True, text=True, timeout=60, env=own, check=False
    )


def test_the_command_line_talks_to_a_session(desk: Desk, address: str, tmp_path: Path) -> None:
    done = townlet("console", address, "-c", "set_wallet ada 12", "-c", "noop", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = [json.loads(line) for line in done.stdout.splitlines()]
    assert (first["result"]["wallet"], second["name"]) == (12.0, "noop")
    assert desk.town().economy.wallet[0] == 12
    piped = townlet(
        "console", address, stdin="# a remark\n\nset_wallet ben 3\nset_wallet zoe 1\nexit\nset_wallet ben 9\n"
    )
    assert piped.returncode == 1
    assert "wallet: 3" in piped.stdout
    assert "not_found: There is no agent 'zoe'" in piped.stdout
    assert desk.town().economy.wallet[1] == 3
    nobody = townlet("console", str(tmp_path / "no"), "-c", "noop")
    assert nobody.returncode == 2
    assert nobody.stderr.startswith("error: No console answers at ")
    assert nobody.stderr.count("\n") == 1


def test_help_is_quick_and_imports_no_jax() -> None:
    """`--help` of all of it, in a fresh interpreter."""
    code = "import sys; from townlet_jax import cli_console; cli_console.main(['--help']); print('jax' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.endswith("False\n")
    for option in ("--command", "--json", "--token-env", "--token-file", "--ca", "--plaintext", "--town", "--timeout"):
        assert option in told.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--admin"], "--admin needs --console"), (["--console", "x" * 200], "100 characters"),
        (["--console", "127.0.0.1:0"], "needs a certificate"),
        (["--console", "127.0.0.1:0", "--console-plaintext"], "needs tokens"),
        (["--console", "x.sock", "--console-plaintext"], "leave it out"),
        (["--console", "x.sock", "--console-cert", "c.pem"], "leave it out"),
        (["--timeline", "nowhere.yaml"], "cannot be read"),
    ],
)  # fmt: skip
def test_options_without_sense_are_refused(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.execute(["run", "default", "--ticks", "10", *options]) == cli.BAD_INPUT
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_prompt_works_at_a_terminal(desk: Desk, address: str, tmp_path: Path) -> None:
    """History, completion with the tab key, and the end of input, in a real terminal."""
    own, other = pty.openpty()
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"}
    process = subprocess.Popen([*TOWNLET, "console", address], stdin=other, stdout=other, stderr=other, env=environment)
    os.close(other)
    seen: list[bytes] = []
    reader = threading.Thread(target=drain, args=(own, seen), daemon=True)
    reader.start()
    assert soon(lambda: b"townlet> " in b"".join(seen), 30)
    for typed in (b"set_wa\tada 21\n", b"frob\n"):
        os.write(own, typed)
        time.sleep(0.3)
    assert soon(lambda: b"unknown_command" in b"".join(seen), 30), b"".join(seen)
    os.write(own, b"\x04")
    assert process.wait(30) == 0
    assert desk.town().economy.wallet[0] == 21
    assert (tmp_path / "townlet_jax" / "console_history").read_text(encoding="utf-8").splitlines()[-1] == "frob"
    os.close(own)


def drain(terminal: int, seen: list[bytes]) -> None:
    """Read what a terminal shows until its end."""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            return
        seen.append(piece)


def test_completion_knows_commands_agents_and_arguments(address: str) -> None:
    with Link.connect(address) as link:
        talk = Talk(link)
        assert talk.completions("set_w", "set_w") == ["set_wallet "]
        assert "ada" in talk.completions("set_wallet a", "a")
        assert talk.completions("set_wallet ada am", "am") == ["amount="]
        assert talk.completions("help snapshot_l", "snapshot_l") == ["snapshot_load"]


def test_a_town_for_the_whole_conversation(desk: Desk, address: str) -> None:
    with Link.connect(address) as link:
        said: list[Any] = []
        talk = Talk(link, town=1, as_json=True, show=lambda line: said.append(json.loads(line)))
        assert talk.follow(["set_wallet ada 17", "noop", "set_wallet ada 18 town=0"]) == 0
    assert [answer["result"].get("town") for answer in said] == [1, None, 0]
    assert desk.town(1).economy.wallet[0] == 17
