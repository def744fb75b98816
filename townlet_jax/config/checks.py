"""What a schema cannot see: references between sections and relations between numbers.

Every check raises `ProblemError` at the path to change. `check` runs all of them, map and routes included, without jax.
"""

from collections.abc import Callable, Iterable

from townlet_jax.config.errors import Path, ProblemError, nearest, shown, unknown
from townlet_jax.config.plan import plan
from townlet_jax.config.play import demand_play
from townlet_jax.config.schema import Config
from townlet_jax.config.schema.economy import PerturbationSpec
from townlet_jax.config.tables import demand_weights, profile_names

NEEDED = {"price_spike": ("targets", "magnitude"), "arranged_meet": ("at",)}
USED = {
    "price_spike": {"targets", "magnitude"},
    "blackout": {"utility"},
    "outage": {"utility"},
    "arranged_meet": {"target", "max_participants", "at", "spare_busy"},
    "queue_bottleneck": {"object_type", "object"},
}
SPECIAL = ("targets", "magnitude", "utility", "target", "max_participants", "at", "spare_busy", "object_type", "object")
RESERVED = ("grace_ticks", "absent_cutoff", "absence_slack", "late_tick_penalty", "absence_penalty")


def check(config: Config) -> None:
    """Raise `ProblemError` for the first thing that does not fit together."""
    for verify in CHECKS:
        verify(config)
    demand_play(config, plan(config))


def _distinct(names: Iterable[str], path: Path, key: str, what: str) -> None:
    seen: set[str] = set()
    for row, name in enumerate(names):
        if name in seen:
            raise ProblemError((*path, row, key) if key else (*path, row), f"{shown(name)} is used twice; {what}")
        seen.add(name)


def _spec(config: Config) -> None:
    spec = config.spec
    for key in ("local_window", "compact_window"):
        value = getattr(spec, key)
        if value % 2 == 0:
            raise ProblemError(
                ("spec", key), f"is {value}, but must be odd so that the window has a centre; use {value + 1}"
            )
    if spec.top_friends + spec.top_rivals > 8:
        raise ProblemError(
            ("spec", "top_rivals"),
            f"is {spec.top_rivals} besides {spec.top_friends} friends, but only 8 social slots exist; lower one",
        )
    if spec.object_channels and spec.variant != "compact":
        raise ProblemError(
            ("spec", "object_channels"), f"need variant compact, but it is {spec.variant}; change it or delete them"
        )
    agents = spec.num_agents or max(1, len(config.cast))
    if agents > spec.embedding_slots:
        raise ProblemError(
            ("spec", "embedding_slots"), f"is {spec.embedding_slots}, but {agents} agent slots need one each; raise it"
        )
    if config.employment.absence_days > spec.absence_ring - 1:
        raise ProblemError(
            ("employment", "absence_days"),
            f"is {config.employment.absence_days}, but must be below spec.absence_ring, which is {spec.absence_ring}; "
            "lower it or raise the ring",
        )


def _perturbation_limits(config: Config) -> None:
    section, path = config.perturbations, ("perturbations",)
    count = max(1, len(section.specs))
    if "max_concurrent" in section.model_fields_set and section.max_concurrent > max(count, 1) and section.specs:
        raise ProblemError(
            (*path, "max_concurrent"), f"is {section.max_concurrent}, but there are {count} specs; use 1 to {count}"
        )
    if section.max_events_per_window > config.spec.fired_ring:
        raise ProblemError(
            (*path, "max_events_per_window"),
            f"is {section.max_events_per_window}, but spec.fired_ring remembers {config.spec.fired_ring} starts; "
            "lower it or raise the ring",
        )


def _order(config: Config) -> None:
    """Check pairs of numbers where one bounds the other."""
    needs, economy, life, work = config.needs, config.economy, config.lifecycle, config.employment
    for place, name in enumerate(("hunger", "hygiene", "energy")):
        if needs.start_low[place] > needs.start_high[place]:
            raise ProblemError(("needs", "start_low"), f"of {name} is above start_high; lower it or raise start_high")
    if economy.start_wallet_low > economy.start_wallet_high:
        raise ProblemError(
            ("economy", "start_wallet_low"),
            f"is {economy.start_wallet_low}, above start_wallet_high of {economy.start_wallet_high}; lower it",
        )
    if life.respawn_min > life.respawn_max:
        raise ProblemError(
            ("lifecycle", "respawn_min"), f"is {life.respawn_min}, above respawn_max of {life.respawn_max}; lower it"
        )
    if work.absent_cutoff < work.grace_ticks:
        raise ProblemError(
            ("employment", "absent_cutoff"),
            f"is {work.absent_cutoff}, below grace_ticks of {work.grace_ticks}; raise it",
        )
    reward = config.reward
    if reward.punctuality_bonus > reward.needs_weight[0]:
        raise ProblemError(
            ("reward", "punctuality_bonus"),
            f"is {reward.punctuality_bonus}, above needs_weight of hunger, {reward.needs_weight[0]}, so work would "
            "beat eating; lower it",
        )


def _names(config: Config) -> None:
    """Check that lists of names are free of repetitions."""
    _distinct(config.goods.names, ("goods", "names"), "", "name each good once")
    _distinct(config.economy.utilities, ("economy", "utilities"), "", "name each network once")
    if config.economy.utilities[:2] != ("power", "water"):
        raise ProblemError(
            ("economy", "utilities"), "must begin with power, water, which observations show; add others behind them"
        )
    _distinct(
        (entry.id for entry in config.affordances), ("affordances",), "id", "give each affordance an id of its own"
    )
    for name in ("auto",):
        if name in config.jobs:
            raise ProblemError(("jobs", name), "is a reserved word for the job by slot number; choose another name")
    if "global" in config.economy.prices or "global" in config.goods.price_groups:
        raise ProblemError(("economy", "prices"), "contains 'global', the word for all prices; choose another name")
    for name in config.personalities.profiles:
        if name in profile_names(config)[:4]:
            raise ProblemError(
                ("personalities", "profiles", name), "is built in and cannot be changed; choose another name"
            )
    demand_weights(config)


def _goods(config: Config) -> None:
    """Check every mention of a good or price key."""
    goods, prices = config.goods.names, list(config.economy.prices)
    mentions: list[tuple[Path, str]] = []
    for kind, entry in config.object_types.items():
        mentions += [(("object_types", kind, "stock", good), good) for good in entry.stock]
    for path, entries in ((("town", "objects"), config.town.objects), (("objects",), config.objects)):
        for row, item in enumerate(entries):
            mentions += [((*path, row, "stock", good), good) for good in item.stock]
            mentions += [((*path, row, "link", good), good) for good in item.link]
    for row, thing in enumerate(config.affordances):
        mentions += [(("affordances", row, "consume", good), good) for good in thing.consume]
        mentions += [(("affordances", row, "produce", good), good) for good in thing.produce]
    mentions += [(("restock", row, "good"), delivery.good) for row, delivery in enumerate(config.restock)]
    if "home_store" in config.goods.model_fields_set:
        mentions += [(("goods", "home_store", good), good) for good in config.goods.home_store]
    for place, good in mentions:
        if good not in goods:
            raise unknown(place, "a good", good, goods, "goods.names")
    for key in config.economy.basket_weight or ():
        if key not in prices:
            raise unknown(("economy", "basket_weight", key), "a price key", key, prices, "economy.prices")
    for group, keys in config.goods.price_groups.items():
        for row, key in enumerate(keys):
            if key not in prices:
                raise unknown(("goods", "price_groups", group, row), "a price key", key, prices, "economy.prices")


def _affordances(config: Config) -> None:
    for row, entry in enumerate(config.affordances):
        path: Path = ("affordances", row)
        for key in entry.cost:
            if key not in config.economy.prices:
                raise unknown((*path, "cost", key), "a price key", key, config.economy.prices, "economy.prices")
        for name in entry.utilities:
            if name not in config.economy.utilities:
                raise unknown((*path, "utilities"), "a network", name, config.economy.utilities, "economy.utilities")
        if entry.output_to == "home":
            for good in entry.produce:
                if good not in config.goods.home_store:
                    raise ProblemError(
                        (*path, "output_to"),
                        f"is home, but goods.home_store names no object type for {good}; add {good}: <type> there",
                    )


def _jobs(config: Config) -> None:
    day = config.clock.ticks_per_day
    for name, job in config.jobs.items():
        path: Path = ("jobs", name)
        for key in RESERVED:
            if getattr(job, key) is not None:
                raise ProblemError((*path, key), f"is reserved, not implemented; delete it and use employment.{key}")
        for key in ("start", "end"):
            if getattr(job, key) >= day:
                raise ProblemError(
                    (*path, key), f"is {getattr(job, key)}, but a day has {day} ticks; use 0 to {day - 1}"
                )
        length = (job.end - job.start) % day + 1
        if length > day - 1:
            raise ProblemError(
                (*path, "end"), f"makes a shift of {length} ticks, but at most {day - 1} fit into a day; end it earlier"
            )


def _restock(config: Config) -> None:
    day = config.clock.ticks_per_day
    met = set(config.object_types) | {entry.object_type for entry in config.affordances}
    met |= {entry.object for entry in config.town.legend.values() if entry.object is not None}
    met |= {entry.type for entry in (*config.town.objects, *config.objects) if entry.type is not None}
    for row, entry in enumerate(config.restock):
        path: Path = ("restock", row)
        if entry.type not in met:
            raise unknown((*path, "type"), "an object type", entry.type, sorted(met), "object_types")
        if entry.every > day:
            raise ProblemError((*path, "every"), f"is {entry.every}, but a day has {day} ticks; use 1 to {day}")
        if entry.at >= day:
            raise ProblemError((*path, "at"), f"is {entry.at}, but a day has {day} ticks; use 0 to {day - 1}")
    for row, channel in enumerate(config.spec.object_channels):
        if channel not in met:
            raise unknown(("spec", "object_channels", row), "an object type", channel, sorted(met), "object_types")


def _perturbation_specs(config: Config) -> None:
    for name, spec in config.perturbations.specs.items():
        path: Path = ("perturbations", "specs", name)
        if spec.prob_per_day > config.clock.ticks_per_day:
            raise ProblemError(
                (*path, "prob_per_day"),
                f"is {spec.prob_per_day}, but a tick has at most one start; use 0 to {config.clock.ticks_per_day}",
            )
        _kind_keys(spec, path)
        if spec.duration[0] > spec.duration[1]:
            raise ProblemError((*path, "duration"), f"is {list(spec.duration)}, least after most; swap the two")
        if spec.magnitude is not None and spec.magnitude[0] > spec.magnitude[1]:
            raise ProblemError((*path, "magnitude"), f"is {list(spec.magnitude)}, least after most; swap the two")


def _kind_keys(spec: PerturbationSpec, path: Path) -> None:
    """Check which keys belong to a kind."""
    for key in SPECIAL:
        if getattr(spec, key) is not None and key not in USED[spec.kind]:
            raise ProblemError((*path, key), f"is not used by kind {spec.kind}; delete it")
    for key in NEEDED.get(spec.kind, ()):
        if not getattr(spec, key):
            raise ProblemError((*path, key), f"is missing, and kind {spec.kind} needs it; add it")
    if spec.kind == "queue_bottleneck" and spec.object_type is None and spec.object is None:
        raise ProblemError(
            (*path, "object_type"), "is missing, and kind queue_bottleneck needs it or object; add one of them"
        )


def _people(config: Config) -> None:
    names = {agent.name for agent in config.cast}
    for name in config.personalities.overrides:
        if name not in names:
            raise ProblemError(
                ("personalities", "overrides", name),
                f"names nobody{nearest(name, names)}; list the agent under agents or delete the override",
            )


CHECKS: tuple[Callable[[Config], None], ...] = (
    _spec,
    _names,
    _order,
    _goods,
    _affordances,
    _jobs,
    _restock,
    _perturbation_limits,
    _perturbation_specs,
    _people,
)
