"""What docs/adapters.md shows is true: its Python runs, and prints what it says."""

import re
from pathlib import Path
from typing import Any

import jax
import pytest

from townlet_jax.env import adapters

PAGE = "docs/adapters.md"


def test_the_python_of_the_page_runs_and_prints_what_it_says(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    page = re.findall(r"```python\n(.*?)```", (root / PAGE).read_text(encoding="utf-8"), re.DOTALL)
    assert len(page) == 4
    promised = re.findall(r"^print\(.*\)  # (.+)$", "".join(page), re.MULTILINE)
    assert len(promised) == 6
    assert adapters.JaxMARLTown.__name__ == "JaxMARLTown"  # imports JaxMARL in a way that leaves the streams alone
    made: dict[str, Any] = {}
    with jax.numpy_dtype_promotion("standard"):  # JaxMARL's log mixes dtypes
        for block in page:
            exec(compile(block, PAGE, "exec"), made)  # our own text
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in promised] == promised
    assert any("hugo" in line for line in lines), "the town was drawn"
