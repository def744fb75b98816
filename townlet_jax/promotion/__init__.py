"""Releases and candidates: a gate, a state machine, and the way back (MECHANICS 9.4)."""
