"""The shape of a configuration: every key with its type, default, bounds, unit and reason."""

from townlet_jax.config.schema.root import Config

__all__ = ["Config"]
