"""A town of the reference at tick 0 without any draw, for tests that set up their own case."""

from types import SimpleNamespace

from reference.outputs import filled
from reference.records import Plain
from townlet_jax.core.enums import NEVER, NOBODY, NUM_COUNTERS


def blank_town(params: Plain, num_agents: int) -> Plain:
    """Return a town in which everybody lives, at home, content with needs .7 and 3 coins."""
    objects = len(params.world.object_type)
    specs = len(params.perturbation.kind)
    agents = range(num_agents)

    def each(value: object) -> list[object]:
        return [value] * num_agents

    ties = {name: filled(0.0, num_agents, num_agents) for name in ("trust", "familiarity", "rivalry")}
    return SimpleNamespace(
        key=[0, 0],
        clock=SimpleNamespace(tick=0, episode_tick=each(0)),
        roster=SimpleNamespace(
            alive=each(True), uid=list(agents), generation=each(0), next_uid=num_agents,
            position=[params.world.home_tile[params.start.home[a]][:] for a in agents],
            home=params.start.home[:], profile=each(0), born_tick=each(0), last_kind=each(0), last_ok=each(False),
            last_ticks=each(0), reset_flag=each(False),
        ),
        needs=SimpleNamespace(level=[[0.7, 0.7, 0.7] for _ in agents]),
        queues=SimpleNamespace(
            holding=each(NOBODY), waiting=each(NOBODY), joined_tick=each(NEVER), ticket=each(0),
            cooldown_until=filled(0, objects, num_agents), stalls=each(0), away_ticks=each(0), cooldown_events=0,
            ghost_steps=0, rotations=0,
        ),
        activities=SimpleNamespace(affordance=each(NOBODY), remaining=each(0)),
        ties=SimpleNamespace(**ties, chat_ready_tick=each(0), last_meal_tick=each(NEVER)),
        employment=SimpleNamespace(
            job=each(NOBODY), phase=each(0), shift_start_tick=each(NEVER), last_present_tick=each(NEVER),
            on_time_ticks=each(0), late_ticks=each(0), late_today=each(0), flags=each(0), shift_paid=each(0.0),
            shift_withheld=each(0.0), attendance=filled(-1.0, num_agents, 3),
            absence_day=filled(NEVER, num_agents, 8),
        ),
        exits=SimpleNamespace(asked_tick=each(NEVER), approved=each(False), exits_today=0),
        economy=SimpleNamespace(
            wallet=each(3.0), stock=[row[:] for row in params.world.stock_start], unpaid_days=each(0)
        ),
        perturbations=SimpleNamespace(
            until_tick=[NEVER] * specs, started_tick=[NEVER] * specs, magnitude=[1.0] * specs,
            object=[NOBODY] * specs, member=filled(False, specs, num_agents), cooldown_until=[0] * specs,
            agent_cooldown_until=each(0), fired_tick=filled(NEVER, specs, 4), queued_tick=[NEVER] * specs,
            queued_ticks=[-1] * specs, queued_magnitude=[-1.0] * specs, quiet_until=0,
        ),
        lifecycle=SimpleNamespace(
            respawn_tick=each(NEVER), died_tick=each(NEVER), faint_streak=each(0), condemned=each(0)
        ),
        embeddings=SimpleNamespace(
            slot=list(agents), released_tick=[NEVER] * (num_agents + 2), allocations=num_agents, forced_reuses=0
        ),
        controls=SimpleNamespace(
            price=params.economy.price[:], mortality=params.lifecycle.mortality,
            daily_exit_cap=params.lifecycle.daily_exit_cap, respawn_min=params.lifecycle.respawn_min,
            respawn_max=params.lifecycle.respawn_max, possessed=each(False),
        ),
        ledger=SimpleNamespace(episode_return=each(0.0), potential=each(0.0)),
        tally=SimpleNamespace(
            count=filled(0, num_agents, NUM_COUNTERS), earned=each(0.0), withheld=each(0.0), spent=each(0.0)
        ),
        faults=0,
    )  # fmt: skip


def everybody_waits(num_agents: int) -> Plain:
    """Return intents in which everybody waits."""
    return SimpleNamespace(
        flat=[NOBODY] * num_agents,
        kind=[0] * num_agents,
        direction=[NOBODY] * num_agents,
        object=[NOBODY] * num_agents,
        affordance=[NOBODY] * num_agents,
        target=[NOBODY] * num_agents,
        success=[True] * num_agents,
        quality=[-1.0] * num_agents,
        avoided=[0] * num_agents,
        option=[0] * num_agents,
        switched=[False] * num_agents,
    )
