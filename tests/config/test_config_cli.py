"""`townlet config`: what it prints, how it fails, and that the reference is current."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from townlet_jax.cli_config import app
from townlet_jax.config import load
from townlet_jax.config.plan import config_hash
from townlet_jax.config.reference import markdown
from townlet_jax.config.schema import Config

RUN = CliRunner()


def shipped(root: Path) -> list[Path]:
    return [*sorted((root / "configs").glob("*.yaml")), *sorted((root / "configs" / "scenarios").glob("*.yaml"))]


def test_every_shipped_file_is_fine(root: Path) -> None:
    files = shipped(root)
    assert len(files) == 8
    for file in files:
        result = RUN.invoke(app, ["check", str(file)])
        assert result.exit_code == 0, result.output
        assert f"{file.stem}: ok" in result.output


def test_check_prints_sizes_and_warnings(root: Path) -> None:
    result = RUN.invoke(app, ["check", str(root / "configs" / "default.yaml"), "jobs.clerk.wage_rate=0.001"])
    assert "map 48 x 48, 8 homes, 1 places" in result.output
    assert "8 agent slots, 34 objects of 9 types" in result.output
    assert "warning W1: clerk earns 0.24 coins a day" in result.output


@pytest.mark.parametrize("command", ["check", "show"])
def test_errors_leave_with_code_2_and_one_sentence(tmp_path: Path, command: str) -> None:
    file = tmp_path / "town.yaml"
    file.write_text("base: default\nchat: {bse: 1}\n")
    result = RUN.invoke(app, [command, str(file)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {file}:2:8: chat.bse: unknown key (did you mean 'base'?)")
    assert len(result.stderr.splitlines()) == 1
    assert RUN.invoke(app, ["check", "default", "seed=x"]).exit_code == 2


@pytest.mark.parametrize("name", ["default", "demo_story_arc"])
def test_show_can_be_read_again(tmp_path: Path, name: str) -> None:
    result = RUN.invoke(app, ["show", name])
    assert result.exit_code == 0
    file = tmp_path / "shown.yaml"
    file.write_text(result.stdout, encoding="utf-8")
    assert config_hash(load(file)) == config_hash(load(name))


def test_show_a_section() -> None:
    result = RUN.invoke(app, ["show", "default", "chat.base=0.5", "--section", "chat"])
    assert yaml.safe_load(result.stdout)["chat"]["base"] == 0.5
    assert list(yaml.safe_load(result.stdout)) == ["chat"]
    wrong = RUN.invoke(app, ["show", "default", "--section", "chatt"])
    assert wrong.exit_code == 2
    assert "did you mean 'chat'" in wrong.stderr


def test_schema_is_json_schema() -> None:
    schema = json.loads(RUN.invoke(app, ["schema"]).stdout)
    assert set(schema["properties"]) == {field.alias or name for name, field in Config.model_fields.items()}
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["QueueSection"]["properties"]["cooldown_ticks"]["maximum"] == 600


def test_the_reference_is_current(root: Path) -> None:
    text = (root / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert text == markdown(), "run `townlet config reference > docs/configuration.md`"
    assert RUN.invoke(app, ["reference"]).stdout == text


def test_the_reference_names_every_key_with_a_meaning(root: Path) -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) > 250
    assert all(row.rstrip(" |").rsplit("|", 1)[1].strip() for row in rows)
    assert "| `cooldown_ticks` | whole number 0 to 600, ticks | `60` |" in markdown()
    del root


def test_it_starts_without_jax(root: Path) -> None:
    code = (
        "import sys; from townlet_jax.cli_config import app; app(['check', 'default'], standalone_mode=False); "
        "sys.exit('jax' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("default: ok")
