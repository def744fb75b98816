"""Phase night: deliveries in every tick, the rest at midnight (4.5)."""

from reference.scene import Scene, clip
from townlet_jax.core.enums import EPSILON, Abort, Phase


def restock(scene: Scene) -> None:
    """4.5.1: rows in order; each delivery is cut off at the cap."""
    rows, world, economy = scene.params.restock, scene.params.world, scene.state.economy
    day = scene.params.clock.ticks_per_day
    for row, kind in enumerate(rows.object_type):
        if ((scene.tick_of_day - rows.at[row]) % day) % rows.every[row] != 0:
            continue
        good = rows.good[row]
        for o, object_type in enumerate(world.object_type):
            if world.present[o] and object_type == kind:
                added = clip(rows.cap[row] - economy.stock[o][good], 0.0, rows.amount[row])
                economy.stock[o][good] += added
                scene.out.outcomes.trades.restocked[o][good] += added


def midnight(scene: Scene) -> None:
    """4.5.2: only in the first tick of a day."""
    if scene.tick_of_day != 0:
        return
    scene.out.outcomes.night.is_night = True
    for a in scene.living:
        return_home(scene, a)
        lift(scene, a)
        charge_rent(scene, a)
    scene.state.exits.exits_today = 0
    if scene.params.reward.daily_episode:
        scene.state.ledger.episode_return = [0.0] * len(scene.agents)


def return_home(scene: Scene, a: int) -> None:
    """4.5.2.1."""
    roster = scene.state.roster
    home_tile = scene.params.world.home_tile[roster.home[a]]
    if scene.params.lifecycle.return_home and roster.position[a] != home_tile:
        scene.end_engagement(a, Abort.NIGHT)
        roster.position[a] = home_tile[:]
        scene.out.outcomes.night.moved[a] = True


def lift(scene: Scene, a: int) -> None:
    """4.5.2.2: needs rise to the floor, the working day is closed."""
    level, work = scene.state.needs.level[a], scene.state.employment
    for n, floor in enumerate(scene.params.needs.night_floor):
        if level[n] < floor:
            level[n] = floor
            scene.out.outcomes.night.lifted[a] = True
    work.late_today[a] = 0
    if work.phase[a] == Phase.POST:
        work.phase[a] = int(Phase.IDLE)


def charge_rent(scene: Scene, a: int) -> None:
    """4.5.2.3: all of it or nothing."""
    rent, economy, trades = scene.params.economy.rent_per_day, scene.state.economy, scene.out.outcomes.trades
    if rent <= 0:
        return
    if economy.wallet[a] + EPSILON >= rent:
        left = max(0.0, economy.wallet[a] - rent)
        trades.rent_paid[a] = rent
        economy.wallet[a] = left
        economy.unpaid_days[a] = 0
    else:
        economy.unpaid_days[a] += 1
        trades.rent_unpaid[a] = True
