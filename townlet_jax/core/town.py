"""The town at tick 0 (MECHANICS 1.6, 2.1, 8.1)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from townlet_jax.core import arrays, personality, rng
from townlet_jax.core.enums import NEVER, NOBODY, NUM_COUNTERS, NUM_NEEDS, Kind, Phase, Stream
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import (
    Activities,
    Clock,
    Controls,
    Economy,
    Embeddings,
    Employment,
    Exits,
    Ledger,
    Lifecycle,
    Needs,
    Perturbations,
    Queues,
    Roster,
    Tally,
    Ties,
    TownState,
)
from townlet_jax.core.systems import rewards


def init(spec: Spec, params: Params, key: Key[Array, ""]) -> TownState:
    """Return the town before its first tick; `key` is the town's own key and stays in the state."""
    start = params.start
    alive = start.alive
    unit = rng.uniform(rng.stream(key, 0, Stream.RESET), spec.num_agents, NUM_NEEDS + 2)
    drawn = params.needs.start_low + (params.needs.start_high - params.needs.start_low) * unit[:, :NUM_NEEDS]
    level = jnp.where(start.level >= 0, start.level, drawn)
    level = arrays.where_rows(alive, level, jnp.zeros_like(level))
    purse = params.economy
    coins = purse.start_wallet_low + (purse.start_wallet_high - purse.start_wallet_low) * unit[:, NUM_NEEDS]
    wallet = jnp.where(alive, jnp.where(start.wallet >= 0, start.wallet, coins), 0.0)
    profile = personality.draw(params.personality, start.profile, unit[:, NUM_NEEDS + 1])
    zero, nobody = jnp.zeros(spec.num_agents, jnp.int32), jnp.full(spec.num_agents, NOBODY, jnp.int32)
    return TownState(
        key=key,
        clock=Clock(tick=jnp.int32(0), episode_tick=zero),
        roster=_roster(params, jnp.where(alive, profile, 0)),
        needs=Needs(level=level),
        queues=_queues(spec),
        activities=Activities(affordance=nobody, remaining=zero),
        ties=Ties(
            trust=start.trust,
            familiarity=start.familiarity,
            rivalry=start.rivalry,
            chat_ready_tick=zero,
            last_meal_tick=jnp.full_like(zero, NEVER),
        ),
        employment=_employment(spec, start.job),
        exits=Exits(asked_tick=jnp.full_like(zero, NEVER), approved=jnp.zeros_like(alive), exits_today=jnp.int32(0)),
        economy=Economy(wallet=wallet, stock=params.world.stock_start, unpaid_days=zero),
        perturbations=_perturbations(spec),
        lifecycle=Lifecycle(
            respawn_tick=jnp.full_like(zero, NEVER),
            died_tick=jnp.full_like(zero, NEVER),
            faint_streak=zero,
            condemned=zero,
        ),
        embeddings=Embeddings(
            slot=jnp.where(alive, arrays.rank(alive), NOBODY),
            released_tick=jnp.full(spec.embedding_slots, NEVER, jnp.int32),
            allocations=arrays.count(alive),
            forced_reuses=jnp.int32(0),
        ),
        controls=_controls(spec, params),
        ledger=_ledger(params, level),
        tally=Tally(
            count=jnp.zeros((spec.num_agents, NUM_COUNTERS), jnp.int32),
            earned=jnp.zeros_like(wallet),
            withheld=jnp.zeros_like(wallet),
            spent=jnp.zeros_like(wallet),
        ),
        faults=jnp.int32(0),
    )


def _roster(params: Params, profile: Int[Array, "A"]) -> Roster:
    start = params.start
    zero = jnp.zeros_like(profile)
    return Roster(
        alive=start.alive,
        uid=jnp.where(start.alive, arrays.indices(profile), NOBODY),
        generation=zero,
        next_uid=jnp.int32(profile.shape[0]),
        position=arrays.where_rows(start.alive, start.position, params.world.home_tile[start.home]),
        home=start.home,
        profile=profile,
        born_tick=jnp.where(start.alive, jnp.int32(0), jnp.int32(NEVER)),
        last_kind=zero + Kind.WAIT,
        last_ok=jnp.zeros_like(start.alive),
        last_ticks=zero,
        reset_flag=jnp.zeros_like(start.alive),
    )


def _queues(spec: Spec) -> Queues:
    zero, nobody = jnp.zeros(spec.num_agents, jnp.int32), jnp.full(spec.num_agents, NOBODY, jnp.int32)
    return Queues(
        holding=nobody,
        waiting=nobody,
        joined_tick=jnp.full_like(zero, NEVER),
        ticket=zero,
        cooldown_until=jnp.zeros((spec.num_objects, spec.num_agents), jnp.int32),
        stalls=zero,
        away_ticks=zero,
        cooldown_events=jnp.int32(0),
        ghost_steps=jnp.int32(0),
        rotations=jnp.int32(0),
    )


def _employment(spec: Spec, job: Int[Array, "A"]) -> Employment:
    zero = jnp.zeros(spec.num_agents, jnp.int32)
    never = jnp.full_like(zero, NEVER)
    coins = jnp.zeros(spec.num_agents, jnp.float32)
    return Employment(
        job=job,
        phase=zero + Phase.IDLE,
        shift_start_tick=never,
        last_present_tick=never,
        on_time_ticks=zero,
        late_ticks=zero,
        late_today=zero,
        flags=zero,
        shift_paid=coins,
        shift_withheld=coins,
        attendance=jnp.full((spec.num_agents, spec.attendance_window), -1.0, jnp.float32),
        absence_day=jnp.full((spec.num_agents, spec.absence_ring), NEVER, jnp.int32),
    )


def _perturbations(spec: Spec) -> Perturbations:
    never = jnp.full(spec.num_perturbations, NEVER, jnp.int32)
    return Perturbations(
        until_tick=never,
        started_tick=never,
        magnitude=jnp.ones(spec.num_perturbations, jnp.float32),
        object=jnp.full_like(never, NOBODY),
        member=jnp.zeros((spec.num_perturbations, spec.num_agents), bool),
        cooldown_until=jnp.zeros_like(never),
        agent_cooldown_until=jnp.zeros(spec.num_agents, jnp.int32),
        fired_tick=jnp.full((spec.num_perturbations, spec.fired_ring), NEVER, jnp.int32),
        queued_tick=never,
        queued_ticks=jnp.full_like(never, -1),
        queued_magnitude=jnp.full(spec.num_perturbations, -1.0, jnp.float32),
        quiet_until=jnp.int32(0),
    )


def _controls(spec: Spec, params: Params) -> Controls:
    rules = params.lifecycle
    return Controls(
        price=params.economy.price,
        mortality=rules.mortality,
        daily_exit_cap=rules.daily_exit_cap,
        respawn_min=rules.respawn_min,
        respawn_max=rules.respawn_max,
        possessed=jnp.zeros(spec.num_agents, bool),
    )


def _ledger(params: Params, level: Float[Array, "A N"]) -> Ledger:
    potential = rewards.potential(params.reward, level)
    return Ledger(episode_return=jnp.zeros_like(potential), potential=jnp.where(params.start.alive, potential, 0.0))
