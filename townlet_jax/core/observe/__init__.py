"""What the agents see: pure, read only, draws nothing (MECHANICS 6).

Nothing is imported here: `layout` is plain Python, and configurations are checked without jax.
"""
