"""What happened in a tick: dense records on their natural axis (MECHANICS 4.7). Outputs, never state.

What belongs to an engagement stands on the agent axis, as in `core.state`. Whatever a caller does not
collect, XLA removes.
"""

from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree


class Arrivals(Pytree):
    """Slots filled in this tick."""

    arrived: Bool[Array, "A"]
    uid: Int[Array, "A"]  # NOBODY where nobody arrived
    forced_reuses: Int[Array, ""]  # embedding slots reused before their cooldown


class Shocks(Pytree):
    """Effective shocks of the tick, recomputed from the active events; never stored."""

    price_factor: Float[Array, "P"]
    utility_on: Bool[Array, "U"]
    closed: Bool[Array, "O"]
    city_event: Bool[Array, ""]
    started: Bool[Array, "V"]
    ended: Bool[Array, "V"]
    relocated: Int[Array, "A"]  # spec of the starting meet, NOBODY


class Verdicts(Pytree):
    """What became of each intent."""

    kind: Int[Array, "A"]
    ok: Bool[Array, "A"]
    reason: Int[Array, "A"]  # Reason
    detail: Int[Array, "A"]  # index of the first false clause, -1
    direction: Int[Array, "A"]
    object: Int[Array, "A"]
    affordance: Int[Array, "A"]
    target: Int[Array, "A"]


class Moves(Pytree):
    """Steps taken and refused."""

    moved: Bool[Array, "A"]
    bumped: Bool[Array, "A"]


class Grants(Pytree):
    """Object granted to each agent, NOBODY: after requests, in a ghost step, after finishes."""

    act: Int[Array, "A"]
    ghost: Int[Array, "A"]
    live: Int[Array, "A"]


class Starts(Pytree):
    """Affordances begun."""

    affordance: Int[Array, "A"]  # NOBODY
    object: Int[Array, "A"]  # NOBODY
    cost: Float[Array, "A"]  # coins


class Aborts(Pytree):
    """The last abort of an agent in the tick."""

    reason: Int[Array, "A"]  # Abort
    object: Int[Array, "A"]
    affordance: Int[Array, "A"]


class EarlyFinishes(Pytree):
    """Successful releases while running."""

    object: Int[Array, "A"]  # NOBODY
    affordance: Int[Array, "A"]
    fraction: Float[Array, "A"]  # elapsed / duration


class Finishes(Pytree):
    """Affordances run to their end."""

    affordance: Int[Array, "A"]  # NOBODY
    object: Int[Array, "A"]  # NOBODY
    need_delta: Float[Array, "A N"]  # early finishes included
    produced: Float[Array, "A G"]  # units
    sink: Int[Array, "A G"]  # object that took them, NOBODY


class Handovers(Pytree):
    """Holds passed on politely: row = leaver."""

    object: Int[Array, "A"]  # NOBODY where nobody waited
    successor: Int[Array, "A"]  # polite partner
    preferred: Bool[Array, "A"]  # chosen by ties, not by the queue's order
    rotated: Bool[Array, "A"]  # the preferred successor jumped the queue
    early: Bool[Array, "A"]  # after an early release, not a finish


class Conflicts(Pytree):
    """Queue conflicts. `rival_ghost[a]`: who displaced holder a; `rival_wait[a]`: the holder a waits for."""

    rival_ghost: Int[Array, "A"]  # NOBODY
    intensity_ghost: Float[Array, "A"]
    object_ghost: Int[Array, "A"]
    length_ghost: Int[Array, "A"]  # waiting agents
    rival_wait: Int[Array, "A"]  # NOBODY
    intensity_wait: Float[Array, "A"]
    object_wait: Int[Array, "A"]
    length_wait: Int[Array, "A"]


class QueueLosses(Pytree):
    """Engagements ended by distance (4.2.10)."""

    object: Int[Array, "A"]  # NOBODY


class Chats(Pytree):
    """Chats that happened, row = speaker."""

    listener: Int[Array, "A"]  # NOBODY = no chat
    ok: Bool[Array, "A"]
    quality: Float[Array, "A"]  # 0 for failures
    forced_failure: Bool[Array, "A"]  # refused, counted as a failure


class Shifts(Pytree):
    """What employment did (4.4.5)."""

    paid: Float[Array, "A"]
    withheld: Float[Array, "A"]
    fine: Float[Array, "A"]
    fine_taken: Float[Array, "A"]  # what the wallet could give
    phase_entered: Int[Array, "A"]  # -1 = unchanged
    begun: Bool[Array, "A"]
    finalised: Bool[Array, "A"]
    sample: Float[Array, "A"]  # attendance of the finalised shift, 0 otherwise
    on_time_ticks: Int[Array, "A"]  # of the finalised shift, 0 otherwise
    length: Int[Array, "A"]  # ticks of the finalised shift, 0 otherwise
    fined: Bool[Array, "A"]
    late_told: Bool[Array, "A"]
    absent_told: Bool[Array, "A"]
    departed: Bool[Array, "A"]
    helped: Bool[Array, "A A"]  # late agent a, coworker b
    took_shift: Bool[Array, "A A"]  # absent agent a, coworker b


class TieChanges(Pytree):
    """After minus before, and edges of the tie graph."""

    trust_delta: Float[Array, "A A"]
    familiarity_delta: Float[Array, "A A"]
    rivalry_delta: Float[Array, "A A"]
    added: Bool[Array, "A A"]
    evicted: Bool[Array, "A A"]
    faded: Bool[Array, "A A"]
    shared_meal: Bool[Array, "A A"]  # upper triangle


class Trades(Pytree):
    """Goods and rent."""

    restocked: Float[Array, "O G"]
    basket_cost: Float[Array, ""]
    price_now: Float[Array, "P"]
    rent_paid: Float[Array, "A"]
    rent_unpaid: Bool[Array, "A"]


class Night(Pytree):
    """Midnight."""

    is_night: Bool[Array, ""]
    moved: Bool[Array, "A"]
    lifted: Bool[Array, "A"]  # some need was raised to the floor


class ExitQueue(Pytree):
    """The exit queue in this tick."""

    pending: Bool[Array, "A"]  # asked in this tick
    overflow: Bool[Array, "A"]  # asked beyond the limit
    route: Int[Array, "A"]  # ExitRoute


class Departures(Pytree):
    """Who left."""

    gone: Bool[Array, "A"]
    reason: Int[Array, "A"]  # Exit
    respawn_tick: Int[Array, "A"]  # NEVER


class Rewards(Pytree):
    """The reward and every term of it, after personality bias (4.6.2)."""

    total: Float[Array, "A"]
    survival: Float[Array, "A"]
    needs_penalty: Float[Array, "A"]
    social_bonus: Float[Array, "A"]
    social_penalty: Float[Array, "A"]
    social_avoidance: Float[Array, "A"]
    wage: Float[Array, "A"]
    punctuality: Float[Array, "A"]
    shaping: Float[Array, "A"]
    terminal: Float[Array, "A"]
    homeostasis: Float[Array, "A"]
    work: Float[Array, "A"]
    social: Float[Array, "A"]
    clip_adjustment: Float[Array, "A"]
    guard: Bool[Array, "A"]
    clipped: Bool[Array, "A"]


class Outcomes(Pytree):
    """Everything that happened in one tick."""

    arrivals: Arrivals
    shocks: Shocks
    verdicts: Verdicts
    moves: Moves
    grants: Grants
    starts: Starts
    aborts: Aborts
    early_finishes: EarlyFinishes
    finishes: Finishes
    handovers: Handovers
    conflicts: Conflicts
    queue_losses: QueueLosses
    chats: Chats
    shifts: Shifts
    tie_changes: TieChanges
    trades: Trades
    night: Night
    exit_queue: ExitQueue
    departures: Departures
    rewards: Rewards


class Measures(Pytree):
    """Scalars and short vectors per town and tick (9.1)."""

    alive: Int[Array, ""]
    need_mean: Float[Array, "N"]
    need_min: Float[Array, "N"]
    wallet_mean: Float[Array, ""]
    wallet_min: Float[Array, ""]
    wallet_gini: Float[Array, ""]
    conflicts: Int[Array, ""]
    conflict_intensity: Float[Array, ""]
    ghost_steps: Int[Array, ""]
    impatience: Int[Array, ""]
    handovers: Int[Array, ""]
    rotations: Int[Array, ""]
    cooldown_refusals: Int[Array, ""]
    queue_length_mean: Float[Array, ""]
    queue_length_max: Int[Array, ""]
    chats_ok: Int[Array, ""]
    chats_failed: Int[Array, ""]
    chat_quality: Float[Array, ""]
    shared_meals: Int[Array, ""]
    late_help: Int[Array, ""]
    shifts_taken: Int[Array, ""]
    late_starts: Int[Array, ""]
    absences: Int[Array, ""]
    departures_early: Int[Array, ""]
    on_shift: Int[Array, ""]
    wages_paid: Float[Array, ""]
    wages_withheld: Float[Array, ""]
    fines: Float[Array, ""]
    coins_spent: Float[Array, ""]
    rent_paid: Float[Array, ""]
    rent_unpaid: Int[Array, ""]
    starts: Int[Array, "K"]
    finishes: Int[Array, "K"]
    aborts: Int[Array, "8"]
    refusals: Int[Array, "21"]
    restocked: Float[Array, "G"]
    stock: Float[Array, "G"]
    basket_cost: Float[Array, ""]
    exits: Int[Array, "6"]
    arrivals: Int[Array, ""]
    forced_reuses: Int[Array, ""]
    active_perturbations: Int[Array, ""]
    reward_mean: Float[Array, ""]
    reward_min: Float[Array, ""]
    reward_max: Float[Array, ""]
    terms: Float[Array, "9"]
    trust_mean: Float[Array, ""]
    familiarity_mean: Float[Array, ""]
    rivalry_mean: Float[Array, ""]
    rivalry_max: Float[Array, ""]
    known_ties: Int[Array, ""]
    switches: Int[Array, ""]
    actions: Int[Array, "9"]


class TickOutput(Pytree):
    """What a tick gives to the outside besides the next state."""

    outcomes: Outcomes
    measures: Measures
    seen: TownState  # after judge, before leave: what observations show (4.6.5)
    reward: Float[Array, "A"]
    terminated: Bool[Array, "A"]
    truncated: Bool[Array, "A"]
    valid: Bool[Array, "A"]  # the slot was alive at the start of the tick
