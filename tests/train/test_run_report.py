"""The page about a run says what lies in its folder."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from townlet_jax.cli_evaluate import SUMMARY as EVALUATION
from townlet_jax.ui.kpi_table import GROUPS
from train import report

FIGURES = [line.figure for group in GROUPS.values() for line in group]


def folder(tmp_path: Path, *, members: int = 0) -> Path:
    """Return the folder of a run of two updates."""
    made = tmp_path / "a <run>"
    made.mkdir()
    names = {name for panel in report.PANELS.values() for name in panel}
    rows = []
    for update in range(2):
        for member in range(members or 1):
            row: dict[str, Any] = {"update": update, "agent_steps_total": 1000 * (update + 1), "seconds": 65.0}
            rows.append(row | dict.fromkeys(names, 0.5) | ({"member": member} if members else {}))
    (made / report.FILE).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    summary = {
        "settings": {"towns": 8, "seed": 3, "town": {"config": "default", "action_space": "options"}},
        "updates": 2,
        "agent_steps": 2000,
        "agent_steps_per_s": 30.0,
        "compile_seconds": 12.0,
        "device": "1 cpu device",
    }
    (made / report.SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
    return made


def evaluated(made: Path) -> None:
    """Put an evaluation beside it in which the run earns 2 a day more, and comes late more often."""

    def estimate(mean: float | None, half: float = 0.5, **more: Any) -> dict[str, Any]:
        ends = {"low": None, "high": None} if mean is None else {"low": mean - half, "high": mean + half}
        return {"mean": mean, **ends, "towns": 4, **more}

    def all_of(mean: float | None, **more: Any) -> dict[str, Any]:
        return {name: estimate(mean, **more) for name in [*FIGURES, "reward_per_agent_day"]}

    policies = [
        {"policy": "scripted", "kpis": all_of(10.0), "differences": {}},
        {"policy": "runs/x", "kpis": all_of(12.0), "differences": all_of(2.0, significant=True)},
    ]
    policies[1]["differences"][FIGURES[0]] = estimate(0.1, significant=False)  # type: ignore[index]  # made above
    policies[1]["differences"][FIGURES[1]] = estimate(None, significant=False)  # type: ignore[index]  # made above
    about = {"level": 0.95, "towns": 4, "ticks": 1440}
    (made / EVALUATION).write_text(json.dumps(about | {"policies": policies}), encoding="utf-8")


@pytest.mark.parametrize("members", [0, 2])
def test_a_run_alone_has_curves(tmp_path: Path, members: int) -> None:
    made = folder(tmp_path, members=members)
    assert report.main([str(made)]) == 0
    text = (made / report.PAGE).read_text(encoding="utf-8")
    assert "<h1>a &lt;run&gt;</h1>" in text
    assert "2 updates of PPO on 8 towns (default, options), seed 3: 2,000 agent-steps in 65 s on 1 cpu device" in text
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert base64.b64decode(picture) == (made / report.CURVES).read_bytes()
    assert "Evaluation" not in text


def test_an_evaluation_and_a_film_are_shown_where_they_are(tmp_path: Path) -> None:
    made = folder(tmp_path)
    evaluated(made)
    (made / report.FILM).write_bytes(b"GIF89a")
    assert report.main([str(made)]) == 0
    text = (made / report.PAGE).read_text(encoding="utf-8")
    said = "<b>x</b> earns +2.00 a day (+20%) against scripted; 95% interval +1.50 to +2.50, 4 towns, 1,440 ticks."
    assert said in text
    assert report.returns(report.read(made)) == {"scripted": 10.0, "x": 12.0}
    assert text.count('class="vague"') == 1
    assert text.count('<td class="dim">–</td>') == 1
    assert text.count("<tr><td>") == len(FIGURES)
    assert f'src="data:image/gif;base64,{base64.b64encode(b"GIF89a").decode()}"' in text


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([str(tmp_path)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.endswith("give a folder that train.ppo --out wrote.")
