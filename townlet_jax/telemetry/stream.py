"""From frames to records: whole frames, differences, redaction.

Owns what a difference is; `joining.apply` is the way back. Sections are compared as JSON text after rounding: equal
text is an equal value. Of `relationships` a difference carries only the ties that changed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from townlet_jax.telemetry.frames_ties import STATUS, Edge, Loss, Values
from townlet_jax.telemetry.joining import TIES
from townlet_jax.telemetry.joining import apply as apply
from townlet_jax.telemetry.schema import SECTIONS
from townlet_jax.telemetry.sections import EMPTY_LISTS
from townlet_jax.telemetry.text import DECIMALS, dumps, entry, listing, mapping

EMPTY = {name: "[]" if name in EMPTY_LISTS else "{}" for name in SECTIONS}
NUMBERS = frozenset({"tick_of_day", "day"})  # sections that hold one number: never empty
_NOTHING: Values = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One watched town after a tick: sections as JSON text, ties apart."""

    tick: int
    texts: Mapping[str, str]  # without `relationships`
    edges: Mapping[Edge, Values]
    churn: str
    losses: Sequence[Loss]  # since the frame before


class Stream:
    """Turns the frames of one town into bodies of records."""

    def __init__(self, *, snapshot_every: int, redact: Collection[str] = ()) -> None:
        self._every, self._redacted = snapshot_every, frozenset(redact) - NUMBERS
        self._last: Frame | None = None
        self._wants_whole = True
        self._last_whole = 0

    def demand_whole(self) -> None:
        """Make the next record a whole frame: after a load, on request, after a gap."""
        self._wants_whole = True

    def body(self, frame: Frame) -> tuple[str, str]:
        """Return kind and fields of the next record, without envelope and braces."""
        due = frame.tick // self._every != self._last_whole // self._every
        last = self._last
        if self._wants_whole or due or last is None:
            self._last_whole, self._wants_whole = frame.tick, False
            text = self._whole(frame)
            kind = "snapshot"
        else:
            text = self._difference(last, frame)
            kind = "diff"
        self._last = frame
        return kind, text

    def latest(self) -> str | None:
        """Return the fields of the last frame as those of a whole one, None before the first."""
        return None if self._last is None else self._whole(self._last)

    def _whole(self, frame: Frame) -> str:
        parts = []
        for name in SECTIONS:
            if name in self._redacted:
                text = EMPTY[name]
            elif name == TIES:
                ties = [_tie(edge, frame.edges[edge]) for edge in sorted(frame.edges)]
                text = f'{{"ties":{listing(ties)},"churn":{frame.churn}}}'
            else:
                text = frame.texts[name]
            parts.append(entry(name, text))
        return ",".join(parts)

    def _difference(self, last: Frame, frame: Frame) -> str:
        parts = []
        for name in SECTIONS:
            if name in self._redacted:
                continue
            if name == TIES:
                ties = changed_ties(last.edges, frame.edges, frame.losses)
                if ties or frame.churn != last.churn:
                    parts.append(entry(name, f'{{"ties":{listing(ties)},"churn":{frame.churn}}}'))
            elif frame.texts[name] is not last.texts[name] and frame.texts[name] != last.texts[name]:
                parts.append(entry(name, frame.texts[name]))
        return f'"changes":{mapping(parts)},"removed":[]'


def changed_ties(before: Mapping[Edge, Values], after: Mapping[Edge, Values], losses: Sequence[Loss]) -> list[str]:
    """Return the ties that are different, with deltas and status, sorted by owner and other."""
    if before is after:
        return []
    reasons = {(loss.owner, loss.other): STATUS[loss.reason] for loss in losses}
    found = []
    for edge in sorted(before.keys() | after.keys()):
        old, new = before.get(edge), after.get(edge)
        if old == new:
            continue
        status = "added" if old is None else "updated"
        if new is None:
            status = reasons.get(edge, "faded")
        found.append(_tie(edge, new or _NOTHING, status, old or _NOTHING))
    return found


def _tie(edge: Edge, values: Values, status: str | None = None, old: Values = _NOTHING) -> str:
    trust, familiarity, rivalry = values
    tie: dict[str, Any] = {"owner": edge[0], "other": edge[1]}
    tie |= {"trust": trust, "familiarity": familiarity, "rivalry": rivalry}
    if status is not None:
        tie["status"] = status
        deltas = [round(new - before, DECIMALS) + 0.0 for new, before in zip(values, old, strict=True)]
        tie |= dict(zip(("trust_delta", "familiarity_delta", "rivalry_delta"), deltas, strict=True))
    return dumps(tie)
