"""Ways to act: pure functions from the state of a town to its agents' next intents (MECHANICS 5.4-5.6, 7, 14.8).

The policies stand in modules of their own name: `scripted.scripted()`, `uniform.uniform()`, `schedule.schedule(table)`.
"""

from townlet_jax.policy.interface import Policy, given, idle
from townlet_jax.policy.options import OptionMemory

__all__ = ["OptionMemory", "Policy", "given", "idle"]
