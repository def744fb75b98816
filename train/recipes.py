"""What cloning and annealing runs are made of: the schemas of `configs/train/bc.yaml` and `anneal.yaml`, and how they
are read: with overrides, and with a no in one sentence.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from townlet_jax.config import errors, explain, merge, reader
from townlet_jax.config.errors import ConfigError, ProblemError, dotted, shown
from townlet_jax.config.origin import Origin, Source, printable_name
from townlet_jax.config.schema.fields import Section, flag, given, real, section, whole
from train.settings import NetworkSettings, PpoSettings, Settings, Text, TownSettings

Recipe = TypeVar("Recipe", bound=Section)
_SHARE = "a share lies between nothing and all"


class CloneSettings(Section):
    """Learning to act like the policy of a dataset."""

    learning_rate: float = real(1e-3, 0, 1, "rate", "of Adam", "far larger ones diverge")
    anneal: bool = flag(True, "lower the learning rate to 0 by the last step")
    value_weight: float = real(0.5, 0, 100, "weight", "of the value error in the loss", "not negative")
    max_grad_norm: float = real(1.0, 1e-6, 1e6, "norm", "longer gradients are shortened to it", "above 0")
    batch_rows: int = whole(2048, 1, 1_000_000, "rows", "rows of a step of Adam", "all of them are read at once")
    window: int = whole(
        32, 1, 100_000, "ticks", "ticks through which a recurrent network learns", "all of them are read at once"
    )
    steps: int = whole(4000, 1, 100_000_000, "count", "steps of Adam", "at least one")
    steps_a_call: int = whole(20, 1, 10_000, "count", "steps in one call of the device", "their rows are sent together")
    check_every: int = whole(1000, 1, 100_000_000, "steps", "steps between two looks at held-out rows", "at least one")
    held_out: float = real(0.2, 0.001, 0.999, "share", "share of the towns from which nothing is learned", _SHARE)
    hidden: tuple[Text, ...] = Field(
        (), max_length=1000, description="features that the clone may not look at, such as last_action_id_hash"
    )
    accuracy: float = real(0.9, 0, 1, "share", "share of held-out decisions that must be right: the gate", _SHARE)


class CloneRun(Section):
    """A complete, checked cloning run."""

    town: TownSettings = section(TownSettings, "where the agents of the dataset lived")
    network: NetworkSettings = section(NetworkSettings, "the policy and its value function")
    clone: CloneSettings = section(CloneSettings, "how it is learned")
    seed: int = whole(0, 0, 2**31 - 1, "seed", "of parameters, held-out towns and batches", "seeds are 31-bit")


class Stage(Section):
    """A part of an anneal."""

    kind: Literal["clone", "ppo"] = given("ppo", "clone (from the dataset) or ppo (in towns)")
    updates: int = whole(
        0, 0, 10_000_000, "count", "updates of PPO; for clone steps of Adam, 0 = clone.steps", "a count"
    )
    script_from: float = real(0.0, 0, 1, "share", "share of decisions that the script makes at first", _SHARE)
    script_to: float = real(0.0, 0, 1, "share", "share of decisions that the script makes at last", _SHARE)


class AnnealSettings(Section):
    """Handing the decisions over from the script to the network."""

    stages: tuple[Stage, ...] = Field(
        (Stage(kind="clone"), Stage(kind="ppo", updates=60, script_from=0.8), Stage(kind="ppo", updates=40)),
        min_length=1,
        max_length=100,
        description="one after the other",
    )
    window: int = whole(5, 1, 10_000, "updates", "updates over which key figures are averaged", "at least one")
    tolerance: float = real(0.3, 0, 1, "share", "share by which a key figure may be worse than at the start", _SHARE)
    patience: int = whole(
        60, 0, 1_000_000, "updates", "updates that may pass in all while the share is frozen", "a count"
    )


class AnnealRun(Section):
    """A complete, checked anneal."""

    town: TownSettings = section(TownSettings, "where the agents learn")
    network: NetworkSettings = section(NetworkSettings, "the policy and its value function")
    ppo: PpoSettings = section(PpoSettings, "the update of PPO stages")
    clone: CloneSettings = section(CloneSettings, "how clone stages learn")
    anneal: AnnealSettings = section(AnnealSettings, "the stages, and when they stop handing over")
    towns: int = whole(32, 1, 1_000_000, "count", "towns at once", "each needs memory for a whole rollout")
    steps: int = whole(240, 1, 100_000, "ticks", "ticks of a rollout", "all of them are kept in memory")
    seed: int = whole(0, 0, 2**31 - 1, "seed", "of towns, draws, parameters and batches", "seeds are 31-bit")

    def learner(self) -> Settings:
        """Return the settings of its PPO stages as those of one training run, frozen updates included."""
        updates = sum(stage.updates for stage in self.anneal.stages if stage.kind == "ppo")
        return Settings(
            town=self.town,
            network=self.network,
            ppo=self.ppo,
            towns=self.towns,
            steps=self.steps,
            updates=max(1, updates + self.anneal.patience),
            seed=self.seed,
        )


def load(kind: type[Recipe], path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a file, apply `key.sub=value` overrides and check everything; raises `ConfigError` only."""
    source = _read(Path(path))
    if not isinstance(source.data, dict):
        raise ConfigError(
            f"{printable_name(source.name)}: holds {shown(source.data)} at the top, but settings are a map of "
            "sections; write for example 'seed: 1'."
        )
    data = dict(source.data)
    sources: tuple[Source, ...] = (source,)
    for text in overrides:
        sources = (_overridden(data, text), *sources)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise Origin(sources).error(_problem(kind, error, data)) from None


def _read(file: Path) -> Source:
    """Read and parse a file; an empty one means the defaults."""
    name = str(file)
    try:
        with file.open("rb") as stream:
            raw = stream.read(reader.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ConfigError(f"{printable_name(name)}: cannot be read ({reason}); give a file of settings.") from None
    try:
        text = reader.decode(raw)
        data = reader.parse(text)
    except reader.UnreadableError as error:
        place = f":{error.line}:{error.column}" if error.line else ""
        raise ConfigError(f"{printable_name(name)}{place}: {error.text}.") from None
    return Source(name, {} if data is None else data, text)


def _overridden(data: dict[str, Any], text: str) -> Source:
    """Apply one override to the data and return it as a source of its own."""
    name = f"override {printable_name(text)[:80]}"
    try:
        path = merge.override(data, text)
    except ProblemError as problem:
        place = "" if problem.path == ("--set",) else f"{dotted(problem.path)}: "
        raise ConfigError(f"{name}: {place}{problem.text.rstrip('.')}.") from None
    said: Any = errors.follow(data, path)[0]
    for part in reversed(path):
        said = {part: said}
    return Source(name, said)


def _problem(kind: type[BaseModel], error: ValidationError, data: Any) -> ProblemError:
    """Make a problem of the first error; unknown keys come first because they explain the others."""
    found = error.errors(include_url=False)
    first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])
    path = first["loc"]
    field, inside = _followed(kind, path)
    if first["type"] == "extra_forbidden":
        known = explain.keys_of(inside)
        hint = errors.nearest(str(path[-1]), known)
        return ProblemError(path, f"unknown key{hint}; keys allowed here are {errors.listed(known)}")
    value, _ = errors.follow(data, path)
    return ProblemError(path, f"is {shown(value)}, but must be {_allowed(field, first['type'])}")


def _followed(kind: type[BaseModel], path: errors.Path) -> tuple[FieldInfo | None, type[BaseModel] | None]:
    """Return the field at a path, and the section in which its last part stands."""
    inside: type[BaseModel] | None = kind
    field: FieldInfo | None = None
    section_of = kind
    for part in path:
        if isinstance(part, int) or inside is None:
            continue
        section_of, field = inside, inside.model_fields.get(str(part))
        inside = None if field is None else _section_in(field.annotation)
    return field, section_of


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field holds, or a list of which it holds."""
    kinds = [annotation, *get_args(annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _allowed(field: FieldInfo | None, problem: str) -> str:
    """Say what may stand in a field, and what to do."""
    if field is None or problem in ("model_type", "model_attributes_type"):
        return "a map of keys and values; write it so"
    annotation, meaning = explain.bare(field.annotation), f" ({field.description})"
    if annotation is bool:
        return f"true or false{meaning}; write one of them"
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(annotation.__args__)}{meaning}; choose one of them"
    if annotation in (int, float):
        low, high = explain.bounds(field.metadata)
        number = "a whole number" if annotation is int else "a finite number"
        limits = f"from {explain.plain_number(low)} to {explain.plain_number(high)}"
        return f"{number} {limits}{meaning}; choose a value in that range"
    return f"{'a list' if get_origin(annotation) is tuple else 'a text'}{meaning}; write it so"
