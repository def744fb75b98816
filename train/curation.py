"""Choosing among the episodes of a dataset: by return, by length, the best share, and by town for an exam.

The rows stay where they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from townlet_jax.run import RunError
from train.tables import Episode


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which episodes are wanted; everything that is asked for must hold."""

    min_return: float | None = None  # reward a day
    min_length: int = 1  # ticks
    top_share: float = 1.0  # of the episodes that are left, by reward a day; at least one
    stress: tuple[str, ...] = ()  # kinds, () for all

    def __str__(self) -> str:
        said = [f"min_return={self.min_return:g}"] if self.min_return is not None else []
        said += [f"min_length={self.min_length}"] if self.min_length > 1 else []
        said += [f"top_share={self.top_share:g}"] if self.top_share < 1 else []
        said += [f"stress={','.join(self.stress)}"] if self.stress else []
        return " ".join(said)


def curated(episodes: Sequence[Episode], wish: Wish) -> list[Episode]:
    """Return the episodes that are wanted, in their order; raises `RunError` for a wish that leaves none."""
    if not 0 < wish.top_share <= 1:
        raise RunError(f"--top-share is {wish.top_share:g}, but must be above 0 and at most 1; give for example 0.5.")
    kinds = {one.stress for one in episodes}
    for kind in wish.stress:
        if kind not in kinds:
            raise RunError(f"--stress is {kind}, but must be one of {', '.join(sorted(kinds))}; choose one.")
    left = [
        one
        for one in episodes
        if one.length >= wish.min_length
        and (wish.min_return is None or one.reward_per_day >= wish.min_return)
        and (not wish.stress or one.stress in wish.stress)
    ]
    if not left:
        best = max((one.reward_per_day for one in episodes), default=0.0)
        raise RunError(
            f"None of {len(episodes)} episodes is as wanted ({wish}); the best brings {best:.3g} a day, so ask "
            "for less."
        )
    number = max(1, round(wish.top_share * len(left)))
    best_first = sorted(left, key=lambda one: (-one.reward_per_day, one.episode))
    chosen = {one.episode for one in best_first[:number]}
    return [one for one in left if one.episode in chosen]


def by_town(
    episodes: Sequence[Episode], share: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the towns to learn from and those held out: about `share` of each kind of stress, at least one in all."""
    random = np.random.default_rng(seed)
    kinds: dict[str, set[int]] = {}
    for one in episodes:
        kinds.setdefault(one.stress, set()).add(one.town)
    held: list[int] = []
    for name in sorted(kinds):
        towns = random.permutation(sorted(kinds[name]))
        held += towns[: round(share * len(towns))].tolist()
    every = sorted({one.town for one in episodes})
    if not held and len(every) > 1:
        held = [int(random.choice(every))]
    if not held or len(held) == len(every):
        raise RunError(
            f"{len(every)} towns cannot be split into those to learn from and those held out ({share:.0%}); record "
            "more towns, or change clone.held_out."
        )
    return np.array(sorted(set(every) - set(held)), np.int64), np.array(sorted(held), np.int64)
