"""What every test stands on: CPU, strict dtypes, checked shapes, a warm compilation cache.

The order matters: jax reads its platform when it starts, and the shape checks wrap modules while they are imported.
"""

import gc
import os
import signal
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent

os.environ["JAX_PLATFORMS"] = "cpu"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell that starts something in the background does that
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("TOWNLET_CACHE_DIR", str(ROOT / ".cache" / "townlet"))

import hypothesis
import jax
import pytest
from jaxtyping import install_import_hook

DEVICES = 8  # host devices, so that sharding is tested on any machine

jax.config.update("jax_num_cpu_devices", DEVICES)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_compilation_cache_dir", str(ROOT / ".cache" / f"jaxlib-{metadata.version('jaxlib')}"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def with_shapes() -> list[str]:
    """Return the modules whose annotations are run: all array code, but for protocols that cannot be checked."""
    package = ROOT / "townlet_jax"
    names = []
    for path in sorted(path for part in ("core", "policy", "env") for path in (package / part).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "(Protocol)" not in text or "@runtime_checkable" in text:
            names.append(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return [name for name in names if not name.endswith("__init__")]


install_import_hook(with_shapes(), "shapecheck.check")

hypothesis.settings.register_profile("town", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("town")


MAPPINGS = Path("/proc/self/maps")  # Linux only
MOST_MAPPINGS = 12_000  # the kernel refuses the 65,531st (vm.max_map_count), and then LLVM ends the process


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Let go of compiled programs between two files, before memory mappings run out: each holds up to thousands."""
    if nextitem is not None and nextitem.path != item.path and mappings() > MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()


DRAFTS = (
    "env", "train", "stability", "telemetry", "telemetry_summary", "console", "dashboard", "promotion", "test_cli.py",
    "test_cli_render.py", "test_cli_snapshot.py", "test_evaluate.py", "test_operations.py",
    "test_operations_scripts.py", "test_readme.py", "test_story.py",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _draft(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compile for the tests of `DRAFTS` without most optimisations: that takes half as long.

    The others, those of the rules, and of equal bits, compile as users do.
    """
    if not _is_draft(request.path):
        yield
        return
    jax.clear_caches()
    jax.config.update("jax_disable_most_optimizations", True)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # of processes that tests start
    yield
    del os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"]
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()


def _is_draft(path: Path) -> bool:
    return path.relative_to(ROOT / "tests").parts[0] in DRAFTS


def mappings() -> int:
    """Return how many memory mappings this process has, 0 where nobody can tell."""
    return len(MAPPINGS.read_bytes().splitlines()) if MAPPINGS.exists() else 0


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT
