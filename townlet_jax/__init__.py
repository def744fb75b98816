"""townlet_jax: small-town life for multi-agent reinforcement learning, as arrays.

Importing the package makes one setting, and only where nothing is set: on x86 the LLVM in jaxlib 0.10.2 crashes
on some of the town's programs for AVX-512 processors ("Cannot select: SUBV_BROADCAST_LOAD"), so XLA's
CPU backend is held to AVX2, at a cost of about 15 %. Set `--xla_cpu_max_isa` in XLA_FLAGS yourself to overrule it.
"""

import os
import platform

_FLAG = "--xla_cpu_max_isa"


def _hold_to_avx2() -> None:
    flags = os.environ.get("XLA_FLAGS", "")
    if platform.machine() in ("x86_64", "AMD64") and _FLAG not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_FLAG}=AVX2".strip()


_hold_to_avx2()
