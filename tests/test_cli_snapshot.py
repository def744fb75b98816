"""`townlet run` with snapshots, and `townlet snapshot`: what is kept, shown, refused, gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from townlet_jax import cli, town_snapshots
from townlet_jax.snapshots import Manifest, Migrations, Store

RUN = ["run", "default", "--policy", "idle", "--towns", "2"]
FIRST = ["--ticks", "200", "--save-every", "100"]
Printed = tuple[int, str, str]


@pytest.fixture
def townlet(capsys: pytest.CaptureFixture[str]) -> Callable[..., Printed]:
    """Return a function that runs a command line here and returns code, stdout and stderr."""

    def run(*arguments: object) -> Printed:
        capsys.readouterr()
        code = cli.execute([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with snapshots at ticks 100 and 200 of two default towns; nobody may change it."""
    folder = tmp_path_factory.mktemp("kept")
    assert cli.execute([*RUN, *FIRST, "--snapshots", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def own(kept: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder that may be changed."""
    folder = tmp_path / "own"
    subprocess.run(["cp", "-r", str(kept), str(folder)], check=True)
    return folder


def document(printed: Printed) -> Any:
    """Return the JSON object that a command printed."""
    code, out, err = printed
    assert (code, err) == (0, "")
    return json.loads(out.splitlines()[-1])


def refusal(printed: Printed) -> str:
    """Return the one sentence with which a command refused."""
    code, out, err = printed
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    return err


def damage(folder: Path, step: int) -> None:
    """Flip one bit in the arrays of a snapshot."""
    files = [path for path in (folder / str(step) / "state").rglob("*") if path.is_file()]
    file = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_going_on_gives_the_figures_of_a_run_that_never_stopped(
    own: Path, townlet: Callable[..., Printed], tmp_path: Path
) -> None:
    code, out, err = townlet("run", "default", "--ticks", "300", "--save-every", "100", "--resume", own, "--json")
    assert (code, err) == (0, "Going on from tick 200.\n")
    resumed = json.loads(out)
    whole = document(townlet(*RUN, "--ticks", "300", "--save-every", "100", "--snapshots", tmp_path / "w", "--json"))
    same = ("config_hash", "policy", "towns", "seed", "ticks", "planned_ticks", "agent_ticks", "kpis", "faults")
    assert {name: resumed[name] for name in same} == {name: whole[name] for name in same}
    assert [row["tick"] for row in document(townlet("snapshot", "list", own, "--json"))["snapshots"]] == [100, 200, 300]
    code, out, err = townlet("run", "default", "--ticks", "300", "--resume", own, "--json")
    assert (code, json.loads(out)["kpis"]) == (0, whole["kpis"]), "nothing was left to run"


def test_a_folder_that_is_both_may_be_empty_at_first(tmp_path: Path, townlet: Callable[..., Printed]) -> None:
    again = [*RUN, "--ticks", "100", "--snapshots", tmp_path, "--resume", tmp_path, "--quiet"]
    assert townlet(*again)[0] == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.isdigit()] == ["100"]
    assert townlet(*again)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "default", "--resume", "NONE"], ["There are no snapshots in", "give a folder"]),
        ([*RUN, "--ticks", "300", "--snapshots", "KEPT"], ["holds snapshot 200 of another run", "--resume"]),
        (["run", "default", "--resume", "KEPT", "--ticks", "100"], ["at tick 200", "ends at tick 100"]),
        (["run", "default", "--resume", "KEPT", "--ticks", "300", "--towns", "3"], ["--towns is 3", "has 2"]),
        (["run", "default", "--resume", "KEPT", "--ticks", "300", "--seed", "9"], ["--seed is 9", "has 0"]),
        (["run", "default", "--resume", "KEPT", "--ticks", "300", "--policy", "random"], ["more.policy is idle"]),
        (["run", "default", "economy.rent_per_day=3", "--resume", "KEPT", "--ticks", "300"], ["config_hash is"]),
        (["run", "parity", "--resume", "KEPT", "--ticks", "300"], ["config_id is default in the snapshot and parity"]),
        ([*RUN, "--save-every", "99"], ["--save-every is 99", "100 to"]),
        ([*RUN, "--snapshots", "/proc/nowhere"], ["cannot be written", "/proc/nowhere"]),
        ([*RUN, "--watch-town", "0"], ["--telemetry"]),
        (["run", "default", "snapshot.allowed_paths=[/nowhere]", "--resume", "KEPT"], ["outside the folders"]),
        (["snapshot", "list", "NONE"], ["There are no snapshots in"]),
        (["snapshot", "inspect", "KEPT", "--step", "7"], ["no snapshot 7", "200, 100"]),
        (["snapshot", "verify", "KEPT", "--step", "7"], ["no snapshot 7"]),
        (["snapshot", "restore", "KEPT", "parity"], ["config_id is default in the snapshot and parity"]),
        (["snapshot", "restore", "KEPT", "default", "--town", "2"], ["no town 2", "0 to 1"]),
        (["snapshot", "restore", "KEPT", "default", "--branch", "0"], ["0 branches"]),
        (["snapshot", "restore", "KEPT", "default", "--out", "KEPT"], ["holds snapshot 200 already"]),
        (["snapshot", "export", "KEPT", "--out", "town.txt"], [".json or .npz"]),
        (["snapshot", "export", "KEPT", "--out", "NONE/town.json"], ["no folder"]),
        (["snapshot", "export", "KEPT", "--town", "-1", "--out", "town.json"], ["no town -1"]),
        (["snapshot", "prune", "KEPT", "--keep-latest", "0"], ["--keep-latest must be at least 1"]),
        (["snapshot", "prune", "KEPT", "--keep-latest", "1", "--keep-best", "luck"], ["No snapshot has a figure luck"]),
        (["snapshot", "nonsense"], ["nonsense"]),
    ],
)  # fmt: skip
def test_refusals_are_one_sentence_and_lose_nothing(
    arguments: list[str], words: list[str], kept: Path, tmp_path: Path, townlet: Callable[..., Printed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    places = {"KEPT": str(kept), "NONE": str(tmp_path / "none"), "NONE/town.json": str(tmp_path / "none/town.json")}
    sentence = refusal(townlet(*[places.get(argument, argument) for argument in arguments]))
    for word in words:
        assert word in sentence
    with Store(kept, identity=None, read_only=True) as store:
        assert store.steps() == [100, 200]
    assert not (tmp_path / "none").exists()


def test_list_and_inspect_say_what_is_there(kept: Path, townlet: Callable[..., Printed]) -> None:
    rows = document(townlet("snapshot", "list", kept, "--json"))["snapshots"]
    assert [(row["tick"], row["towns"], row["config"], row["ok"]) for row in rows] == [
        (100, 2, "default", True),
        (200, 2, "default", True),
    ]
    assert 2 * 5133 < rows[0]["bytes"] < 5e6
    code, out, _ = townlet("snapshot", "list", kept)
    assert code == 0
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0] == ["tick", "towns", "size", "age", "configuration", "ok"]
    assert [(line[0], line[1], line[-1]) for line in lines[2:]] == [("100", "2", "yes"), ("200", "2", "yes")]
    about = document(townlet("snapshot", "inspect", kept, "--json"))
    assert (about["step"], about["meta"]["seed"], about["identity"]["config_id"]) == (200, 0, "default")
    assert {"states/needs/level", "params/economy/rent_per_day"} <= {leaf["path"] for leaf in about["leaves"]}
    code, out, _ = townlet("snapshot", "inspect", kept, "--step", "100")
    assert code == 0
    assert "step: 100" in out.splitlines()


def test_verify_names_the_damaged_one_and_a_run_goes_on_from_the_one_before(
    own: Path, townlet: Callable[..., Printed]
) -> None:
    assert townlet("snapshot", "verify", own)[1] == "Snapshot 100 is whole.\nSnapshot 200 is whole.\n"
    damage(own, 200)
    code, out, _ = townlet("snapshot", "verify", own)
    assert code == 2
    assert "Snapshot 200" in out.splitlines()[1]
    assert "is damaged" in out.splitlines()[1]
    code, out, err = townlet(
        "run", "default", "--ticks", "200", "--chunk", "100", "--snapshots", own, "--resume", own, "--json"
    )
    assert code == 0
    remarks = err.splitlines()
    assert "snapshot 100 was used instead" in err.replace("\n", " ")
    assert remarks[-1] == "Going on from tick 100."
    assert (own / ".quarantine" / "200").is_dir()
    assert document(townlet("snapshot", "verify", own, "--json"))["snapshots"][-1] == {
        "tick": 200, "ok": True, "flaw": "",
    }  # fmt: skip


def test_restore_checks_branches_and_writes_anew(kept: Path, tmp_path: Path, townlet: Callable[..., Printed]) -> None:
    code, out, _ = townlet("snapshot", "restore", kept, "default", "--step", "100")
    assert code == 0
    assert out.splitlines()[0] == "Snapshot 100 fits default: 2 towns, now at tick 100."
    out = tmp_path / "branches"
    branches = ["--town", "1", "--branch", "2", "--ticks", "100", "--out", out, "--json"]
    found = document(townlet("snapshot", "restore", kept, "default", "--step", "100", *branches))
    assert (found["towns"], found["ticks"], found["restored"]["tick"]) == (2, 200, 100)
    (row,) = document(townlet("snapshot", "list", out, "--json"))["snapshots"]
    assert (row["tick"], row["towns"]) == (200, 2)
    about = document(townlet("snapshot", "inspect", out, "--json"))
    assert about["meta"]["parents"] == [
        {"folder": str(kept), "tick": 100, "towns": [1], "branches": 2, "same_key": False}
    ]
    assert document(townlet("snapshot", "restore", out, "default", "--json"))["kpis"] == found["kpis"]


def test_export_writes_one_town_to_read_or_to_compute_with(
    kept: Path, tmp_path: Path, townlet: Callable[..., Printed]
) -> None:
    for name in ("town.json", "town.npz"):
        said = document(townlet("snapshot", "export", kept, "--town", "1", "--out", tmp_path / name, "--json"))
        assert (said["tick"], said["town"]) == (200, 1)
    text = json.loads((tmp_path / "town.json").read_text())
    with np.load(tmp_path / "town.npz") as arrays:
        about = json.loads(arrays["about"].tobytes())
        assert about["tick"] == text["tick"] == 200
        assert arrays["states/clock/tick"] == text["states"]["clock"]["tick"] == 200
        np.testing.assert_allclose(arrays["states/needs/level"], text["states"]["needs"]["level"])
    assert text["names"]["agents"][0] == "ada"
    assert len(text["states"]["economy"]["wallet"]) == 8


def test_prune_keeps_what_the_rules_say(own: Path, townlet: Callable[..., Printed]) -> None:
    would = document(townlet("snapshot", "prune", own, "--keep-latest", "1", "--dry-run", "--json"))
    assert (would["deleted"], would["kept"]) == ([100], [200])
    kept = document(townlet("snapshot", "prune", own, "--keep-latest", "1", "--keep-every", "100", "--json"))
    assert kept["deleted"] == []
    assert townlet("snapshot", "prune", own, "--keep-latest", "1")[1] == "1 deleted (100), 1 kept (200).\n"
    assert [path.name for path in own.iterdir() if path.name.isdigit()] == ["200"]


def test_migrate_shows_the_way_and_writes_the_result(
    own: Path, tmp_path: Path, townlet: Callable[..., Printed], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert townlet("snapshot", "migrate", own, "default")[1] == "Snapshot 200 needs no migration.\n"
    known = Migrations()

    def nothing_new(leaves: Any, about: Manifest) -> Any:
        return leaves, about

    known.register(1, 2, nothing_new)
    for module in ("townlet_jax.town_snapshots", "townlet_jax.cli_snapshot_use", "townlet_jax.cli_sessions"):
        monkeypatch.setattr(sys.modules[module], "VERSION", 2)
        monkeypatch.setattr(sys.modules[module], "MIGRATIONS", known)
    assert town_snapshots.VERSION == 2
    assert "migrate it first" in refusal(townlet("run", "default", "--resume", own, "--ticks", "200"))
    dry = document(townlet("snapshot", "migrate", own, "default", "--dry-run", "--json"))
    assert dry == {"tick": 200, "needed": True, "done": False, "text": "Snapshot 200 needs 1->2:nothing_new."}
    assert "--out" in refusal(townlet("snapshot", "migrate", own, "default"))
    assert document(townlet("snapshot", "migrate", own, "default", "--out", tmp_path / "new", "--json"))["done"]
    about = document(townlet("snapshot", "inspect", tmp_path / "new", "--json"))
    assert (about["version"], about["migrations"]) == (2, ["1->2:nothing_new"])
    code, _, err = townlet("run", "default", "--resume", tmp_path / "new", "--ticks", "200", "--quiet")
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_told_to_end_it_saves_and_says_how_to_go_on(number: signal.Signals, code: int, tmp_path: Path) -> None:
    command = [*RUN, "--ticks", "1000000", "--chunk", "100", "--save-every", "100", "--snapshots", str(tmp_path)]
    script = "from townlet_jax.cli import main; main()"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    program = subprocess.Popen(
        [sys.executable, "-c", script, *command, "--json"],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    end = time.monotonic() + 300
    while not any(path.name.isdigit() for path in tmp_path.iterdir()) and time.monotonic() < end:
        assert program.poll() is None
        time.sleep(0.05)
    began = time.monotonic()
    program.send_signal(number)
    out, err = program.communicate(timeout=60)
    assert program.returncode == code, err
    assert time.monotonic() - began < 30
    told = json.loads(out)
    assert told["interrupted"]
    assert f"Go on with --resume {tmp_path}" in err
    with Store(tmp_path, identity=None, read_only=True) as store:
        assert store.latest() == told["ticks"]
        assert store.verify(told["ticks"]).meta["towns"] == 2
