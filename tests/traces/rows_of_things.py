"""Deviations that are about things: last actions, money, attempts at objects, perturbations."""

from typing import Any

from traces.rows import (
    EVERY,
    EVERYBODY,
    Row,
    Sight,
    When,
    constant,
    needs_penalty,
    reward_rows,
    shifted,
    through,
)  # fmt: skip

PRICE_OF_SHOWER = 0.2
S01, S02, S02C = "s01_need_decay", "s02_queue_ghost_step", "s02c_queue_handover_release"
S05, S07, S08 = "s05_rivalry_build_decay", "s07_perturbations_manual", "s08_termination_respawn"


def _did(kind: str) -> When:
    return lambda sight, subject: bool(sight.recorded["last_action.kind", subject] == kind)


def _started(sight: Sight, subject: str) -> bool:
    return _did("start")(sight, subject) and sight.recorded["last_action.ok", subject]


def _duration(sight: Sight, subject: str) -> int:
    affordance = _asked(sight, subject)["affordance"]
    return int(sight.recording.header["affordances"][affordance]["duration"])


def _let_go(sight: Sight, subject: str) -> bool:
    """Tell whether the agent gave up what it held without success."""
    held = sight.recording.at(sight.tick - 1)["queues"]["active"]
    return _did("release")(sight, subject) and subject in held.values() and not _asked(sight, subject)["success"]


def _asked(sight: Sight, subject: str) -> dict[str, Any]:
    action: dict[str, Any] = sight.recording.at(sight.tick)["actions"][subject]
    return action


LAST_ACTIONS = (
    Row("D41", EVERY, "last_action.ok", EVERYBODY, None, constant(True), when=_did("wait")),
    Row("D41", S01, "last_action.kind", ("c",), None, constant("wait")),
    Row("D41", S01, "last_action.ok", ("c",), None, constant(True)),
    Row("D41", S01, "last_action.ticks", ("c",), None, constant(1)),
    Row("D53", EVERY, "last_action.ok", EVERYBODY, None, constant(True), when=_let_go),
    Row("D24", EVERY, "last_action.kind", EVERYBODY, None, constant("wait"), when=_did("move")),
    Row("D42", EVERY, "last_action.ticks", EVERYBODY, None, _duration, when=_started),
)


def _unpaid_showers(sight: Sight, subject: str) -> int:
    """Count the showers that have begun and not come to their effect, which is when the original charges them."""
    started, taken = (sight.recorded[f"count.{name}", subject] for name in ("SHOWERS_STARTED", "SHOWERS_TAKEN"))
    return int(started - taken)


def _charged_at_start(sight: Sight, subject: str) -> float:
    return float(sight.recorded["wallet", subject] - PRICE_OF_SHOWER * _unpaid_showers(sight, subject))


def _has_unpaid_showers(sight: Sight, subject: str) -> bool:
    return _unpaid_showers(sight, subject) > 0


def _contested_ticks(sight: Sight, subject: str) -> int:
    """Count the ticks for which the holder has held the object while somebody waited."""
    count, tick = 0, sight.tick
    while tick > 1:
        now, earlier = (sight.recording.at(moment)["queues"] for moment in (tick, tick - 1))
        if now["active"].get(subject) != earlier["active"].get(subject) or not now["queues"].get(subject):
            break
        count, tick = count + 1, tick - 1
    return count


LEFT = 26 / 30  # share of d's shower that is not over when d releases it
OBJECT_USE = (
    *(
        Row("D09", name, "wallet", EVERYBODY, None, _charged_at_start, when=_has_unpaid_showers)
        for name in (S02, S02C, S05, S07, S08)
    ),
    Row("D43", S02C, "stalls", ("shower_1",), (*through(3, 30), *through(32, 60), *through(95, 97)), _contested_ticks),
    Row("D43", S08, "stalls", ("shower_1",), through(2, 3), _contested_ticks),
    Row("D11", S02C, "needs.hygiene", ("d",), through(98, 110), shifted("needs.hygiene", -0.45 * LEFT)),
    Row("D11", S02C, "needs.energy", ("d",), through(98, 110), shifted("needs.energy", 0.03 * LEFT)),
    Row("D11", S02C, "count.SHOWERS_TAKEN", ("d",), through(98, 110), constant(0)),
    Row("D11", S02C, "reward.needs_penalty", ("d",), through(98, 110), needs_penalty),
    *reward_rows("D11", S02C, ("d",), through(98, 110), ("homeostasis", "total", "clip_adjustment")),
)


def _held_after(sight: Sight, subject: str) -> tuple[tuple[str, str], ...]:
    held = {name: sight.of("holder", name) for name in sight.recording.objects}
    return tuple(sorted((name, holder) for name, holder in held.items() if holder is not None))


AFTER_OUTAGES = (
    Row("D12", S07, "events.abort", ("",), (5,), constant((("a", "stove_1", "cook_meal"),))),
    Row("D12", S07, "events.abort", ("",), (20,), constant((("b", "shower_1", "use_shower"),))),
    Row("D12", S07, "events.finish", ("",), (42, 48), constant(())),
    Row("D12", S07, "running", ("stove_1",), through(5, 41), constant(None)),
    Row("D12", S07, "remaining", ("stove_1",), through(5, 41), constant(0)),
    Row("D12", S07, "running", ("shower_1",), through(20, 47), constant(None)),
    Row("D12", S07, "remaining", ("shower_1",), through(20, 47), constant(0)),
    Row("D12", S07, "count.MEALS_COOKED", ("a",), through(42, 110), constant(0)),
    Row("D12", S07, "stock.meals", ("stove_1",), through(42, 110), constant(0)),
    Row("D12", S07, "needs.hunger", ("a",), through(42, 110), shifted("needs.hunger", -0.10)),
    Row("D12", S07, "needs.energy", ("a",), through(42, 110), shifted("needs.energy", 0.05)),
    Row("D12", S07, "count.SHOWERS_TAKEN", ("b",), through(48, 110), constant(0)),
    Row("D12", S07, "needs.hygiene", ("b",), through(48, 110), shifted("needs.hygiene", -0.45)),
    Row("D12", S07, "needs.energy", ("b",), through(48, 110), shifted("needs.energy", 0.03)),
    Row("D12", S07, "reward.needs_penalty", ("a",), through(42, 110), needs_penalty),
    Row("D12", S07, "reward.needs_penalty", ("b",), through(48, 110), needs_penalty),
    *reward_rows("D12", S07, ("a",), through(42, 110), ("homeostasis", "total", "clip_adjustment")),
    *reward_rows("D12", S07, ("b",), through(48, 110), ("homeostasis", "total", "clip_adjustment")),
    Row("D44", S07, "holder", ("stove_1",), through(9, 110), constant(None)),
    Row("D44", S07, "holder", ("shower_1",), through(25, 110), constant(None)),
    Row("D44", S07, "holders_after", ("",), through(9, 110), _held_after),
    Row("D09", S07, "wallet", ("a",), through(77, 110), shifted("wallet", 0.4)),
    Row("D23", S07, "events.shared_meal", ("",), (77,), constant(())),
)


def _still_spiked(sight: Sight, subject: str) -> float:
    return float(sight.recorded["price", subject] * 1.5)


PERTURBATIONS = (
    Row("D45", S07, "perturbed", ("price_spike",), (79,), constant(True)),
    Row("D45", S07, "price", ("meal", "ingredients", "cook_energy", "cook_hygiene"), (79,), _still_spiked),
    Row("D45", S07, "perturbed", ("meet_shower",), (104,), constant(True)),
    Row("D30", S07, "perturbed", ("grocer_spike",), through(88, 91), constant(False)),
    Row("D30", S07, "perturbed", ("meet_cafe",), through(95, 98), constant(False)),
    Row("D46", S07, "position", ("a", "b"), through(100, 110), constant((0, 0))),
)

ROWS = (*LAST_ACTIONS, *OBJECT_USE, *AFTER_OUTAGES, *PERTURBATIONS)
