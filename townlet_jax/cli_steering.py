"""The options of `townlet run` by which a session is steered; what they mean is in `cli_live`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Steering:
    """The options by which a session is steered."""

    console: str | None = None
    admin: bool = False
    timeline: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    plaintext: bool = False
    promotion: Path | None = None

    @property
    def is_wanted(self) -> bool:
        """Say whether the session is steered at all."""
        return self != Steering()
