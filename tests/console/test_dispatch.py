"""The order of the checks, roles, command ids, the audit log (MECHANICS 12.1)."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from console.desks import ADMIN, VIEWER, Desk
from townlet_jax.config.schema.shell import ConsoleAuth
from townlet_jax.console.audit import Audit
from townlet_jax.console.auth import Caller, Door
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.limits import Bucket
from townlet_jax.console.replays import Replays
from townlet_jax.plans import RunError

STRONG = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4
AUTH = ConsoleAuth(
    enabled=True,
    tokens=({"label": "ann", "role": "admin", "token": STRONG}, {"label": "vic", "role": "viewer", "token": OTHER}),
)


def code_of(answer: dict[str, Any]) -> str:
    """Return the code of a refusal, ok for none."""
    return str(answer.get("error", {}).get("code", "ok"))


def test_each_check_comes_before_the_next(desk: Desk) -> None:
    """Each command below is wrong in everything that its successors are wrong in."""
    dispatcher = desk.console.dispatcher
    bad = {"args": ["nobody"], "kwargs": {"ammount": 1}}
    expected = [
        ({"name": "frobnicate\x1b", **bad, "token": "wrong"}, VIEWER, "usage"),
        ({"name": "frobnicate", **bad}, VIEWER, "unknown_command"),
        ({"name": "set_wallet", **bad}, VIEWER, "forbidden"),
        ({"name": "set_wallet", **bad}, ADMIN, "usage"),
        ({"name": "set_wallet", **bad, "cmd_id": "order-1"}, ADMIN, "invalid_args"),
        ({"name": "set_wallet", "args": ["nobody", 1], "cmd_id": "order-1"}, ADMIN, "cmd_id_mismatch"),
        ({"name": "set_wallet", "args": ["nobody", 1], "cmd_id": "order-2"}, ADMIN, "not_found"),
        ({"name": "set_wallet", "args": ["ada", 1], "cmd_id": "order-3"}, ADMIN, "ok"),
        ({"name": "set_wallet", "args": ["ada", 1], "cmd_id": "order-4", "mode": "viewer"}, ADMIN, "forbidden"),
        ({"name": "noop", "mode": "admin"}, VIEWER, "ok"),
    ]
    for command, caller, code in expected:
        answer = dispatcher.answer(command, caller)
        assert code_of(answer) == code, command
        assert set(answer) - {"result", "error", "replayed"} == {
            "name",
            "status",
            "cmd_id",
            "issuer",
            "tick",
            "latency_ms",
        }
        assert answer["issuer"] == caller.issuer


def test_unknown_commands_get_the_nearest_names(desk: Desk) -> None:
    answer = desk.ask("set_walet", "ada", 1)
    assert answer["error"]["message"] == "There is no command 'set_walet' (did you mean 'set_wallet'?)."
    assert answer["error"]["details"] == {"nearest": ["set_wallet"]}
    assert desk.refused("zzzz") == ("unknown_command", "There is no command 'zzzz'; 'help' lists them.")


def test_a_repeated_id_is_answered_from_memory(desk: Desk) -> None:
    first = desk.ask("set_wallet", "ada", 7, cmd_id="again-1")
    desk.done("set_wallet", "ada", 8)
    second = desk.ask("set_wallet", "ada", 7, cmd_id="again-1")
    assert second == first | {"replayed": True}
    assert desk.town().economy.wallet[0] == 8, "nothing runs"
    assert desk.refused("set_wallet", "ada", 9, cmd_id="again-1")[0] == "cmd_id_mismatch"
    assert desk.refused("set_wallet", agent="ada", amount=7, cmd_id="again-1")[0] == "cmd_id_mismatch"
    refused = desk.ask("kill", "zoe", cmd_id="again-2")
    assert desk.ask("kill", "zoe", cmd_id="again-2") == refused | {"replayed": True}
    assert code_of(desk.ask("employment_exit", "approve", cmd_id="again-3")) == "usage"
    assert desk.done("employment_exit", "review", cmd_id="again-3")["pending"] == [], "errors of usage are not kept"


def test_the_same_command_sent_twice_at_once_is_done_once(desk: Desk) -> None:
    answers: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(desk.ask("perturbation_trigger", "outage", 500, cmd_id="twice")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [code_of(answer) for answer in answers] == ["ok"] * 6, "a second start would be a conflict"
    assert sum(answer.get("replayed", False) for answer in answers) == 5
    desk.done("perturbation_cancel", "outage")


def test_old_ids_are_forgotten_and_snapshots_keep_the_rest() -> None:
    replays = Replays(3)
    for number in range(5):
        entry, known = replays.claim(str(number), {"n": number})
        assert known is None
        replays.settle(str(number), entry, {"value": number}, is_kept=True)
    assert replays.claim("4", {"n": 4})[1] == {"value": 4}
    assert [name for name, _, _ in replays.figures()] == ["2", "3", "4"]
    later = Replays(3)
    later.restore(json.loads(json.dumps(replays.figures())))
    assert later.claim("2", {"n": 2})[1] == {"value": 2}
    with pytest.raises(ConsoleError, match="fresh one"):
        later.claim("2", {"n": 3})
    entry, _ = later.claim("big", {})
    later.settle("big", entry, {"value": "x" * 10_000}, is_kept=True)
    assert "big" not in [name for name, _, _ in later.figures()], "a snapshot stays small"


def test_every_command_leaves_a_line_in_the_audit_log(desk: Desk) -> None:
    desk.ask("set_wallet", "ada", 5, cmd_id="audit-1")
    desk.ask("set_wallet", "ada", 5, cmd_id="audit-1")
    desk.ask("kill", "ada", caller=VIEWER)
    desk.console.dispatcher.answer({"name": "noop", "token": STRONG}, VIEWER, address="10.0.0.1")
    desk.console.dispatcher.answer("garbage", VIEWER)
    path = Path(str(desk.config.console.audit_path))
    text = path.read_text(encoding="utf-8")
    *_, first, second, third, fourth, fifth = [json.loads(line) for line in text.splitlines()]
    assert (first["name"], first["issuer"], first["role"], first["status"]) == ("set_wallet", "chief", "admin", "ok")
    assert json.loads(first["arguments"]) == {"args": ["ada", 5], "kwargs": {}}
    assert (second["cmd_id"], second["replayed"]) == ("audit-1", True)
    assert (third["code"], third["role"]) == ("forbidden", "viewer")
    assert (fourth["name"], fourth["address"], fourth["status"]) == ("noop", "10.0.0.1", "ok")
    assert (fifth["name"], fifth["code"]) == ("", "usage")
    assert STRONG not in text


def test_an_audit_log_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        Audit(tmp_path)


def test_tokens_decide_who_somebody_is() -> None:
    door = Door(AUTH, is_admin=True, environment={})
    assert door.caller(STRONG, "a") == Caller("ann", "admin")
    assert door.caller(OTHER, "a") == Caller("vic", "viewer")
    with pytest.raises(ConsoleError, match="asks for a token"):
        door.caller(None, "a")
    for _ in range(5):
        with pytest.raises(ConsoleError, match="token is wrong"):
            door.caller("0" * 64, "b")
    with pytest.raises(ConsoleError, match="Too many wrong tokens"):
        door.caller(STRONG, "b")
    assert door.caller(STRONG, "c").role == "admin", "another address"
    lax = Door(AUTH.model_copy(update={"require_auth_for_viewer": False}), is_admin=True, environment={})
    assert lax.caller(None, "a") == Caller("local", "viewer")


def test_without_tokens_everybody_is_a_viewer_unless_the_session_is_local() -> None:
    assert Door(ConsoleAuth(), is_admin=False).caller(None, "a").role == "viewer"
    assert Door(ConsoleAuth(), is_admin=False).caller(STRONG, "a").role == "viewer"
    assert Door(ConsoleAuth(), is_admin=True).caller(None, "a").role == "admin"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ({"token": "a" * 32}, "too weak"), ({"token_env": "MISSING"}, "MISSING holds no token"),
        ({}, "either token or"), ({"token": STRONG, "token_env": "X"}, "either token or"),
        ({"token": "blank in the middle of it"}, "blanks"),
    ],
)  # fmt: skip
def test_bad_keys_are_refused_before_anything_runs(token: dict[str, str], said: str) -> None:
    auth = ConsoleAuth(enabled=True, tokens=({"label": "x", "role": "admin", **token},))
    with pytest.raises(RunError, match=said) as refused:
        Door(auth, is_admin=False, environment={})
    assert not any(secret in str(refused.value) for secret in token.values() if len(secret) > 10)


def test_nobody_can_come_in_where_there_are_no_keys() -> None:
    with pytest.raises(RunError, match="lists no tokens"):
        Door(ConsoleAuth(enabled=True), is_admin=False)


def test_a_bucket_gives_twenty_a_second() -> None:
    now = [0.0]
    bucket = Bucket(clock=lambda: now[0])
    assert sum(bucket.take() for _ in range(50)) == 20
    assert bucket.pause == pytest.approx(0.05)
    now[0] = 0.5
    assert sum(bucket.take() for _ in range(50)) == 10
    now[0] = 100.0
    assert sum(bucket.take() for _ in range(50)) == 20


def test_a_token_in_a_command_is_whom_it_counts_as(desk: Desk) -> None:
    dispatcher, door = desk.console.dispatcher, Door(AUTH, is_admin=False, environment={})
    kept, dispatcher._door = dispatcher._door, door
    try:
        command = {"name": "set_wallet", "args": ["ada", 3], "cmd_id": "token-1"}
        assert code_of(dispatcher.answer(command | {"token": "0" * 64}, ADMIN)) == "unauthorized"
        assert code_of(dispatcher.answer(command | {"token": OTHER}, ADMIN)) == "forbidden"
        answer = dispatcher.answer(command | {"token": STRONG}, VIEWER)
        assert (code_of(answer), answer["issuer"]) == ("ok", "ann")
    finally:
        dispatcher._door = kept


def test_a_failing_command_is_internal_and_the_run_goes_on(desk: Desk) -> None:
    """Something breaks within a command: the figures are not what they should be."""
    figures = desk.console.host.figures
    spans, figures._spans = figures._spans, None  # type: ignore[assignment]  # what no program does
    try:
        code, sentence = desk.refused("kpis")
    finally:
        figures._spans = spans
    assert code == "internal"
    assert "the run goes on" in sentence
    desk.live(1)
