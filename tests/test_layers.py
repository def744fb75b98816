"""Imports go one way (DESIGN section 2): no module knows what stands above it."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "townlet_jax"
CORE_LIBRARIES = {"jax", "jaxtyping"}
RANKS: tuple[set[str], ...] = (
    {"core"},
    {"policy", "env", "stability"},
    {"config"},
    {
        "branching", "candidates", "cuts", "evaluate", "failing", "files", "fleet", "flights", "invariants", "layers",
        "pacing", "plans", "promotion", "recording", "replay", "report", "resuming", "run", "runtime", "session",
        "snapshots", "soak", "spotlight", "stretch", "town_snapshots", "traffic", "watch",
    },
    {"telemetry"},
    {"console"},
    {"ui"},
    {"bench"},
    {
        "cli", "cli_config", "cli_console", "cli_evaluate", "cli_live", "cli_progress", "cli_promotion", "cli_render",
        "cli_replay", "cli_run", "cli_sessions", "cli_snapshot", "cli_snapshot_look", "cli_snapshot_use",
        "cli_steering", "cli_telemetry", "cli_telemetry_listen", "cli_watch",
    },
)  # fmt: skip


def modules() -> dict[str, Path]:
    """Return every module of the library by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: set[str]) -> set[str]:
    """Return what a module imports anywhere in its body; `from package import module` counts as the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: write relative imports out in full"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
    return found


def part_of(module: str) -> str | None:
    """Return the first part below the package, None for another package or for the package itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == "townlet_jax" and len(parts) > 1 else None


def rank(part: str) -> int:
    """Return the layer of a part of the package; an unknown part is an error of this table."""
    found = [level for level, parts in enumerate(RANKS) if part in parts]
    assert found, f"townlet_jax/{part} has no layer: give it one in tests/test_layers.py and in docs/architecture.md"
    return found[0]


MODULES = modules()
EDGES = {name: imports(name, path, set(MODULES)) for name, path in MODULES.items()}


def test_there_is_something_to_check() -> None:
    assert "townlet_jax.core.state" in MODULES
    assert "townlet_jax.core.struct" in EDGES["townlet_jax.core.state"]


@pytest.mark.parametrize("name", [name for name in MODULES if part_of(name) is not None])
def test_imports_go_down(name: str) -> None:
    own = part_of(name)
    assert own is not None
    above = sorted(target for target in EDGES[name] if (part := part_of(target)) is not None and rank(part) > rank(own))
    assert not above, f"{name} imports from layers above it: {', '.join(above)}"


@pytest.mark.parametrize("name", [name for name in MODULES if part_of(name) == "core"])
def test_the_core_imports_jax_jaxtyping_and_stdlib_only(name: str) -> None:
    allowed = CORE_LIBRARIES | set(sys.stdlib_module_names)
    foreign = sorted(
        target
        for target in EDGES[name]
        if not target.startswith("townlet_jax.core.") and target.split(".")[0] not in allowed
    )
    assert not foreign, f"{name} imports {', '.join(foreign)}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("townlet_jax.core.systems.")])
def test_no_system_imports_another_system(name: str) -> None:
    others = sorted(target for target in EDGES[name] if target.startswith("townlet_jax.core.systems"))
    assert not others, f"{name} imports {', '.join(others)}: the order of systems lives in core/tick.py only"


def test_there_are_no_import_cycles() -> None:
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> None:
        assert name not in path, f"import cycle: {' -> '.join([*path[path.index(name) :], name])}"
        if name in done:
            return
        path.append(name)
        for target in sorted(EDGES[name] & set(MODULES)):
            visit(target)
        path.pop()
        done.add(name)

    for name in MODULES:
        visit(name)


@pytest.mark.parametrize("name", list(MODULES))
def test_nothing_in_the_library_imports_the_recipes(name: str) -> None:
    assert not [target for target in EDGES[name] if target.split(".")[0] == "train"]


@pytest.mark.parametrize("name", list(MODULES))
def test_no_pickle_and_no_unsafe_yaml(name: str) -> None:
    text = MODULES[name].read_text(encoding="utf-8")
    assert not EDGES[name] & {"pickle", "cPickle", "dill", "cloudpickle", "joblib"}
    for word in ("yaml.load(", "allow_pickle=True", "yaml.unsafe_load"):
        assert word not in text, f"{name} holds {word}"
