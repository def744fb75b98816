"""The slow, obvious, loop-based tick that the core is compared with; written from the rules alone."""

from reference.town import tick

__all__ = ["tick"]
