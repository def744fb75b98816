"""The command line of a recipe: its options, and how it says no."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from townlet_jax.run import RunError
from townlet_jax.snapshots import Best, sources
from train import logging, together, writers
from train.checkpoints import BEST, Rules

BAD_INPUT = 2
MOST_MEMBERS = 1024
NEWEST, AUTO = "", "auto"  # what --resume says without a place, and where there may be nothing yet


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        raise SystemExit(refuse(f"{message}; see '{self.prog} --help'."))


def parser(program: str, about: str, *, summary: str) -> argparse.ArgumentParser:
    """Return the options of a recipe that trains."""
    made = Parser(prog=program, description=about)
    made.add_argument("config", help="settings, such as configs/train/options.yaml")
    made.add_argument("overrides", nargs="*", metavar="KEY.SUB=VALUE", help="changes, such as ppo.clip=0.1")
    made.add_argument("--out", type=Path, help=f"folder for {logging.FILE} and {summary}")
    made.add_argument(
        "--population", type=int, default=0, metavar="N", help="train N seeds (seed, seed + 1, ...) beside each other"
    )
    made.add_argument(
        "--log", action="append", default=[], metavar="KIND", help=f"keep the log as {', '.join(writers.EXTRAS)} too"
    )
    keeping = made.add_argument_group("checkpoints")
    keeping.add_argument("--checkpoints", type=Path, metavar="DIR", help="folder for them; default OUT/checkpoints")
    keeping.add_argument("--save-every", type=int, metavar="N", help="updates between two of them; default 10")
    keeping.add_argument("--keep", type=int, default=3, metavar="N", help="how many of the newest stay; default 3")
    keeping.add_argument("--keep-every", type=int, default=0, metavar="N", help="multiples of N stay too; default none")
    keeping.add_argument(
        "--keep-best", default=BEST, metavar="FIGURE", help=f"the best by it stays too, min:FIGURE the least; {BEST}"
    )
    keeping.add_argument(
        "--resume", nargs="?", const=NEWEST, metavar="DIR[@STEP]", help="go on bit for bit; auto: if there is something"
    )
    keeping.add_argument("--init-from", metavar="PLACE", help="begin with the weights of another run or file")
    made.add_argument("--json", action="store_true", help="print one JSON object at the end")
    made.add_argument("-q", "--quiet", action="store_true", help="no progress")
    together.add_options(made)
    return made


def checked(given: argparse.Namespace) -> argparse.Namespace:
    """Refuse what does not fit together, in one sentence."""
    if not 0 <= given.population <= MOST_MEMBERS:
        raise RunError(f"--population is {given.population}, but must be 0 to {MOST_MEMBERS}; give how many to train.")
    for option, least in (("save_every", 1), ("keep", 1), ("keep_every", 0)):
        value = getattr(given, option)
        if value is not None and value < least:
            raise RunError(f"--{option.replace('_', '-')} is {value}, but must be {least} or more; change it.")
    if given.resume is not None and given.init_from is not None:
        raise RunError("--resume and --init-from both say what to begin with; give one of them.")
    if given.resume in (NEWEST, AUTO) and given.checkpoints is None and given.out is None:
        raise RunError("--resume needs to know where; give --checkpoints, --out, or a folder behind it.")
    if given.save_every is not None and folder_of(given) is None:
        raise RunError("--save-every needs a folder; give --checkpoints or --out.")
    writers.demand(given.log, given.out)
    return given


def folder_of(given: argparse.Namespace) -> Path | None:
    """Return where checkpoints are kept, None if they are not."""
    if given.checkpoints is not None:
        return Path(given.checkpoints)
    if given.save_every is None and given.resume is None:
        return None
    if given.out is not None:
        return Path(given.out) / sources.FOLDER
    return sources.located(given.resume)[0] if given.resume not in (None, NEWEST, AUTO) else None


def rules_of(given: argparse.Namespace) -> Rules:
    """Return how often checkpoints are made, and which stay."""
    mode, _, figure = given.keep_best.rpartition(":")
    if mode not in ("", "min", "max"):
        raise RunError(
            f"--keep-best is '{given.keep_best}', but must be a figure of the log, min:FIGURE or max:FIGURE."
        )
    best = Best(figure, "min" if mode == "min" else "max")
    return Rules(every=given.save_every or 10, latest=given.keep, multiples=given.keep_every, best=best)


def refuse(sentence: str) -> int:
    """Say on stderr, in one printable line, why nothing was done."""
    printable = "".join(letter if letter.isprintable() else " " for letter in sentence)
    print(f"error: {' '.join(printable.split())}", file=sys.stderr)
    return BAD_INPUT
