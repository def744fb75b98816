"""What commands do to a plain town (MECHANICS 12.2), a function each; False: refused, the town is as it was."""

from collections.abc import Callable, Mapping
from typing import Any

from reference.records import Plain, single
from reference.scene import potential
from townlet_jax.core.enums import NEVER, NOBODY, Need

NEEDS = [need.name.lower() for need in Need]
Arguments = Mapping[str, Any]


def setneed(params: Plain, state: Plain, given: Arguments) -> bool:
    """Set needs of somebody who lives; the shaping potential follows."""
    a = given["agent"]
    if not state.roster.alive[a]:
        return False
    for name, value in given["needs"].items():
        state.needs.level[a][NEEDS.index(name)] = min(1.0, max(0.0, single(value)))
    state.ledger.potential[a] = potential(params.reward.needs_weight, state.needs.level[a])
    state.roster.reset_flag[a] = True
    return True


def set_wallet(params: Plain, state: Plain, given: Arguments) -> bool:
    """Set coins."""
    if not state.roster.alive[given["agent"]]:
        return False
    state.economy.wallet[given["agent"]] = single(given["amount"])
    return True


def kill(params: Plain, state: Plain, given: Arguments) -> bool:
    """Condemn somebody."""
    if not state.roster.alive[given["agent"]]:
        return False
    state.lifecycle.condemned[given["agent"]] = 1 if given["respawn"] else 2
    return True


def teleport(params: Plain, state: Plain, given: Arguments) -> bool:
    """Put somebody elsewhere: nothing is held, waited for or run any more."""
    a, (x, y) = given["agent"], given["position"]
    if params.world.blocked[y][x] or not state.roster.alive[a]:
        return False
    state.roster.position[a] = [x, y]
    state.roster.reset_flag[a] = True
    queues = state.queues
    queues.holding[a] = queues.waiting[a] = NOBODY
    queues.joined_tick[a] = NEVER
    queues.ticket[a] = queues.stalls[a] = queues.away_ticks[a] = 0
    state.activities.affordance[a], state.activities.remaining[a] = NOBODY, 0
    return True


def set_home(params: Plain, state: Plain, given: Arguments) -> bool:
    """Give somebody another home."""
    if not state.roster.alive[given["agent"]]:
        return False
    state.roster.home[given["agent"]] = given["home"]
    return True


def possess(params: Plain, state: Plain, given: Arguments) -> bool:
    """Take somebody over, or give back."""
    a, acquire = given["agent"], given["action"] == "acquire"
    if not state.roster.alive[a] or state.controls.possessed[a] == acquire:
        return False
    state.controls.possessed[a] = acquire
    state.roster.reset_flag[a] = True
    return True


def set_rel(params: Plain, state: Plain, given: Arguments) -> bool:
    """Set what two feel for each other."""
    a, b = given["a"], given["b"]
    if a == b or not (state.roster.alive[a] and state.roster.alive[b]):
        return False
    for name in ("trust", "familiarity", "rivalry"):
        if name in given:
            tie = getattr(state.ties, name)
            tie[a][b] = tie[b][a] = single(given[name])
    return True


def employment_exit(params: Plain, state: Plain, given: Arguments) -> bool:
    """Let somebody go, or take somebody out of the queue and forget the absences."""
    a = given["agent"]
    if not state.roster.alive[a]:
        return False
    if given["action"] == "approve":
        state.exits.approved[a] = True
    else:
        state.exits.asked_tick[a], state.exits.approved[a] = NEVER, False
        state.employment.absence_day[a] = [NEVER for _ in state.employment.absence_day[a]]
    return True


def price(params: Plain, state: Plain, given: Arguments) -> bool:
    """Set a price before spikes."""
    state.controls.price[int(given["key"].removeprefix("price"))] = single(given["value"])
    return True


def set_stock(params: Plain, state: Plain, given: Arguments) -> bool:
    """Set the units of a good at an object."""
    place, good = int(given["object"].removeprefix("object")), int(given["good"].removeprefix("good"))
    state.economy.stock[place][good] = single(given["units"])
    return True


def toggle_mortality(params: Plain, state: Plain, given: Arguments) -> bool:
    """Switch fainting."""
    state.controls.mortality = given["enabled"]
    return True


def set_exit_cap(params: Plain, state: Plain, given: Arguments) -> bool:
    """Set how many may go a day."""
    state.controls.daily_exit_cap = given["n"]
    return True


def set_spawn_delay(params: Plain, state: Plain, given: Arguments) -> bool:
    """Set how long newcomers take."""
    if given["max"] < given["min"]:
        return False
    state.controls.respawn_min, state.controls.respawn_max = given["min"], given["max"]
    return True


def perturbation_trigger(params: Plain, state: Plain, given: Arguments) -> bool:
    """Queue an event that neither runs nor is queued."""
    events, v = state.perturbations, int(given["spec"].removeprefix("event"))
    if events.until_tick[v] != NEVER or events.queued_tick[v] != NEVER:
        return False
    events.queued_tick[v] = state.clock.tick + 1 + given["starts_in"]
    events.queued_ticks[v], events.queued_magnitude[v] = given.get("duration", -1), given.get("magnitude", -1.0)
    events.member[v] = [False for _ in events.member[v]]
    events.object[v] = NOBODY
    return True


def perturbation_cancel(params: Plain, state: Plain, given: Arguments) -> bool:
    """Drop what is queued, let what runs end in the next wake."""
    events, v = state.perturbations, int(given["spec"].removeprefix("event"))
    runs = events.until_tick[v] != NEVER
    if not runs and events.queued_tick[v] == NEVER:
        return False
    if runs:
        events.until_tick[v] = min(events.until_tick[v], state.clock.tick + 1)
    else:
        events.member[v] = [False for _ in events.member[v]]
        events.object[v] = NOBODY
    events.queued_tick[v], events.queued_ticks[v], events.queued_magnitude[v] = NEVER, -1, -1.0
    return True


COMMANDS: dict[str, Callable[[Plain, Plain, Arguments], bool]] = {
    one.__name__: one
    for one in (
        setneed, set_wallet, kill, teleport, set_home, possess, set_rel, employment_exit, price, set_stock,
        toggle_mortality, set_exit_cap, set_spawn_delay, perturbation_trigger, perturbation_cancel,
    )
}  # fmt: skip
