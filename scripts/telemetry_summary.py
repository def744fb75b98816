"""Say what a run was like: `townlet telemetry summary`, for use without an installed package.

    python scripts/telemetry_summary.py run.jsonl --plots pictures

Exit codes: 0 done, 2 bad input or bad lines, 3 drift against a baseline.
"""

import sys
from collections.abc import Sequence

from townlet_jax.cli_telemetry import main

if __name__ == "__main__":
    given: Sequence[str] = sys.argv[1:]
    sys.exit(main(["summary", *given]))
