"""What one agent looks at: the town it sees, its window, the way to things, the people it minds (6.1 to 6.3)."""

import hashlib
import math
from dataclasses import dataclass

from reference.records import Plain, single
from reference.scene import Scene, cheb, clip
from townlet_jax.core.enums import NOBODY, UNREACHABLE
from townlet_jax.core.spec import Spec

EMBEDDING_WIDTH = 8


@dataclass(frozen=True)
class Words:
    """What the indices of a town mean, as far as observations know words."""

    object_types: tuple[str, ...]
    utilities: tuple[str, ...]
    hint_types: tuple[str, ...]  # object type that serves each need

    def kind(self, name: str) -> int:
        """Return the index of an object type, NOBODY if the town has none."""
        return self.object_types.index(name) if name in self.object_types else NOBODY


@dataclass
class Sight:
    """One town as it is shown: after judge and before leave."""

    spec: Spec
    scene: Scene
    after: Plain  # the state at the end of the tick
    option: list[int]  # the option each agent acted by
    words: Words

    def norm(self, value: float, scale: str) -> float:
        """Divide by a scale of the parameters and clip (6.1)."""
        rules = self.scene.params.observation
        return clip(value / getattr(rules, scale), -rules.feature_clip, rules.feature_clip)

    @property
    def side(self) -> int:
        """Side of the window."""
        return self.spec.compact_window if self.spec.variant == "compact" else self.spec.local_window

    @property
    def radius(self) -> int:
        """Largest Chebyshev distance within the window."""
        return (self.side - 1) // 2

    def offsets(self) -> list[tuple[int, int]]:
        """Return all (dx, dy) of the window, row by row from the north-west corner."""
        reach = range(-self.radius, self.radius + 1)
        return [(dx, dy) for dy in reach for dx in reach]

    def others(self, a: int) -> list[int]:
        """Return the other living agents in the window of `a`, those on the own tile too."""
        return [b for b in self.scene.living if b != a and self.scene.distance(a, b) <= self.radius]

    def objects_near(self, a: int) -> list[int]:
        """Return the present objects in the window of `a`."""
        world, here = self.scene.params.world, self.scene.state.roster.position[a]
        return [o for o in self.present() if cheb(here, world.tile[o]) <= self.radius]

    def present(self) -> list[int]:
        """Return all objects that stand there, in index order."""
        return [o for o, is_there in enumerate(self.scene.params.world.present) if is_there]

    def present_of(self, kind: int) -> list[int]:
        """Return the present objects of a type, none for NOBODY."""
        types = self.scene.params.world.object_type
        return [o for o in self.present() if kind != NOBODY and types[o] == kind]

    def held_tiles(self) -> set[tuple[int, int]]:
        """Return the tiles on which a held object stands."""
        return {tuple(self.scene.params.world.tile[o]) for o in self.scene.holders()}

    def route(self, a: int, target: int) -> tuple[int, int]:
        """Return steps and direction from `a` to a route target."""
        x, y = self.scene.state.roster.position[a]
        routes = self.scene.params.routes
        return routes.steps[target][y][x], routes.direction[target][y][x]

    def job_target(self, job: int) -> int:
        """Return the route target of a job's site (1.3: objects, jobs, homes, places)."""
        return len(self.scene.params.world.tile) + job

    def home_target(self, home: int) -> int:
        """Return the route target of a home."""
        return len(self.scene.params.world.tile) + len(self.scene.params.world.site_tile) + home

    def nearest_by_steps(self, a: int, kind: int) -> int:
        """Return the present object of a type with the fewest steps, ties lowest index; NOBODY if none is reachable."""
        reachable = [o for o in self.present_of(kind) if self.route(a, o)[0] != UNREACHABLE]
        return min(reachable, key=lambda o: (self.route(a, o)[0], o), default=NOBODY)

    def nearest_as_the_crow_flies(self, a: int, kind: int) -> int:
        """Return the present object of a type at the smallest Euclidean distance, ties lowest index, or NOBODY."""

        def key(o: int) -> tuple[int, int]:
            dx, dy = self.vector(a, o)
            return dx * dx + dy * dy, o

        return min(self.present_of(kind), key=key, default=NOBODY)

    def vector(self, a: int, o: int) -> tuple[int, int]:
        """Return (dx, dy) from an agent to an object."""
        (x, y), (u, v) = self.scene.state.roster.position[a], self.scene.params.world.tile[o]
        return u - x, v - y


def unit(dx: float, dy: float) -> tuple[float, float]:
    """Return the unit vector, (0, 0) of nothing."""
    length = math.hypot(dx, dy)
    return (dx / length, dy / length) if length > 0 else (0.0, 0.0)


def company(sight: Sight, a: int) -> list[int]:
    """6.3: the friends `a` likes best, then the strongest rivals among the rest."""
    ties, others = sight.scene.state.ties, [b for b in sight.scene.agents if b != a]
    liking = {b: single(ties.trust[a][b] + ties.familiarity[a][b]) for b in others}
    friends = sorted((b for b in others if liking[b] > 0), key=lambda b: (-liking[b], b))[: sight.spec.top_friends]
    rest = [b for b in others if b not in friends and ties.rivalry[a][b] > 0]
    rivals = sorted(rest, key=lambda b: (-ties.rivalry[a][b], b))[: sight.spec.top_rivals]
    return friends + rivals


def embedding(slot: int) -> list[float]:
    """Return the identity of an embedding slot: eight bytes of BLAKE2s("slot_<e>") over 255, zeros for NOBODY."""
    if slot == NOBODY:
        return [0.0] * EMBEDDING_WIDTH
    return [byte / 255 for byte in hashlib.blake2s(f"slot_{slot}".encode()).digest()[:EMBEDDING_WIDTH]]


def fraction(word: str) -> float:
    """Return the first four bytes, little-endian, of BLAKE2s(word) over 2^32 (6.5)."""
    return int.from_bytes(hashlib.blake2s(word.encode()).digest()[:4], "little") / 2**32
