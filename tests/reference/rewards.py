"""Phase judge: the reward, term by term (4.6.2, 8.4)."""

from reference.scene import Scene, clip, potential
from townlet_jax.core.enums import Avoidance, Exit, RewardGroup, ShiftFlag

GROUP_OF_TERM = {
    "survival": RewardGroup.SURVIVAL,
    "needs_penalty": None,
    "social_bonus": RewardGroup.SOCIAL,
    "social_penalty": RewardGroup.SOCIAL,
    "social_avoidance": RewardGroup.SOCIAL,
    "wage": RewardGroup.EMPLOYMENT,
    "punctuality": RewardGroup.EMPLOYMENT,
    "shaping": None,
}
TERMS = (*GROUP_OF_TERM, "terminal")


def rewards(scene: Scene) -> None:
    """4.6.2: for acting slots; everybody else has 0."""
    for a in scene.agents:
        if scene.acting[a]:
            write_terms(scene, a)
            combine(scene, a)
    scene.out.reward = scene.out.outcomes.rewards.total[:]


def write_terms(scene: Scene, a: int) -> None:
    """Compute the nine terms, personality bias included (steps 1)."""
    params, record = scene.params.reward, scene.out.outcomes.rewards
    level, shifts = scene.state.needs.level[a], scene.out.outcomes.shifts
    leaves = scene.out.outcomes.departures.gone[a]
    next_potential = 0.0 if leaves else potential(params.needs_weight, level)
    values = {
        "survival": params.survival_tick,
        "needs_penalty": -sum(w * (1 - v) ** 2 for w, v in zip(params.needs_weight, level, strict=True)),
        "social_bonus": social_bonus(scene, a),
        "social_penalty": social_penalty(scene, a),
        "social_avoidance": social_avoidance(scene, a),
        "wage": params.wage_weight * (shifts.paid[a] - shifts.withheld[a]),
        "punctuality": punctuality(scene, a),
        "shaping": params.shaping_weight * (params.shaping_gamma * next_potential - scene.state.ledger.potential[a]),
    }
    scene.state.ledger.potential[a] = next_potential
    for name, value in values.items():
        getattr(record, name)[a] = biased(scene, a, GROUP_OF_TERM[name], value)
    record.terminal[a] = terminal(scene, a)
    record.homeostasis[a] = record.survival[a] + record.needs_penalty[a]
    record.work[a] = record.wage[a] + record.punctuality[a]
    record.social[a] = record.social_bonus[a] + record.social_penalty[a] + record.social_avoidance[a]


def biased(scene: Scene, a: int, group: RewardGroup | None, value: float) -> float:
    """8.4: gains times the factor, losses divided by it."""
    if group is None or not scene.params.personality.modify_rewards:
        return value
    factor: float = scene.params.personality.reward_bias[scene.state.roster.profile[a]][group]
    return value * factor if value >= 0 else value / factor


def social_bonus(scene: Scene, a: int) -> float:
    """Return what the good chats of an agent are worth to it."""
    params, ties, chats = scene.params.reward, scene.state.ties, scene.out.outcomes.chats
    deficit = max(1 - v for v in scene.state.needs.level[a])
    if params.social_stage < 1 or deficit > params.deficit_override:
        return 0.0
    total = 0.0
    for speaker in scene.agents:
        if not chats.ok[speaker] or a not in (speaker, chats.listener[speaker]):
            continue
        b = chats.listener[speaker] if a == speaker else speaker
        worth = params.chat_base + params.chat_trust * ties.trust[a][b]
        worth += params.chat_familiarity * ties.familiarity[a][b]
        total += worth * chats.quality[speaker]
    return total


def social_penalty(scene: Scene, a: int) -> float:
    """Return what the failed chats of an agent cost it."""
    params, chats = scene.params.reward, scene.out.outcomes.chats
    if params.social_stage < 1:
        return 0.0
    total = 0.0
    for speaker in scene.agents:
        if chats.listener[speaker] < 0 or chats.ok[speaker]:
            continue
        if speaker == a:
            total -= 0.5 * params.chat_base
        elif chats.listener[speaker] == a:
            total -= 0.25 * params.chat_base
    return total


def social_avoidance(scene: Scene, a: int) -> float:
    """Return the bonus for having been held back."""
    params = scene.params.reward
    avoided = scene.intents.avoided[a] != Avoidance.NONE
    return float(params.avoid_bonus) if params.social_stage >= 2 and avoided else 0.0


def punctuality(scene: Scene, a: int) -> float:
    """Return the bonus of a paid tick."""
    work = scene.state.employment
    if not work.flags[a] & ShiftFlag.ON_SHIFT:
        return 0.0
    share = work.on_time_ticks[a] / scene.params.jobs.length[work.job[a]]
    return float(scene.params.reward.punctuality_bonus) * clip(share, 0.0, 1.0)


def terminal(scene: Scene, a: int) -> float:
    """Return the penalty of leaving."""
    params = scene.params.reward
    match Exit(scene.out.outcomes.departures.reason[a]):
        case Exit.FAINT:
            return float(params.faint_penalty)
        case Exit.EVICTION_JOB | Exit.EVICTION_RENT:
            return float(params.eviction_penalty)
        case Exit.AGE_OUT:
            return float(params.age_out_penalty)
        case Exit.NONE | Exit.KILLED:
            return 0.0


def is_guarded(scene: Scene, a: int) -> bool:
    """Say whether nothing positive may be earned: the agent leaves or is about to faint (4.6.2 step 4)."""
    streak = scene.state.lifecycle.faint_streak[a]
    left = scene.params.lifecycle.faint_ticks - streak
    near = streak > 0 and left <= scene.params.reward.no_positive_within_death_ticks
    return bool(scene.out.outcomes.departures.gone[a] or (near and scene.state.controls.mortality))


def combine(scene: Scene, a: int) -> None:
    """4.6.2, steps 2 to 7."""
    params, record, ledger = scene.params.reward, scene.out.outcomes.rewards, scene.state.ledger
    x = sum(getattr(record, name)[a] for name in GROUP_OF_TERM)
    if params.clip_terminal:
        x += record.terminal[a]
    record.guard[a] = is_guarded(scene, a)
    if record.guard[a]:
        x = min(x, 0.0)
    within_tick = clip(x, -params.clip_per_tick, params.clip_per_tick)
    reached = ledger.episode_return[a] + within_tick
    within_episode = clip(reached, -params.clip_per_episode, params.clip_per_episode)
    record.clipped[a] = within_tick != x or within_episode != reached
    x = within_episode - ledger.episode_return[a]
    ledger.episode_return[a] = within_episode
    if not params.clip_terminal:
        x += record.terminal[a]
    record.total[a] = x
    record.clip_adjustment[a] = x - sum(getattr(record, name)[a] for name in TERMS)
