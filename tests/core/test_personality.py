"""Who somebody is and what follows from it (MECHANICS 8.1, 8.2; 16.1 V13, V41)."""

import jax
import jax.numpy as jnp
import pytest

from core.worlds import BALANCED, INDUSTRIOUS, SOCIALITE, STOIC, hamlet
from townlet_jax.config import build, from_mapping
from townlet_jax.core import choose, personality, rng
from townlet_jax.core.enums import NOBODY, Behaviour, RewardGroup, Stream
from townlet_jax.core.params import PersonalityParams

ALL = jnp.arange(4, dtype=jnp.int32)


def rules() -> PersonalityParams:
    """Return the profiles of the default town."""
    return hamlet().params.personality


def test_v41_profiles_at_reset() -> None:
    unit = rng.uniform(rng.stream(jax.random.key(0), 0, Stream.RESET), 8, 5)[:, 4]
    drawn = personality.draw(rules(), jnp.full(8, NOBODY), unit)
    assert drawn.tolist() == [0, 0, 1, 1, 0, 0, 3, 1]


def test_draws_at_the_edges() -> None:
    unit = jnp.array([0.0, 0.39999, 0.40001, 0.6499, 0.6501, 0.8499, 0.8501, 0.99999994], jnp.float32)
    drawn = personality.draw(rules(), jnp.full(8, NOBODY), unit)
    assert drawn.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_overrides_win() -> None:
    override = jnp.array([STOIC, NOBODY, SOCIALITE], jnp.int32)
    assert personality.draw(rules(), override, jnp.zeros(3)).tolist() == [STOIC, BALANCED, SOCIALITE]


def test_profiles_without_weight_are_never_drawn() -> None:
    parity = build(from_mapping({"base": "parity"})).params.personality
    assert personality.draw(parity, jnp.full(2, NOBODY), jnp.array([0.0, 0.99999994])).tolist() == [0, 0]


def test_multipliers_and_their_switches() -> None:
    given = rules()
    assert personality.need_multiplier(given, ALL).tolist() == pytest.approx(
        jnp.array([[1, 1, 1], [1, 1.1, 1], [1, 1, 0.9], [0.95, 1, 1]])
    )
    assert personality.reward_bias(given, ALL)[:, RewardGroup.SOCIAL].tolist() == pytest.approx([1, 1.2, 1, 1])
    assert personality.reward_bias(given, ALL)[:, RewardGroup.EMPLOYMENT].tolist() == pytest.approx([1, 1, 1.25, 1])
    assert personality.reward_bias(given, ALL)[:, RewardGroup.SURVIVAL].tolist() == pytest.approx([1, 1, 1, 1.1])
    for which, values in {
        Behaviour.CHAT_PREFERENCE: [1, 1.3, 1, 1],
        Behaviour.WORK_AFFINITY: [1, 1, 1.4, 1],
        Behaviour.CONFLICT_TOLERANCE: [1, 1, 1, 0.6],
    }.items():
        assert personality.behaviour(given, ALL, which).tolist() == pytest.approx(values)
    off = given.replace(
        modify_needs=jnp.array(False), modify_rewards=jnp.array(False), modify_behaviour=jnp.array(False)
    )
    assert (personality.need_multiplier(off, ALL) == 1).all()
    assert (personality.reward_bias(off, ALL) == 1).all()
    assert (personality.behaviour(off, ALL, Behaviour.CHAT_PREFERENCE) == 1).all()
    assert personality.traits(off, ALL).tolist() == pytest.approx(
        jnp.array([[0, 0, 0], [0.6, 0.1, -0.1], [-0.2, -0.1, 0.5], [-0.3, 0.5, -0.2]])
    )


def test_behaviour_is_kept_in_bounds() -> None:
    wild = rules().replace(behaviour_bias=jnp.full((4, 3), 99.0))
    assert (personality.behaviour(wild, ALL, Behaviour.WORK_AFFINITY) == 5).all()


@pytest.mark.parametrize(
    ("profile", "rivalry", "avoided"),
    [
        (BALANCED, 0.7, True),
        (BALANCED, 0.699995, True),
        (BALANCED, 0.6999, False),
        (STOIC, 0.7, False),
        (STOIC, 1.0, True),
        (INDUSTRIOUS, 0.69, False),
    ],
)
def test_v13_avoid(profile: int, rivalry: float, avoided: bool) -> None:
    feelings = jnp.zeros((2, 2)).at[0, 1].set(rivalry)
    found = choose.avoids(hamlet().params, jnp.array([profile, 0], jnp.int32), feelings)
    assert found.tolist() == [[False, avoided], [False, False]]
    single = choose.avoids_one(hamlet().params, jnp.array([profile], jnp.int32), feelings[:1, 1])
    assert single.tolist() == [avoided]


def test_without_rivalry_nobody_is_avoided() -> None:
    params = hamlet().params
    params = params.replace(conflict=params.conflict.replace(avoid_threshold=jnp.float32(0)))
    assert not choose.avoids(params, jnp.zeros(2, jnp.int32), jnp.zeros((2, 2))).any()
