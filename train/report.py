"""`python -m train.report RUN`: one page about a training run: `report.html` and `curves.png` in its folder.

Owns the page. It shows what lies in the folder: the log of training, and, where they are, the evaluation that
`townlet evaluate --out RUN` made and a film `town.gif`. Nothing is measured here.
"""

import argparse
import base64
import html
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townlet_jax import files
from townlet_jax.cli_evaluate import PICTURE
from townlet_jax.cli_evaluate import SUMMARY as EVALUATION
from townlet_jax.run import RunError
from townlet_jax.ui.kpi_table import GROUPS, Line
from train import arguments
from train.logging import FILE
from train.writers import Row

PAGE, CURVES, FILM, SUMMARY = "report.html", "curves.png", "town.gif", "summary.json"
RETURN = "return_per_agent_day"
PANELS = {  # a title, and the figures of the log in it
    "return a day": (RETURN,),
    "entropy": ("entropy",),
    "divergence of an update": ("kl",),
    "value function: explained variance": ("explained_variance",),
    "work a day": ("late_starts_per_agent_day", "absences_per_agent_day"),
    "losses": ("policy_loss", "value_loss"),
}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 66rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem } img { max-width: 100%; height: auto }
table { border-collapse: collapse } td, th { padding: .15rem .8rem; text-align: right; border-bottom: 1px solid #ddd }
td:first-child, th:first-child, td:last-child { text-align: left } .group td { font-weight: 600; padding-top: .6rem }
.clear { font-weight: 600; color: #1f5fa8 } .vague, .dim { color: #888 }
"""


@dataclass(frozen=True, kw_only=True)
class Story:
    """What is known of a run."""

    folder: Path
    summary: Mapping[str, Any]
    rows: Sequence[Row]  # of the log
    evaluation: Mapping[str, Any] | None


def main(words: Sequence[str]) -> int:
    """Write the page and return the exit code; bad input is one sentence on stderr."""
    parser = arguments.Parser(prog="python -m train.report", description="Write a page about a training run.")
    parser.add_argument("run", type=Path, help="folder that train.ppo --out wrote; evaluation and film may lie in it")
    try:
        given: argparse.Namespace = parser.parse_args(list(words))
        page = write(given.run)
    except RunError as error:
        return arguments.refuse(str(error))
    print(f"Wrote {page}", file=sys.stderr)
    return 0


def write(folder: Path) -> Path:
    """Write curves and page; raises `RunError` if the folder holds no run or cannot be written."""
    story = read(folder)
    draw(story, folder / CURVES)
    with files.replacing(folder / PAGE) as file:
        file.write(page(story).encode())
    return folder / PAGE


def read(folder: Path) -> Story:
    """Return what lies in the folder of a run; raises `RunError`."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        rows = [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()]
        there = folder / EVALUATION
        evaluation = json.loads(there.read_text(encoding="utf-8")) if there.exists() else None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{folder} holds no finished run ({error}); give a folder that train.ppo --out wrote."
        ) from error
    if not rows:
        raise RunError(f"{folder / FILE} has no updates; train for at least one.")
    return Story(folder=folder, summary=summary, rows=rows, evaluation=evaluation)


def draw(story: Story, path: Path) -> None:
    """Draw how training went; the evaluated policies' returns are lines across. Raises `RunError`."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RunError("A report needs matplotlib; pip install 'townlet_jax[plots]'.") from error
    drawn = Figure(figsize=(11, 5.6), layout="constrained")
    for panel, (title, names) in zip(drawn.subplots(2, 3).flat, PANELS.items(), strict=True):
        for member in sorted({row.get("member", 0) for row in story.rows}):
            own = [row for row in story.rows if row.get("member", 0) == member]
            for place, name in enumerate(names):
                steps = [row["agent_steps_total"] / 1e6 for row in own]
                panel.plot(steps, [row[name] for row in own], color=f"C{place}", linewidth=1.2)
        panel.set_title(title, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.set_xlabel("million agent-steps", fontsize=8)
        if len(names) > 1:
            panel.legend([name.replace("_", " ") for name in names], fontsize=7)
        if names == (RETURN,):
            for place, (policy, mean) in enumerate(returns(story).items()):
                panel.axhline(mean, color=f"C{place + 1}", linewidth=1, linestyle="--", label=policy)
            if returns(story):
                panel.legend(fontsize=7, title="evaluated", title_fontsize=7)
    with files.replacing(path) as file:
        drawn.savefig(file, format="png", dpi=110)


def returns(story: Story) -> dict[str, float]:
    """Return the mean return a day of every evaluated policy."""
    if story.evaluation is None:
        return {}
    policies = story.evaluation["policies"]
    found = {Path(one["policy"]).name: one["kpis"]["reward_per_agent_day"]["mean"] for one in policies}
    return {name: mean for name, mean in found.items() if mean is not None}


def page(story: Story) -> str:
    """Return the page; pictures are in it, so it may be moved."""
    parts = [f"<h1>{html.escape(story.folder.name)}</h1>", paragraph(story)]
    parts.append(f"<h2>Learning</h2>{image(story.folder / CURVES, 'learning curves')}")
    if story.evaluation is not None:
        parts.append(f"<h2>Evaluation</h2>{headline(story.evaluation)}{table(story.evaluation)}")
        if (story.folder / PICTURE).exists():
            parts.append(f"<h2>Differences</h2>{image(story.folder / PICTURE, 'differences between the policies')}")
    if (story.folder / FILM).exists():
        parts.append(f"<h2>A town under the trained policy</h2>{image(story.folder / FILM, 'a town living')}")
    settings = html.escape(json.dumps(story.summary["settings"], indent=2))
    parts.append(f"<h2>Settings</h2><details><summary>all of them</summary><pre>{settings}</pre></details>")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(story.folder.name)}</title>'
        f"<style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def paragraph(story: Story) -> str:
    """Say what was run, on what, and how long it took."""
    about, last = story.summary, story.rows[-1]
    return (
        f"<p>{about['updates']:,} updates of PPO on {about['settings']['towns']:,} towns "
        f"({html.escape(str(about['settings']['town']['config']))}, {about['settings']['town']['action_space']}), seed "
        f"{about['settings']['seed']}: {about['agent_steps']:,} agent-steps in {last['seconds']:,.0f} s on "
        f"{html.escape(about['device'])}, {about['agent_steps_per_s']:,.0f} a second, and "
        f"{about['compile_seconds']:,.0f} s to compile.</p>"
    )


def headline(evaluation: Mapping[str, Any]) -> str:
    """Say in a sentence for each policy how its return compares with the first one's."""
    first, *others = evaluation["policies"]
    said = []
    for one in others:
        difference, usual = one["differences"]["reward_per_agent_day"], first["kpis"]["reward_per_agent_day"]["mean"]
        if difference["low"] is None or usual is None:
            continue
        share = f" ({difference['mean'] / abs(usual):+.0%})" if usual else ""
        said.append(
            f"<p><b>{html.escape(Path(one['policy']).name)}</b> earns {difference['mean']:+.2f} a day{share} against "
            f"{html.escape(first['policy'])}; {evaluation['level']:.0%} interval {difference['low']:+.2f} to "
            f"{difference['high']:+.2f}, {evaluation['towns']} towns, {evaluation['ticks']:,} ticks.</p>"
        )
    return "".join(said)


def table(evaluation: Mapping[str, Any]) -> str:
    """Return the figures of all policies, with half of their intervals, and the differences to the first one."""
    first, *others = evaluation["policies"]
    heads = [html.escape(Path(first["policy"]).name)]
    for one in others:
        heads += [html.escape(Path(one["policy"]).name), "difference"]
    lines = [f"<tr><th>figure</th>{''.join(f'<th>{head}</th>' for head in heads)}<th></th></tr>"]
    for group, figures in GROUPS.items():
        lines.append(f'<tr class="group"><td colspan="{len(heads) + 2}">{html.escape(group)}</td></tr>')
        lines += [line_of(line, first, others) for line in figures]
    return f"<table>{''.join(lines)}</table>"


def line_of(line: Line, first: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    """Return the row of one figure."""
    cells = [cell(first["kpis"][line.figure], line.digits)]
    for one in others:
        cells += [cell(one["kpis"][line.figure], line.digits), cell(one["differences"][line.figure], line.digits)]
    return f'<tr><td>{html.escape(line.label)}</td>{"".join(cells)}<td class="dim">{html.escape(line.unit)}</td></tr>'


def cell(estimate: Mapping[str, Any], digits: int) -> str:
    """Return a mean with half of its interval; a difference is marked by whether it is significant."""
    if estimate["mean"] is None:
        return '<td class="dim">–</td>'
    is_difference = "significant" in estimate
    number = f"{estimate['mean']:{'+' if is_difference else ''},.{digits}f}"
    if estimate["low"] is not None:
        number += f" ±{(estimate['high'] - estimate['low']) / 2:,.{digits}f}"
    kind = ("clear" if estimate["significant"] else "vague") if is_difference else ""
    return f'<td class="{kind}">{number}</td>'


def image(path: Path, words: str) -> str:
    """Return a picture that is part of the page."""
    coded = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{words}" src="data:image/{path.suffix.removeprefix(".")};base64,{coded}">'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
