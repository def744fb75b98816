"""The names of everything an observation holds, in order (MECHANICS 6.1, 6.4). Plain Python: nothing is traced."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from townlet_jax.core.enums import Need, Option, Phase, Trait
from townlet_jax.core.spec import Spec

EMBEDDING = 8  # numbers of an identity
LANDMARKS = ("fridge", "stove", "bed", "shower")
SHOWN_UTILITIES = ("power", "water")
SHOWN_PHASES = (Phase.ON_TIME, Phase.LATE, Phase.ABSENT, Phase.POST)  # after "pre", which is every other phase
HINTS = ("north", "south", "east", "west")
WAYS = ("north", "east", "south", "west")


@dataclass(frozen=True)
class Layout:
    """What stands where in an observation."""

    features: tuple[str, ...]  # names along D
    channels: tuple[str, ...]  # names of the maps
    window: int  # side of the maps, tiles; the agent stands in the middle
    path_channels: tuple[str, ...]  # names along the first axis of `path`, none but in variant full
    num_actions: int  # columns of the mask
    num_options: int  # columns of the option mask, 0 with flat actions

    @property
    def radius(self) -> int:
        """Return how far an agent sees, in tiles."""
        return (self.window - 1) // 2

    def index(self, feature: str) -> int:
        """Return the column of a feature; raises `KeyError` that lists what there is."""
        if feature not in self.features:
            raise KeyError(f"{feature!r} is not a feature of this layout; there are: {', '.join(self.features)}")
        return self.features.index(feature)

    def channel(self, name: str) -> int:
        """Return the index of a map channel; raises `KeyError` that lists what there is."""
        if name not in self.channels:
            raise KeyError(f"{name!r} is not a map channel of this layout; there are: {', '.join(self.channels)}")
        return self.channels.index(name)


@functools.cache
def layout(spec: Spec) -> Layout:
    """Return the layout of a town's observations."""
    return Layout(
        features=tuple(_features(spec)),
        channels=channels(spec),
        window=window(spec),
        path_channels=("path_dx", "path_dy") if spec.variant == "full" else (),
        num_actions=spec.num_actions,
        num_options=len(Option) if spec.action_space == "options" else 0,
    )


def window(spec: Spec) -> int:
    """Return the side of the maps in tiles."""
    return spec.compact_window if spec.variant == "compact" else spec.local_window


def channels(spec: Spec) -> tuple[str, ...]:
    """Return the names of the map channels."""
    if spec.variant == "compact":
        types = tuple(f"object:{name}" for name in spec.object_channels)
        return ("self", "agents", "objects", "reservations", *types, "walkable")
    walls = ("walls",) if spec.extended_features else ()
    return ("self", "agents", "objects", "reservations", *walls)


def social_slots(spec: Spec) -> int:
    """Return how many friends and rivals are shown."""
    return spec.top_friends + spec.top_rivals


def _features(spec: Spec) -> Iterator[str]:
    yield from (f"need_{need.name.lower()}" for need in Need)
    yield from ("wallet", "lateness_counter", "on_shift", "time_sin", "time_cos", "attendance_ratio", "wages_withheld")
    yield "shift_pre"
    yield from (f"shift_{phase.name.lower()}" for phase in SHOWN_PHASES)
    yield from ("embedding_slot_norm", "ctx_reset_flag", "episode_progress", "rivalry_max", "rivalry_avoid_count")
    yield from ("last_action_id_hash", "last_action_success", "last_action_duration", "reservation_active", "in_queue")
    yield from (f"path_hint_{way}" for way in HINTS)
    yield from ("neighbor_agent_ratio", "neighbor_object_ratio", "reserved_tile_ratio", "nearest_agent_distance")
    if spec.landmarks:
        yield from (f"landmark_{name}_{part}" for name in LANDMARKS for part in ("dx", "dy", "dist"))
    if spec.personality_channels:
        yield from (f"personality_{trait.name.lower()}" for trait in Trait)
    for slot in range(social_slots(spec)):
        yield from (f"social_{slot}_embedding_{number}" for number in range(EMBEDDING))
        yield from (f"social_{slot}_{tie}" for tie in ("trust", "familiarity", "rivalry"))
    if spec.aggregates:
        yield from ("social_trust_mean", "social_trust_max", "social_rivalry_mean", "social_rivalry_max")
    if spec.extended_features:
        yield from _extended()
    if spec.action_space == "options":
        yield from (f"option_{option.name.lower()}" for option in Option)


def _extended() -> Iterator[str]:
    yield from ("has_job", "is_busy", "busy_remaining", "is_asleep", "chat_ready", "rival_in_queue")
    yield from ("queue_position", "unpaid_days", "shift_starts_in", "shift_remaining")
    for goal in ("work", "home"):
        yield from (f"{goal}_{way}" for way in WAYS)
        yield f"{goal}_distance"
    yield from (f"{utility}_on" for utility in SHOWN_UTILITIES)
    yield from ("price_level", "faint_progress")
