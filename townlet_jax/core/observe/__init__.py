"""What the agents see: pure, read only, draws nothing (MECHANICS 6)."""

from townlet_jax.core.observe.observation import Observation, observe

__all__ = ["Observation", "observe"]
