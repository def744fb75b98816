"""The console: commands by name into a running session, from this machine or another one (MECHANICS 12)."""
