"""The measures of one tick (9.1), of the town after judge and before leave."""

from reference.rewards import TERMS
from reference.scene import Scene
from townlet_jax.core.enums import NEVER, NOBODY, Reason, ShiftFlag


def measure(scene: Scene) -> None:
    """9.1."""
    measure_agents(scene)
    measure_queues(scene)
    measure_society(scene)
    measure_work(scene)
    measure_things(scene)
    measure_rewards(scene)
    measure_ties(scene)


def mean(values: list[float]) -> float:
    """Return the mean, 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def measure_agents(scene: Scene) -> None:
    """Who lives, how they fare, what they did."""
    m, state, living = scene.out.measures, scene.state, scene.living
    m.alive = len(living)
    columns = [[state.needs.level[a][n] for a in living] for n in range(3)]
    m.need_mean = [mean(column) for column in columns]
    m.need_min = [min(column, default=0.0) for column in columns]
    wallets = [state.economy.wallet[a] for a in living]
    m.wallet_mean, m.wallet_min = mean(wallets), min(wallets, default=0.0)
    gaps = sum(abs(u - w) for u in wallets for w in wallets)
    m.wallet_gini = gaps / (2 * len(wallets) ** 2 * m.wallet_mean) if m.wallet_mean > 0 else 0.0
    verdicts = scene.out.outcomes.verdicts
    for a in scene.agents:
        if scene.acting[a]:
            m.actions[verdicts.kind[a]] += 1
            if verdicts.reason[a] != Reason.NONE:
                m.refusals[verdicts.reason[a]] += 1
    m.switches = sum(scene.intents.switched[a] for a in scene.agents if scene.acting[a])


def measure_queues(scene: Scene) -> None:
    """Conflicts, handovers, lengths."""
    m, out, queues = scene.out.measures, scene.out.outcomes, scene.state.queues
    m.conflicts = len(scene.queue_records)
    m.conflict_intensity = sum(intensity for _, _, intensity in scene.queue_records)
    m.ghost_steps = sum(rival != NOBODY for rival in out.conflicts.rival_ghost)
    m.impatience = sum(rival != NOBODY for rival in out.conflicts.rival_wait)
    m.handovers = sum(o != NOBODY for o in out.handovers.object)
    m.rotations = m.ghost_steps + sum(out.handovers.rotated)
    m.cooldown_refusals = m.refusals[Reason.COOLDOWN]
    present = [o for o, is_present in enumerate(scene.params.world.present) if is_present]
    lengths = [queues.waiting.count(o) for o in present]
    m.queue_length_mean, m.queue_length_max = mean(lengths), max(lengths, default=0)


def measure_society(scene: Scene) -> None:
    """Chats and meals."""
    m, chats, changes = scene.out.measures, scene.out.outcomes.chats, scene.out.outcomes.tie_changes
    good = [a for a in scene.agents if chats.listener[a] != NOBODY and chats.ok[a]]
    m.chats_ok = len(good)
    m.chats_failed = sum(b != NOBODY for b in chats.listener) - len(good)
    m.chat_quality = mean([chats.quality[a] for a in good])
    m.shared_meals = sum(sum(row) for row in changes.shared_meal)


def measure_work(scene: Scene) -> None:
    """Shifts and coins."""
    m, out = scene.out.measures, scene.out.outcomes
    shifts = out.shifts
    m.late_help = sum(sum(row) for row in shifts.helped)
    m.shifts_taken = sum(sum(row) for row in shifts.took_shift)
    m.late_starts, m.absences = sum(shifts.late_told), sum(shifts.absent_told)
    m.departures_early = sum(shifts.departed)
    m.on_shift = sum(flags & ShiftFlag.ON_SHIFT != 0 for flags in scene.state.employment.flags)
    m.wages_paid, m.wages_withheld, m.fines = sum(shifts.paid), sum(shifts.withheld), sum(shifts.fine_taken)
    m.coins_spent, m.rent_paid = sum(out.starts.cost), sum(out.trades.rent_paid)
    m.rent_unpaid = sum(out.trades.rent_unpaid)


def measure_things(scene: Scene) -> None:
    """Affordances, goods, exits, events."""
    m, out, params = scene.out.measures, scene.out.outcomes, scene.params
    goods = range(len(params.world.stock_start[0]))
    kinds = range(len(params.affordances.object_type))
    m.starts = [out.starts.affordance.count(k) for k in kinds]
    m.finishes = [out.finishes.affordance.count(k) for k in kinds]
    for reason in out.departures.reason:
        m.exits[reason] += reason != 0
    m.restocked = [sum(row[g] for row in out.trades.restocked) for g in goods]
    m.stock = [sum(row[g] for row in scene.state.economy.stock) for g in goods]
    weights = params.economy.basket_weight
    m.basket_cost = sum(w * p for w, p in zip(weights, out.trades.price_now, strict=True))
    out.trades.basket_cost = m.basket_cost
    m.arrivals, m.forced_reuses = sum(out.arrivals.arrived), out.arrivals.forced_reuses
    m.active_perturbations = sum(until != NEVER for until in scene.state.perturbations.until_tick)


def count_aborts(scene: Scene) -> None:
    """Count the aborts of the tick by reason, those of the leave phase included."""
    for reason in scene.out.outcomes.aborts.reason:
        scene.out.measures.aborts[reason] += reason != 0


def measure_rewards(scene: Scene) -> None:
    """Rewards and their nine terms over the valid slots."""
    m, record = scene.out.measures, scene.out.outcomes.rewards
    valid = [a for a in scene.agents if scene.acting[a]]
    totals = [record.total[a] for a in valid]
    m.reward_mean, m.reward_min, m.reward_max = mean(totals), min(totals, default=0.0), max(totals, default=0.0)
    m.terms = [mean([getattr(record, name)[a] for a in valid]) for name in TERMS]


def measure_ties(scene: Scene) -> None:
    """Ties over the ordered pairs of living agents."""
    m, ties = scene.out.measures, scene.state.ties
    pairs = [(a, b) for a in scene.living for b in scene.living if a != b]
    trust, familiarity, rivalry = (
        [matrix[a][b] for a, b in pairs] for matrix in (ties.trust, ties.familiarity, ties.rivalry)
    )
    m.trust_mean, m.familiarity_mean, m.rivalry_mean = mean(trust), mean(familiarity), mean(rivalry)
    m.rivalry_max = max(rivalry, default=0.0)
    m.known_ties = sum(values != (0, 0, 0) for values in zip(trust, familiarity, rivalry, strict=True))
