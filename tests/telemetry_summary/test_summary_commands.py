"""The commands as a shell sees them: texts, exit codes, pictures, and names that are not to be trusted."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from asked import ROOT, ask, started
from telling import CHANNEL, Teller, agent, conflict, event, lines, small_town, spread, story, training_rows, write

EVIL = "\x1b[31mevil\x1b[0m \u202e[bold]x[/bold]\n\r|`<b>\ud800"


def evil_town() -> list[dict[str, object]]:
    """Return a run in which everything that can be a name holds control characters, markup and half a letter."""
    teller = Teller(EVIL)
    channel = CHANNEL | {"name": EVIL, "last_error": EVIL}
    teller.run(config_id=EVIL, policy=EVIL, started=EVIL, versions={EVIL: EVIL}, config_hash=EVIL)
    quarrel = conflict(5, EVIL, "bo") | {"object": EVIL, "reason": EVIL}
    gone = event("agent_removed", 6, agent=EVIL, uid=0, reason=EVIL, respawn_tick=None)
    teller.snapshot(
        10, agents={EVIL: agent(EVIL, needs={EVIL: 0.5})}, events=[quarrel, gone],
        narrations=[story(5, EVIL, category=EVIL)],
    )  # fmt: skip
    teller.measures(1, 10, {EVIL: spread(1.0), "alive": spread(1.0)}, counts={EVIL: {EVIL: 2.0}})
    teller.health(10, channels=[channel], faults={EVIL: 1})
    teller.end(10, EVIL, **{EVIL: 1})
    return teller.records


def is_tame(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


def test_names_reach_neither_terminal_nor_page_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", evil_town())
    for form in ("text", "markdown", "json"):
        code, said, errors = ask("summary", path, "--format", form)
        assert (code, errors) == (0, "")
        assert is_tame(said)
        assert "evil" in said
        assert ("[bold]x[/bold]" in said) == (form != "markdown"), "nothing is taken for markup"
    page = ask("summary", path, "--format", "markdown")[1]
    assert "<b>" not in page.replace("\\<b\\>", "")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    cells = {line.replace("\\|", "").count("|") for line in rows}
    assert cells <= {3, 4, 6, 8, 10}, "no name makes a column"
    assert is_tame(ask("watch", path)[1])
    code, said, errors = ask("validate", path, "--complete")
    assert (code, errors, is_tame(said)) == (0, "", True)
    path.write_bytes(path.read_bytes() + b'{"schema_version": "\\u001b[31m"}\n')
    assert is_tame(ask("summary", path)[2])


def test_pictures_stand_evil_names(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", evil_town())
    assert ask("summary", path, "--plots", tmp_path / "pictures")[0] == 0
    assert (tmp_path / "pictures" / "key_figures.png").read_bytes().startswith(b"\x89PNG")


def test_bad_lines_make_the_exit_code_unless_lenient(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(lines(small_town()[:9]) + b"oops\n" + lines(small_town()[9:]))
    code, said, errors = ask("summary", path)
    assert code == 2
    assert "Run r1" in said, "it says what it can"
    assert errors == f"{path}, line 10: the line is not a JSON object; it may have been cut off.\n"
    assert ask("summary", path, "--lenient")[0] == 0
    data = json.loads(ask("summary", path, "--format", "json")[1])
    assert data["bad_lines"] == 1
    assert data["problems"][0]["line"] == 10
    assert (data["form"], data["version"]) == ("townlet_jax summary", 1)
    assert data["runs"][0]["kpis"]["wallet_mean"]["change"] == pytest.approx(18.0)


def test_text_says_what_there_is_to_say(tmp_path: Path) -> None:
    said = ask("summary", write(tmp_path / "run.jsonl", small_town()))[1]
    for line in (
        "towns           4 with 2 agents each; watched: 0",
        "1 to 200 (2.0 days)",
        "No record is missing from number 0 to 61.",
        "Returns are those of the ticks with a frame, one in 10, and can be far off.",
        "file run.jsonl   yes         –               9         2         1          0",
    ):
        assert line in said
    row = next(line.split() for line in said.splitlines() if line.strip().startswith("wallet_mean"))
    assert row == ["wallet_mean", "9.500", "8.500", "9.500", "10.50", "5.766", "0.500", "18.50", "+3,600%"]
    page = ask("summary", tmp_path / "run.jsonl", "--format", "markdown")[1]
    assert "| wallet\\_mean | 9.500 | 8.500 | 9.500 | 10.50 | 5.766 | 0.500 | 18.50 | +3,600% |" in page


def test_pictures_are_of_what_was_read(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    from townlet_jax.telemetry.summary import collecting, plots
    from townlet_jax.telemetry.summary.problems import Problems
    from townlet_jax.telemetry.summary.sources import sources
    from townlet_jax.telemetry.summary.tally import Choice

    path = write(tmp_path / "run.jsonl", small_town())
    collected = collecting.collect(sources([str(path)]), Choice(), Problems())
    drawn = dict(plots.pictures(collected, Figure))
    panels = {panel.get_title(loc="left"): panel for panel in drawn["key_figures"].axes if panel.get_visible()}
    assert set(panels) == {"alive", "wallet mean", "punctuality"}
    (line,) = panels["wallet mean"].lines
    assert list(line.get_ydata()) == [float(k) for k in range(20)]
    assert line.get_xdata()[0] == pytest.approx(0.055), "days"
    (dots,) = panels["punctuality"].lines
    assert list(dots.get_ydata()) == [1.0] * 10
    assert panels["alive"].get_ylim() == (0.0, 2.5)
    assert drawn["needs"].axes[0].lines[0].get_label() == "hunger"
    heights = [patch.get_height() for patch in drawn["events"].axes[0].patches]
    assert heights == [5.0, 5.0], "conflicts of each day"
    assert len(drawn["reward_terms"].axes[0].patches) == 2 * 20
    assert sorted(plots.draw(collected, tmp_path / "a" / "b")) == [
        tmp_path / "a" / "b" / f"{name}.png" for name in ("events", "key_figures", "needs", "reward_terms")
    ]


def test_pictures_of_training_and_of_several_runs(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", training_rows(30, kl=[float(k) for k in range(30)]))
    write(tmp_path / "run.jsonl", small_town())
    assert ask("summary", log, "--plots", tmp_path / "one")[0] == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["training.png"]
    assert ask("summary", tmp_path, "--plots", tmp_path / "both")[0] == 0
    assert len(list((tmp_path / "both").iterdir())) == 5
    (tmp_path / "file").touch()
    code, _, errors = ask("summary", log, "--plots", tmp_path / "file")
    assert code == 2
    assert "cannot be written" in errors


def test_validate_names_every_error_and_hole(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", small_town())
    counted = "1 run, 1 snapshot, 20 measures, 20 health, 19 diff, 1 end; 1 run; 0 errors."
    assert ask("validate", path, "--complete") == (0, f"{counted}\n", "")
    broken = [*small_town()[:8], {"a": 1}, *small_town()[12:-1]]
    write(path, broken)
    code, said, _ = ask("validate", path)
    assert code == 2
    assert said.splitlines() == [
        f"{path}, line 9: its schema_version is None, but must read like '1.0'.",
        f"Run r1 lacks 4 records in 1 gaps, the first before {path}, line 10.",
        "Run r1 has no end.",
        "1 run, 1 snapshot, 18 measures, 19 health, 18 diff; 1 run; 1 error.",
    ]
    write(path, small_town()[:-1])
    assert ask("validate", path)[0] == 0
    assert ask("validate", path, "--complete")[0] == 2
    data = json.loads(ask("validate", path, "--json")[1])
    assert (data["errors"], data["good"], data["holes"]) == (0, True, ["Run r1 has no end."])


def test_validate_knows_the_rules_of_a_stream(tmp_path: Path) -> None:
    early, late, lone = Teller(), Teller(), Teller()
    early.diff(10)
    late.run()
    late.end(10)
    late.health(20)
    lone.run()
    lone.diff(10)
    for teller, sentence in (
        (early, "line 1: record 0 of a run must be of type run, but is diff"),
        (late, "line 3: it comes after the end of its run"),
        (lone, "line 2: it is a diff, but no whole frame of its town came before"),
    ):
        code, said, _ = ask("validate", write(tmp_path / "run.jsonl", teller.records))
        assert code == 2
        assert sentence in said


def test_bad_questions_are_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", small_town())
    for arguments, sentence in (
        (("summary", tmp_path / "none.jsonl"), "none.jsonl does not exist; give a file of JSON lines"),
        (("summary", path, "--from", "9", "--to", "3"), "--from 9 is after --to 3; swap them."),
        (("summary", path, "--town", "3"), "--town 3 has no frames here; there are frames of towns 0."),
        (("watch", tmp_path), "cannot be followed (it is a folder)"),
        (("watch", tmp_path / "none"), "cannot be followed (No such file or directory)"),
        (("export", path, "--out", tmp_path / "x.txt"), "does not say a form; end it in .csv, .jsonl, .parquet"),
        (("export", path, "--out", tmp_path / "no" / "x.csv"), "cannot be written (No such file or directory)"),
    ):
        code, _, errors = ask(*arguments)
        assert code == 2
        assert errors.startswith("error: ")
        assert sentence in errors
        assert errors.count("\n") == 1


def test_answers_come_without_jax_and_help_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", small_town())
    program = (
        "import sys; from townlet_jax.cli_telemetry import app\n"
        f"app(['summary', {str(path)!r}, '--plots', {str(tmp_path / 'p')!r}], standalone_mode=False)\n"
        f"app(['export', {str(path)!r}, '--out', {str(tmp_path / 'x.parquet')!r}], standalone_mode=False)\n"
        "assert 'jax' not in sys.modules, 'jax was imported'"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    heavy = "numpy", "pydantic", "rich.table", "matplotlib", "pyarrow", "jax"
    program = f"import sys; import townlet_jax.cli_telemetry; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_standard_input_is_read_and_a_closed_pipe_is_a_quiet_end(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", small_town())
    asked = started(["summary", "-", "--format", "json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said, _ = asked.communicate(path.read_bytes(), timeout=60)
    assert asked.returncode == 0
    assert json.loads(said)["files"] == ["standard input"]
    asked = started(
        ["export", path, "--what", "measures", "--out", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert asked.stdout is not None
    assert asked.stderr is not None
    asked.stdout.readline()
    asked.stdout.close()
    errors = asked.stderr.read()
    asked.stderr.close()
    assert asked.wait(60) == 0
    assert b"Traceback" not in errors
    assert b"BrokenPipe" not in errors


@pytest.mark.slow
def test_a_million_lines(tmp_path: Path) -> None:
    teller, path = Teller(), tmp_path / "run.jsonl"
    with path.open("wb") as file:
        file.write(lines([teller.run()]))
        teller.measures(1, 1, {f"figure {k}": spread(1.0) for k in range(5)})
        record = json.dumps(teller.records[-1])
        for k in range(1_000_000):
            line = record.replace('"sequence": 1,', f'"sequence": {k + 1},').replace(
                '"last_tick": 1', f'"last_tick": {k + 1}'
            )
            file.write(f"{line}\n".encode())
    program = (
        "from pathlib import Path; from townlet_jax.cli_telemetry import main\n"
        f"main(['summary', {str(path)!r}, '--format', 'json'])\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    seconds, kilobytes = time.monotonic() - began, int(done.stdout.split()[-1])
    print(f"{1e6 / seconds:,.0f} lines/s, {path.stat().st_size / seconds / 1e6:.1f} MB/s, {kilobytes:,} KB")
    assert kilobytes < 120_000
