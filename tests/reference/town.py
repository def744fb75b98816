"""One tick of one town, step by step in the order of section 4."""

from types import SimpleNamespace

from reference import act, bonds, contest, decode, judge, leave, live, measures, night, rewards, shifts, wake
from reference import starts as starting
from reference.draws import draws_of
from reference.outputs import blank_output
from reference.records import Plain, copied
from reference.scene import Scene


def tick(params: Plain, state: Plain, intents: Plain, draws: SimpleNamespace | None = None) -> tuple[Plain, Plain]:
    """Return the town after one tick and what happened in it; the arguments stay as they are.

    `draws` saves computing the random numbers of the tick from `state.key`.
    """
    scene = clock(params, copied(state), copied(intents), draws)
    wake.arrivals(scene)
    wake.perturbations(scene)
    wake.relocation(scene)

    decode.decode_and_validate(scene)
    act.moves(scene)
    act.releases_and_leaves(scene)
    act.requests(scene)
    act.grants_of_requests(scene)
    starting.starts(scene)
    contest.chats(scene)
    contest.stalls_and_ghost_steps(scene)
    contest.impatience(scene)
    contest.leaving_by_distance(scene)
    starting.remember_actions(scene)

    live.interruptions(scene)
    done = live.advance(scene)
    live.finish(scene, done)
    live.handovers(scene, done)
    live.grants_after_finishes(scene)
    live.needs(scene)
    shifts.employment(scene)
    bonds.relationships(scene)

    night.restock(scene)
    night.midnight(scene)

    judge.judge(scene)
    rewards.rewards(scene)
    judge.flags(scene)
    leave.tally(scene)
    measures.measure(scene)
    leave.leave(scene)
    measures.count_aborts(scene)
    return scene.state, scene.out


def clock(params: Plain, state: Plain, intents: Plain, draws: SimpleNamespace | None) -> Scene:
    """4.1.1: what time it is and who acts."""
    now = state.clock.tick + 1
    agents, specs = len(state.roster.alive), len(params.perturbation.kind)
    return Scene(
        params=params,
        state=state,
        out=blank_output(params, state),
        draws=draws or draws_of(state.key, now, agents, specs),
        intents=intents,
        tick=now,
        tick_of_day=now % params.clock.ticks_per_day,
        day=now // params.clock.ticks_per_day,
        acting=state.roster.alive[:],
        need_delta=[[0.0, 0.0, 0.0] for _ in range(agents)],
        ate=[False] * agents,
    )
