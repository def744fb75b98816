"""From an older snapshot to this version: steps in a registry, the shortest way through them (MECHANICS 13.3).

Owns the registry. A step goes from one version of the content to another (whole numbers), or from one configuration
to another (names). It gets the leaves by path and the manifest, and returns both.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from townlet_jax.snapshots.errors import MigrationError, listed, reason, shown
from townlet_jax.snapshots.leaves import Stored
from townlet_jax.snapshots.manifest import LeafPath, Manifest

Version = int | str  # of the content, or the `config_id` of a configuration
Leaves = Mapping[LeafPath, Stored]
Function = Callable[[Leaves, Manifest], tuple[Leaves, Manifest]]
FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One step; `str` is how it is recorded."""

    source: Version
    target: Version
    name: str
    function: Function = field(repr=False)

    def __str__(self) -> str:
        return f"{self.source}->{self.target}:{self.name}"


class Migrations:
    """The steps that are known."""

    def __init__(self) -> None:
        self._from: dict[Version, list[Migration]] = {}

    def register(self, source: Version, target: Version, function: Function, *, name: str = "") -> None:
        """Add a step, named after its function unless a name is given; raises `ValueError` if it makes no sense."""
        if type(source) is not type(target) or source == target:
            raise ValueError(f"a migration leads from a version to another one, not from {source!r} to {target!r}")
        if any(known.target == target for known in self._from.get(source, ())):
            raise ValueError(f"there is already a migration from {source!r} to {target!r}")
        step = Migration(source=source, target=target, name=name or function.__name__, function=function)
        self._from.setdefault(source, []).append(step)

    def path(self, source: Version, target: Version) -> tuple[Migration, ...]:
        """Return the fewest steps between two versions, the earliest registered where several ways are as short.

        Raises `MigrationError` if no way leads there.
        """
        ways: dict[Version, tuple[Migration, ...]] = {source: ()}
        waiting = deque([source])
        while waiting and target not in ways:
            here = waiting.popleft()
            for step in self._from.get(here, ()):
                if step.target not in ways:
                    ways[step.target] = (*ways[here], step)
                    waiting.append(step.target)
        if target not in ways:
            raise MigrationError(
                f"No migration leads from {shown(source)} to {shown(target)} "
                f"(from {shown(source)} one can reach {listed(map(shown, list(ways)[1:])) or 'nothing'})."
            )
        return ways[target]

    def has_way(self, source: Version, target: Version) -> bool:
        """Say whether a way leads from one version to another."""
        try:
            self.path(source, target)
        except MigrationError:
            return False
        return True

    def describe(self, source: Version, target: Version) -> str:
        """Say what would be done, without doing it."""
        steps = self.path(source, target)
        if not steps:
            return f"{shown(source)} needs no migration."
        return f"{shown(source)} becomes {shown(target)} by {listed(map(str, steps), ', then ')}."


def applied(steps: Sequence[Migration], leaves: Leaves, manifest: Manifest) -> tuple[Leaves, Manifest]:
    """Take a snapshot through steps and record each of them; raises `MigrationError` naming the step that failed."""
    for step in steps:
        try:
            leaves, manifest = step.function(leaves, manifest)
        except FAILURES as error:
            raise MigrationError(
                f"Migration {step} failed on snapshot {manifest.step} ({type(error).__name__}: {reason(error)})."
            ) from error
        manifest = _arrived(manifest, step)
    return leaves, manifest


def _arrived(manifest: Manifest, step: Migration) -> Manifest:
    history = (*manifest.migrations, str(step))
    if isinstance(step.target, int):
        return manifest.model_copy(update={"version": step.target, "migrations": history})
    identity = manifest.identity
    if identity is not None:
        identity = identity.model_copy(update={"config_id": step.target})
    return manifest.model_copy(update={"identity": identity, "migrations": history})
