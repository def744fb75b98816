"""A running session at the other end of a socket: records in, commands out, and what happens when the line breaks.

The other end speaks the console's protocol as it is written down; the real one is met in a slow test.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard import records
from townlet_jax.config import from_mapping
from townlet_jax.console.client import Link
from townlet_jax.console.serving import served
from townlet_jax.ui.dashboard.connecting import Own
from townlet_jax.ui.dashboard.control import Wish
from townlet_jax.ui.dashboard.live import MOST_WAITING, Live
from townlet_jax.ui.dashboard.source import Answer, SourceError

PATIENCE = 20.0
USAGES = ("help [name]", "pause", "resume", "speed factor", "step [ticks]", "setneed agent need [value] [town=]")


class Session:
    """A console that answers as it is told and keeps what was asked."""

    def __init__(self, path: Path, *, role: str = "admin") -> None:
        self.path, self.role = path, role
        self.asked: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = [records.run(), records.snapshot(720, 1)]
        self.is_silent = False
        self.lines: list[socket.socket] = []
        self.listen()

    def listen(self) -> None:
        """Wait for clients."""
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.path))
        self.server.listen()
        threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()

    def hang_up(self) -> None:
        """Be gone."""
        self.path.unlink(missing_ok=True)
        for line in (self.server, *self.lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self.lines = []

    def tell(self, *more: dict[str, Any]) -> None:
        """Publish records."""
        for line in self.lines:
            for record in more:
                line.sendall(json.dumps({"record": record}).encode() + b"\n")

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                line, _ = server.accept()
                self.lines.append(line)
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        def say(data: Any) -> None:
            line.sendall(json.dumps(data).encode() + b"\n")

        with suppress(OSError, ValueError), line.makefile("rb") as lines:
            json.loads(lines.readline())
            say({"hello": 1, "role": self.role, "issuer": "me", "run": {"pace": {"paused": False, "factor": 1}}})
            for text in lines:
                data = json.loads(text)
                if "subscribe" in data:
                    for record in self.told:
                        say({"record": record})
                elif not self.is_silent:
                    self.asked.append(data["command"])
                    say({"result": self._answer(data["command"])})

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        name = command["name"]
        result = {"name": name, "cmd_id": command["cmd_id"], "issuer": "me", "tick": 720, "latency_ms": 1}
        if name == "setneed":
            return result | {"status": "error", "error": {"code": "not_found", "message": "Nobody is called zoe."}}
        told: dict[str, Any] = {"commands": [{"usage": usage} for usage in USAGES]} if name == "help" else {}
        if name in ("pause", "resume"):
            told = {"paused": name == "pause", "factor": 1, "rate": 4.0}
        if name == "speed":
            told = {"paused": False, "factor": command["kwargs"]["factor"], "rate": None}
        return result | {"status": "ok", "result": told}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """Give a session at a socket."""
    made = Session(tmp_path / "console")
    yield made
    made.hang_up()


@pytest.fixture
def live(session: Session) -> Iterator[Live]:
    """Give a source connected to the session, once its first frame is there."""
    made = Live(lambda: Link.connect(str(session.path)), name="somewhere")
    until(made, lambda: bool(made.model.towns) and bool(made.standing().commands))
    yield made
    made.close()


def until(live: Live, is_so: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    """Go on until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, live.standing()
        live.advance(time.monotonic())
        time.sleep(0.005)


def answer(live: Live) -> Answer:
    """Wait for what came of a wish."""
    found: list[Answer] = []
    until(live, lambda: bool(found.extend(live.answers()) or found))
    return found[0]


def test_records_become_the_model(session: Session, live: Live) -> None:
    assert live.model.towns[0].tick == 720
    session.tell(records.diff(725, 2, utilities={"power": False, "water": False}))
    until(live, lambda: live.model.tick == 725)
    assert live.model.towns[0].frame["utilities"] == {"power": False, "water": False}
    standing = live.standing()
    assert (standing.kind, standing.role, standing.can_steer, standing.speed) == ("live", "admin", True, "1x")
    assert dict(standing.commands)["setneed"] == USAGES[-1]


def test_pausing_and_resuming_is_one_key(session: Session, live: Live) -> None:
    live.grant(Wish(name="pause"), 0)
    assert answer(live) == Answer("pause: done.", False, Wish(name="pause"))
    assert live.standing().is_paused
    live.grant(Wish(name="pause"), 0)
    assert answer(live).text == "resume: done."
    assert not live.standing().is_paused
    assert [command["name"] for command in session.asked] == ["help", "pause", "resume"]


@pytest.mark.parametrize(("steps", "factors"), [(["faster"] * 4, [10, 100, "max", "max"]), (["slower"], [1])])
def test_speed_goes_by_the_factors_there_are(
    session: Session, live: Live, steps: list[str], factors: list[float | str]
) -> None:
    for step in steps:
        live.grant(Wish(name=step), 0)
        answer(live)
    assert [command["kwargs"]["factor"] for command in session.asked if command["name"] == "speed"] == factors


def test_the_pace_of_others_is_seen_in_health_records(session: Session, live: Live) -> None:
    session.tell(records.health(720, 2, extra={"pace": {"paused": True, "factor": "max", "rate": None}}))
    until(live, lambda: live.standing().is_paused)
    assert live.standing().speed == "max"


def test_a_typed_command_is_sent_as_it_is_to_the_town_looked_at(session: Session, live: Live) -> None:
    wish = Wish(name="command", town=5, command="setneed", positional=("zoe", "energy"), arguments=(("value", 0.5),))
    live.grant(wish, 0)
    assert answer(live) == Answer("setneed: Nobody is called zoe.", True, wish)
    sent = session.asked[-1]
    assert (sent["args"], sent["kwargs"]) == (["zoe", "energy"], {"value": 0.5, "town": 5})
    assert live.model.results[-1]["error"]["code"] == "not_found"


def test_a_command_that_is_about_no_town_gets_none(session: Session, live: Live) -> None:
    live.grant(Wish(name="command", town=5, command="noop"), 0)
    answer(live)
    assert session.asked[-1]["kwargs"] == {}


def test_a_flood_of_commands_is_held_back(session: Session, live: Live) -> None:
    session.is_silent = True
    for _ in range(MOST_WAITING + 3):
        live.grant(Wish(name="step"), 0)
    refused = live.answers()
    assert len(refused) == 3
    assert "Too many commands" in refused[0].text


def test_a_lost_connection_keeps_the_picture_and_is_tried_again(session: Session, live: Live) -> None:
    session.hang_up()
    until(live, lambda: "trying again" in live.standing().trouble)
    assert live.model.towns[0].tick == 720
    assert not live.standing().can_steer
    live.grant(Wish(name="pause"), 0)
    assert "no connection" in live.answers()[0].text
    session.told = [records.run(), records.snapshot(900, 40)]
    session.listen()
    until(live, lambda: live.model.tick == 900)
    assert live.standing().trouble == ""
    assert live.standing().can_steer


def test_records_that_are_none_are_counted_and_passed_over(session: Session, live: Live) -> None:
    session.tell({"payload_type": "snapshot"}, records.snapshot(730, 2) | {"agents": 7}, records.snapshot(740, 3))
    until(live, lambda: live.model.tick == 740)
    assert live.standing().trouble == "2 records were not understood"


def test_the_end_of_a_run_is_no_trouble(session: Session, live: Live) -> None:
    session.tell(records.end(720, 2))
    until(live, lambda: live.model.end is not None)
    session.hang_up()
    until(live, lambda: live.standing().trouble == "the session is over")


def test_a_viewer_cannot_steer(tmp_path: Path) -> None:
    session = Session(tmp_path / "console", role="viewer")
    live = Live(lambda: Link.connect(str(session.path)), name="somewhere")
    until(live, lambda: bool(live.model.towns))
    assert (live.standing().role, live.standing().can_steer) == ("viewer", False)
    live.close()
    session.hang_up()


def test_nobody_at_the_other_end_is_a_sentence(tmp_path: Path) -> None:
    live = Live(lambda: Link.connect(str(tmp_path / "none")), name="somewhere")
    with pytest.raises(SourceError, match="No console answers at"):
        until(live, lambda: False)
    live.close()


def test_a_session_that_cannot_be_had_is_a_sentence() -> None:
    def refuse() -> Any:
        raise ValueError("There is no such town; choose another.")

    own = Own(refuse, (ValueError,))
    with pytest.raises(SourceError, match="no such town"):
        own.address()
    assert own.close(5)


@pytest.mark.slow
def test_a_session_of_ones_own_is_watched_and_driven() -> None:
    config = from_mapping({"base": "default", "spec": {"num_agents": 8}})
    own = Own(lambda: served(config, towns=2, watched=(0, 1), factor=1.0), (ValueError,))
    live = Live(lambda: Link.connect(own.address()), name="own", is_own=True)
    try:
        until(live, lambda: len(live.model.towns) == 2, seconds=300)
        live.grant(Wish(name="pause"), 0)
        until(live, lambda: live.standing().is_paused)
        live.grant(Wish(name="command", town=1, command="possess", arguments=(("agent", 0),)), 0)
        assert not answer(live).is_bad
        before = live.model.tick
        for way in ("north", "south"):
            order = (("agent", 0), ("intent", {"kind": "move", "direction": way}))
            live.grant(Wish(name="command", town=1, command="order", arguments=order), 0)
            live.grant(Wish(name="step"), 0)
        until(live, lambda: live.model.towns[1].tick == before + 2)
        driven = live.model.towns[1].frame["agents"]["ada"]
        assert driven["possessed"]
        assert driven["action"]["kind"] == "move"
        assert live.model.run["ground"]["rows"][0] == "T" * 48
        assert live.model.towns[1].frame["stability"]["alerts"] == []
    finally:
        live.close()
        assert own.close(60)
        for thread in threading.enumerate():
            if thread.name == "compiling":
                thread.join()
