"""Certificates for the tests of sinks, made once."""

import pytest
from wires import Certified


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """Return a certificate of this host."""
    return Certified(tmp_path_factory.mktemp("certified"))
