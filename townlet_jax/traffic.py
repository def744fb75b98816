"""Random commands of an operator, fair and foul: what a soak throws at a session. Owns how arguments are drawn.

A fair command is meant to be taken; the town may still refuse it (an agent has died, an event runs already). A foul
one has an argument that is missing, misnamed, of another type or out of range, or a name that no command has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from townlet_jax.config import Built

Arguments = dict[str, Any]
_NEEDS = ("hunger", "hygiene", "energy")
_FOUL: tuple[Any, ...] = (
    float("nan"), float("inf"), -1, 10**9, -1e30, "nobody", "", "\x1b[31m", True, [], [1], [-1, -1],
    {"hunger": 2}, None,
)  # fmt: skip
FOUL_WORDS = ("", "stop", "set_walet", "__init__", "spawn ")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A command with its arguments; `town` None for all towns."""

    command: str
    arguments: Arguments
    town: int | None
    is_fair: bool


class Operator:
    """Draws commands for the towns of a session; the same seed draws the same ones."""

    def __init__(self, built: Built, *, towns: int, seed: int, foul_share: float = 0.3) -> None:
        self._built = built
        self._towns = towns
        self._foul_share = foul_share
        self._draw = np.random.default_rng(seed)
        self._free = np.argwhere(~np.asarray(built.params.world.blocked))[:, ::-1]
        self._rows = self._commands()

    @property
    def commands(self) -> tuple[str, ...]:
        """Return the commands that this town has arguments for, with an action where that decides what is done."""
        return tuple(self._rows)

    def wish(self, alive: npt.NDArray[np.bool_]) -> Wish:
        """Draw any command, for all towns or one; `alive` is [towns, slots]."""
        town = None if self._draw.random() < 0.3 else self._number(self._towns)
        is_fair = self._draw.random() >= self._foul_share
        return self.made(self._one(tuple(self._rows)), alive, town=town, is_fair=is_fair)

    def made(self, command: str, alive: npt.NDArray[np.bool_], *, town: int | None, is_fair: bool = True) -> Wish:
        """Draw the arguments of a command for one town or all of them."""
        there = alive[town or 0]
        arguments = self._rows[command](np.flatnonzero(there).tolist(), np.flatnonzero(~there).tolist())
        command = command.split()[0]
        if not is_fair:
            command, arguments = self._spoilt(command, arguments)
        return Wish(command=command, arguments=arguments, town=town, is_fair=is_fair)

    def _spoilt(self, command: str, arguments: Arguments) -> tuple[str, Arguments]:
        way = self._number(4)
        if way == 0 or not arguments:
            return self._one(FOUL_WORDS), arguments
        name = self._one(tuple(arguments))
        if way == 1:
            return command, {key: value for key, value in arguments.items() if key != name}
        if way == 2:
            return command, arguments | {f"{name}_": 1}
        return command, arguments | {name: self._one(_FOUL)}

    def _commands(self) -> Mapping[str, Callable[[list[int], list[int]], Arguments]]:
        """Return how the arguments of each command are drawn from the living and the vacant slots."""
        names = self._built.names
        rows: dict[str, Callable[[list[int], list[int]], Arguments]] = {
            "spawn": lambda living, vacant: self._newcomer(vacant),
            "kill": lambda living, vacant: {"agent": self._slot(living), "respawn": self._draw.random() < 0.7},
            "teleport": lambda living, vacant: {"agent": self._slot(living), "position": self._tile()},
            "set_home": lambda living, vacant: {"agent": self._slot(living), "home": self._one(names.homes)},
            "setneed": lambda living, vacant: {
                "agent": self._slot(living), "need": self._one(_NEEDS), "value": self._amount(-0.2, 1.2),
            },
            "set_wallet": lambda living, vacant: {"agent": self._slot(living), "amount": self._amount(0, 20)},
            "set_rel": lambda living, vacant: {
                **self._pair(living, "a", "b"), "trust": self._amount(-1, 1), "rivalry": self._amount(0, 1),
            },
            "force_chat": lambda living, vacant: {
                **self._pair(living, "speaker", "listener"), "quality": self._amount(0, 1),
            },
            "employment_exit review": lambda living, vacant: {"action": "review"},
            "employment_exit approve": lambda living, vacant: {"action": "approve", "agent": self._slot(living)},
            "employment_exit defer": lambda living, vacant: {"action": "defer", "agent": self._slot(living)},
            "possess": lambda living, vacant: {
                "agent": self._slot(living), "action": self._one(("acquire", "release", "release")),
            },
            "toggle_mortality": lambda living, vacant: {"enabled": self._draw.random() < 0.7},
            "set_exit_cap": lambda living, vacant: {"n": self._number(5)},
            "set_spawn_delay": lambda living, vacant: {"min": self._number(50), "max": 50 + self._number(200)},
            "announce_story": lambda living, vacant: {"message": "soak"},
        }  # fmt: skip
        if names.objects and names.goods:
            rows["set_stock"] = lambda living, vacant: {
                "object": self._one(names.objects), "good": self._one(names.goods), "units": self._amount(0, 40),
            }  # fmt: skip
        if names.prices:
            rows["price"] = lambda living, vacant: {"key": self._one(names.prices), "value": self._amount(0, 2)}
        if names.perturbations:
            rows["perturbation_trigger"] = lambda living, vacant: self._order()
            rows["perturbation_cancel"] = lambda living, vacant: {"spec": self._one(names.perturbations)}
        if "arranged_meet" in names.perturbations:
            rows["arrange_meet"] = lambda living, vacant: {
                "agents": [*self._pair(living, "a", "b").values()], "duration": 1 + self._number(60),
            }  # fmt: skip
        return rows

    def _newcomer(self, vacant: list[int]) -> Arguments:
        names = self._built.names
        return {
            "slot": self._slot(vacant), "position": self._tile(), "wallet": self._amount(0, 5),
            "needs": {"hunger": self._amount(0, 1)}, "profile": self._one(names.profiles),
        }  # fmt: skip

    def _order(self) -> Arguments:
        order: Arguments = {"spec": self._one(self._built.names.perturbations), "starts_in": self._number(30)}
        if self._draw.random() < 0.5:
            order["duration"] = 1 + self._number(120)
        return order

    def _number(self, end: int) -> int:
        return int(self._draw.integers(end))

    def _amount(self, low: float, high: float) -> float:
        return float(self._draw.uniform(low, high))

    def _one(self, things: tuple[Any, ...]) -> Any:
        return things[self._number(len(things))]

    def _slot(self, slots: list[int]) -> int:
        """Choose a slot, any at all where there is none of the wanted kind."""
        return slots[self._number(len(slots))] if slots else self._number(self._built.spec.num_agents)

    def _pair(self, living: list[int], first: str, second: str) -> Arguments:
        one = self._slot(living)
        return {first: one, second: self._slot([slot for slot in living if slot != one])}

    def _tile(self) -> list[int]:
        x, y = self._free[self._number(len(self._free))]
        return [int(x), int(y)]
