"""From what telemetry left behind to answers: reading, figures, drift, pictures, tables. Never imports jax."""
