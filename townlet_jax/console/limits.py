"""How much one client may ask: twenty commands a second (ECOSYSTEM R13)."""

import time
from collections.abc import Callable

PER_SECOND = 20


class Bucket:
    """Holds a second's worth of commands and fills up again as time goes by."""

    def __init__(self, per_second: float = PER_SECOND, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._clock = per_second, clock
        self._left, self._since = per_second, clock()

    def take(self) -> bool:
        """Take one, if there is one."""
        now = self._clock()
        self._left = min(self._per_second, self._left + (now - self._since) * self._per_second)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def pause(self) -> float:
        """Return the seconds until there is another one."""
        return max(0.0, (1 - self._left) / self._per_second)
