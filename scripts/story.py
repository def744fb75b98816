"""`python scripts/story.py`: the demo story on the default town, told as it happens (`make story`).

The town lives under the script while a timeline of console commands stages a newcomer, a price shock and a
reconciliation. Everything is recorded, so that the dashboard can show it and scrub in it.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from townlet_jax import cli
from townlet_jax.report import printable

ROOT = Path(__file__).parent.parent
STORY = ROOT / "configs" / "stories" / "demo.yaml"
TICKS = 1020
TALKATIVE = ("telemetry.every_ticks=1", "telemetry.narration.global_window_limit=100")
MINUTES = 1440  # ticks of a day of the default town
LOOKS = {"operator_story": "bold", "queue_conflict": "red", "relationship_rivalry": "red", "perturbation": "yellow"}


def main(words: Sequence[str]) -> int:
    """Tell the story and return the exit code."""
    parser = argparse.ArgumentParser(prog="python scripts/story.py", description="Tell the demo story.")
    parser.add_argument("--timeline", type=Path, default=STORY, help="commands by tick; default the demo story")
    parser.add_argument("--ticks", type=int, default=TICKS, help=f"length; default {TICKS}, five in the afternoon")
    parser.add_argument("--out", type=Path, default=Path("runs/story.jsonl"), help="file for the recording")
    parser.add_argument("--watch", action="store_true", help="show the recording in the dashboard at the end")
    given = parser.parse_args(list(words))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.unlink(missing_ok=True)
    watched = ["--watch-town", "0", "--telemetry", str(given.out), "--quiet"]
    timeline = ["--timeline", str(given.timeline), "--ticks", str(given.ticks)]
    code = cli.execute(["run", "default", *TALKATIVE, *timeline, *watched])
    if code:
        return code
    Console().print(told(narrations(given.out), title="A day in the default town"))
    print(f"Recorded in {printable(str(given.out))}; look at it with: townlet watch {printable(str(given.out))}")
    return cli.execute(["watch", str(given.out)]) if given.watch else 0


def narrations(file: Path) -> Iterator[dict[str, Any]]:
    """Yield what was told, in order."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            body = record.get("changes", record)
            yield from body.get("narrations", ())


def told(stories: Iterator[dict[str, Any]], *, title: str) -> Table:
    """Return the story as a table: when, what kind, what."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, show_header=False)
    made.add_column(no_wrap=True, style="dim")
    made.add_column(no_wrap=True, style="dim")
    made.add_column()
    for one in stories:
        minute = one["tick"] % MINUTES
        kind = one["category"]
        when, message = f"{minute // 60:02d}:{minute % 60:02d}", printable(one["message"])
        made.add_row(when, kind.replace("_", " "), Text(message, style=LOOKS.get(kind, "")))
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
