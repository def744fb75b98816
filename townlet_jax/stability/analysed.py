"""Any policy with analysers beside it: they hear what came of each tick, and change nothing."""

import functools
from collections.abc import Callable, Hashable, Mapping
from typing import Any, cast

from townlet_jax.core import batch
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.policy.interface import Given, Hear, Memory, Policy
from townlet_jax.stability import alerts, analysers
from townlet_jax.stability.analysers import Stability


class Analysed(Pytree):
    """The memory of an analysed policy: its own, and what is known of the town."""

    inner: Memory
    stability: Stability


def analysed(policy: batch.Policy, spec: Spec, settings: Mapping[str, Any]) -> Policy:
    """Return a policy that acts as before, in towns that are watched for trouble.

    `settings` is the section `stability` of a configuration as `model_dump` gives it. Its numbers stand in the memory:
    other numbers are other inputs of the same program, but for a longest window of another length in buckets.
    """
    act, hear = _watching(cast(Hashable, policy), spec.stability_bucket)
    numbers, rows = alerts.thresholds(settings), alerts.ring_rows(settings, spec.stability_bucket)

    def init(params: Params, state: TownState) -> Analysed:
        return Analysed(inner=policy.init(params, state), stability=analysers.begun(numbers, rows, state))

    return Policy(init, act, hear)


@functools.lru_cache(maxsize=16)
def _watching(given: Hashable, bucket: int) -> tuple[Callable[..., Any], Hear]:
    """Return the same functions for the same policy, so that programs compiled for them are found again."""
    policy = cast(batch.Policy, given)
    inner_hear = batch.hear_of(policy)

    def act(params: Params, state: TownState, memory: Analysed, now: Given) -> tuple[Any, Analysed]:
        intents, inner = policy.act(params, state, memory.inner, now)
        return intents, memory.replace(inner=inner)

    def hear(params: Params, memory: Analysed, before: TownState, after: TownState, output: TickOutput) -> Analysed:
        inner = memory.inner
        if inner_hear is not None:
            inner = inner_hear(params, inner, before, after, output)
        known = analysers.judged(params, memory.stability, before=before, after=after, output=output, bucket=bucket)
        return Analysed(inner=inner, stability=known)

    return act, hear
