"""Goods, prices, deliveries, affordances, jobs, perturbations: the tables of a town (MECHANICS 3.2-3.7, 14.4, 14.6)."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from townlet_jax.config.schema.fields import (
    REQUIRED,
    FactorRange,
    Name,
    Section,
    TickRange,
    Tile,
    entries,
    flag,
    given,
    real,
    table,
    whole,
)

Price = Annotated[float, Field(strict=True, ge=0, le=1000, allow_inf_nan=False)]
Effect = Annotated[float, Field(strict=True, ge=-1, le=1, allow_inf_nan=False)]
PriceWeight = Annotated[float, Field(strict=True, ge=0, le=1000, allow_inf_nan=False)]
NeedName = Literal["hunger", "hygiene", "energy"]
UNITS_AT_ONCE = Annotated[int, Field(strict=True, ge=0, le=1000)]
CounterName = Literal[
    "meals_consumed", "meals_cooked", "wage_ticks", "showers_started", "showers_taken", "sleep_attempts",
    "sleep_sessions", "late_shifts", "absent_shifts", "chats_ok", "chats_failed", "conflicts", "helped", "refused",
    "bumped",
]  # fmt: skip
OptionName = Literal["idle", "get_fed", "get_clean", "sleep", "cook", "go_to_work", "socialise", "go_home"]


class GoodsSection(Section):
    """What is stored, where homes keep it, and which prices go together."""

    names: tuple[Name, ...] = Field(
        ("meals", "raw_ingredients"), max_length=64, description="goods in index order",
        json_schema_extra={"why": "each has a column in every stock"},
    )  # fmt: skip
    home_store: dict[Name, Name] = Field(
        default_factory=lambda: {"meals": "fridge", "raw_ingredients": "stove"}, max_length=64,
        description="good -> object type that keeps it at home",
    )  # fmt: skip
    price_groups: dict[Name, tuple[Name, ...]] = table(
        "name -> price keys that a price spike can name together", 64, "one entry a group"
    )


class EconomySection(Section):
    """Prices, purses, rent, networks."""

    prices: dict[Name, Price] = table(
        "coins by price key, before spikes, 0 to 1000", 256, "each has a column in a table"
    )
    basket_weight: dict[Name, PriceWeight] | None = Field(
        None,
        max_length=256,
        description="times a price key is paid a day; null = computed from basket, missing keys count 0",
    )
    utilities: tuple[Name, ...] = Field(
        ("power", "water"), min_length=2, max_length=16,
        description="networks that affordances need and outages cut; power and water come first",
        json_schema_extra={"why": "the observation has a feature for power and one for water"},
    )  # fmt: skip
    start_wallet_low: float = real(3.0, 0, 1_000_000, "coins", "least money at reset")
    start_wallet_high: float = real(3.0, 0, 1_000_000, "coins", "most money at reset; at least start_wallet_low")
    spawn_wallet: float = real(3.0, 0, 1_000_000, "coins", "money of an arrival")
    rent_per_day: float = real(2.0, 0, 1000, "coins", "taken at midnight, 0 = off")
    max_unpaid_days: int = whole(2, 1, 365, "days", "days without rent that end in an eviction")


class RestockEntry(Section):
    """One delivery: due when (tick of day - at) is a multiple of every."""

    type: Name = given(REQUIRED, "object type that is filled")
    good: Name = given(REQUIRED, "good that is delivered")
    every: int = whole(REQUIRED, 1, 100_000, "ticks", "interval, at most a day")
    at: int = whole(0, 0, 99_999, "ticks", "tick of day of the first delivery, within the day")
    amount: int = whole(REQUIRED, 0, 1_000_000, "units", "units delivered to each object")
    cap: int = whole(
        2_147_483_647,
        0,
        2_147_483_647,
        "units",
        "stock above which nothing is added",
        "the largest whole number of 32 bits",
    )


def _counted(value: Any) -> Any:
    """Turn a list of price keys into weights."""
    if not isinstance(value, list | tuple) or not all(isinstance(key, str) for key in value):
        return value
    return {key: float(value.count(key)) for key in value}


Cost = Annotated[
    dict[Name, PriceWeight],
    Field(max_length=256),
    BeforeValidator(_counted),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1000}},
            ]
        }
    ),
]


class Counts(Section):
    """Lifetime counters that an affordance moves."""

    start: CounterName | None = given(None, "counter that rises at the start")
    finish: CounterName | None = given(None, "counter that rises at the finish")


class Affordance(Section):
    """Something that can be done with objects of a type."""

    id: Name = given(REQUIRED, "unique name")
    object_type: Name = given(REQUIRED, "object type it belongs to")
    duration: int = whole(REQUIRED, 1, 10_000, "ticks", "how long it runs", "it runs at least one tick and ends")
    effects: dict[NeedName, Effect] = table("change of needs at the finish, -1 to 1", 3, "one a need")
    cost: Cost = Field(default_factory=dict, description="price keys, or price key -> weight, charged at the start")
    consume: dict[Name, UNITS_AT_ONCE] = table("units taken from the object at the start", 64, "one entry a good")
    produce: dict[Name, UNITS_AT_ONCE] = table("units made at the finish", 64, "one entry a good")
    output_to: Annotated[str, Field(strict=True, pattern=r"^(self|home|linked:[a-z][a-z0-9_]*)$", max_length=80)] = (
        given("self", "where produce goes: self, home, or linked:<object type>")
    )
    utilities: tuple[Name, ...] = entries("networks that must be on", 16, "one entry a network")
    slot_use: int = whole(0, 0, 1000, "count", "slots of the object's capacity it takes")
    sleep: bool = flag(False, "whoever runs it is asleep")
    meal: bool = flag(False, "finishing it is a meal, which can be shared")
    counts: Counts = Field(default_factory=Counts, description="lifetime counters it moves")
    preconditions: tuple[Annotated[str, Field(strict=True, max_length=1000)], ...] = entries(
        "expressions over facts that must all hold at the start", 16, "they are joined by and"
    )
    menus: tuple[OptionName, ...] = entries("options that choose it first", 8, "one entry an option")
    fallback_menus: tuple[OptionName, ...] = entries(
        "options that choose it when nothing else is possible", 8, "one an option"
    )


def _site(value: Any) -> Any:
    """Accept the name of a site on the map or a tile."""
    if isinstance(value, str) and 0 < len(value) <= 64:
        return value
    if (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(type(part) is int and 0 <= part < 512 for part in value)
    ):
        return tuple(value)
    raise PydanticCustomError(
        "site", "must be the name of a site in town.legend or a tile [x, y] with 0 <= x, y <= 511"
    )


def _as_written(site: Any) -> Any:
    """Write a site as a name or a list."""
    return list(site) if isinstance(site, tuple) else site


Site = Annotated[
    str | Tile,
    PlainValidator(_site),
    PlainSerializer(_as_written),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}, "minItems": 2}]}),
]


class Job(Section):
    """One shift a day at one site."""

    start: int = whole(REQUIRED, 0, 99_999, "ticks", "first tick of day of the shift, within the day")
    end: int = whole(REQUIRED, 0, 99_999, "ticks", "last tick of day of the shift; before start it crosses midnight")
    wage_rate: float = real(0.0, 0, 100, "coins", "coins per paid tick; 0 means employment.default_wage")
    lateness_penalty: float = real(0.1, 0, 100, "coins", "fine for coming late")
    site: Site = given(REQUIRED, "name of a site on the map or a tile [x, y]")
    grace_ticks: int | None = whole(None, 0, 120, "ticks", "reserved, not implemented")
    absent_cutoff: int | None = whole(None, 0, 600, "ticks", "reserved, not implemented")
    absence_slack: int | None = whole(None, 0, 600, "ticks", "reserved, not implemented")
    late_tick_penalty: float | None = real(None, 0, 1, "coins", "reserved, not implemented")
    absence_penalty: float | None = real(None, 0, 5, "coins", "reserved, not implemented")


class BasketSection(Section):
    """What an agent buys on a usual day; null takes the usual affordance where the town has it."""

    hunger: Name | None = given(None, "affordance that feeds; null = eat_meal where it exists")
    hygiene: Name | None = given(None, "affordance that cleans; null = use_shower where it exists")
    energy: Name | None = given(None, "affordance that rests; null = rest_sleep where it exists")
    makers: dict[Name, Name] | None = Field(
        None, max_length=64, description="good -> affordance that makes it; null = {meals: cook_meal} where it exists"
    )


class PerturbationSpec(Section):
    """One thing that can happen to the town."""

    kind: Literal["price_spike", "blackout", "outage", "arranged_meet", "queue_bottleneck"] = given(
        REQUIRED, "what happens"
    )
    prob_per_day: float = real(
        0.0,
        0,
        100_000,
        "share",
        "expected random starts a day before limits, at most one a tick",
        "at most one start a tick",
    )
    cooldown_ticks: int = whole(0, 0, 100_000, "ticks", "rest after an event, besides global_cooldown_ticks")
    duration: TickRange = given(REQUIRED, "ticks, one number or [least, most], 1 to 100000")
    magnitude: FactorRange | None = given(None, "price factor, one number or [least, most], 0.01 to 100 (price_spike)")
    targets: tuple[Name, ...] | None = Field(
        None, max_length=256, description="price keys, groups of goods.price_groups, or global (price_spike)"
    )
    utility: Name | None = given(None, "network that is cut (blackout: default power, outage: default water)")
    target: Literal["top_rivals", "random"] | None = given(None, "who is invited; null = top_rivals (arranged_meet)")
    max_participants: int | None = whole(
        None, 2, 2048, "count", "most guests; null = 2 (arranged_meet)", "two meet, and no more than live here"
    )
    at: Name | None = given(None, "object id, object type or place where they meet (arranged_meet)")
    spare_busy: bool | None = flag(None, "do not invite who is busy or at work; default perturbations.spare_busy")
    object_type: Name | None = given(None, "one object of this type is closed (queue_bottleneck)")
    object: Name | None = given(None, "this object is closed (queue_bottleneck)")
    is_city_event: bool | None = flag(None, "exits wait while it lasts; default: every kind but arranged_meet")


class PerturbationsSection(Section):
    """The scheduler of perturbations and its specs."""

    max_concurrent: int = whole(2, 1, 64, "count", "events at the same time, at most the number of specs")
    max_events_per_window: int = whole(
        2, 0, 64, "count", "starts of one spec in a window, 0 = no limit; at most spec.fired_ring"
    )
    window_ticks: int = whole(1440, 1, 100_000, "ticks", "length of that window", "a window holds at least one tick")
    global_cooldown_ticks: int = whole(240, 0, 100_000, "ticks", "added to every spec's own cooldown")
    agent_cooldown_ticks: int = whole(360, 0, 100_000, "ticks", "rest of a guest of a meet")
    grace_window_ticks: int = whole(60, 0, 100_000, "ticks", "exits still wait so long after a city event")
    spare_busy: bool = flag(True, "meets do not invite who is busy or at work, where a spec does not say")
    specs: dict[Name, PerturbationSpec] = table("what can happen, in index order", 64, "each has a row in the tables")
