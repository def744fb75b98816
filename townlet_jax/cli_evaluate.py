"""`townlet evaluate`: policies side by side on the same towns. Owns what is printed where, and the files in `--out`."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from townlet_jax import candidates, evaluate, files, report, run, runtime
from townlet_jax.candidates import Candidate, candidate
from townlet_jax.cli_progress import progress_bar, stoppable
from townlet_jax.config import Built, build, load
from townlet_jax.snapshots import StoreError
from townlet_jax.ui import comparison

DONE, FAULTY, INTERRUPTED = 0, 1, 130
SUMMARY, PICTURE = "evaluation.json", "evaluation.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `townlet evaluate`."""

    config: str
    overrides: tuple[str, ...]
    policies: tuple[str, ...]
    towns: int
    days: float | None
    ticks: int | None
    seed: int | None
    resamples: int
    out: Path | None
    json: bool
    greedy: bool = False


def carry_out(request: Request) -> int:
    """Run every policy, compare, report; returns the exit code. Raises `ConfigError` or `RunError` before any run."""
    runtime.configure()
    remarks = Console(stderr=True)
    config = load(request.config, request.overrides)
    built = build(config)
    check(request)
    entrants = candidates_of(request, built)
    seed = config.seed if request.seed is None else request.seed
    plans = [plan_of(one, request, seed=seed) for one in entrants]
    if request.out is not None:
        files.check_folder(request.out)
    for remark in dict.fromkeys(one.remark for one in entrants if one.remark):
        remarks.print(Text(remark, style="yellow"))
    lives = _live(entrants, plans, remarks)
    if len(lives) < len(plans) or lives[-1].result.ticks < plans[-1].ticks:
        print("Interrupted; nothing was compared, because not every policy lived to the end.", file=sys.stderr)
        return INTERRUPTED
    compared = evaluate.compare(lives, seed=plans[0].seed, resamples=request.resamples)
    document = summary(built, entrants, plans, lives, compared)
    title = f"{document['config']}: {request.towns:,} towns, {plans[0].ticks:,} ticks, seed {plans[0].seed}"
    if request.json:
        print(json.dumps(document, allow_nan=False), flush=True)
    else:
        console = Console()
        console.print(comparison.table(compared, title=f"{title}; mean ± half of the 95 % interval"))
    if request.out is not None:
        with files.replacing(request.out / SUMMARY) as file:
            file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
        if len(compared) > 1:
            comparison.picture(compared, request.out / PICTURE, title=title)
            remarks.print(Text(f"{request.out / PICTURE} shows the differences"))
    return FAULTY if any(lived.result.faults for lived in lives) else DONE


def check(request: Request) -> None:
    """Refuse what cannot be compared, in one sentence."""
    if len(set(request.policies)) < len(request.policies):
        raise run.RunError("A policy is named twice, but differences to itself are 0; name each --policy once.")
    if request.towns < 2:
        raise run.RunError(f"--towns is {request.towns}, but an interval over towns needs at least 2; give more.")
    if not 100 <= request.resamples <= 100_000:
        raise run.RunError(f"--resamples is {request.resamples}, but must be 100 to 100000; change it.")


def candidates_of(request: Request, built: Built) -> list[Candidate]:
    """Return what is compared; raises `RunError` for a policy that cannot be had in this town."""

    towns = candidates.town_for(request.config, request.overrides)
    try:
        return [candidate(policy, built, towns, greedy=request.greedy) for policy in request.policies]
    except StoreError as error:
        raise run.RunError(str(error)) from error


def plan_of(one: Candidate, request: Request, *, seed: int) -> run.Plan:
    """Return the plan of a candidate."""
    wanted = {"towns": request.towns, "ticks": request.ticks, "days": request.days}
    return candidates.plan_of(one, seed=seed, chunk=run.DEFAULT_CHUNK, **wanted)


def _live(candidates: Sequence[Candidate], plans: Sequence[run.Plan], remarks: Console) -> list[evaluate.Lived]:
    """Let the policies live one after the other, a bar each."""
    with stoppable() as asked_to_stop, ExitStack() as bars:
        shown: dict[str, Any] = {}
        by_name = {plan.policy: plan for plan in plans}

        def advance(policy: str, progress: run.Progress) -> None:
            if policy not in shown:
                bars.close()
                shown[policy] = bars.enter_context(progress_bar(by_name[policy], remarks, title=policy))
            shown[policy](progress)

        return evaluate.live(candidates, plans, on_progress=advance, stop=asked_to_stop)


def summary(
    built: Built,
    candidates: Sequence[Candidate],
    plans: Sequence[run.Plan],
    lives: Sequence[evaluate.Lived],
    compared: Sequence[evaluate.Comparison],
) -> dict[str, Any]:
    """Return everything about an evaluation as one JSON object; what has no value is null."""
    return {
        "config": report.printable(built.names.config_id),
        "config_hash": built.names.config_hash,
        "towns": plans[0].towns,
        "ticks": plans[0].ticks,
        "seed": plans[0].seed,
        "level": evaluate.LEVEL,
        "baseline": plans[0].policy,
        "device": runtime.device(),
        "versions": runtime.versions(),
        "policies": [
            {
                "policy": one.policy,
                "about": dict(entrant.about),
                "faults": dict(lived.result.faults),
                "kpis": {name: dataclasses.asdict(estimate) for name, estimate in one.figures.items()},
                "differences": {
                    name: dataclasses.asdict(estimate) | {"significant": estimate.differs_from_zero}
                    for name, estimate in one.differences.items()
                },
            }
            for entrant, one, lived in zip(candidates, compared, lives, strict=True)
        ],
    }
