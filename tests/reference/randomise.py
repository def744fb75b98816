"""Random parameters within the bounds of section 3.1, with days so short that every night rule happens often."""

from typing import Any

import numpy as np

from reference.handmade import SIDE, reachable
from townlet_jax.core.enums import NOBODY, NUM_COUNTERS, Perturb, Sink

Leaves = dict[str, np.ndarray[Any, Any]]
Generator = np.random.Generator
FACTS = 14 + NUM_COUNTERS + 2 + 8 + 2  # of a town with 2 goods and 2 utilities


def randomised(template: Leaves, generator: Generator) -> Leaves:
    """Return a copy of the handmade parameters with almost every number drawn anew."""
    leaves = {name: values.copy() for name, values in template.items()}
    day = int(generator.integers(40, 201))
    put(leaves, "clock.ticks_per_day", day)
    put(leaves, "clock.horizon_ticks", generator.choice([0, 7, 50]))
    draw_uniform(leaves, generator)
    draw_choices(leaves, generator)
    draw_world(leaves, generator)
    draw_jobs(leaves, generator, day)
    draw_restock(leaves, generator, day)
    draw_affordances(leaves, generator)
    draw_events(leaves, generator, day)
    draw_people(leaves, generator)
    return leaves


def put(leaves: Leaves, name: str, value: Any) -> None:
    """Replace a leaf, keeping shape and width."""
    old = leaves[name]
    leaves[name] = np.broadcast_to(np.asarray(value), old.shape).astype(old.dtype).copy()


UNIFORM = {  # field: low, high
    "needs.decay_rate": (0.0, 0.02), "needs.start_low": (0.0, 0.5), "needs.start_high": (0.5, 1.0),
    "needs.spawn_level": (0.0, 1.0), "needs.night_floor": (0.0, 0.7), "economy.price": (0.0, 1.2),
    "economy.basket_weight": (0.0, 4.0), "economy.start_wallet_low": (0.0, 1.0),
    "economy.start_wallet_high": (1.0, 4.0), "economy.spawn_wallet": (0.0, 3.0),
    "queue.age_priority_weight": (0.0, 1.0), "conflict.increment": (0.0, 0.4),
    "conflict.rivalry_decay": (0.0, 0.02), "conflict.avoid_threshold": (0.0, 1.0),
    "conflict.ghost_step_boost": (0.0, 5.0), "conflict.handover_boost": (0.0, 5.0),
    "conflict.queue_length_boost": (0.0, 2.0), "ties.trust_decay": (0.0, 0.01),
    "ties.familiarity_decay": (0.0, 0.01), "ties.delta": (-0.3, 0.3), "chat.base": (0.3, 1.0),
    "chat.trust_coefficient": (0.0, 1.0), "chat.familiarity_coefficient": (0.0, 1.0),
    "employment.late_tick_penalty": (0.0, 0.1), "employment.absence_penalty": (0.0, 0.6),
    "jobs.wage_rate": (0.01, 0.2), "jobs.lateness_penalty": (0.0, 0.4), "lifecycle.faint_threshold": (0.0, 0.3),
    "embeddings.reuse_warning": (0.0, 0.5), "personality.trait": (-1.0, 1.0),
    "personality.need_multiplier": (0.1, 3.0), "personality.reward_bias": (0.1, 5.0),
    "personality.behaviour_bias": (0.1, 5.0), "reward.needs_weight": (0.01, 2.0), "reward.survival_tick": (0.0, 1.0),
    "reward.wage_weight": (0.0, 5.0), "reward.punctuality_bonus": (0.0, 0.1), "reward.faint_penalty": (-10.0, 0.0),
    "reward.eviction_penalty": (-10.0, 0.0), "reward.age_out_penalty": (-10.0, 0.0),
    "reward.deficit_override": (0.3, 1.0), "reward.avoid_bonus": (0.0, 0.02), "reward.chat_base": (0.0, 0.05),
    "reward.chat_trust": (0.0, 1.0), "reward.chat_familiarity": (0.0, 1.0), "reward.shaping_weight": (0.0, 10.0),
    "reward.shaping_gamma": (0.0, 1.0), "reward.clip_per_tick": (0.01, 4.0), "reward.clip_per_episode": (1.0, 60.0),
}  # fmt: skip

CHOICES: dict[str, tuple[Any, ...]] = {
    "world.busy_lock": (True, True, False), "economy.rent_per_day": (0.0, 0.3, 2.0),
    "economy.max_unpaid_days": (1, 2), "queue.cooldown_ticks": (0, 2, 10, 60), "queue.ghost_step_after": (0, 1, 3, 6),
    "queue.leave_after": (0, 2, 5, 1000000), "queue.ghost_step_running": (False, True),
    "conflict.max_edges": (1, 2, 3, 64), "conflict.impatience_ticks": (0, 1, 3, 10),
    "ties.shared_meal_ticks": (-1, 0, 15), "ties.shared_meal_range": (0, 3), "chat.range": (0, 1, 3),
    "chat.cooldown_ticks": (0, 1, 5, 30), "chat.refused_is_failure": (False, True), "employment.site_range": (0, 1, 3),
    "employment.arrival_buffer": (0, 4, 20), "employment.grace_ticks": (0, 3, 8),
    "employment.absent_cutoff": (8, 15, 30),
    "employment.absence_slack": (0, 3, 20), "employment.enforce_job_loop": (True, True, False),
    "employment.max_absent_shifts": (0, 1, 2), "employment.absence_days": (1, 2, 3),
    "employment.exit_queue_limit": (0, 1, 3), "employment.review_ticks": (1, 20, 100000),
    "lifecycle.mortality": (True, True, False), "lifecycle.faint_ticks": (1, 3, 10),
    "lifecycle.max_age_days": (0, 0, 1, 2),
    "lifecycle.daily_exit_cap": (0, 1, 1, 2), "lifecycle.suppress_exits": (True, False),
    "lifecycle.return_home": (True, False), "embeddings.cooldown_ticks": (0, 20, 2000),
    "personality.modify_needs": (True, False), "personality.modify_rewards": (True, False),
    "personality.modify_ties": (True, False), "personality.modify_behaviour": (True, False),
    "perturbation.max_concurrent": (1, 2, 6), "perturbation.max_events_per_window": (0, 1, 3),
    "perturbation.window_ticks": (1, 40, 1440), "perturbation.global_cooldown_ticks": (0, 10),
    "perturbation.agent_cooldown_ticks": (0, 10, 60), "perturbation.grace_window_ticks": (0, 5, 30),
    "reward.social_stage": (0, 1, 2), "reward.clip_terminal": (True, False), "reward.daily_episode": (True, False),
    "reward.no_positive_within_death_ticks": (0, 2, 10),
}  # fmt: skip


def draw_uniform(leaves: Leaves, generator: Generator) -> None:
    """Draw the amounts."""
    for name, (low, high) in UNIFORM.items():
        put(leaves, name, generator.uniform(low, high, leaves[name].shape))


def draw_choices(leaves: Leaves, generator: Generator) -> None:
    """Draw the switches and the numbers of which few values matter."""
    for name, values in CHOICES.items():
        put(leaves, name, generator.choice(np.asarray(values)))
    low = generator.choice([0, 1, 5])
    put(leaves, "lifecycle.respawn_min", low)
    put(leaves, "lifecycle.respawn_max", low + generator.choice([0, 4, 15]))


def draw_world(leaves: Leaves, generator: Generator) -> None:
    """Draw what stands where."""
    objects = len(leaves["world.object_type"])
    reach = int(generator.choice([0, 1, 1, 2, 6]))
    put(leaves, "world.interaction_range", reach)
    tiles = generator.permutation(SIDE * SIDE)[:objects]
    leaves["world.tile"] = np.stack([tiles % SIDE, tiles // SIDE], axis=-1).astype(np.int32)
    leaves["world.reachable"] = reachable(leaves["world.tile"], reach)
    blocked = generator.random((SIDE, SIDE)) < 0.1
    for name in ("world.home_tile", "world.site_tile", "world.meet_tile"):
        put(leaves, name, generator.integers(0, SIDE, leaves[name].shape))
        blocked[leaves[name][:, 1], leaves[name][:, 0]] = False
    put(leaves, "world.blocked", blocked)
    put(leaves, "world.walkable", ~blocked)
    put(leaves, "world.object_type", generator.integers(0, 4, objects))
    put(leaves, "world.capacity", generator.integers(0, 3, objects))
    put(leaves, "world.stock_start", generator.integers(0, 9, leaves["world.stock_start"].shape))
    for name in ("world.link", "world.home_store", "world.home_object"):
        put(leaves, name, generator.integers(-1, objects, leaves[name].shape))


def draw_jobs(leaves: Leaves, generator: Generator, day: int) -> None:
    """Draw shifts, some across midnight, some a day long but one tick."""
    jobs = len(leaves["jobs.start"])
    put(leaves, "jobs.start", generator.integers(0, day, jobs))
    long = generator.random(jobs) < 0.15
    put(leaves, "jobs.length", np.where(long, day - 1, generator.integers(1, day, jobs)))


def draw_restock(leaves: Leaves, generator: Generator, day: int) -> None:
    """Draw deliveries."""
    rows = len(leaves["restock.every"])
    put(leaves, "restock.object_type", generator.integers(0, 4, rows))
    put(leaves, "restock.good", generator.integers(0, 2, rows))
    put(leaves, "restock.every", generator.integers(1, day + 1, rows))
    put(leaves, "restock.at", generator.integers(0, day, rows))
    put(leaves, "restock.amount", generator.integers(0, 6, rows))
    put(leaves, "restock.cap", generator.choice([3, 8, 2147483647], rows))


def draw_affordances(leaves: Leaves, generator: Generator) -> None:
    """Draw what objects offer, and random preconditions with up to two alternatives."""
    rows = len(leaves["affordances.duration"])

    def shape(name: str) -> tuple[int, ...]:
        return tuple(leaves[f"affordances.{name}"].shape)

    def choose(name: str, values: list[Any]) -> None:
        put(leaves, f"affordances.{name}", generator.choice(np.asarray(values), shape(name)))

    choose("duration", [1, 2, 4, 9, 20])
    choose("object_type", [0, 0, 1, 2, 3])
    leaves["affordances.object_type"][:4] = range(4)
    put(leaves, "affordances.need_effect", generator.uniform(-0.2, 0.5, shape("need_effect")))
    choose("price_weight", [0.0, 0.0, 0.0, 0.5, 1.0])
    choose("consume", [0.0, 0.0, 0.0, 1.0])
    choose("produce", [0.0, 0.0, 1.0, 3.0])
    choose("sink", list(Sink))
    choose("utility", [False, False, False, True])
    choose("slot_use", [0, 0, 1])
    choose("is_sleep", [False, False, True])
    choose("is_meal", [False, True])
    choose("count_start", [NOBODY, 0, 3, 5])
    choose("count_finish", [NOBODY, 1, 4, 6])
    constrained = generator.random((rows, 1, 1)) < 0.35
    used = generator.random(shape("clause_used")) < np.asarray([0.7, 0.4, 0.4])
    leaves["affordances.clause_used"] = used & used[:, :, :1] & used[:, :1, :1] & constrained
    put(leaves, "affordances.clause_fact", generator.integers(0, FACTS, shape("clause_fact")))
    put(leaves, "affordances.clause_operator", generator.integers(0, 6, shape("clause_operator")))
    whole = generator.integers(-1, 5, shape("clause_constant"))
    fraction = generator.uniform(0, 1, shape("clause_constant"))
    put(leaves, "affordances.clause_constant", np.where(generator.random(whole.shape) < 0.5, whole, fraction))


def draw_events(leaves: Leaves, generator: Generator, day: int) -> None:
    """Draw perturbation specs that fire often and end soon."""
    kinds = np.asarray([*Perturb, Perturb.ARRANGED_MEET], np.int32)
    specs = len(kinds)
    put(leaves, "perturbation.kind", kinds)
    put(leaves, "perturbation.prob_per_day", generator.uniform(0, 0.15 * day, specs))
    put(leaves, "perturbation.cooldown_ticks", generator.choice([0, 5, 30], specs))
    shortest = generator.integers(0, 10, specs)
    put(leaves, "perturbation.duration_min", shortest)
    put(leaves, "perturbation.duration_max", shortest + generator.integers(0, 15, specs))
    least = generator.uniform(0.3, 1.5, specs)
    put(leaves, "perturbation.magnitude_min", least)
    put(leaves, "perturbation.magnitude_max", least + generator.uniform(0, 1, specs))
    put(leaves, "perturbation.price_mask", generator.random(leaves["perturbation.price_mask"].shape) < 0.5)
    put(leaves, "perturbation.meet_target", generator.integers(0, 2, specs))
    put(leaves, "perturbation.max_participants", generator.integers(2, 5, specs))
    put(leaves, "perturbation.spare_busy", generator.random(specs) < 0.5)
    put(leaves, "perturbation.bottleneck_type", generator.integers(0, 4, specs))
    objects = len(leaves["world.object_type"])
    fixed = np.where(generator.random(specs) < 0.3, generator.integers(0, objects, specs), NOBODY)
    put(leaves, "perturbation.fixed_object", np.where(kinds == Perturb.QUEUE_BOTTLENECK, fixed, NOBODY))
    put(leaves, "perturbation.is_city_event", generator.random(specs) < 0.5)


def draw_people(leaves: Leaves, generator: Generator) -> None:
    """Draw who is there at the start and what they feel."""
    agents = len(leaves["start.alive"])
    alive = generator.random(agents) < 0.85
    alive[0] = True
    put(leaves, "start.alive", alive)
    homes = generator.integers(0, len(leaves["world.home_tile"]), agents)
    put(leaves, "start.home", homes)
    put(leaves, "start.position", leaves["world.home_tile"][homes])
    put(leaves, "start.job", generator.integers(-1, len(leaves["jobs.start"]), agents))
    put(leaves, "start.profile", np.where(generator.random(agents) < 0.2, generator.integers(0, 4, agents), NOBODY))
    weights = generator.random(4) * (generator.random(4) < 0.8) + np.asarray([0.01, 0, 0, 0])
    cumulative = np.cumsum(weights / weights.sum())
    cumulative[np.flatnonzero(weights)[-1] :] = 2.0
    put(leaves, "personality.cumulative", cumulative)
