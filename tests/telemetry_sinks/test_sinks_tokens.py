"""Tokens: where they come from, how strong they are, who is locked out."""

import secrets
from pathlib import Path

import pytest

from townlet_jax.telemetry.sinks import SinkError
from townlet_jax.telemetry.tokens import LOCK_SECONDS, VARIABLE, Guard, flaw_of, is_same, token_from

STRONG = "0123456789abcdef" * 2


def test_tokens_come_from_a_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, STRONG)
    monkeypatch.setenv("MINE", STRONG[::-1])
    (tmp_path / "token").write_text(f"{STRONG}ab\n")
    assert token_from() == STRONG
    assert token_from(variable="MINE") == STRONG[::-1]
    assert token_from(variable="MINE", file=tmp_path / "token") == f"{STRONG}ab"


def test_missing_and_weak_ones_are_one_sentence_without_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SinkError, match=f"There is no token in the environment variable {VARIABLE}; put one there"):
        token_from()
    with pytest.raises(SinkError, match=r"The token in the file .* cannot be read \(No such file or directory\)"):
        token_from(file=tmp_path / "missing")
    monkeypatch.setenv(VARIABLE, "swordfish")
    with pytest.raises(SinkError, match="is too weak, at least 128 random bits are needed; make one with") as refusal:
        token_from()
    assert "swordfish" not in str(refusal.value)


@pytest.mark.parametrize(
    ("token", "is_good"),
    [
        (STRONG, True),
        (STRONG[:-1], False),  # 124 bits
        ("Qm7vX2pL9sT4wZ8cB1nR-_", True),
        ("Qm7vX2pL9sT4wZ8cB1nR-", False),  # 126 bits
        ("a" * 100, False),
        (STRONG + " ", False),
        (STRONG + "é", False),
        (STRONG + "\x1b", False),
        (STRONG * 100, False),
    ],
)
def test_strength(token: str, is_good: bool) -> None:
    assert (flaw_of(token) is None) == is_good


def test_random_ones_are_strong() -> None:
    for _ in range(1000):
        assert flaw_of(secrets.token_hex(16)) is None
        assert flaw_of(secrets.token_hex(32)) is None


def test_comparison_takes_any_text() -> None:
    assert is_same(STRONG, STRONG)
    assert not is_same(STRONG + "é\ud800", STRONG)


def test_five_wrong_ones_in_a_minute_lock_an_address() -> None:
    now = [0.0]
    guard = Guard(clock=lambda: now[0])
    for _ in range(4):
        guard.note_wrong("10.0.0.1")
        now[0] += 10
    assert guard.locked_seconds("10.0.0.1") == 0
    guard.note_wrong("10.0.0.1")
    assert guard.locked_seconds("10.0.0.1") == LOCK_SECONDS
    assert guard.locked_seconds("10.0.0.2") == 0
    now[0] += LOCK_SECONDS - 0.5
    assert guard.locked_seconds("10.0.0.1") == 1
    now[0] += 1
    assert guard.locked_seconds("10.0.0.1") == 0


def test_slow_guessing_does_not_lock() -> None:
    now = [0.0]
    guard = Guard(clock=lambda: now[0])
    for _ in range(100):
        guard.note_wrong("10.0.0.1")
        now[0] += 15.1
        assert guard.locked_seconds("10.0.0.1") == 0


def test_a_host_cannot_change_its_address_within_its_network() -> None:
    guard = Guard()
    for number in range(5):
        guard.note_wrong(f"2001:db8::{number}")
    assert guard.locked_seconds("2001:db8::ffff") > 0
    assert guard.locked_seconds("2001:db8:0:1::1") == 0
    for _ in range(5):
        guard.note_wrong("::ffff:10.0.0.9")
    assert guard.locked_seconds("10.0.0.9") > 0


def test_the_table_of_addresses_is_bounded() -> None:
    guard = Guard(clock=lambda: 0.0)
    for number in range(12_000):
        guard.note_wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(guard._wrong) == 10_000
