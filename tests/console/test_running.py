"""A session that runs while it is steered: nothing compiles, commands take effect at once, floods do no harm (R6)."""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import lives
import pytest
from core.worlds import hamlet
from lives import bits

from console.desks import CHUNK, Desk, soon
from townlet_jax.config.schema.shell import SnapshotSection
from townlet_jax.console.client import Link
from townlet_jax.console.script import Entry
from townlet_jax.console.table import ROWS
from townlet_jax.core import batch
from townlet_jax.policy import interface
from townlet_jax.policy.possessed import Possessed, possessed
from townlet_jax.resuming import restored
from townlet_jax.snapshots import Store
from townlet_jax.town_snapshots import MIGRATIONS, VERSION, Archive, identity_of

SECTION = SnapshotSection()


def store(folder: Path, **options: Any) -> Store:
    """Open a store for the towns of these tests."""
    identity = identity_of(hamlet(), "idle", SECTION)
    return Store(folder, identity=identity, version=VERSION, migrations=MIGRATIONS, **options)


@contextmanager
def compilations() -> Iterator[list[str]]:
    """Count what is compiled meanwhile."""
    events: list[str] = []

    def note(event: str, seconds: float, **more: object) -> None:
        del seconds, more
        if event == lives.COMPILATION:
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield events
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    """Return a session that keeps snapshots, with everything compiled, and where its console answers."""
    folder = tmp_path_factory.mktemp("busy")
    archive = Archive(store(folder / "snapshots", keep_latest=None))
    with Desk(folder=folder / "snapshots", archive=archive, is_fast=True) as desk:
        desk.compiling.join()
        every_operation(desk, 0)  # reading a snapshot compiles, too
        yield desk, desk.serve(folder)


def every_operation(desk: Desk, turn: int) -> None:
    """Use every command of the console once, on one town or on all."""
    town: dict[str, Any] = {"town": "all"} if turn % 2 else {}
    spec = desk.session.built.names.perturbations[0]
    price = desk.session.built.names.prices[0]
    vacant = 12 + turn % 8
    used = [
        desk.done("spawn", slot=vacant, **town),
        desk.done("kill", vacant, respawn=False, **town),
        desk.done("teleport", "ada", [5 + turn % 4, 5], **town),
        desk.done("set_home", "ada", turn % 3, **town),
        desk.done("setneed", "ada", "energy", 0.5, **town),
        desk.done("set_wallet", "ada", 9, **town),
        desk.done("set_rel", "ada", "ben", trust=0.1, **town),
        desk.done("force_chat", "ada", "ben", **town),
        desk.done("set_stock", "fridge_1", "meals", 4, **town),
        desk.done("price", price, 1, **town),
        desk.done("toggle_mortality", turn % 2 == 0, **town),
        desk.done("set_exit_cap", 3, **town),
        desk.done("set_spawn_delay", 3, 9, **town),
        desk.done("employment_exit", "approve", "finn", **town),
        desk.done("employment_exit", "defer", "finn", **town),
        desk.done("employment_exit"),
        desk.done("perturbation_trigger", spec, 400, **town),
        desk.done("perturbation_cancel", spec, **town),
        desk.done("arrange_meet", ["ada", "ben"], 400, **town),
        desk.done("perturbation_cancel", "arranged_meet", **town),
        desk.done("possess", "cleo", **town),
        desk.done("order", "cleo", "east", 2),
        desk.done("possess", "cleo", "release", **town),
        desk.done("speed", 100), desk.done("step", 3), desk.done("step", 11), desk.done("speed", "max"),
        desk.done("announce_story", f"turn {turn}", priority=True),
        desk.done("snapshot_save"), desk.done("snapshot_inspect"), desk.done("snapshot_validate", strict=True),
        desk.done("snapshot_save", f"aside-{turn}"), desk.done("snapshot_load", f"aside-{turn}"),
        desk.done("step"),
        desk.done("queue_inspect", "fridge_1"), desk.done("rivalry_dump"), desk.done("relationship_detail", "ada"),
        desk.done("conflict_status"), desk.done("social_events"), desk.done("kpis"), desk.done("help", "kill"),
        *(desk.done(row.name) for row in ROWS if row.name.endswith("_status") and row.name != "promotion_status"),
        desk.done("telemetry_snapshot"), desk.done("utilities"), desk.done("perturbation_queue"),
        desk.done("relationship_summary"), desk.done("noop"), desk.done("resume"), desk.done("pause"),
    ]  # fmt: skip
    assert len(used) > 40


def test_r6_nothing_is_compiled_whatever_is_asked(busy: tuple[Desk, str]) -> None:
    check_r6(busy[0], turns=2, ticks=200)


@pytest.mark.slow
def test_r6_over_ten_thousand_ticks(busy: tuple[Desk, str]) -> None:
    check_r6(busy[0], turns=40, ticks=10_000)


def check_r6(desk: Desk, *, turns: int, ticks: int) -> None:
    """Use every command in turns over so many ticks, and count compilations."""
    began = desk.session.tick
    with compilations() as compiled:
        for turn in range(1, turns + 1):
            every_operation(desk, turn)
            desk.done("resume")
            assert soon(lambda turn=turn: desk.session.tick >= began + ticks * turn // turns, 300)  # type: ignore[misc]  # bound early
            desk.done("pause")
    assert compiled == []
    assert desk.session.tick >= began + ticks


def test_a_command_takes_effect_before_the_next_chunk_and_says_when(busy: tuple[Desk, str]) -> None:
    desk, _ = busy
    desk.done("resume")
    spent = []
    for number in range(12):
        sent = desk.session.tick
        answer = desk.ask("set_wallet", "ada", 20 + number)
        spent.append(answer["latency_ms"])
        assert answer["tick"] <= sent + 1 + 3 * CHUNK, "at the next chunk boundary, or the one after"
    desk.done("pause")
    assert statistics.median(spent) < 500, "under 100 ms on a quiet machine; this one may be busy"


def test_a_flood_of_commands_does_not_slow_the_run(busy: tuple[Desk, str]) -> None:
    desk, address = busy
    alone = speed_of(desk)
    ends = threading.Event()
    flooders = [threading.Thread(target=flood, args=(address, ends)) for _ in range(3)]
    for flooder in flooders:
        flooder.start()
    time.sleep(0.2)
    flooded = max(speed_of(desk) for _ in range(3))  # the flooders need the same processors
    ends.set()
    for flooder in flooders:
        flooder.join(20)
    assert flooded > 0.25 * alone, f"{alone:.0f} ticks/s alone, {flooded:.0f} under a flood"


def speed_of(desk: Desk, seconds: float = 1.0) -> float:
    """Return the ticks a second of the session at full speed."""
    desk.done("resume")
    tick, began = desk.session.tick, time.monotonic()
    time.sleep(seconds)
    speed = (desk.session.tick - tick) / (time.monotonic() - began)
    desk.done("pause")
    return speed


def flood(address: str, ends: threading.Event) -> None:
    """Send commands as fast as the socket takes them, and read nothing."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
        plain.connect(address)
        plain.sendall(b'{"hello": 1}\n')
        plain.settimeout(0.1)
        while not ends.is_set():
            try:
                plain.sendall(b'{"command": {"name": "noop"}}\ngarbage\n' * 50)
            except TimeoutError:
                continue
            except OSError:
                return


def test_a_run_goes_back_to_a_snapshot_and_lives_the_same_again(busy: tuple[Desk, str]) -> None:
    desk, _ = busy
    desk.done("possess", "dan")
    desk.done("order", "dan", "south", 3)
    saved = desk.done("snapshot_save", "back")
    desk.done("step", 25)
    first = bits((desk.session.moment().states, desk.session.moment().memory))
    desk.done("set_wallet", "ada", 50, cmd_id="undone")
    loaded = desk.done("snapshot_load", "back")
    assert loaded["tick"] == saved["tick"] == desk.session.tick
    desk.done("step", 25)
    assert bits((desk.session.moment().states, desk.session.moment().memory)) == first
    assert desk.ask("set_wallet", "ada", 50, cmd_id="undone")["replayed"], "what was answered stays answered"
    frame = desk.done("telemetry_snapshot")
    assert frame["tick"] == saved["tick"] + 25
    assert "snapshot.loaded" in {event["event"] for event in frame["frame"]["events"]} or frame["tick"] > saved["tick"]
    desk.done("possess", "dan", "release")


def test_a_stream_goes_on_when_the_run_goes_back(busy: tuple[Desk, str]) -> None:
    desk, address = busy
    saved = desk.done("snapshot_save", "stream")
    with Link.connect(address) as link:
        link.subscribe()
        found: list[dict[str, Any]] = []
        link.send("step", ticks=3, timeout=60)
        link.send("snapshot_load", path="stream", timeout=60)
        link.send("step", ticks=2, timeout=60)
        assert soon(lambda: bool(found.extend(link.records()) or _has_tick(found, saved["tick"] + 2, "health")))
    sequences = [record["sequence"] for record in found[1:]]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences))), "no gap, nothing twice"
    kinds = [record["payload_type"] for record in found]
    assert kinds.count("run") == 2, "the run says again what it is"
    again = found[kinds.index("run", 1) + 1]
    assert (again["payload_type"], again["tick"]) == ("snapshot", saved["tick"] + 1)
    assert "snapshot.loaded" in {event["event"] for event in again["events"]}


def _has_tick(records: list[dict[str, Any]], tick: int, kind: str) -> bool:
    went_back = sum(record["payload_type"] == "run" for record in records) == 2
    return went_back and any(record["tick"] == tick and record["payload_type"] == kind for record in records[-3:])


@pytest.mark.parametrize(
    ("name", "kwargs", "code"),
    [
        ("snapshot_load", {"path": "nowhere"}, "not_found"), ("snapshot_inspect", {"path": "nowhere"}, "not_found"),
        ("snapshot_load", {"path": "/etc"}, "forbidden_path"), ("snapshot_save", {"path": "../.."}, "forbidden_path"),
        ("snapshot_inspect", {"path": "../.."}, "forbidden_path"), ("snapshot_validate", {"step": 10**9}, "not_found"),
        ("snapshot_load", {"step": 10**9}, "not_found"),
        ("snapshot_migrate", {"path": ".", "output": "/tmp/x"}, "forbidden_path"),
    ],
)  # fmt: skip
def test_snapshots_lie_where_they_may(busy: tuple[Desk, str], name: str, kwargs: dict[str, Any], code: str) -> None:
    desk, _ = busy
    desk.done("snapshot_save")
    before = desk.session.tick
    found, sentence = desk.refused(name, **kwargs)
    assert found == code, sentence
    assert desk.session.tick == before


def test_what_a_snapshot_says(busy: tuple[Desk, str]) -> None:
    desk, _ = busy
    tick = desk.done("snapshot_save")["step"]
    told = desk.done("snapshot_inspect", str(tick))
    assert told["manifest"]["step"] == tick
    assert told["manifest"]["meta"]["towns"] == lives.TOWNS
    assert tick in told["steps"]
    assert desk.done("snapshot_validate", strict=True) | {"path": ""} == {
        "path": "", "step": tick, "valid": True, "differences": [],
    }  # fmt: skip
    assert desk.done("snapshot_migrate", str(tick), "brought-over")["step"] == tick
    assert desk.refused("snapshot_migrate", str(tick), "brought-over")[0] == "rejected", "it is there already"
    code, sentence = desk.refused("snapshot_inspect", str(tick), tick + 1)
    assert code == "invalid_args", sentence


def test_ids_and_orders_are_in_snapshots_and_other_policies_can_go_on(tmp_path: Path) -> None:
    """13.1: a later session knows what was answered; one without a console leaves the orders behind."""
    folder = tmp_path / "kept"
    with Desk(folder=folder, archive=Archive(store(folder))) as desk:
        desk.done("possess", "ada")
        desk.done("order", "ada", "east", 4)
        desk.live(1)
        first = desk.ask("set_wallet", "ben", 11, cmd_id="kept-1")
        desk.done("snapshot_save")
        kept = bits(desk.session.moment().memory)
    with store(folder, read_only=True) as reading:
        moment, _ = restored(reading, hamlet(), possessed(lives.restless()), SECTION)
        plain, _ = restored(reading, hamlet(), lives.restless(), SECTION)
    assert bits(moment.memory) == kept
    queues = interface.within(moment.memory, Possessed)
    assert queues is not None
    assert (int(queues.taken[0, 0]), int(queues.count[0, 0])) == (1, 4)
    assert bits(plain.memory) == bits(moment.memory.inner)
    with Desk() as later:
        later.session.ask(lambda: later.session.adopt(moment)).result(60)
        assert later.ask("set_wallet", "ben", 11, cmd_id="kept-1") == first | {"replayed": True}
        later.live(1)
        assert int(interface.within(later.session.moment().memory, Possessed).taken[0, 0]) == 2  # type: ignore[union-attr]  # it is there


def test_towns_saved_without_a_console_can_be_steered_later(tmp_path: Path) -> None:
    with lives.session(archive=Archive(store(tmp_path))) as session:
        session.save_now()
        memory = bits(session.moment().memory)
    with store(tmp_path, read_only=True) as reading:
        moment, _ = restored(reading, hamlet(), possessed(lives.restless()), SECTION)
    assert bits(moment.memory.inner) == memory
    fresh = batch.init_memory(possessed(lives.restless()), hamlet().params, moment.states)
    assert bits(moment.memory.orders) == bits(fresh.orders)


def test_a_timeline_is_followed_at_its_ticks(tmp_path: Path) -> None:
    cues = [
        Entry(1, "set_wallet", {"agent": "ada", "amount": 31, "town": "all"}),
        Entry(3, "possess", {"agent": "ben", "town": 0}),
        Entry(3, "order", {"agent": "ben", "intent": "wait", "ticks": 2}),
        Entry(4, "kill", {"agent": "slot_20", "town": 0}),
        Entry(6, "pause", {}),
        Entry(7, "set_wallet", {"agent": "cleo", "amount": 41, "town": 1}),
    ]
    del tmp_path
    heard: list[Any] = []
    with Desk(cues=cues) as desk:
        desk.done("speed", "max")
        desk.done("resume")
        assert soon(lambda: desk.session.is_paused and desk.session.tick == 5)
        heard = [desk.town(town).economy.wallet[0] for town in (0, 1)]
        assert desk.town().controls.possessed[1]
        desk.live(2)
        assert desk.town(1).economy.wallet[2] == 41
        assert desk.said == [
            "Timeline, tick 4, kill: Agent 'slot_20' is not alive; spawn it first or name a living one. (not_found)"
        ]
        results = [
            event["data"]["issuer"]
            for event in desk.publisher.histories(0)["lists"]["console_results"]
            if event["data"]["name"] == "possess"
        ]
    assert heard == [31, 31]
    assert results == ["timeline"]


def test_an_interrupted_run_answers_those_who_wait() -> None:
    with Desk() as desk:
        waiting = desk.session.ask(lambda: 1)
        assert waiting.result(20) == 1
    code, sentence = desk.refused("set_wallet", "ada", 1)
    assert (code, "has ended" in sentence) == ("rejected", True)
