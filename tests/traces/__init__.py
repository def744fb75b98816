"""Replay of the recordings of the original Townlet under the parity preset (MECHANICS 15)."""
