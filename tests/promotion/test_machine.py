"""The transitions of the state machine, each row of MECHANICS 9.4, and the colours of key figures of 9.1."""

import pytest

from townlet_jax.promotion import machine, watch
from townlet_jax.promotion.canaries import canaries, reds
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.machine import Office
from townlet_jax.promotion.seats import Seat
from townlet_jax.promotion.watch import Watch

OLD, NEW, OTHER = (Seat(name=name, step=1, policy_hash=name * 2) for name in ("old", "new", "other"))
DAY = 1440


def ready() -> Office:
    """Return the office of a candidate that is ready."""
    office = machine.shadowed(Office(release=OLD), NEW)
    return machine.observed(office, ready_share=0.95, least=0.9, tick=2000)


def test_monitoring_becomes_ready_with_a_shadow_and_ready_towns() -> None:
    nobody = machine.observed(Office(release=OLD), ready_share=1.0, least=0.9, tick=5)
    assert (nobody.state, nobody.candidate_ready) == ("monitoring", True), "without a candidate nothing is ready"
    early = machine.observed(machine.shadowed(nobody, NEW), ready_share=0.89, least=0.9, tick=6)
    assert early.state == "monitoring"
    office = ready()
    assert (office.state, office.candidate_ready_tick) == ("ready", 2000)
    later = machine.observed(office, ready_share=1.0, least=0.9, tick=2100)
    assert later.candidate_ready_tick == 2000


def test_ready_ends_when_the_towns_are_not() -> None:
    office = machine.observed(ready(), ready_share=0.5, least=0.9, tick=3000)
    assert (office.state, office.candidate_ready_tick) == ("monitoring", None)


def test_promotion_swaps_seats_and_resets_streaks() -> None:
    office = machine.promoted(ready())
    assert (office.state, office.release, office.shadow, office.previous) == ("promoted", NEW, None, OLD)
    assert (office.candidate_ready, office.ready_share) == (False, 0.0)
    assert machine.acting_since(office, 2400).promoted_tick == 2400


def test_rollback_and_a_new_shadow_end_the_watch() -> None:
    office = machine.acting_since(machine.promoted(ready()), 2400)
    back = machine.rolled_back(office)
    assert (back.state, back.release, back.previous, back.promoted_tick) == ("monitoring", OLD, None, None)
    assert machine.shadowed(office, OTHER).state == "monitoring"


@pytest.mark.parametrize("state", ["monitoring", "ready", "promoted"])
def test_swaps_come_from_anywhere(state: str) -> None:
    offices = {"monitoring": Office(release=OLD), "ready": ready(), "promoted": machine.promoted(ready())}
    before = offices[state]
    after = machine.swapped(before, OTHER)
    assert (after.state, after.release, after.shadow, after.previous) == ("monitoring", OTHER, None, before.release)


def test_what_is_not_allowed_is_not_ready_or_rejected() -> None:
    with pytest.raises(PromotionError, match="no candidate"):
        machine.promoted(Office(release=OLD))
    with pytest.raises(PromotionError, match="40% of the towns"):
        machine.promoted(
            machine.observed(machine.shadowed(Office(release=OLD), NEW), ready_share=0.4, least=0.9, tick=1)
        )
    with pytest.raises(PromotionError, match="Nothing was promoted"):
        machine.rolled_back(machine.swapped(ready(), OTHER))
    with pytest.raises(PromotionError, match="act already"):
        machine.shadowed(Office(release=OLD), OLD)


def colours(sums: list[float], before: list[list[float]] | None = None, baseline: float | None = None) -> str:
    """Return the first letters of the colours of a window."""
    found = canaries(sums, before=before or [], baseline=baseline, ticks_per_day=DAY)
    return "".join("-" if canary.colour is None else canary.colour[0] for canary in found.values())


def test_colours_of_key_figures() -> None:
    agent_day = float(DAY)
    assert colours([10, 0, 0.5, 0, agent_day]) == "-ggg"
    for intensity, colour in ((11.4, "g"), (11.6, "a"), (13.1, "r"), (8.6, "g"), (8.4, "a"), (6.9, "r")):
        assert colours([intensity, 0, 1, 0, agent_day], baseline=10)[0] == colour, intensity
    assert colours([1, 0, 1, 0, agent_day], baseline=0)[0] == "-", "nothing is beyond a share of nothing"
    for late, colour in ((3, "g"), (3.1, "a"), (5, "a"), (5.1, "r")):
        assert colours([0, late, 1, 0, agent_day])[1] == colour
    assert colours([0, 4, 1, 0, 2 * agent_day])[1] == "g", "late ticks are counted by the agent-day"
    nothing = [0.0, 0.0, 0.0, 0.0, agent_day]
    assert colours(nothing)[2] == "a"
    assert colours(nothing, before=[nothing])[2] == "r", "no help in two windows running"
    assert colours([0, 0, 0, 0.001, agent_day])[3] == "r"
    found = canaries([0, 6, 1, 1, agent_day], before=[], baseline=None, ticks_per_day=DAY)
    assert reds(found) == {"late_ticks", "faints"}


def test_what_was_red_before_is_not_the_new_releases_doing() -> None:
    late, faint = [10.0, 6.0, 1.0, 0.0, 1440.0], [10.0, 6.0, 1.0, 0.5, 1440.0]
    before = Watch().heard(999, late, ticks_per_day=DAY).heard(1999, late, ticks_per_day=DAY)
    after = before.replaced()
    assert (after.baseline, after.red_before, after.windows) == (10.0, {"late_ticks"}, ())
    assert watch.trouble(after.heard(2999, late, ticks_per_day=DAY), failed=0.0, allowed=0.1) == []
    assert watch.trouble(after.heard(2999, faint, ticks_per_day=DAY), failed=0.05, allowed=0.1) == [
        "faints turned red (0.5)"
    ]
    assert watch.trouble(after.heard(2999, late, ticks_per_day=DAY), failed=0.11, allowed=0.1) == [
        "11% of the towns failed a promotion window"
    ]
    busy = [14.0, 6.0, 1.0, 0.0, 1440.0]
    assert watch.trouble(after.heard(2999, busy, ticks_per_day=DAY), failed=0.1, allowed=0.1) == [
        "queue_conflict_intensity turned red (14)"
    ]
    assert Watch.restored(after.figures()) == after
