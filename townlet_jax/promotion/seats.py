"""Policies in seats: whose weights they are, and the weights themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from townlet_jax.config import Built
from townlet_jax.policy.learned import Actor
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.snapshots import MissingError, StoreError, sources, weights
from townlet_jax.snapshots.weights import Tree


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A policy by the hash of its weights."""

    name: str  # for people: file, or folder and step
    step: int  # updates done
    policy_hash: str

    @property
    def published(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"name": self.name, "step": self.step, "policy_hash": self.policy_hash}


Load = Callable[[str], tuple[Seat, Tree]]  # of a place; raises `PromotionError`


def loader(built: Built, actor: Actor) -> Load:
    """Return what reads weights for the network that acts in a town.

    It raises `PromotionError`: not_found for a place with no weights, rejected for those of another network.
    """

    def load(place: str) -> tuple[Seat, Tree]:
        try:
            known = sources.read(place)
            network, _ = weights.fitting(known, built)
        except MissingError as error:
            raise PromotionError("not_found", str(error)) from error
        except StoreError as error:
            raise PromotionError("rejected", str(error)) from error
        if network != actor.network:
            raise PromotionError(
                "rejected",
                f"{known.name} holds another kind of network than the one that acts; start a session with it.",
                {"network": _differences(network.config, actor.network.config)},
            )
        seat = Seat(name=known.name, step=known.step, policy_hash=weights.hash_of(known.parameters))
        return seat, known.parameters

    return load


def _differences(one: Any, other: Any) -> dict[str, list[Any]]:
    names = vars(one)
    return {name: [names[name], vars(other)[name]] for name in names if names[name] != vars(other)[name]}


class Wardrobe:
    """The weights of all seats, by hash; what is not there is read again from where it came."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._held: dict[str, Tree] = {}

    def fetch(self, place: str) -> Seat:
        """Read weights from a place and keep them."""
        seat, parameters = self._load(place)
        self._held[seat.policy_hash] = parameters
        return seat

    def keep(self, seat: Seat, parameters: Tree) -> None:
        """Keep weights that are known already."""
        self._held[seat.policy_hash] = parameters

    def of(self, seat: Seat) -> Tree:
        """Return the weights of a seat; raises `PromotionError` if they are nowhere any more."""
        if seat.policy_hash not in self._held:
            found = self.fetch(seat.name)
            if found.policy_hash != seat.policy_hash:
                raise PromotionError(
                    "not_found",
                    f"{seat.name} holds other weights than it did; give the ones with hash {seat.policy_hash[:12]}.",
                    {"wanted": seat.policy_hash, "found": found.policy_hash},
                )
        return self._held[seat.policy_hash]

    def retain(self, seats: Sequence[Seat | None]) -> None:
        """Let go of weights that nobody sits on."""
        wanted = {seat.policy_hash for seat in seats if seat is not None}
        self._held = {name: tree for name, tree in self._held.items() if name in wanted}


def seat_of(said: Mapping[str, Any] | None) -> Seat | None:
    """Return a seat from its JSON."""
    return None if said is None else Seat(**said)
