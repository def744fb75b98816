"""`townlet render`, `record` and `replay` as people use them: files, sentences, exit codes."""

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from townlet_jax import cli, recording

TICKS = 120
TOWN = ["default", "--ticks", str(TICKS), "--seed", "3", "--town", "1"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record two hours of a town once, by the program."""
    file = tmp_path_factory.mktemp("recorded") / "town.npz"
    assert cli.execute(["record", *TOWN, "economy.rent_per_day=3", "--out", str(file)]) == 0
    return file


def replay(file: Path, *arguments: str) -> int:
    """Run `townlet replay`."""
    return cli.execute(["replay", str(file), *arguments])


def test_render_draws_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "town.gif"
    out.write_text("an older film")
    arguments = ["render", *TOWN, "--from", "20", "--every", "10", "--scale", "6", "--overlay", "ties"]
    assert cli.execute([*arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(rf"Wrote {out}: 11 pictures of ticks 20 to 120, \d\.\d\d MB\.\n", printed.err)
    with Image.open(out) as film:
        assert (film.format, film.n_frames, film.info["loop"]) == ("GIF", 11, 0)
        assert film.size[0] > 6 * 48
    assert [path.name for path in tmp_path.iterdir()] == ["town.gif"]


def test_record_says_what_it_did_and_keeps_the_whole_configuration(recorded: Path) -> None:
    about = recording.load(recorded).description
    assert (about.ticks, about.agents, about.seed, about.town, about.policy) == (TICKS, 8, 3, 1, "scripted")
    assert about.config["economy"]["rent_per_day"] == 3
    assert about.edits == []
    assert [path.name for path in recorded.parent.iterdir()] == ["town.npz"]


def test_replay_confirms_every_checkpoint(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(recorded) == 0
    printed = capsys.readouterr()
    last = recording.load(recorded).checkpoints[TICKS]
    assert printed.out == (
        "Replayed 120 ticks of default · scripted · seed 3, town 1: bit for bit the recorded run at all 2 "
        f"checkpoints, last digest {last[:16]}.\n"
    )
    assert printed.err == ""


def test_replay_as_json(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(recorded, "--json") == 0
    taken = recording.load(recorded)
    document = json.loads(capsys.readouterr().out)
    assert document.pop("seconds") > 0
    assert document == {
        "file": str(recorded),
        "config": "default",
        "config_hash": taken.description.config_hash,
        "policy": "scripted",
        "seed": 3,
        "town": 1,
        "agents": 8,
        "ticks": TICKS,
        "checkpoints": 2,
        "equal": True,
        "first_difference": None,
        "digest": taken.checkpoints[TICKS],
        "recorded_with": taken.description.versions,
        "out": None,
    }


def test_any_stretch_is_drawn_in_any_format(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    span = ["--from", "61", "--to", "100", "--every", "13"]
    for name in ("town.gif", "town.svg", "town.png", "town.txt", "town.ansi"):
        assert replay(recorded, *span, "--out", str(tmp_path / name)) == 0
        printed = capsys.readouterr()
        assert "bit for bit" in printed.out
        assert f"{tmp_path / name}: " in printed.err
    with Image.open(tmp_path / "town.gif") as film:
        assert film.n_frames == 4
    picture = ElementTree.parse(tmp_path / "town.svg")
    clocks = {element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {"01:01", "01:14", "01:27", "01:40"} <= clocks
    with Image.open(tmp_path / "town.png") as still:
        assert still.size[0] > 768
        assert "seed 3, town 1" in still.info["Description"]
    text = (tmp_path / "town.txt").read_text()
    assert text.startswith("☾ day 1 01:40  tick 100")
    coloured = (tmp_path / "town.ansi").read_text()
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).split() == text.split()


def test_text_goes_to_the_terminal(
    recorded: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert replay(recorded, "--out", "-", "--json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("☾ day 1 02:00  tick 120")
    assert lines[1].startswith("T" * 48)
    assert json.loads(lines[-1])["out"] == "-"
    assert max(len(line) for line in lines[:-1]) <= 120


@pytest.fixture
def tampered(recorded: Path, tmp_path: Path) -> Path:
    """Return a recording in which somebody did something else in tick 100."""
    file = tmp_path / "tampered.npz"
    with np.load(recorded, allow_pickle=False) as arrays:
        members = {name: arrays[name].copy() for name in arrays.files}
    members["intents_flat"][99, :] = 1 + np.arange(8) % 4
    np.savez(file, **members)
    return file


def test_a_difference_is_exit_code_1_and_draws_nothing(
    tampered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "town.gif"
    assert replay(tampered, "--out", str(out)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("The replay differs from the recording somewhere in ticks 61 to 120.")
    assert "jaxlib" in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not out.exists()
    assert replay(tampered, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["equal"], document["first_difference"]) == (False, [61, 120])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["render"], ["config"]),
        (["render", "default"], ["--out"]),
        (["render", "no_such.yaml", "--out", "a.png"], ["no_such.yaml", "does not exist"]),
        (["render", "default", "economy.rent=1", "--out", "a.png"], ["rent", "rent_per_day"]),
        (["render", "default", "--out", "a.mp4"], ["a.mp4", ".txt, .ansi, .png, .gif, .svg"]),
        (["render", "default", "--out", "no/such/a.png"], ["no/such", "make it first"]),
        (["render", "default", "--out", "/proc/a.png"], ["/proc/a.png", "cannot be written"]),
        (["render", "default", "--out", "a.png", "--scale", "1000"], ["--scale is 1000", "4 to 64"]),
        (["render", "default", "--out", "a.png", "--overlay", "x"], ["--overlay is 'x'", "none, ties"]),
        (["render", "default", "--out", "a.gif", "--from", "2000"], ["--from is 2000", "1440"]),
        (["render", "default", "--out", "a.gif", "--every", "0"], ["--every is 0"]),
        (["render", "default", "--out", "a.gif", "--every", "1"], ["1,440 pictures", "1,000"]),
        (["render", "default", "--out", "a.png", "--ticks", "0"], ["0 ticks"]),
        (["render", "default", "--out", "a.png", "--ticks", "5", "--days", "1"], ["--ticks", "--days"]),
        (["render", "default", "--out", "a.png", "--policy", "clever"], ["clever", "scripted"]),
        (["render", "default", "--out", "a.png", "--policy", "schedule"], ["no scenario block"]),
        (["render", "default", "--out", "a.png", "--seed", "-1"], ["--seed is -1"]),
        (["render", "default", "--out", "a.png", "--town", "-1"], ["--town is -1"]),
        (["record", "default"], ["--out"]),
        (["record", "default", "--out", "a.zip"], ["a.zip", ".npz"]),
        (["record", "default", "--out", "no/such/a.npz"], ["no/such", "make it first"]),
        (["record", "default", "--out", "a.npz", "--every", "0"], ["--every is 0", "1 to 1440"]),
        (["record", "default", "--out", "a.npz", "--town", "99999999"], ["--town is 99999999"]),
        (["record", "default", "--out", "a.npz", "--days", "5000"], ["7,200,000 ticks", "record fewer"]),
        (["replay"], ["file"]),
        (["replay", "none.npz"], ["none.npz", "No such file", "townlet record"]),
    ],
)
def test_bad_input_gets_one_sentence_and_code_2(
    arguments: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.execute(arguments) == 2
    refused(capsys, words)
    assert list(tmp_path.iterdir()) == []


def refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """Check that a command said no in one sentence with these words."""
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert len(printed.err.splitlines()) == 1
    for word in words:
        assert word.lower() in printed.err.lower(), printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "5"], ["--from and --to", "--out"]),
        (["--out", "a.gif", "--to", "121"], ["--to is 121", "120"]),
        (["--out", "a.gif", "--from", "100", "--to", "99"], ["--from is 100", "99"]),
        (["--out", "a.bmp"], ["a.bmp", ".gif"]),
        (["--out", "no/such/a.gif"], ["no/such"]),
    ],
)
def test_replays_that_cannot_be_drawn(
    recorded: Path,
    arguments: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert replay(recorded, *arguments) == 2
    refused(capsys, words)


def test_broken_recordings_are_refused(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = recorded.read_bytes()
    for name, content in {"cut.npz": raw[:-100], "text.npz": b"hello", "empty.npz": b""}.items():
        (tmp_path / name).write_bytes(content)
        assert replay(tmp_path / name) == 2
        refused(capsys, [name, "damaged", "townlet record"])
    shutil.copy(recorded, tmp_path / "\u202etown\n.npz")
    assert replay(tmp_path / "\u202etown\n.npz", "--to", "5") == 2
    assert "\u202e" not in capsys.readouterr().err


def test_a_failed_write_leaves_nothing(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert replay(recorded, "--out", str(tmp_path / "town.txt")) == 2
    refused(capsys, ["town.txt", "No space left on device"])
    assert list(tmp_path.iterdir()) == []
