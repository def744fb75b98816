"""Rehearse a promotion from beginning to end, with trouble that rolls it back by itself (docs/promotion.md).

    python scripts/promotion_drill.py
    python scripts/promotion_drill.py --release runs/first --candidate runs/second@best --window 1000

Without policies, two tiny ones that only wait are made up. Exit codes: 0 every step came true, 1 one did not, 2 bad
input (one sentence on stderr).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from townlet_jax.promotion.drill import Step


def main(words: Sequence[str]) -> int:
    """Rehearse and return the exit code."""
    given = _parser().parse_args(list(words))
    from townlet_jax.config.errors import ConfigError
    from townlet_jax.plans import RunError
    from townlet_jax.promotion.errors import PromotionError
    from townlet_jax.snapshots import StoreError

    try:
        steps = carry_out(given)
    except (ConfigError, PromotionError, RunError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    all_well = all(step.ok for step in steps)
    if given.json:
        print(json.dumps({"ok": all_well, "steps": [vars(step) for step in steps]}))
    else:
        for step in steps:
            print(f"{'ok  ' if step.ok else 'FAIL'}  tick {step.tick:>6}  {step.name:<12}  {step.said}")
        print("The drill went well." if all_well else "The drill failed.")
    return 0 if all_well else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Rehearse a promotion and its rollback.")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="changes of the configuration")
    parser.add_argument("--config", default="default", help="configuration: a name or a file")
    parser.add_argument("--release", help="the policy that acts: a run folder or a .safetensors file")
    parser.add_argument("--candidate", help="the policy that is to follow it")
    parser.add_argument("--towns", type=int, default=4)
    parser.add_argument("--window", type=int, default=20, help="ticks of a promotion window")
    parser.add_argument("--games", type=int, default=20, help="ticks of a game of the gate")
    parser.add_argument("--trouble", choices=("alerts", "faints"), default="alerts", help="what goes wrong")
    parser.add_argument("--folder", type=Path, help="folder that keeps state and history")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def carry_out(given: argparse.Namespace) -> "list[Step]":
    """Rehearse what was asked for."""
    from townlet_jax import runtime
    from townlet_jax.plans import RunError
    from townlet_jax.promotion import stand_ins
    from townlet_jax.promotion.drill import Drill, rehearsed

    if (given.release is None) != (given.candidate is None):
        raise RunError("--release and --candidate belong together; give both, or neither.")
    runtime.configure()
    rules = "stability.promotion"
    overrides = (
        *given.overrides,
        f"{rules}.window_ticks={given.window}",
        f"{rules}.required_passes=1",
        f"{rules}.gate.towns={max(2, given.towns)}",
        f"{rules}.gate.ticks={given.games}",
    )
    with ExitStack() as stack:
        release, candidate = given.release, given.candidate
        if release is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            release, candidate = stand_ins.made(folder, given.config, overrides)
        drill = Drill(
            config=given.config, overrides=overrides, release=release, candidate=candidate, towns=given.towns,
            chunk=max(1, given.window // 4), folder=given.folder, trouble=given.trouble,
        )  # fmt: skip
        return rehearsed(drill)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
