"""What a tick was worth to each agent (MECHANICS 4.6.2, 8.4). Owns `state.ledger`."""

import functools

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays, personality
from townlet_jax.core.enums import NOBODY, Avoidance, Exit, RewardGroup, ShiftFlag
from townlet_jax.core.outcomes import Chats, Rewards, Shifts
from townlet_jax.core.params import Params, RewardParams
from townlet_jax.core.state import Employment, Ledger, Ties


@arrays.unit
def potential(params: RewardParams, level: Float[Array, "*a N"]) -> Float[Array, "*a"]:
    """Return phi = sum_n weight[n] * level[n] / sum_n weight[n], 0 if all weights are 0."""
    weight = arrays.total(params.needs_weight)
    return jnp.where(weight > 0, arrays.total(params.needs_weight * level) / jnp.where(weight > 0, weight, 1.0), 0.0)


def admit(params: Params, ledger: Ledger, *, arrived: Bool[Array, "A"]) -> Ledger:
    """Start the potential of newcomers."""
    start = potential(params.reward, params.needs.spawn_level)
    return ledger.replace(potential=jnp.where(arrived, start, ledger.potential))


def midnight(params: RewardParams, ledger: Ledger, *, alive: Bool[Array, "A"], is_night: Bool[Array, ""]) -> Ledger:
    """Restart the daily return."""
    restart = alive & is_night & params.daily_episode
    return ledger.replace(episode_return=jnp.where(restart, 0.0, ledger.episode_return))


@arrays.unit
def judge(
    params: Params,
    ledger: Ledger,
    *,
    acting: Bool[Array, "A"],
    reason: Int[Array, "A"],
    level: Float[Array, "A N"],
    profile: Int[Array, "A"],
    chats: Chats,
    shifts: Shifts,
    ties: Ties,
    employment: Employment,
    job_length: Int[Array, "A"],
    avoided: Int[Array, "A"],
    faint_streak: Int[Array, "A"],
    mortality: Bool[Array, ""],
) -> tuple[Ledger, Rewards]:
    """Add up the terms, bias, guard and clip them in the order of 4.6.2."""
    rules = params.reward
    leaves = reason != Exit.NONE
    next_potential = jnp.where(leaves, 0.0, potential(rules, level))
    deficit = 1.0 - level
    bonus, penalty = _social(rules, chats, ties, deficit)
    on_shift = arrays.has_bit(employment.flags, ShiftFlag.ON_SHIFT)
    done = jnp.clip(employment.on_time_ticks.astype(jnp.float32) / job_length.astype(jnp.float32), 0.0, 1.0)
    terminal = jnp.where(reason == Exit.FAINT, rules.faint_penalty, 0.0)
    evicted = (reason == Exit.EVICTION_JOB) | (reason == Exit.EVICTION_RENT)
    terminal = jnp.where(evicted, rules.eviction_penalty, terminal)
    terminal = jnp.where(reason == Exit.AGE_OUT, rules.age_out_penalty, terminal)
    avoids = (rules.social_stage >= 2) & (avoided != Avoidance.NONE)
    bias = personality.reward_bias(params.personality, profile)

    def term(value: Float[Array, "#A"], group: RewardGroup | None = None) -> Float[Array, "A"]:
        if group is not None:
            factor = bias[:, group]
            value = jnp.where(value >= 0, value * factor, value / factor)
        return jnp.where(acting, value, 0.0)

    survival = term(rules.survival_tick[None], RewardGroup.SURVIVAL)
    needs_penalty = term(-arrays.total(rules.needs_weight * deficit * deficit))
    social_bonus = term(bonus, RewardGroup.SOCIAL)
    social_penalty = term(penalty, RewardGroup.SOCIAL)
    social_avoidance = term(jnp.where(avoids, rules.avoid_bonus, 0.0), RewardGroup.SOCIAL)
    wage = term(rules.wage_weight * (shifts.paid - shifts.withheld), RewardGroup.EMPLOYMENT)
    punctuality = term(jnp.where(on_shift, rules.punctuality_bonus * done, 0.0), RewardGroup.EMPLOYMENT)
    shaping = term(rules.shaping_weight * (rules.shaping_gamma * next_potential - ledger.potential))
    terminal = term(terminal)
    homeostasis = survival + needs_penalty
    social = social_bonus + social_penalty + social_avoidance
    work = wage + punctuality
    x = arrays.settled(homeostasis + social + work + shaping)
    close_to_death = mortality & (faint_streak > 0)
    left = params.lifecycle.faint_ticks - faint_streak
    guard = leaves | (close_to_death & (left <= rules.no_positive_within_death_ticks))
    x = x + jnp.where(rules.clip_terminal, terminal, 0.0)
    guarded = jnp.where(guard, jnp.minimum(x, 0.0), x)
    bounded = jnp.clip(guarded, -rules.clip_per_tick, rules.clip_per_tick)
    summed = ledger.episode_return + bounded
    capped = jnp.clip(summed, -rules.clip_per_episode, rules.clip_per_episode)
    inside = jnp.where(capped == summed, bounded, capped - ledger.episode_return)
    total = jnp.where(acting, inside + jnp.where(rules.clip_terminal, 0.0, terminal), 0.0)
    rewards = Rewards(
        total=total,
        survival=survival,
        needs_penalty=needs_penalty,
        social_bonus=social_bonus,
        social_penalty=social_penalty,
        social_avoidance=social_avoidance,
        wage=wage,
        punctuality=punctuality,
        shaping=shaping,
        terminal=terminal,
        homeostasis=homeostasis,
        work=work,
        social=social,
        clip_adjustment=total - (homeostasis + social + work + shaping + terminal),
        guard=acting & guard,
        clipped=acting & ((bounded != guarded) | (capped != summed)),
    )
    return Ledger(
        episode_return=jnp.where(acting, capped, ledger.episode_return),
        potential=jnp.where(acting, next_potential, ledger.potential),
    ), rewards


def _social(
    rules: RewardParams, chats: Chats, ties: Ties, deficit: Float[Array, "A N"]
) -> tuple[Float[Array, "A"], Float[Array, "A"]]:
    """Return bonus and penalty of this tick's chats, for speakers and listeners."""
    slots = arrays.indices(chats.listener)
    other = jnp.clip(chats.listener, 0, slots.shape[0] - 1)
    happened = chats.listener != NOBODY
    talked, failed = happened & chats.ok, happened & ~chats.ok

    def worth(owner: Int[Array, "A"], partner: Int[Array, "A"]) -> Float[Array, "A"]:
        trust, familiarity = ties.trust[owner, partner], ties.familiarity[owner, partner]
        value = rules.chat_base + rules.chat_trust * trust + rules.chat_familiarity * familiarity
        return jnp.where(talked, value * chats.quality, 0.0)

    heard = arrays.drop_unless(talked, other)
    bonus = worth(slots, other).at[heard].add(worth(other, slots), mode="drop")
    snubbed = jnp.zeros_like(slots).at[arrays.drop_unless(failed, other)].add(1, mode="drop")
    penalty = jnp.where(failed, -0.5 * rules.chat_base, 0.0) - 0.25 * rules.chat_base * snubbed.astype(jnp.float32)
    needy = functools.reduce(jnp.maximum, (deficit[:, n] for n in range(deficit.shape[1]))) > rules.deficit_override
    on = rules.social_stage >= 1
    return jnp.where(on & ~needy, bonus, 0.0), jnp.where(on, penalty, 0.0)


def clear(ledger: Ledger, *, gone: Bool[Array, "A"]) -> Ledger:
    """Empty the slots of those that left."""
    return Ledger(
        episode_return=jnp.where(gone, 0.0, ledger.episode_return), potential=jnp.where(gone, 0.0, ledger.potential)
    )
