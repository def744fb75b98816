"""Is a town well: analysers and promotion windows that travel beside it as the memory of its policy (MECHANICS 9.2)."""

from townlet_jax.stability.alerts import NAMES, Alert, Thresholds, thresholds
from townlet_jax.stability.analysed import Analysed, analysed
from townlet_jax.stability.analysers import Stability
from townlet_jax.stability.standing import Standing, restarted, shares
from townlet_jax.stability.windows import Result, Sum, Window

__all__ = [
    "NAMES",
    "Alert",
    "Analysed",
    "Result",
    "Stability",
    "Standing",
    "Sum",
    "Thresholds",
    "Window",
    "analysed",
    "restarted",
    "shares",
    "thresholds",
]
