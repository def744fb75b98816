"""A town of six and the weights of tiny networks that do one thing only, as training would have saved them."""

from pathlib import Path

import pytest

from promotion.trained import train


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `hamlet.yaml` and the runs `waits`, `waits_too`, `walks`, `recurrent`."""
    return train(tmp_path_factory.mktemp("trained"))
