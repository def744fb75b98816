"""The one error of the promotion manager: what operators are told when it says no."""

from collections.abc import Mapping
from typing import Any, Literal

Code = Literal["not_found", "rejected", "not_ready"]


class PromotionError(Exception):
    """A policy cannot be loaded, promoted or rolled back; `sentence` says what, why, and what to do."""

    def __init__(self, code: Code, sentence: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.details = dict(details or {})
