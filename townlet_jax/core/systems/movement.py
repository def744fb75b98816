"""Who lives where, and walking (MECHANICS 4.1.2, 4.1.4, 4.2.2, 4.2.11, 4.5.2, 4.6.7). Owns `state.roster`."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import NEVER, NOBODY, Kind
from townlet_jax.core.outcomes import Moves
from townlet_jax.core.params import Params
from townlet_jax.core.state import Roster

_STEP_X = (0, 1, 0, -1)  # by Direction
_STEP_Y = (-1, 0, 1, 0)


def admit(
    params: Params, roster: Roster, *, arrived: Bool[Array, "A"], profile: Int[Array, "A"], tick: Int[Array, ""]
) -> Roster:
    """Let newcomers in, in slot order: fresh uids, at home, context reset."""
    return roster.replace(
        alive=roster.alive | arrived,
        uid=jnp.where(arrived, roster.next_uid + arrays.rank(arrived), roster.uid),
        next_uid=roster.next_uid + arrays.count(arrived),
        generation=jnp.where(arrived, roster.generation + 1, roster.generation),
        position=arrays.where_rows(arrived, params.world.home_tile[roster.home], roster.position),
        profile=jnp.where(arrived, profile, roster.profile),
        born_tick=jnp.where(arrived, tick, roster.born_tick),
        reset_flag=roster.reset_flag | arrived,
    )


def relocate(params: Params, roster: Roster, *, relocated: Int[Array, "A"]) -> Roster:
    """Put the members of starting meets on the meet tile of their spec."""
    called = relocated != NOBODY
    tile = arrays.take(params.world.meet_tile, relocated, 0)
    return roster.replace(
        position=arrays.where_rows(called, tile, roster.position), reset_flag=roster.reset_flag | called
    )


@arrays.unit
def walk(
    params: Params,
    roster: Roster,
    *,
    kind: Int[Array, "A"],
    direction: Int[Array, "A"],
    busy: Bool[Array, "A"],
) -> tuple[Roster, Moves]:
    """Step to the neighbouring tile; off the grid or blocked: bumped. Tiles may be shared and swapped."""
    blocked = params.world.blocked
    height, width = blocked.shape
    moving = (kind == Kind.MOVE) & ~(busy & params.world.busy_lock)
    step_x = jnp.asarray(_STEP_X, jnp.int32)[jnp.clip(direction, 0, 3)]
    step_y = jnp.asarray(_STEP_Y, jnp.int32)[jnp.clip(direction, 0, 3)]
    x, y = roster.position[:, 0] + step_x, roster.position[:, 1] + step_y
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    free = inside & ~blocked[jnp.clip(y, 0, height - 1), jnp.clip(x, 0, width - 1)]
    moved = moving & free
    position = arrays.where_rows(moved, jnp.stack([x, y], axis=-1), roster.position)
    return roster.replace(position=position), Moves(moved=moved, bumped=moving & ~free)


def remember(
    roster: Roster,
    *,
    acting: Bool[Array, "A"],
    kind: Int[Array, "A"],
    ok: Bool[Array, "A"],
    ticks: Int[Array, "A"],
) -> Roster:
    """Note the last action of those that act."""
    return roster.replace(
        last_kind=jnp.where(acting, kind, roster.last_kind),
        last_ok=jnp.where(acting, ok, roster.last_ok),
        last_ticks=jnp.where(acting, ticks, roster.last_ticks),
    )


def away_from_home(params: Params, roster: Roster) -> Bool[Array, "A"]:
    """Tell who is alive and not on its home tile."""
    return roster.alive & jnp.any(roster.position != params.world.home_tile[roster.home], axis=-1)


def send_home(params: Params, roster: Roster, *, moved: Bool[Array, "A"]) -> Roster:
    """Put agents on their home tile (midnight)."""
    home = params.world.home_tile[roster.home]
    return roster.replace(position=arrays.where_rows(moved, home, roster.position))


def settle(params: Params, roster: Roster, *, gone: Bool[Array, "A"]) -> Roster:
    """End the tick: the context reset has been seen, leavers are taken off the roster."""
    return roster.replace(
        alive=roster.alive & ~gone,
        position=arrays.where_rows(gone, params.world.home_tile[roster.home], roster.position),
        profile=jnp.where(gone, 0, roster.profile),
        born_tick=jnp.where(gone, NEVER, roster.born_tick),
        last_kind=jnp.where(gone, Kind.WAIT, roster.last_kind),
        last_ok=roster.last_ok & ~gone,
        last_ticks=jnp.where(gone, 0, roster.last_ticks),
        reset_flag=jnp.zeros_like(roster.reset_flag),
    )
