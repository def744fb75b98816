"""Events of agents: comings, actions, chats, ties, nights, departures, faults (MECHANICS 10)."""

from typing import Any

import numpy as np

from townlet_jax.core.enums import (
    NEVER,
    NOBODY,
    Avoidance,
    Direction,
    Exit,
    Fault,
    Kind,
    Reason,
)
from townlet_jax.telemetry.decode_things import Found, places, real
from townlet_jax.telemetry.lived import Lived, known
from townlet_jax.telemetry.naming import Words, named

SMALLEST_CHANGE = 1e-6
KINDS = tuple(kind.name.lower() for kind in Kind)
ACTIONS = tuple(f"action.{kind}" for kind in KINDS)
REASONS = tuple(reason.name.lower() for reason in Reason)
ON_OBJECT = frozenset(map(int, (Kind.REQUEST, Kind.START, Kind.USE, Kind.RELEASE, Kind.BLOCKED)))
ON_AFFORDANCE = frozenset(map(int, (Kind.START, Kind.USE)))
FAULTS = {
    Fault.NAN_NEED: "a need is not a number",
    Fault.BAD_INTENT: "an intent named something that does not exist",
    Fault.NEGATIVE_WALLET: "a wallet is below 0",
    Fault.NEGATIVE_STOCK: "a stock is below 0",
    Fault.DOUBLE_HOLD: "an object has two holders",
    Fault.EMBEDDING_EXHAUSTED: "somebody came when all identity slots were in use",
}


def arrivals(words: Words, lived: Lived) -> Found:
    """Slots filled."""
    told, roster = lived.outcomes.arrivals, lived.states.roster
    for i, slot in places(told.arrived):
        yield (
            i,
            slot,
            {
                "event": "agent_respawn",
                "agent": who(words, lived, i, slot),
                "uid": int(told.uid[i, slot]),
                "generation": lived.generations[i][slot],
                "home": words.names.homes[int(roster.home[i + 1, slot])],
            },
        )


def relocations(words: Words, lived: Lived) -> Found:
    """Agents called to a meet."""
    relocated = lived.outcomes.shocks.relocated
    for i, slot in places(relocated != NOBODY):
        spec = int(relocated[i, slot])
        yield (
            i,
            slot,
            {
                "event": "arranged_meet_relocated",
                "agent": who(words, lived, i, slot),
                "spec": words.names.perturbations[spec],
                "position": words.params.world.meet_tile[spec].tolist(),
            },
        )


def actions(words: Words, lived: Lived, *, with_waits: bool = False) -> Found:
    """What those that act asked for; fields that a kind does not use are null."""
    told = lived.outcomes.verdicts
    where = np.nonzero(lived.acting & (with_waits | (told.kind != Kind.WAIT)))
    columns = (*where, *(np.asarray(column)[where] for column in (
        told.kind, told.object, told.affordance, told.target, told.ok, told.reason,
    )))  # fmt: skip
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for i, slot, kind, place, affordance, target, ok, reason in rows:
        heard = kind == Kind.CHAT and 0 <= target < len(words.slots)
        yield (
            i,
            slot,
            {
                "event": ACTIONS[kind],
                "agent": who(words, lived, i, slot),
                "kind": KINDS[kind],
                "object": named(words.objects, place) if kind in ON_OBJECT else None,
                "affordance": named(words.affordances, affordance) if kind in ON_AFFORDANCE else None,
                "target": who(words, lived, i, target) if heard else None,
                "ok": ok,
                "reason": REASONS[reason],
            },
        )


def misunderstandings(words: Words, lived: Lived) -> Found:
    """Intents that name nothing, and steps refused."""
    told, bumped = lived.outcomes.verdicts, lived.outcomes.moves.bumped
    for i, slot in places(lived.acting & (told.reason == Reason.BAD_INDEX)):
        kind = KINDS[int(told.kind[i, slot])]
        yield i, slot, {"event": "action.invalid", "agent": who(words, lived, i, slot), "kind": kind}
    for i, slot in places(bumped):
        direction = Direction(int(told.direction[i, slot])).name.lower()
        yield i, slot, {"event": "agent_bumped", "agent": who(words, lived, i, slot), "direction": direction}


def chats(words: Words, lived: Lived) -> Found:
    """Chats, good and bad."""
    told = lived.outcomes.chats
    for i, slot in places(told.listener != NOBODY):
        yield (
            i,
            slot,
            {
                "event": "chat_success" if told.ok[i, slot] else "chat_failure",
                "speaker": who(words, lived, i, slot),
                "listener": who(words, lived, i, int(told.listener[i, slot])),
                "quality": real(told.quality[i, slot]),
            },
        )


def avoidances(words: Words, lived: Lived) -> Found:
    """Agents that kept away from a rival.

    Where nobody says what was asked for, a reward for it is the only trace, and the reason stays unknown.
    """
    avoided = lived.avoided
    if avoided is None:
        mask = lived.outcomes.rewards.social_avoidance > 0
    else:
        mask = lived.acting & (avoided != Avoidance.NONE)
    for i, slot in places(mask):
        reason = None if avoided is None else Avoidance(int(avoided[i, slot])).name.lower()
        event = {"event": "rivalry_avoidance", "agent": who(words, lived, i, slot), "reason": reason}
        yield i, slot, event | {"object": None, "target": None}


def ties(words: Words, lived: Lived) -> Found:
    """Ties that changed, with their values after the tick."""
    told, felt = lived.outcomes.tie_changes, lived.seen.ties
    channels = ("trust", "familiarity", "rivalry")
    deltas = {name: np.asarray(getattr(told, f"{name}_delta")) for name in channels}
    moved = np.any([np.abs(delta) > SMALLEST_CHANGE for delta in deltas.values()], axis=0)
    edge = told.added | told.evicted | told.faded
    for i, owner, other in places(edge | (moved & known(felt))):
        status = "added" if told.added[i, owner, other] else "updated"
        status = "evicted" if told.evicted[i, owner, other] else status
        status = "faded" if told.faded[i, owner, other] else status
        event: dict[str, Any] = {
            "event": f"relationship_{status}",
            "owner": who(words, lived, i, owner),
            "other": who(words, lived, i, other),
        }
        event |= {name: real(getattr(felt, name)[i, owner, other]) for name in channels}
        event |= {f"{name}_delta": real(delta[i, owner, other]) for name, delta in deltas.items()}
        yield i, owner * len(words.slots) + other, event


def nights(words: Words, lived: Lived) -> Found:
    """Midnight, for everybody who lived through it."""
    night = lived.outcomes.night
    alive = np.asarray(lived.states.roster.alive)[1:] | lived.outcomes.departures.gone
    for i, slot in places(night.is_night[:, None] & alive):
        yield (
            i,
            slot,
            {
                "event": "agent_nightly_reset",
                "agent": who(words, lived, i, slot),
                "moved": bool(night.moved[i, slot]),
                "lifted": bool(night.lifted[i, slot]),
            },
        )


def departures(words: Words, lived: Lived) -> Found:
    """Agents that left."""
    told, uid = lived.outcomes.departures, lived.states.roster.uid
    for i, slot in places(told.gone):
        back = int(told.respawn_tick[i, slot])
        yield (
            i,
            slot,
            {
                "event": "agent_removed",
                "agent": who(words, lived, i, slot),
                "uid": int(uid[i + 1, slot]),
                "reason": Exit(int(told.reason[i, slot])).name.lower(),
                "respawn_tick": None if back == NEVER else back,
            },
        )


def forced_reuses(words: Words, lived: Lived) -> Found:
    """Identity slots given to newcomers before they had cooled down."""
    told = lived.outcomes.arrivals
    cooldown = int(words.params.embeddings.cooldown_ticks)
    for i, slot in places(told.arrived & (told.forced_reuses > 0)[:, None]):
        given = int(lived.seen.embedding_slot[i, slot])
        released = int(lived.states.embeddings.released_tick[i, given]) if given != NOBODY else NEVER
        if released != NEVER and lived.first_tick + i - released < cooldown:
            yield (
                i,
                slot,
                {
                    "event": "embedding_forced_reuse",
                    "agent": who(words, lived, i, slot),
                    "slot": given,
                },
            )


def faults(words: Words, lived: Lived) -> Found:
    """Fault bits that rose."""
    del words
    bits = np.asarray(lived.states.faults)
    rose = bits[1:] & ~bits[:-1]
    for (i,) in places(rose):
        what = [text for fault, text in FAULTS.items() if rose[i] & fault]
        sentence = f"Fault: {'; '.join(what)}."
        yield i, 0, {"event": "fault", "bits": int(rose[i]), "sentence": sentence}


def who(words: Words, lived: Lived, i: int, slot: int) -> str:
    return words.person(slot, lived.generations[i][slot])
