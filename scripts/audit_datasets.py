"""Check every claim of a dataset, and choose among its episodes (docs/datasets.md).

    python scripts/audit_datasets.py data/scripted
    python scripts/audit_datasets.py data/scripted --min-return 10 --top-share 0.5 --curate data/scripted/best.parquet

Exit codes: 0 all is as it says, 2 something is not: one sentence on stderr for each.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(words: Sequence[str]) -> int:
    """Audit and return the exit code."""
    given = _parser().parse_args(list(words))
    from townlet_jax.run import RunError

    try:
        return carry_out(given)
    except RunError as error:
        return _refused(given, [str(error)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Check every claim of a dataset, and choose among its episodes.")
    parser.add_argument("data", type=Path, help="folder of the dataset, or a curated table in it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    choosing = parser.add_argument_group("choosing episodes")
    choosing.add_argument("--min-return", type=float, help="reward a day that an episode must have brought")
    choosing.add_argument("--min-length", type=int, default=1, help="ticks that it must have lasted")
    choosing.add_argument("--top-share", type=float, default=1.0, help="share of the rest that stays, the best first")
    choosing.add_argument("--stress", action="append", default=[], metavar="KIND", help="only towns of this kind")
    choosing.add_argument("--curate", type=Path, metavar="FILE", help="write the chosen ones into a table, .parquet")
    return parser


def carry_out(given: argparse.Namespace) -> int:
    """Audit, then choose."""
    from townlet_jax.run import RunError
    from train import audit, curation, datasets, tables

    dataset = datasets.opened(given.data)
    found = list(audit.findings(dataset))
    if found:
        return _refused(given, found)
    wish = curation.Wish(
        min_return=given.min_return,
        min_length=given.min_length,
        top_share=given.top_share,
        stress=tuple(given.stress),
    )
    chosen = curation.curated(dataset.episodes, wish)
    if given.curate is not None:
        place: Path = given.curate
        if place.suffix != ".parquet" or place.resolve().parent != dataset.folder.resolve():
            raise RunError(f"--curate is {place}, but must be a .parquet file in {dataset.name}; give such a name.")
        if place.name == datasets.EPISODES:
            raise RunError(f"--curate is {place}, the table of all episodes; give another name.")
        tables.write(place, chosen, str(wish) or "all")
    said = _told(dataset, chosen)
    print(json.dumps(said, allow_nan=False) if given.json else _in_words(said, given.curate))
    return 0


def _told(dataset: Any, chosen: Sequence[Any]) -> dict[str, Any]:
    head = dataset.head
    kinds = dict.fromkeys(one.stress for one in chosen)
    return {
        "data": str(dataset.folder),
        "findings": [],
        "policy": head.policy,
        "config_id": head.config_id,
        "action_space": head.sight.action_space,
        "towns": len({one.town for one in chosen}),
        "episodes": len(chosen),
        "of_episodes": len(dataset.episodes),
        "rows": sum(one.length for one in chosen),
        "decisions": sum(one.decisions for one in chosen),
        "return_per_day": {kind: _mean([one for one in chosen if one.stress == kind]) for kind in kinds},
    }


def _mean(episodes: Sequence[Any]) -> float:
    """Return the reward a day, each tick alike."""
    return float(sum(one.reward_per_day * one.length for one in episodes) / sum(one.length for one in episodes))


def _in_words(said: dict[str, Any], place: Path | None) -> str:
    returns = ", ".join(f"{kind} {value:.2f}" for kind, value in said["return_per_day"].items())
    kept = f" of {said['of_episodes']:,}" if said["episodes"] < said["of_episodes"] else ""
    written = f"; written to {place}" if place is not None else ""
    return (
        f"{said['data']} is what it says: {said['policy']}, {said['action_space']} actions, {said['episodes']:,}{kept} "
        f"episodes of {said['towns']} towns, {said['rows']:,} rows, {said['decisions']:,} decisions; return a day: "
        f"{returns}{written}"
    )


def _refused(given: argparse.Namespace, sentences: Sequence[str]) -> int:
    if given.json:
        print(json.dumps({"data": str(given.data), "findings": list(sentences)}))
    for sentence in sentences:
        print(f"error: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
