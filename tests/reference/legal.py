"""Which flat actions may succeed in the next tick (5.3), and the scene of a town in which nothing happens."""

from types import SimpleNamespace

from reference import decode, starts, wake
from reference.act import STEP
from reference.outputs import blank_output
from reference.records import Plain
from reference.scene import Scene
from townlet_jax.core.enums import EPSILON, NOBODY


def still(params: Plain, state: Plain, tick: int) -> Scene:
    """Return a scene that answers questions about a town as it stands, with the costs and shocks in force."""
    scene = Scene(
        params=params,
        state=state,
        out=blank_output(params, state),
        draws=SimpleNamespace(),
        intents=None,
        tick=tick,
        tick_of_day=tick % params.clock.ticks_per_day,
        day=tick // params.clock.ticks_per_day,
        acting=state.roster.alive,
    )
    wake.report_shocks(scene)
    return scene


def mask(params: Plain, state: Plain) -> list[list[bool]]:
    """Return the mask of a town at the end of a tick, for the next tick."""
    scene = still(params, state, state.clock.tick + 1)
    return [legal_actions(scene, a) for a in scene.agents]


def legal_actions(scene: Scene, a: int) -> list[bool]:
    """Return for each flat action of one agent whether it is legal; a dead slot can only wait."""
    uses = range(len(scene.params.affordances.object_type))
    if not scene.state.roster.alive[a]:
        return [True] + [False] * (len(STEP) + len(uses) + 2)
    return [
        True,
        *(may_move(scene, a, step) for step in STEP),
        *(may_use(scene, a, k) for k in uses),
        scene.engaged_object(a) != NOBODY and not scene.busy(a),
        may_chat(scene, a),
    ]


def may_move(scene: Scene, a: int, step: tuple[int, int]) -> bool:
    """Say whether the next tile is open ground and nothing holds the agent."""
    x, y = scene.state.roster.position[a]
    if scene.busy(a) and scene.params.world.busy_lock:
        return False
    return not is_wall(scene, x + step[0], y + step[1])


def is_wall(scene: Scene, x: int, y: int) -> bool:
    """Say whether a tile is blocked or off the grid."""
    blocked = scene.params.world.blocked
    inside = 0 <= y < len(blocked) and 0 <= x < len(blocked[0])
    return not inside or bool(blocked[y][x])


def may_use(scene: Scene, a: int, k: int) -> bool:
    """Say whether there is an object to use, and whether it would start as far as can be told."""
    if scene.busy(a):
        return False
    o = decode.best_object(scene, a, k)
    return o != NOBODY and startable(scene, a, o, k)


def startable(scene: Scene, a: int, o: int, k: int) -> bool:
    """5.3: utilities, slots, goods, coins; preconditions where the object is held by the agent or free."""
    table, queues = scene.params.affordances, scene.queues()
    stock = scene.state.economy.stock[o]
    if not scene.utilities_on(k) or scene.params.world.capacity[o] < table.slot_use[k]:
        return False
    if any(units < wanted for units, wanted in zip(stock, table.consume[k], strict=True)):
        return False
    if scene.state.economy.wallet[a] + EPSILON < scene.cost[k]:
        return False
    own = scene.state.queues.holding[a] == o
    free = o not in scene.holders() and o not in queues
    return not (own or free) or starts.failing_clause(scene, a, o, k, queues) == -1


def may_chat(scene: Scene, a: int) -> bool:
    """Say whether the agent is awake, may speak again, and somebody is there."""
    ready = scene.tick >= scene.state.ties.chat_ready_tick[a]
    return ready and not scene.asleep(a) and decode.best_partner(scene, a) != NOBODY
