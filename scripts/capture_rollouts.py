"""Record a policy in many towns as a dataset for cloning (docs/datasets.md).

    python scripts/capture_rollouts.py default --policy scripted --towns 32 --days 2 --stress --out data/scripted

Exit codes: 0 done, 2 bad input (one sentence on stderr), 130 and 143 stopped by Ctrl-C or SIGTERM: then the folder has
no head and is no dataset.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

POLICIES = ("scripted", "random")


def main(words: Sequence[str]) -> int:
    """Record and return the exit code."""
    given = _parser().parse_intermixed_args(list(words))
    from townlet_jax.config import ConfigError
    from townlet_jax.run import RunError
    from townlet_jax.snapshots import StoreError

    try:
        return carry_out(given)
    except (ConfigError, RunError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Record a policy in many towns.")
    parser.add_argument("config", help="a town file, or the name of a shipped one")
    parser.add_argument("overrides", nargs="*", metavar="KEY.SUB=VALUE", help="changes, such as economy.rent_per_day=3")
    parser.add_argument("--policy", default="scripted", help=f"{', '.join(POLICIES)}, or where weights are")
    parser.add_argument("--greedy", action="store_true", help="weights: the likeliest action instead of a draw")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of decisions that weights make, the script the others"
    )
    parser.add_argument(
        "--labels",
        choices=("own", "script"),
        default="own",
        help="record what was done, or what the script would have done",
    )
    parser.add_argument("--towns", type=int, default=16, help="default 16")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--ticks", type=int, help="of each town")
    length.add_argument("--days", type=float, help="default 1")
    parser.add_argument("--space", choices=("flat", "options"), default="flat", help="default flat")
    parser.add_argument("--stress", action="store_true", help="let trouble strike in every second town")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--discount", type=float, default=0.997, help="of the returns to go; default 0.997")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return parser


def carry_out(given: argparse.Namespace) -> int:
    """Record as the options say."""
    from rich.console import Console
    from rich.text import Text

    from townlet_jax import runtime
    from townlet_jax.config import build, load
    from townlet_jax.run import plan_for
    from townlet_jax.snapshots import StopRequest
    from train import capture, progress, recording

    remarks = Console(stderr=True, quiet=given.quiet)
    ready = runtime.configure()
    if ready.note:
        remarks.print(Text(ready.note, style="yellow"))
    built = build(load(given.config, (*given.overrides, f"spec.action_space={given.space}")))
    ticks, days = given.ticks, given.days if given.days is not None or given.ticks is not None else 1.0
    sound = plan_for(built, towns=given.towns, ticks=ticks, days=days, policy="scripted", seed=given.seed, chunk=None)
    plan = capture.plan(sound, stressed=given.stress, discount=given.discount, labels=given.labels)
    teacher = capture.teacher(given.policy, built, greedy=given.greedy, share=given.share)
    with StopRequest() as request, progress.bar("ticks", plan.ticks, remarks) as advance:
        made = recording.record(
            built, teacher, plan, given.out, on_tick=lambda tick: advance(tick, ""), stop=lambda: request.is_made
        )
    if made is None:
        print(f"Interrupted; {given.out} holds no dataset, remove it.", file=sys.stderr)
        return request.exit_code
    _tell(made, remarks)
    return 0


def _tell(made: Any, remarks: Any) -> None:
    from rich.text import Text

    head = made.head
    if head.left_out:
        remarks.print(Text(f"This town cannot have {', '.join(head.left_out)}.", style="yellow"))
    kinds = ", ".join(f"{amount} {name}" for name, amount in head.stress.items())
    remarks.print(
        Text(
            f"{head.rows:,} rows, {head.decisions:,} of them decisions, in {head.episodes:,} episodes of {head.towns} "
            f"towns ({kinds}) in {made.folder}."
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
