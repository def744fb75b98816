"""From commands by name to edits of the town (MECHANICS 12.2, 14.8 timeline). Host only.

`interpret` checks names and values and needs no state; `apply` also asks whether the town can take the edit. Both
raise `CommandError` with one sentence: what is wrong, what is allowed. Commands are rows of `_COMMANDS`.
"""

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from townlet_jax.core import edits
from townlet_jax.core.enums import NEVER, NOBODY, Need
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.policy.arguments import CONFLICT, UNKNOWN, Arguments, CommandError, amount, index, truth

_DRAW = -1  # "as the spec draws it"
_RICHEST, _DEAREST, _MOST_UNITS, _LONGEST = 1e6, 1000.0, 1e6, 100_000  # coins, coins, units, ticks
_NEEDS = tuple(need.name.lower() for need in Need)
_OLD_NAMES = {"spawn_agent": "spawn", "set_need": "setneed", "narration": "announce_story"}


class Names(Protocol):
    """The names that commands use, by index."""

    @property
    def agents(self) -> tuple[str, ...]: ...
    @property
    def objects(self) -> tuple[str, ...]: ...
    @property
    def jobs(self) -> tuple[str, ...]: ...
    @property
    def goods(self) -> tuple[str, ...]: ...
    @property
    def prices(self) -> tuple[str, ...]: ...
    @property
    def perturbations(self) -> tuple[str, ...]: ...
    @property
    def homes(self) -> tuple[str, ...]: ...
    @property
    def profiles(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Condition:
    """A condition of an edit: which towns meet it, and what to say if none does."""

    met: Callable[[TownState], Bool[np.ndarray, "..."]]
    sentence: str
    code: str = CONFLICT  # of the refusal


@dataclass(frozen=True)
class Edit:
    """A checked command: the pure function, its arrays, and what a town must be like to take it."""

    function: Callable[..., TownState]
    operands: tuple[Any, ...]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class _Scene:
    """What commands refer to."""

    names: Names
    num_agents: int
    blocked: Bool[np.ndarray, "H C"]

    @property
    def agents(self) -> tuple[str, ...]:
        """Return a name for every slot."""
        spare = range(len(self.names.agents), self.num_agents)
        return self.names.agents + tuple(f"slot_{slot}" for slot in spare)


def apply(
    command: str, args: Mapping[str, Any], names: Names, spec: Spec, params: Params, state: TownState
) -> TownState:
    """Carry out one command between two ticks and return the new state.

    `state` is one town or a batch (leading axis); `params` likewise. A town of a batch that cannot take the edit
    stays as it is; `CommandError` if no town can.
    """
    edit = interpret(command, args, names, spec, params)
    for condition in edit.conditions:
        if not np.any(condition.met(state)):
            raise CommandError(f"command {command}: {condition.sentence}.", code=condition.code)
    return _carried_out(edit, params, state)


def interpret(command: str, args: Mapping[str, Any], names: Names, spec: Spec, params: Params) -> Edit:
    """Check a command against the names and the map of a town."""
    known = _OLD_NAMES.get(command, command)
    if known not in _COMMANDS:
        raise CommandError(
            f"command {command!r} cannot be used in a timeline; use one of {', '.join(_COMMANDS)}.", code=UNKNOWN
        )
    allowed, read = _COMMANDS[known]
    blocked = np.asarray(params.world.blocked)
    scene = _Scene(names=names, num_agents=spec.num_agents, blocked=blocked[0] if blocked.ndim == 3 else blocked)
    return read(scene, Arguments(known, args, allowed=allowed))


def rehearsals(names: Names, spec: Spec, params: Params) -> Sequence[Callable[[Params, TownState], TownState]]:
    """Return every edit with some operands, to be compiled before the first command comes; its results are of no use.

    Edits that these towns have no names for are left out.
    """
    blocked = np.asarray(params.world.blocked)
    blocked = blocked[0] if blocked.ndim == 3 else blocked
    y, x = (int(part) for part in np.argwhere(~blocked)[0])
    first = {name: (getattr(names, name) or ("",))[0] for name in ("objects", "goods", "prices", "perturbations")}
    samples: dict[str, dict[str, Any]] = {
        "spawn": {"slot": 0},
        "kill": {"agent": 0},
        "teleport": {"agent": 0, "position": [x, y]},
        "set_home": {"agent": 0, "home": 0},
        "setneed": {"agent": 0, "need": _NEEDS[0], "value": 1},
        "set_wallet": {"agent": 0, "amount": 1},
        "set_stock": {"object": first["objects"], "good": first["goods"], "units": 1},
        "price": {"key": first["prices"], "value": 1},
        "set_rel": {"a": 0, "b": 1, "trust": 0},
        "force_chat": {"speaker": 0, "listener": 1},
        "employment_exit approve": {"action": "approve", "agent": 0},
        "employment_exit defer": {"action": "defer", "agent": 0},
        "possess": {"agent": 0, "action": "acquire"},
        "toggle_mortality": {"enabled": True},
        "set_exit_cap": {"n": 0},
        "set_spawn_delay": {"min": 0},
        "perturbation_trigger": {"spec": first["perturbations"]},
        "perturbation_cancel": {"spec": first["perturbations"]},
        "announce_story": {"message": ""},
    }
    ready = []
    for command, args in samples.items():
        with contextlib.suppress(CommandError):
            ready.append(functools.partial(_carried_out, interpret(command.split()[0], args, names, spec, params)))
    return ready


def _carried_out(edit: Edit, params: Params, state: TownState) -> TownState:
    many_states, many_params = state.clock.tick.ndim == 1, params.clock.ticks_per_day.ndim == 1
    return _compiled(edit.function, many_states, many_params, len(edit.operands))(params, state, *edit.operands)


@functools.lru_cache(maxsize=128)
def _compiled(
    function: Callable[..., TownState], many_states: bool, many_params: bool, operands: int
) -> Callable[..., TownState]:
    if many_states:
        function = jax.vmap(function, in_axes=(0 if many_params else None, 0, *[None] * operands))
    return jax.jit(function)


def _alive(scene: _Scene, slot: int) -> Condition:
    return Condition(
        lambda state: np.asarray(state.roster.alive)[..., slot],
        f"agent '{scene.agents[slot]}' is not alive; spawn it first or name a living one",
        UNKNOWN,
    )


def _spec_idle(name: str, spec: int) -> Condition:
    def met(state: TownState) -> Bool[np.ndarray, "..."]:
        until, queued = np.asarray(state.perturbations.until_tick), np.asarray(state.perturbations.queued_tick)
        return np.asarray((until == NEVER) & (queued == NEVER))[..., spec]

    return Condition(met, f"'{name}' is running or queued already; cancel it first or wait for its end")


def _spec_busy(name: str, spec: int, started: int | None) -> Condition:
    def met(state: TownState) -> Bool[np.ndarray, "..."]:
        slice_ = state.perturbations
        busy = np.asarray(slice_.until_tick) != NEVER
        if started is None:
            busy = busy | (np.asarray(slice_.queued_tick) != NEVER)
        else:
            busy = busy & (np.asarray(slice_.started_tick) == started)
        return np.asarray(busy[..., spec])

    return Condition(met, f"'{name}' is neither running nor queued; there is nothing to cancel", UNKNOWN)


def _levels(arguments: Arguments, values: Mapping[str, Any], low: float, high: float) -> Any:
    for name in values:
        if name not in _NEEDS:
            raise arguments.error(f"knows no need {name!r}; use {', '.join(_NEEDS)}")
    return jnp.asarray(
        [arguments.checked_number(need, values[need], low, high) if need in values else jnp.nan for need in _NEEDS],
        jnp.float32,
    )


def _spawn(scene: _Scene, arguments: Arguments) -> Edit:
    slot = arguments.slot("slot" if arguments.has("slot") else "agent", scene.agents)
    names = scene.names
    tile = arguments.tile("position", scene.blocked) if arguments.has("position") else (NOBODY, NOBODY)
    needs = arguments.mapping("needs") if arguments.has("needs") else {}
    newcomer = edits.Newcomer(
        slot=index(slot),
        position=jnp.asarray(tile, jnp.int32),
        home=index(arguments.row("home", names.homes, NOBODY)),
        job=index(arguments.row("job", names.jobs, edits.KEEP)),
        profile=index(arguments.row("profile", names.profiles, NOBODY)),
        level=_levels(arguments, needs, 0, 1),
        wallet=amount(arguments.number("wallet", 0, _RICHEST) if arguments.has("wallet") else float("nan")),
    )
    vacant = Condition(
        lambda state: ~np.asarray(state.roster.alive)[..., slot],
        f"agent '{scene.agents[slot]}' is alive; name a vacant slot",
    )
    return Edit(edits.spawn, (newcomer,), (vacant,))


def _kill(scene: _Scene, arguments: Arguments) -> Edit:
    slot = arguments.slot("agent", scene.agents)
    return Edit(edits.kill, (index(slot), truth(arguments.flag("respawn", True))), (_alive(scene, slot),))


def _teleport(scene: _Scene, arguments: Arguments) -> Edit:
    slot = arguments.slot("agent", scene.agents)
    tile = jnp.asarray(arguments.tile("position", scene.blocked), jnp.int32)
    return Edit(edits.teleport, (index(slot), tile), (_alive(scene, slot),))


def _set_home(scene: _Scene, arguments: Arguments) -> Edit:
    slot = arguments.slot("agent", scene.agents)
    arguments.value("home")
    home = arguments.row("home", scene.names.homes, NOBODY)
    return Edit(edits.set_home, (index(slot), index(home)), (_alive(scene, slot),))


def _setneed(scene: _Scene, arguments: Arguments) -> Edit:
    slot = arguments.slot("agent", scene.agents)
    if arguments.has("needs") == arguments.has("need"):
        raise arguments.error("takes either 'need' and 'value', or 'needs'")
    single = {arguments.choice("need", _NEEDS): arguments.value("value")} if arguments.has("need") else None
    values = arguments.mapping("needs") if single is None else single
    levels = _levels(arguments, values, -_RICHEST, _RICHEST)  # the edit clips to [0, 1]
    return Edit(edits.set_needs, (index(slot), levels), (_alive(scene, slot),))


def _set_wallet(scene: _Scene, arguments: Arguments) -> Edit:
    slot = arguments.slot("agent", scene.agents)
    return Edit(
        edits.set_wallet, (index(slot), amount(arguments.number("amount", 0, _RICHEST))), (_alive(scene, slot),)
    )


def _set_stock(scene: _Scene, arguments: Arguments) -> Edit:
    place = arguments.named("object", scene.names.objects)
    good = arguments.named("good", scene.names.goods)
    return Edit(edits.set_stock, (index(place), index(good), amount(arguments.number("units", 0, _MOST_UNITS))))


def _price(scene: _Scene, arguments: Arguments) -> Edit:
    key = arguments.named("key", scene.names.prices)
    return Edit(edits.set_price, (index(key), amount(arguments.number("value", 0, _DEAREST))))


def _two(scene: _Scene, arguments: Arguments, first: str, second: str) -> tuple[int, int]:
    one, other = arguments.slot(first, scene.agents), arguments.slot(second, scene.agents)
    if one == other:
        raise arguments.error(f"'{first}' and '{second}' are the same agent; name two")
    return one, other


def _set_rel(scene: _Scene, arguments: Arguments) -> Edit:
    one, other = _two(scene, arguments, "a", "b")
    bounds = {"trust": -1.0, "familiarity": -1.0, "rivalry": 0.0}
    if not any(arguments.has(name) for name in bounds):
        raise arguments.error("changes nothing; give trust, familiarity or rivalry")
    values = [arguments.number(name, low, 1.0) if arguments.has(name) else jnp.nan for name, low in bounds.items()]
    operands = (index(one), index(other), *map(amount, values))
    return Edit(edits.set_ties, operands, (_alive(scene, one), _alive(scene, other)))


def _force_chat(scene: _Scene, arguments: Arguments) -> Edit:
    one, other = _two(scene, arguments, "speaker", "listener")
    operands = (index(one), index(other), amount(arguments.number("quality", 0, 1, 1.0)))
    return Edit(edits.force_chat, operands, (_alive(scene, one), _alive(scene, other)))


def _employment_exit(scene: _Scene, arguments: Arguments) -> Edit:
    action = arguments.choice("action", ("review", "approve", "defer"))
    if action == "review":
        return Edit(_unchanged, ())
    slot = arguments.slot("agent", scene.agents)
    function = edits.approve_exit if action == "approve" else edits.defer_exit
    return Edit(function, (index(slot),), (_alive(scene, slot),))


def _possess(scene: _Scene, arguments: Arguments) -> Edit:
    slot = arguments.slot("agent", scene.agents)
    acquire = arguments.choice("action", ("acquire", "release")) == "acquire"
    fresh = Condition(
        lambda state: np.asarray(state.controls.possessed)[..., slot] != acquire,
        f"agent '{scene.agents[slot]}' is {'' if acquire else 'not '}possessed already",
    )
    return Edit(edits.possess, (index(slot), truth(acquire)), (_alive(scene, slot), fresh))


def _toggle_mortality(scene: _Scene, arguments: Arguments) -> Edit:
    del scene
    return Edit(edits.set_mortality, (truth(arguments.flag("enabled")),))


def _set_exit_cap(scene: _Scene, arguments: Arguments) -> Edit:
    del scene
    return Edit(edits.set_exit_cap, (index(arguments.whole("n", 0, 50)),))


def _set_spawn_delay(scene: _Scene, arguments: Arguments) -> Edit:
    del scene
    low = arguments.whole("min", 0, _LONGEST)
    high = arguments.whole("max", low, _LONGEST, max(low, 0))
    return Edit(edits.set_spawn_delay, (index(low), index(high)))


def _trigger(scene: _Scene, arguments: Arguments) -> Edit:
    return _order(scene, arguments, arguments.named("spec", scene.names.perturbations))


def _arrange_meet(scene: _Scene, arguments: Arguments) -> Edit:
    specs = scene.names.perturbations
    if not arguments.has("spec") and "arranged_meet" not in specs:
        raise arguments.error("finds no perturbation 'arranged_meet'; name one with 'spec'")
    spec = arguments.named("spec", specs) if arguments.has("spec") else specs.index("arranged_meet")
    if len(_members(scene, arguments)) < 2:
        raise arguments.error("needs at least two different 'agents'")
    return _order(scene, arguments, spec)


def _members(scene: _Scene, arguments: Arguments) -> set[int]:
    given = arguments.value("agents")
    if not isinstance(given, list | tuple):
        raise arguments.error("'agents' must be a list of agents")
    return {arguments.checked_slot("agents", one, scene.agents) for one in given}


def _order(scene: _Scene, arguments: Arguments, spec: int) -> Edit:
    members = _members(scene, arguments) if arguments.has("agents") else set()
    place = arguments.named("object", scene.names.objects) if arguments.has("object") else NOBODY
    magnitude = arguments.number("magnitude", 0, 100) if arguments.has("magnitude") else float(_DRAW)
    order = edits.Order(
        spec=index(spec),
        starts_in=index(arguments.whole("starts_in", 0, _LONGEST, 0)),
        ticks=index(arguments.whole("duration", 1, _LONGEST, _DRAW)),
        magnitude=amount(magnitude),
        member=jnp.asarray([slot in members for slot in range(scene.num_agents)], bool),
        object=index(place),
    )
    idle = _spec_idle(scene.names.perturbations[spec], spec)
    return Edit(edits.trigger, (order,), (idle, *[_alive(scene, slot) for slot in sorted(members)]))


def _cancel(scene: _Scene, arguments: Arguments) -> Edit:
    started = None
    values = {"spec": arguments.value("event_id" if arguments.has("event_id") else "spec")}
    if arguments.has("event_id"):
        name, mark, tick = str(values["spec"]).rpartition("@")
        if not mark or not tick.isdecimal():
            raise arguments.error("'event_id' must read <spec>@<tick of its start>")
        values, started = {"spec": name}, int(tick)
    named = Arguments(arguments.command, values, allowed=("spec",))
    spec = named.named("spec", scene.names.perturbations)
    return Edit(edits.cancel, (index(spec),), (_spec_busy(scene.names.perturbations[spec], spec, started),))


def _announce(scene: _Scene, arguments: Arguments) -> Edit:
    del scene
    if not isinstance(arguments.value("message"), str):
        raise arguments.error("'message' must be a text")
    return Edit(_unchanged, ())


def _unchanged(params: Params, state: TownState) -> TownState:
    del params
    return state


_ORDER = ("starts_in", "duration", "magnitude", "agents", "object")
_COMMANDS: dict[str, tuple[tuple[str, ...], Callable[[_Scene, Arguments], Edit]]] = {
    "spawn": (("agent", "slot", "position", "home", "needs", "wallet", "profile", "job"), _spawn),
    "kill": (("agent", "reason", "respawn"), _kill),
    "teleport": (("agent", "position"), _teleport),
    "set_home": (("agent", "home"), _set_home),
    "setneed": (("agent", "need", "value", "needs"), _setneed),
    "set_wallet": (("agent", "amount"), _set_wallet),
    "set_stock": (("object", "good", "units"), _set_stock),
    "price": (("key", "value"), _price),
    "set_rel": (("a", "b", "trust", "familiarity", "rivalry"), _set_rel),
    "force_chat": (("speaker", "listener", "quality"), _force_chat),
    "employment_exit": (("action", "agent"), _employment_exit),
    "possess": (("agent", "action"), _possess),
    "toggle_mortality": (("enabled",), _toggle_mortality),
    "set_exit_cap": (("n",), _set_exit_cap),
    "set_spawn_delay": (("min", "max"), _set_spawn_delay),
    "perturbation_trigger": (("spec", *_ORDER), _trigger),
    "arrange_meet": (("agents", "starts_in", "duration", "spec"), _arrange_meet),
    "perturbation_cancel": (("spec", "event_id"), _cancel),
    "announce_story": (("message", "category", "priority", "data", "dedupe_key"), _announce),
}
