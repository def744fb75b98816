"""What a picture needs of a town and a tick: a small record, made on the device, read on the host.

Owns `View`. Arrays have the axes of the state; a leading axis of ticks may stand before them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NOBODY, Kind, ShiftFlag
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.core.systems import perturbations, queues


class People(Pytree):
    """Who is where and how they are."""

    alive: Bool[Array, "A"]
    generation: Int[Array, "A"]
    position: Int[Array, "A 2"]
    level: Float[Array, "A N"]
    wallet: Float[Array, "A"]
    job: Int[Array, "A"]


class Doing(Pytree):
    """What they do."""

    holding: Int[Array, "A"]  # object, NOBODY
    waiting: Int[Array, "A"]  # object, NOBODY
    place: Int[Array, "A"]  # in the queue, 0 = first; meaningless unless waiting
    affordance: Int[Array, "A"]  # NOBODY
    on_shift: Bool[Array, "A"]
    moved: Bool[Array, "A"]
    option: Int[Array, "A"]  # what they are after, NOBODY = unknown
    spoke_to: Int[Array, "A"]  # listener in this tick, NOBODY
    spoke_well: Bool[Array, "A"]
    quarrelled: Bool[Array, "A"]


class Events(Pytree):
    """Perturbations by spec."""

    active: Bool[Array, "V"]
    magnitude: Float[Array, "V"]
    object: Int[Array, "V"]  # closed object, NOBODY
    member: Bool[Array, "V A"]


class Bonds(Pytree):
    """What row feels for column; both axes have length 0 in a view without ties."""

    warmth: Float[Array, "A A"]  # mean of trust and familiarity
    rivalry: Float[Array, "A A"]


class View(Pytree):
    """A town after a tick."""

    tick: Int[Array, ""]
    people: People
    doing: Doing
    events: Events
    bonds: Bonds


def look(state: TownState, output: TickOutput, intents: Intents) -> View:
    """Return the view of a town after a tick, with what happened in it but without ties, which are large."""
    seen = look_with_ties(state, output, intents)
    nothing = jnp.zeros((0, 0), jnp.float32)
    return seen.replace(bonds=Bonds(warmth=nothing, rivalry=nothing))


def look_with_ties(state: TownState, output: TickOutput, intents: Intents) -> View:
    """Return the view of a town after a tick, with what happened in it."""
    seen = still(state)
    chats, conflicts = output.outcomes.chats, output.outcomes.conflicts
    quarrels = (conflicts.rival_ghost != NOBODY) | (conflicts.rival_wait != NOBODY)
    return seen.replace(
        doing=seen.doing.replace(
            option=intents.option, spoke_to=chats.listener, spoke_well=chats.ok, quarrelled=quarrels
        )
    )


def still(state: TownState) -> View:
    """Return the view of a town of which only the state is known."""
    roster, line, ties, events = state.roster, state.queues, state.ties, state.perturbations
    nobody = jnp.full_like(line.holding, NOBODY)
    nothing = jnp.zeros_like(roster.alive)
    return View(
        tick=state.clock.tick,
        people=People(
            alive=roster.alive,
            generation=roster.generation,
            position=roster.position,
            level=state.needs.level,
            wallet=state.economy.wallet,
            job=state.employment.job,
        ),
        doing=Doing(
            holding=line.holding,
            waiting=line.waiting,
            place=queues.places(line),
            affordance=state.activities.affordance,
            on_shift=arrays.has_bit(state.employment.flags, ShiftFlag.ON_SHIFT),
            moved=(roster.last_kind == Kind.MOVE) & roster.last_ok,
            option=nobody,
            spoke_to=nobody,
            spoke_well=nothing,
            quarrelled=nothing,
        ),
        events=Events(
            active=perturbations.is_active(events),
            magnitude=events.magnitude,
            object=events.object,
            member=events.member,
        ),
        bonds=Bonds(warmth=(ties.trust + ties.familiarity) / 2, rivalry=ties.rivalry),
    )


_still = jax.jit(still)


def on_host(view: View) -> View:
    """Fetch a view into numpy arrays."""
    return jax.tree.map(np.asarray, view)  # type: ignore[no-any-return]  # tree.map keeps the type


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture of a film: the town after a tick, and what happened since the picture before."""

    view: View  # `moved`, `spoke_*` and `quarrelled` are those of all ticks since the picture before
    trail: npt.NDArray[np.int32]  # [time, A, 2] positions from the picture before on, this one's last


def snapshot(state: TownState) -> Frame:
    """Return the picture of a town (no batch axis) of which only the state is known."""
    fetched = on_host(_still(state))
    return Frame(view=fetched, trail=np.asarray(fetched.people.position)[None])


def film(chunks: Iterable[View], ticks: Sequence[int]) -> Iterator[Frame]:
    """Pick the pictures of some ticks, ascending, out of views with a leading axis of ticks that follow each other.

    A picture sums up the ticks since the one before; the first one as many as the second.
    """
    wanted = set(ticks)
    first = ticks[0] - (ticks[1] - ticks[0] if len(ticks) > 1 else 1)
    kept: list[View] = []
    for chunk in chunks:
        if int(chunk.tick[-1]) < first or int(chunk.tick[0]) > ticks[-1]:
            continue
        fetched = on_host(chunk)
        for row in range(max(0, first - int(fetched.tick[0])), len(fetched.tick)):
            kept.append(_row(fetched, row))
            if int(fetched.tick[row]) in wanted:
                yield _frame(kept)
                kept = kept[-1:]


def _row(views: View, row: int) -> View:
    return jax.tree.map(lambda leaf: leaf[row], views)  # type: ignore[no-any-return]  # tree.map keeps the type


def _frame(views: list[View]) -> Frame:
    """Sum up the ticks since the picture before; the first view is that picture's own if there are several."""
    last, since = views[-1], views[1:] if len(views) > 1 else views
    spoke_to = np.asarray(last.doing.spoke_to)
    spoke_well = np.asarray(last.doing.spoke_well)
    for view in reversed(since):
        earlier = spoke_to == NOBODY
        spoke_well = np.where(earlier, view.doing.spoke_well, spoke_well)
        spoke_to = np.where(earlier, view.doing.spoke_to, spoke_to)
    doing = last.doing.replace(
        spoke_to=spoke_to,
        spoke_well=spoke_well,
        moved=np.any([view.doing.moved for view in since], axis=0),
        quarrelled=np.any([view.doing.quarrelled for view in since], axis=0),
    )
    return Frame(view=last.replace(doing=doing), trail=np.stack([view.people.position for view in views]))
