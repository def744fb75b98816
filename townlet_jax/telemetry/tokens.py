"""Secrets between a sender and a receiver: where they come from, whether they are strong, who guesses (ECOSYSTEM R12).

A token is never written into a message.
"""

import hmac
import ipaddress
import math
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path

from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.sentences import reason, shown

VARIABLE = "TOWNLET_TELEMETRY_TOKEN"  # where a token is looked for when nothing else is said
LEAST_BITS = 128
LEAST_LETTERS = 8  # different ones; a random token of enough bits never has fewer
MOST_LENGTH = 512
HEXADECIMAL = frozenset("0123456789abcdef")
ADVICE = "make one with: openssl rand -hex 32"
TRIES, WINDOW_SECONDS, LOCK_SECONDS = 5, 60.0, 300.0
MOST_ADDRESSES = 10_000


def token_from(*, variable: str | None = None, file: Path | None = None) -> str:
    """Return the token in a file, or else in an environment variable; raises `SinkError` if it is missing or weak."""
    if file is not None:
        place = f"the file {shown(file)}"
        try:
            with file.open("rb") as opened:
                found = opened.read(2 * MOST_LENGTH).decode("utf-8", "replace").strip()
        except (OSError, ValueError) as error:
            raise SinkError(f"The token in {place} cannot be read ({reason(error)}).", lasting=True) from error
    else:
        name = variable or VARIABLE
        place = f"the environment variable {shown(name)}"
        found = os.environ.get(name, "").strip()
    if not found:
        raise SinkError(f"There is no token in {place}; put one there, or {ADVICE}.", lasting=True)
    flaw = flaw_of(found)
    if flaw is not None:
        raise SinkError(f"The token in {place} {flaw}; {ADVICE}.", lasting=True)
    return found


def flaw_of(token: str) -> str | None:
    """Return what is wrong with a token, None if it can be one: printable ASCII that holds 128 bits or more."""
    if not token.isascii() or not token.isprintable() or " " in token:
        return "may hold printable ASCII characters without blanks only"
    if len(token) > MOST_LENGTH:
        return f"is longer than {MOST_LENGTH} characters"
    letters = frozenset(token)
    bits = len(token) * (4 if letters <= HEXADECIMAL else 6)
    if bits < LEAST_BITS or len(letters) < LEAST_LETTERS:
        return f"is too weak, at least {LEAST_BITS} random bits are needed"
    return None


def is_same(given: str, expected: str) -> bool:
    """Compare two tokens in a time that says nothing about where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


class Guard:
    """Counts wrong tokens by address: five within a minute lock it for five minutes.

    Addresses of IPv6 count by their network of 64 bits, since one host has all of it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        self._locked: OrderedDict[str, float] = OrderedDict()

    def locked_seconds(self, address: str) -> int:
        """Return for how long an address is still locked, 0 if it is not."""
        left = self._locked.get(_place(address), -math.inf) - self._clock()
        return max(0, math.ceil(left)) if math.isfinite(left) else 0

    def note_wrong(self, address: str) -> None:
        """Remember a wrong token."""
        place, now = _place(address), self._clock()
        times = self._wrong.setdefault(place, deque(maxlen=TRIES))
        times.append(now)
        if len(times) == TRIES and now - times[0] < WINDOW_SECONDS:
            self._locked[place] = now + LOCK_SECONDS
            self._locked.move_to_end(place)
            del self._wrong[place]
        for table in (self._wrong, self._locked):
            while len(table) > MOST_ADDRESSES:
                table.popitem(last=False)


def _place(address: str) -> str:
    """Return what an address is counted under."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
