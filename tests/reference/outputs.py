"""The output of a tick in which nothing has happened yet: every field at its empty value."""

from types import SimpleNamespace
from typing import Any

from reference.records import Plain
from townlet_jax.core.enums import NOBODY, NUM_ABORTS, NUM_EXITS, NUM_KINDS, NUM_REASONS


def filled(value: Any, *shape: int) -> list[Any]:
    """Return nested lists of a shape, all entries equal."""
    if len(shape) == 1:
        return [value] * shape[0]
    return [filled(value, *shape[1:]) for _ in range(shape[0])]


def blank_outcomes(params: Plain, state: Plain) -> Plain:
    """Return all outcome records, empty."""
    agents = len(state.roster.alive)
    objects = len(params.world.object_type)
    goods = len(params.world.stock_start[0])
    specs = len(params.perturbation.kind)

    def per_agent(*fields: str, value: Any = NOBODY) -> dict[str, Any]:
        return {name: [value] * agents for name in fields}

    def per_pair(*fields: str, value: Any) -> dict[str, Any]:
        return {name: filled(value, agents, agents) for name in fields}

    return SimpleNamespace(
        arrivals=SimpleNamespace(**per_agent("arrived", value=False), **per_agent("uid"), forced_reuses=0),
        shocks=SimpleNamespace(
            price_factor=[1.0] * len(params.economy.price),
            utility_on=[True] * len(params.affordances.utility[0]),
            closed=[False] * objects,
            city_event=False,
            started=[False] * specs,
            ended=[False] * specs,
            **per_agent("relocated"),
        ),
        verdicts=SimpleNamespace(
            **per_agent("kind", "reason", value=0), **per_agent("ok", value=False), **per_agent("detail")
        ),
        moves=SimpleNamespace(**per_agent("moved", "bumped", value=False)),
        grants=SimpleNamespace(**per_agent("act", "ghost", "live")),
        starts=SimpleNamespace(**per_agent("affordance", "object"), **per_agent("cost", value=0.0)),
        aborts=SimpleNamespace(**per_agent("reason", value=0), **per_agent("object", "affordance")),
        early_finishes=SimpleNamespace(**per_agent("object", "affordance"), **per_agent("fraction", value=0.0)),
        finishes=SimpleNamespace(
            **per_agent("affordance", "object"),
            need_delta=filled(0.0, agents, 3),
            produced=filled(0.0, agents, goods),
            sink=filled(NOBODY, agents, goods),
        ),
        handovers=SimpleNamespace(
            **per_agent("object", "successor"), **per_agent("preferred", "rotated", "early", value=False)
        ),
        conflicts=SimpleNamespace(
            **per_agent("rival_ghost", "object_ghost", "rival_wait", "object_wait"),
            **per_agent("intensity_ghost", "intensity_wait", value=0.0),
            **per_agent("length_ghost", "length_wait", value=0),
        ),
        queue_losses=SimpleNamespace(**per_agent("object")),
        chats=SimpleNamespace(
            **per_agent("listener"), **per_agent("ok", "forced_failure", value=False), **per_agent("quality", value=0.0)
        ),
        shifts=SimpleNamespace(
            **per_agent("paid", "withheld", "fine", "fine_taken", "sample", value=0.0),
            **per_agent("phase_entered"),
            **per_agent("begun", "finalised", "fined", "late_told", "absent_told", "departed", value=False),
            **per_agent("on_time_ticks", "length", value=0),
            **per_pair("helped", "took_shift", value=False),
        ),
        tie_changes=SimpleNamespace(
            **per_pair("trust_delta", "familiarity_delta", "rivalry_delta", value=0.0),
            **per_pair("added", "evicted", "faded", "shared_meal", value=False),
        ),
        trades=SimpleNamespace(
            restocked=filled(0.0, objects, goods),
            basket_cost=0.0,
            price_now=[0.0] * len(params.economy.price),
            **per_agent("rent_paid", value=0.0),
            **per_agent("rent_unpaid", value=False),
        ),
        night=SimpleNamespace(is_night=False, **per_agent("moved", "lifted", value=False)),
        exit_queue=SimpleNamespace(**per_agent("pending", "overflow", value=False), **per_agent("route", value=0)),
        departures=SimpleNamespace(
            **per_agent("gone", value=False), **per_agent("reason", value=0), **per_agent("respawn_tick")
        ),
        rewards=SimpleNamespace(
            **per_agent(
                "total",
                "survival",
                "needs_penalty",
                "social_bonus",
                "social_penalty",
                "social_avoidance",
                "wage",
                "punctuality",
                "shaping",
                "terminal",
                "homeostasis",
                "work",
                "social",
                "clip_adjustment",
                value=0.0,
            ),
            **per_agent("guard", "clipped", value=False),
        ),
    )


def blank_output(params: Plain, state: Plain) -> Plain:
    """Return the output of a tick before anything has happened."""
    agents = len(state.roster.alive)
    return SimpleNamespace(
        outcomes=blank_outcomes(params, state),
        measures=SimpleNamespace(
            aborts=[0] * NUM_ABORTS, refusals=[0] * NUM_REASONS, exits=[0] * NUM_EXITS, actions=[0] * NUM_KINDS
        ),
        reward=[0.0] * agents,
        terminated=[False] * agents,
        truncated=[False] * agents,
        valid=[False] * agents,
    )
