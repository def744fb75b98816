"""`python -m train.export PLACE FILE.safetensors`: hand on what a learner has learned, without its towns and optimiser.

Exit codes: 0 done, 2 bad input (one sentence on stderr).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from townlet_jax import files
from townlet_jax.run import RunError
from townlet_jax.snapshots import StoreError, sources
from train import arguments


def main(words: Sequence[str]) -> int:
    """Export and return the exit code; errors become one sentence on stderr."""
    options = arguments.Parser(prog="python -m train.export", description="Write weights into a safetensors file.")
    options.add_argument("place", metavar="RUN[@STEP][#MEMBER]", help="folder of a run or of checkpoints")
    options.add_argument("file", type=Path, help=f"file ending in {sources.SUFFIX}")
    given = options.parse_args(list(words))
    try:
        if given.file.suffix != sources.SUFFIX:
            raise RunError(f"{given.file} does not end in {sources.SUFFIX}; give a file that does.")
        files.check_target(given.file, "The file")
        weights = sources.read(given.place)
        sources.export(weights, given.file)
    except (RunError, StoreError) as error:
        return arguments.refuse(str(error))
    print(f"{given.file} holds what {weights.name} has learned in {weights.step} updates.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
