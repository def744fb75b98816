"""The promotion manager of a session: a listener that watches the towns, and what operators ask of it (MECHANICS 9.4).

Owns who sits where. Transitions happen at once, under a lock; the weights that act change between two ticks, which the
session does. The gate plays beside it.
"""

import functools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

import jax

from townlet_jax import stability
from townlet_jax.config.schema.stability import Promotion
from townlet_jax.plans import RunError
from townlet_jax.policy import learned
from townlet_jax.promotion import machine, watch
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.games import Games, Gatekeeper
from townlet_jax.promotion.history import History, short
from townlet_jax.promotion.machine import Office
from townlet_jax.promotion.seats import Seat, Wardrobe, seat_of
from townlet_jax.promotion.watch import Watch
from townlet_jax.session import Session
from townlet_jax.snapshots.weights import hash_of
from townlet_jax.stretch import Stretch

SHOWN_RECORDS = 10
Tell = Callable[[str, int, dict[str, Any]], None]  # event, tick, what is said
EVENTS = {"promoted": "policy.promoted", "rollback": "policy.rolled_back", "policy_swap": "policy.swapped"}


class Manager:
    """Seats of one session. Use it as a listener, and `attach` it before the session runs.

    Methods may be called from any thread; those that can be refused raise `PromotionError`. `tell` hears of events,
    `show` of the status after each change; both may be called on any thread.
    """

    def __init__(
        self,
        rules: Promotion,
        wardrobe: Wardrobe,
        release: Seat,
        gatekeeper: Gatekeeper,
        *,
        history: History,
        ticks_per_day: int,
        tell: Tell = lambda event, tick, said: None,
        show: Callable[[dict[str, Any]], None] = lambda status: None,
        executor: Executor | None = None,
    ) -> None:
        self._rules, self._wardrobe, self._history = rules, wardrobe, history
        self._day, self._tell, self._show = ticks_per_day, tell, show
        self._office = Office(release=release)
        self._watch = Watch()
        self._games = Games(gatekeeper, self._conclude, executor=executor)
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._is_pending = False  # weights were chosen that do not act yet: what is heard then is about the others
        self._tick = 0

    def attach(self, session: Session) -> None:
        """Say whose weights the seats are about."""
        with self._lock:
            self._session = session
            self._reconcile()
            self._changed()

    @property
    def office(self) -> Office:
        """Return who sits where."""
        return self._office

    def status(self) -> dict[str, Any]:
        """Return everything there is to know, as JSON."""
        with self._lock:
            office = self._office
            seats = {
                name: seat.published if (seat := getattr(office, name)) is not None else None
                for name in ("release", "shadow", "previous")
            }
            return {
                "state": office.state,
                **seats,
                "candidate_ready": office.candidate_ready,
                "ready_share": round(office.ready_share, 6),
                "candidate_ready_tick": office.candidate_ready_tick,
                "promoted_tick": office.promoted_tick,
                "windows_watched": office.windows_watched,
                "gate": None if office.shadow is None else self._games.report,
                "kpis": {name: canary.published for name, canary in self._watch.canaries.items()},
                "history": list(self._history.records)[-SHOWN_RECORDS:],
            }

    def load_shadow(self, path: str) -> dict[str, Any]:
        """Load a candidate and begin to play for it."""
        shadow = self._wardrobe.fetch(path)
        with self._lock:
            self._set(machine.shadowed(self._office, shadow))
            self._begin_gate()
            return self._changed()

    def swap(self, path: str) -> dict[str, Any]:
        """Let other weights act from the next tick on, without asking anybody."""
        release = self._wardrobe.fetch(path)
        with self._lock:
            self._games.drop()
            self._set(machine.swapped(self._office, release))
            self._act()
            return self._recorded("policy_swap", reason=None)

    def promote(self, reason: str | None = None) -> dict[str, Any]:
        """Let the candidate act from the next tick on, if it is ready and has passed the gate."""
        with self._lock:
            after = machine.promoted(self._office)
            gate = self._games.report
            if gate["status"] == "playing":
                raise PromotionError("not_ready", "The gate is still playing; ask again later.", gate)
            if gate["status"] != "pass":
                self._recorded("gate_failed", reason=reason, gate=gate)
                why = "; ".join(gate["reasons"])
                raise PromotionError("rejected", f"The candidate did not pass the gate: {why}.", gate)
            self._set(after)
            self._act()
            return self._recorded("promoted", reason=reason, gate=gate)

    def rollback(self, reason: str | None = None) -> dict[str, Any]:
        """Let the release before act again from the next tick on."""
        with self._lock:
            after = machine.rolled_back(self._office)
            self._wardrobe.of(_known(after.release, after))
            self._set(after)
            self._act()
            return self._recorded("rollback", reason=reason)

    def hear(self, stretch: Stretch) -> None:
        """Look at the towns after a chunk; on the session's thread."""
        with self._lock:
            self._tick = stretch.last_tick
            if stretch.standing is None or self._is_pending:
                return
            standing: stability.Standing = jax.device_get(stretch.standing)
            before = self._office
            self._office = machine.observed(
                before, ready_share=float(standing.ready), least=self._rules.ready_share, tick=stretch.last_tick
            )
            self._judge_windows(standing)
            if self._office != before:
                self._changed()

    def close(self) -> None:
        """End the games of the gate."""
        self._games.close()

    def figures(self) -> Mapping[str, Any]:
        """Return what a snapshot keeps, as JSON."""
        status = self.status()
        names = ("state", "release", "shadow", "previous", "promoted_tick", "windows_watched")
        kept = {name: status[name] for name in names}
        return kept | {"watch": self._watch.figures(), "history": list(self._history.records)}

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Go on from what `figures` returned; a candidate plays again, and readiness is looked at anew."""
        with self._lock:
            self._office = Office(
                state="promoted" if figures["state"] == "promoted" else "monitoring",
                release=seat_of(figures["release"]),
                shadow=seat_of(figures["shadow"]),
                previous=seat_of(figures["previous"]),
                promoted_tick=figures["promoted_tick"],
                windows_watched=figures["windows_watched"],
            )
            self._watch = Watch.restored(figures["watch"])
            self._history.restore(figures["history"])
            if self._office.shadow is not None:
                self._begin_gate()
            self._reconcile()
            self._changed()

    def _judge_windows(self, standing: stability.Standing) -> None:
        """Take note of a window that was judged, and go back where a promoted release does badly."""
        tick = int(standing.evaluated_tick)
        since = self._office.promoted_tick
        if tick <= self._watch.evaluated_tick or (since is not None and tick <= since):
            return
        self._watch = self._watch.heard(tick, standing.sums.tolist(), ticks_per_day=self._day)
        if self._office.state != "promoted":
            return
        self._office = machine.watched(self._office)
        if self._office.windows_watched > self._rules.watch_windows:
            return
        reasons = watch.trouble(self._watch, failed=float(standing.failed), allowed=1 - self._rules.ready_share)
        if reasons:
            self._go_back(f"automatic: {'; '.join(reasons)}")

    def _go_back(self, reason: str) -> None:
        try:
            self.rollback(reason)
        except PromotionError as error:
            self._office = replace(self._office, windows_watched=self._rules.watch_windows)
            self._tell("loop.failure", self._tick, {"sentence": f"No automatic rollback ({error.sentence})"})

    def _set(self, office: Office) -> None:
        self._office = office
        self._wardrobe.retain([office.release, office.shadow, office.previous])

    def _act(self) -> None:
        """Have the release act from the next tick on; the session does that between two ticks."""
        self._watch = self._watch.replaced()
        self._demand_take_over()

    def _demand_take_over(self) -> None:
        if self._session is not None:
            release = _known(self._office.release, self._office)
            parameters = self._wardrobe.of(release)
            self._is_pending = True
            answer = self._session.ask(functools.partial(self._take_over, release, parameters))
            answer.add_done_callback(_drop)

    def _reconcile(self) -> None:
        """Have the release act where other weights do: a snapshot may lie between a change and its tick."""
        if self._session is not None:
            acting: Any = self._session.fleet.params
            if hash_of(jax.device_get(acting.weights)) != _known(self._office.release, self._office).policy_hash:
                self._demand_take_over()

    def _take_over(self, release: Seat, parameters: Any) -> None:
        session = self._session
        assert session is not None, "only a session calls this"
        fleet = session.fleet
        fleet.take(learned.equip(fleet.params, jax.device_put(parameters)))
        fleet.memory = learned.forgotten(stability.restarted(fleet.memory, session.tick))
        with self._lock:
            if self._office.release == release:
                self._is_pending = False
                self._office = machine.acting_since(self._office, session.tick)
                self._watch = replace(self._watch, evaluated_tick=max(self._watch.evaluated_tick, session.tick))
                self._changed()

    def _begin_gate(self) -> None:
        office = self._office
        self._games.begin(_known(office.release, office), _known(office.shadow, office))

    def _conclude(self, report: dict[str, Any]) -> None:
        """Hear what the gate says; on its thread."""
        with self._lock:
            if report["status"] == "fail":
                self._recorded("gate_failed", reason=None, gate=report)
            else:
                self._changed()

    def _recorded(self, event: Any, *, reason: str | None, gate: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write down what happened, tell of it, and return the status."""
        office = self._office
        hashes = {
            name: None if (seat := getattr(office, name)) is None else seat.policy_hash
            for name in ("release", "previous")
        }
        record = self._history.add(
            event, tick=self._tick, state=office.state, metadata={"reason": reason}, gate=short(gate), **hashes
        )
        if event in EVENTS:
            self._tell(EVENTS[event], self._tick + 1, record)
        return self._changed()

    def _changed(self) -> dict[str, Any]:
        status = self.status()
        self._show(status)
        return status


def _known(seat: Seat | None, office: Office) -> Seat:
    if seat is None:
        raise PromotionError("not_ready", "There is no such policy in this session.", {"state": office.state})
    return seat


def _drop(answer: "Future[None]") -> None:
    """Raise what went wrong where it is logged; somebody who ended the session meanwhile is no error."""
    if not answer.cancelled():
        error = answer.exception()
        if error is not None and not isinstance(error, RunError):
            raise error
