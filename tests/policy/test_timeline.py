"""Commands by name: what they do, and one sentence for each way to get them wrong (MECHANICS 12.2, 14.8)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from policy.places import ADA, BEN, FRIDGE, NOON, Place, put
from townlet_jax.core import batch
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.state import TownState
from townlet_jax.policy import timeline
from townlet_jax.policy.arguments import CommandError


def do(place: Place, command: str, state: TownState | None = None, **args: Any) -> TownState:
    """Apply a command to the town at noon."""
    start = place.start if state is None else state
    return timeline.apply(command, args, place.names, place.spec, place.params, start)


def test_commands_reach_their_edit(place: Place) -> None:
    start = place.start
    assert do(place, "teleport", agent="ben", position=[20, 2]).roster.position[BEN].tolist() == [20, 2]
    assert int(do(place, "set_home", agent="ben", home=6).roster.home[BEN]) == 6
    assert int(do(place, "set_home", agent=1, home="home_6").roster.home[BEN]) == 6
    assert int(do(place, "kill", agent="ben").lifecycle.condemned[BEN]) == 1
    assert int(do(place, "kill", agent="ben", respawn=False, reason="test").lifecycle.condemned[BEN]) == 2
    one = do(place, "setneed", agent="ben", need="energy", value=0.25)
    np.testing.assert_allclose(one.needs.level[BEN], [0.8, 0.8, 0.25])
    many = do(place, "set_need", agent="ben", needs={"hunger": 0.5, "hygiene": 7})
    np.testing.assert_allclose(many.needs.level[BEN], [0.5, 1.0, 0.8])
    assert float(do(place, "set_wallet", agent="ben", amount=9).economy.wallet[BEN]) == 9.0
    assert float(do(place, "set_stock", object="fridge_1", good="meals", units=1).economy.stock[FRIDGE, 0]) == 1.0
    np.testing.assert_allclose(do(place, "price", key="meal", value=0.7).controls.price[0], 0.7)
    tied = do(place, "set_rel", a="ada", b="ben", trust=0.5, rivalry=0.25).ties
    assert (float(tied.trust[BEN, ADA]), float(tied.rivalry[ADA, BEN])) == (0.5, 0.25)
    np.testing.assert_allclose(do(place, "force_chat", speaker="ada", listener="ben").ties.trust[BEN, ADA], 0.05)
    assert bool(do(place, "employment_exit", action="approve", agent="ben").exits.approved[BEN])
    approved = put(start, "exits", "approved", BEN, True)
    assert not bool(do(place, "employment_exit", approved, action="defer", agent="ben").exits.approved[BEN])
    assert bool(do(place, "possess", agent="ben", action="acquire").controls.possessed[BEN])
    assert not bool(do(place, "toggle_mortality", enabled=False).controls.mortality)
    assert int(do(place, "set_exit_cap", n=5).controls.daily_exit_cap) == 5
    delay = do(place, "set_spawn_delay", min=30).controls
    assert (int(delay.respawn_min), int(delay.respawn_max)) == (30, 30)


def test_commands_that_change_nothing(place: Place) -> None:
    for command, args in (("announce_story", {"message": "hello"}), ("employment_exit", {"action": "review"})):
        state = do(place, command, **args)
        assert state.ties.trust.tolist() == place.start.ties.trust.tolist()
        assert int(state.clock.tick) == NOON


def test_spawn(place: Place) -> None:
    empty = put(place.start, "roster", "alive", ADA, False)
    state = do(
        place, "spawn_agent", empty, agent="ada", position=[20, 2], wallet=2.5, needs={"hunger": 0.55}, job="clerk"
    )
    assert bool(state.roster.alive[ADA])
    assert (float(state.economy.wallet[ADA]), int(state.employment.job[ADA])) == (2.5, 2)
    np.testing.assert_allclose(state.needs.level[ADA], [0.55, 0.7, 0.7])
    assert int(do(place, "spawn", empty, slot=0, profile="stoic").roster.profile[ADA]) == 3


def test_perturbations(place: Place) -> None:
    queued = do(place, "perturbation_trigger", spec="price_spike", magnitude=1.55, duration=35, starts_in=2)
    events = queued.perturbations
    assert (int(events.queued_tick[0]), int(events.queued_ticks[0])) == (NOON + 3, 35)
    np.testing.assert_allclose(events.queued_magnitude[0], 1.55)
    meet = do(place, "arrange_meet", agents=["ada", "ben"], duration=20).perturbations
    assert meet.member[3].tolist() == [True, True] + [False] * 6
    assert int(meet.queued_tick[3]) == NOON + 1
    cancelled = do(place, "perturbation_cancel", queued, spec="price_spike").perturbations
    assert int(cancelled.queued_tick[0]) == NOBODY
    running = put(put(place.start, "perturbations", "until_tick", 1, 900), "perturbations", "started_tick", 1, 650)
    ended = do(place, "perturbation_cancel", running, event_id="blackout@650").perturbations
    assert int(ended.until_tick[1]) == NOON + 1


@pytest.mark.parametrize(
    ("command", "args", "sentence"),
    [
        ("dance", {}, r"command 'dance' cannot be used in a timeline; use one of spawn, kill"),
        ("kill", {}, r"command kill: needs the argument 'agent'\."),
        (
            "kill",
            {"agent": "adaa"},
            r"'agent' is 'adaa' \(did you mean 'ada'\?\); use an agent's name or a slot from 0 to 7",
        ),
        ("kill", {"agent": -1}, r"'agent' is -1; use an agent's name or a slot"),
        ("kill", {"agent": 8}, r"'agent' is 8"),
        ("kill", {"agent": True}, r"'agent' is True"),
        ("kill", {"agent": "ada", "why": 1}, r"has no argument 'why'; it takes agent, reason, respawn\."),
        ("kill", {"agent": "ada", "respawn": 1}, r"'respawn' is 1; use true or false\."),
        ("teleport", {"agent": "ada", "position": [0, 0]}, r"'position' \[0, 0\] is a blocked tile"),
        ("teleport", {"agent": "ada", "position": [-1, 5]}, r"'position' \[-1, 5\] lies off the map; x goes to 47"),
        ("teleport", {"agent": "ada", "position": [1.5, 5]}, r"use a tile \[x, y\] of two whole numbers"),
        ("set_home", {"agent": "ada"}, r"needs the argument 'home'"),
        ("set_home", {"agent": "ada", "home": 99}, r"'home' is 99; use one of home_0"),
        (
            "setneed",
            {"agent": "ada", "need": "thirst", "value": 1},
            r"'need' is 'thirst'; use one of hunger, hygiene, energy",
        ),
        ("setneed", {"agent": "ada", "need": "energy"}, r"needs the argument 'value'"),
        ("setneed", {"agent": "ada", "need": "energy", "value": "a"}, r"'energy' is 'a'; use a number"),
        ("setneed", {"agent": "ada"}, r"takes either 'need' and 'value', or 'needs'"),
        ("setneed", {"agent": "ada", "needs": {"thirst": 1}}, r"knows no need 'thirst'"),
        ("set_wallet", {"agent": "ada", "amount": -1}, r"'amount' is -1; use a number from 0 to 1e\+06"),
        ("set_wallet", {"agent": "ada", "amount": float("nan")}, r"'amount' is nan; use a number"),
        ("set_stock", {"object": "fridge", "good": "meals", "units": 1}, r"'object' is 'fridge' \(did you mean"),
        ("price", {"key": "meal", "value": 1001}, r"use a number from 0 to 1000"),
        ("set_rel", {"a": "ada", "b": "ada", "trust": 1}, r"'a' and 'b' are the same agent; name two"),
        ("set_rel", {"a": "ada", "b": "ben"}, r"changes nothing; give trust, familiarity or rivalry"),
        ("set_rel", {"a": "ada", "b": "ben", "rivalry": -0.1}, r"'rivalry' is -0.1; use a number from 0 to 1"),
        (
            "force_chat",
            {"speaker": "ada", "listener": "ben", "quality": 2},
            r"'quality' is 2; use a number from 0 to 1",
        ),
        ("possess", {"agent": "ada", "action": "release"}, r"agent 'ada' is not possessed"),
        ("spawn", {"agent": "ada"}, r"agent 'ada' is alive; name a vacant slot"),
        ("set_exit_cap", {"n": 51}, r"'n' is 51; use a whole number from 0 to 50"),
        ("set_spawn_delay", {"min": 5, "max": 4}, r"'max' is 4; use a whole number from 5 to 100000"),
        ("perturbation_trigger", {"spec": "flood"}, r"'spec' is 'flood'.*; use one of price_spike, blackout"),
        ("perturbation_trigger", {"spec": "outage", "duration": 0}, r"'duration' is 0; use a whole number from 1"),
        ("arrange_meet", {"agents": ["ada"]}, r"needs at least two different 'agents'"),
        ("arrange_meet", {"agents": "ada"}, r"'agents' must be a list of agents"),
        ("perturbation_cancel", {"spec": "outage"}, r"'outage' is neither running nor queued"),
        ("perturbation_cancel", {"event_id": "outage"}, r"'event_id' must read <spec>@<tick of its start>"),
        ("announce_story", {}, r"needs the argument 'message'"),
    ],
)
def test_one_sentence_for_each_mistake(place: Place, command: str, args: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as caught:
        do(place, command, **args)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_the_dead_and_the_queued_are_refused(place: Place) -> None:
    dead = put(place.start, "roster", "alive", BEN, False)
    with pytest.raises(CommandError, match="agent 'ben' is not alive; spawn it first"):
        do(place, "setneed", dead, agent="ben", need="energy", value=1)
    queued = do(place, "perturbation_trigger", spec="outage")
    with pytest.raises(CommandError, match="'outage' is running or queued already"):
        do(place, "perturbation_trigger", queued, spec="outage")


def test_a_batch_takes_what_it_can(place: Place) -> None:
    without_ben = put(place.start, "roster", "alive", BEN, False)
    towns = (place.start, without_ben, place.start)
    states: TownState = jax.tree.map(lambda *leaves: jnp.stack(leaves), *towns)
    after = do(place, "set_wallet", states, agent="ben", amount=9)
    before = float(states.economy.wallet[1, BEN])
    assert after.economy.wallet[:, BEN].tolist() == [9.0, before, 9.0]
    for index in (0, 1, 2):
        alone = do(place, "price", batch.town_of(states, index), key="meal", value=2)
        together = batch.town_of(do(place, "price", states, key="meal", value=2), index)
        assert alone.controls.price.tolist() == together.controls.price.tolist()
    per_town = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), place.params)
    other = timeline.apply("price", {"key": "meal", "value": 2}, place.names, place.spec, per_town, states)
    assert other.controls.price[:, 0].tolist() == [2.0, 2.0, 2.0]
