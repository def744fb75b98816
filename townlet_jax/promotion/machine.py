"""The state machine of releases and candidates: plain records, pure transitions (MECHANICS 9.4)."""

from dataclasses import dataclass, replace
from typing import Literal

from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.seats import Seat

State = Literal["monitoring", "ready", "promoted"]


@dataclass(frozen=True, kw_only=True)
class Office:
    """Who sits where, and what is known of the towns."""

    state: State = "monitoring"
    release: Seat | None = None  # acts
    shadow: Seat | None = None  # is a candidate, acts in no town
    previous: Seat | None = None  # what rollback returns to
    ready_share: float = 0.0  # of the towns, at the last look
    candidate_ready: bool = False  # enough of them
    candidate_ready_tick: int | None = None
    promoted_tick: int | None = None  # after which the release acts; None: not promoted, or not acting yet
    windows_watched: int = 0  # judged since then


def observed(office: Office, *, ready_share: float, least: float, tick: int) -> Office:
    """Return the office after a look at the towns: a candidate becomes ready with them, and stops to be."""
    is_ready = ready_share >= least
    known = replace(office, ready_share=ready_share, candidate_ready=is_ready)
    if office.state == "monitoring" and office.shadow is not None and is_ready:
        return replace(known, state="ready", candidate_ready_tick=tick)
    if office.state == "ready" and not is_ready:
        return replace(known, state="monitoring", candidate_ready_tick=None)
    return known


def shadowed(office: Office, shadow: Seat) -> Office:
    """Return the office with a new candidate, which ends the watch over the last promotion."""
    if office.release is not None and shadow.policy_hash == office.release.policy_hash:
        raise PromotionError("rejected", f"{shadow.name} holds the weights that act already; give another candidate.")
    return replace(office, state="monitoring", shadow=shadow, candidate_ready_tick=None)


def promoted(office: Office) -> Office:
    """Return the office in which the candidate is the release; raises `PromotionError` unless it is ready."""
    if office.shadow is None:
        raise PromotionError("not_ready", "There is no candidate; load one first.", {"state": office.state})
    if office.state != "ready":
        raise PromotionError(
            "not_ready",
            f"The candidate is not ready: {office.ready_share:.0%} of the towns have passed enough windows; wait.",
            {"state": office.state, "ready_share": office.ready_share},
        )
    return replace(_restarted(office), state="promoted", previous=office.release, release=office.shadow, shadow=None)


def rolled_back(office: Office) -> Office:
    """Return the office in which the previous release acts again; raises `PromotionError` if nothing was promoted."""
    if office.state != "promoted" or office.previous is None:
        raise PromotionError(
            "not_ready",
            "Nothing was promoted that could be rolled back; swap policies instead.",
            {"state": office.state},
        )
    return replace(_restarted(office), state="monitoring", release=office.previous, previous=None)


def swapped(office: Office, release: Seat) -> Office:
    """Return the office in which another policy acts, without any gate."""
    return replace(_restarted(office), state="monitoring", previous=office.release, release=release, shadow=None)


def acting_since(office: Office, tick: int) -> Office:
    """Return the office once the release really acts: from the tick after this one on."""
    return replace(office, promoted_tick=tick if office.state == "promoted" else None)


def watched(office: Office) -> Office:
    """Return the office after one more window under a promoted release."""
    return replace(office, windows_watched=office.windows_watched + 1)


def _restarted(office: Office) -> Office:
    return replace(
        office, ready_share=0.0, candidate_ready=False, candidate_ready_tick=None, promoted_tick=None, windows_watched=0
    )
