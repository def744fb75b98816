"""Wishes of other threads: answered, and nothing kept of what they failed in."""

import pytest

from townlet_jax.pacing import Pace
from townlet_jax.plans import RunError


def test_a_refused_wish_says_why_and_keeps_no_frames() -> None:
    """The frames of a traceback hold the states of all towns, until somebody collects the circle."""

    def refuse() -> int:
        raise RunError("There is no town 9.")

    pace = Pace()
    refused, granted = pace.ask(refuse), pace.ask(lambda: 3)
    pace.obey()
    assert granted.result(0) == 3
    error = refused.exception(0)
    assert isinstance(error, RunError)
    assert error.__traceback__ is None
    with pytest.raises(RunError, match="no town 9"):
        refused.result(0)
