"""What docs/environment.md shows is true: its Python runs, and prints what it says."""

import re
from pathlib import Path
from typing import Any

import pytest

from townlet_jax.env import auto_reset, records, rollouts, spaces

PAGE = "docs/environment.md"
SIZES = "num_towns, num_steps = 4096, 1000"


def blocks(root: Path) -> list[str]:
    """Return the Python of the page."""
    return re.findall(r"```python\n(.*?)```", (root / PAGE).read_text(encoding="utf-8"), re.DOTALL)


def run(code: list[str]) -> dict[str, Any]:
    """Run blocks one behind the other and return what they defined."""
    namespace: dict[str, Any] = {}
    for block in code:
        exec(compile(block, PAGE, "exec"), namespace)  # our own text
    return namespace


def test_the_python_of_the_page_runs_and_prints_what_it_says(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it as written, but for fewer towns and steps in the large scan."""
    monkeypatch.chdir(root)
    page = blocks(root)
    assert len(page) == 5
    assert [SIZES in block for block in page] == [False, True, False, False, False]
    promised = re.findall(r"^print\(.*\)  # (.+)$", "".join(page), re.MULTILINE)
    assert len(promised) == 8
    made = run([block.replace(SIZES, "num_towns, num_steps = 6, 4") for block in page])
    assert capsys.readouterr().out.splitlines() == promised
    assert made["reward"].shape == (8, 16, 8)
    assert bool(made["valid"].all())
    assert float(made["lost"][0]) <= 0 < float(made["lost"][-1])


@pytest.mark.slow
def test_the_large_scan_runs_as_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    made = run(blocks(root)[:2])
    assert made["reward"].shape == (1000, 4096)
    assert int(made["leavers"].sum()) > 0


def test_every_field_and_name_is_explained(root: Path) -> None:
    text = (root / PAGE).read_text(encoding="utf-8")
    for record in (records.TimeStep, rollouts.Moment, rollouts.Decision, rollouts.Transition):
        for name in record.__dataclass_fields__:  # type: ignore[attr-defined]  # a Pytree is a dataclass
            assert f"`{name}`" in text or f"`{name}," in text, f"{record.__name__}.{name}"
    for name in (*auto_reset.Mode.__args__, spaces.declare_spaces.__name__, spaces.check_spaces.__name__):  # type: ignore[attr-defined]  # of a Literal
        assert name in text
