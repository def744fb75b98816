"""The town: one immutable record of slices, one writer a slice (MECHANICS 2.1).

Whatever belongs to an engagement is kept on the agent axis, because an agent is engaged with at most one
object: `holding[a]`, `waiting[a]`, `affordance[a]` say all that `holder[o]` and the queues say, in A numbers
instead of O x A. `core.systems.queues.holders` turns it round. "empty" is the value of a vacant slot.
"""

from jaxtyping import Array, Bool, Float, Int, Key

from townlet_jax.core.struct import Pytree


class Clock(Pytree):
    """Writer: tick."""

    tick: Int[Array, ""]  # last executed tick, 0 after init
    episode_tick: Int[Array, "A"]  # 0..D-1, empty 0


class Roster(Pytree):
    """Who lives where. Writer: movement (admission by lifecycle)."""

    alive: Bool[Array, "A"]
    uid: Int[Array, "A"]  # unique for ever, empty NOBODY until the first individual, then the last one's
    generation: Int[Array, "A"]  # arrivals in this slot after the first
    next_uid: Int[Array, ""]
    position: Int[Array, "A 2"]  # (x, y), empty home tile
    home: Int[Array, "A"]
    profile: Int[Array, "A"]  # empty 0
    born_tick: Int[Array, "A"]  # empty NEVER
    last_kind: Int[Array, "A"]  # Kind, empty WAIT
    last_ok: Bool[Array, "A"]  # empty false
    last_ticks: Int[Array, "A"]  # duration of the last action, empty 0
    reset_flag: Bool[Array, "A"]  # the next observation says "context reset"


class Needs(Pytree):
    """Writer: needs."""

    level: Float[Array, "A N"]  # [0, 1], empty 0


class Queues(Pytree):
    """Who holds and who waits. Writer: queues."""

    holding: Int[Array, "A"]  # object held, empty NOBODY
    waiting: Int[Array, "A"]  # object waited for, empty NOBODY; never both
    joined_tick: Int[Array, "A"]  # tick of joining the queue, NEVER unless waiting
    ticket: Int[Array, "A"]  # order in the queue, lowest first, 0 unless waiting
    cooldown_until: Int[Array, "O A"]  # requests are refused while t < it, empty 0
    stalls: Int[Array, "A"]  # attempts counted against the holder, 0 unless holding
    away_ticks: Int[Array, "A"]  # consecutive ticks out of range of the engaged object
    cooldown_events: Int[Array, ""]  # monotone counters
    ghost_steps: Int[Array, ""]
    rotations: Int[Array, ""]


class Activities(Pytree):
    """What runs. Writer: affordances."""

    affordance: Int[Array, "A"]  # run on the held object, empty NOBODY
    remaining: Int[Array, "A"]  # ticks left, >= 1 while running, empty 0


class Ties(Pytree):
    """What row feels for column; diagonal 0. Writer: relationships."""

    trust: Float[Array, "A A"]  # [-1, 1]
    familiarity: Float[Array, "A A"]  # [-1, 1]
    rivalry: Float[Array, "A A"]  # [0, 1]
    chat_ready_tick: Int[Array, "A"]  # may speak when t >= it, empty 0
    last_meal_tick: Int[Array, "A"]  # last finished meal, empty NEVER


class Employment(Pytree):
    """Shifts. Writer: employment."""

    job: Int[Array, "A"]  # NOBODY = none; survives death
    phase: Int[Array, "A"]  # Phase
    shift_start_tick: Int[Array, "A"]  # r = 0 of the open shift, empty NEVER
    last_present_tick: Int[Array, "A"]  # empty NEVER
    on_time_ticks: Int[Array, "A"]  # of the open, else the last shift
    late_ticks: Int[Array, "A"]
    late_today: Int[Array, "A"]
    flags: Int[Array, "A"]  # ShiftFlag bits
    shift_paid: Float[Array, "A"]
    shift_withheld: Float[Array, "A"]
    attendance: Float[Array, "A W"]  # samples, newest first, empty -1
    absence_day: Int[Array, "A Q"]  # day numbers, newest first, empty NEVER


class Exits(Pytree):
    """The exit queue. Writer: exits."""

    asked_tick: Int[Array, "A"]  # empty NEVER
    approved: Bool[Array, "A"]
    exits_today: Int[Array, ""]


class Economy(Pytree):
    """Coins and goods. Writer: economy."""

    wallet: Float[Array, "A"]  # >= 0, empty 0
    stock: Float[Array, "O G"]  # >= 0
    unpaid_days: Int[Array, "A"]


class Perturbations(Pytree):
    """Active and queued events. Writer: perturbations."""

    until_tick: Int[Array, "V"]  # ends at that tick; NEVER = inactive
    started_tick: Int[Array, "V"]
    magnitude: Float[Array, "V"]  # price factor, inactive 1
    object: Int[Array, "V"]  # closed object, or an operator's choice for a queued start; NOBODY
    member: Bool[Array, "V A"]  # participants; preset by an operator
    cooldown_until: Int[Array, "V"]
    agent_cooldown_until: Int[Array, "A"]
    fired_tick: Int[Array, "V Z"]  # starts, newest first
    queued_tick: Int[Array, "V"]  # operator start due, NEVER = none
    queued_ticks: Int[Array, "V"]  # -1 = draw
    queued_magnitude: Float[Array, "V"]  # -1 = draw
    quiet_until: Int[Array, ""]


class Lifecycle(Pytree):
    """Coming and going. Writer: lifecycle."""

    respawn_tick: Int[Array, "A"]  # arrival due, NEVER = none
    died_tick: Int[Array, "A"]
    faint_streak: Int[Array, "A"]
    condemned: Int[Array, "A"]  # operator kill: 0 no, 1 with respawn, 2 for good


class Embeddings(Pytree):
    """Identity slots. Writer: lifecycle."""

    slot: Int[Array, "A"]  # empty NOBODY
    released_tick: Int[Array, "E"]  # NEVER = never released
    allocations: Int[Array, ""]
    forced_reuses: Int[Array, ""]


class Controls(Pytree):
    """What the operator set. Writer: edits only."""

    price: Float[Array, "P"]  # coins, before spikes
    mortality: Bool[Array, ""]
    daily_exit_cap: Int[Array, ""]
    respawn_min: Int[Array, ""]
    respawn_max: Int[Array, ""]
    possessed: Bool[Array, "A"]


class Ledger(Pytree):
    """Writer: rewards."""

    episode_return: Float[Array, "A"]
    potential: Float[Array, "A"]


class Tally(Pytree):
    """Lifetime counters of the individual. Writer: kpis."""

    count: Int[Array, "A C"]  # columns Counter
    earned: Float[Array, "A"]
    withheld: Float[Array, "A"]
    spent: Float[Array, "A"]


class TownState(Pytree):
    """One town between two ticks."""

    key: Key[Array, ""]  # the town's key, never split
    clock: Clock
    roster: Roster
    needs: Needs
    queues: Queues
    activities: Activities
    ties: Ties
    employment: Employment
    exits: Exits
    economy: Economy
    perturbations: Perturbations
    lifecycle: Lifecycle
    embeddings: Embeddings
    controls: Controls
    ledger: Ledger
    tally: Tally
    faults: Int[Array, ""]  # Fault bits, sticky
