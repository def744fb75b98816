"""The default town at noon, built and compiled once."""

import pytest

from policy.places import Place, default_place


@pytest.fixture(scope="session")
def place() -> Place:
    """Return the default town at noon."""
    return default_place()
