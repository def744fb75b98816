"""Commands as a shell gives them, in this process or in one of their own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from typer.testing import CliRunner

from townlet_jax.cli_telemetry import app

ROOT = Path(__file__).parent.parent.parent


def ask(*arguments: str | Path) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of a command."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def started(arguments: Sequence[str | Path], **pipes: int) -> "subprocess.Popen[bytes]":
    """Start a command in a process of its own."""
    command = [sys.executable, "-m", "townlet_jax.cli_telemetry", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"}, **pipes)
