"""`townlet console`: talk to a running session. Owns its options, messages and exit codes; never imports jax.

Exit codes: 0 done, 1 a command was refused (not at the prompt), 2 no connection or bad input, 130 interrupted.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

REFUSED, INTERRUPTED = 2, 130
VARIABLE = "TOWNLET_CONSOLE_TOKEN"  # where a token is looked for when nothing else is said
HISTORY = "console_history"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def console(
    address: Annotated[str, typer.Argument(help="Path of a socket, or HOST:PORT, as given to townlet run --console.")],
    command: Annotated[
        list[str] | None, typer.Option("--command", "-c", help="Do this and end; may be repeated.")
    ] = None,
    town: Annotated[
        int | None, typer.Option(help="The town that commands are about; default the first watched.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print each result as one JSON object.")] = False,
    token_env: Annotated[str | None, typer.Option(help=f"Variable that holds the token; default {VARIABLE}.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="File that holds the token.")] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file of the only CA to trust.")] = None,
    plaintext: Annotated[bool, typer.Option("--plaintext", help="No TLS; for this host only.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 60.0,
) -> None:
    """Talk to a running session: type commands, give them with -c, or pipe them in; help lists them."""
    from townlet_jax.console.client import Link, LinkError
    from townlet_jax.console.prompt import Talk, converse, is_terminal
    from townlet_jax.telemetry.sinks.contracts import SinkError

    try:
        token = _token(token_env, token_file)
        with Link.connect(address, token=token, ca=ca, plaintext=plaintext) as link:
            talk = Talk(link, town=town, as_json=json, timeout=timeout)
            if command:
                raise typer.Exit(talk.follow(command))
            raise typer.Exit(converse(talk, _history()) if is_terminal() else talk.follow(sys.stdin))
    except (LinkError, SinkError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(REFUSED) from error
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read has gone; the end is not to complain again
        raise typer.Exit(REFUSED) from None


def _token(variable: str | None, file: Path | None) -> str | None:
    """Return the token to show, None if there is none; raises `SinkError`."""
    from townlet_jax.telemetry.tokens import token_from

    if variable is None and file is None and VARIABLE not in os.environ:
        return None
    return token_from(variable=variable or VARIABLE, file=file)


def _history() -> Path:
    root = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state"))
    return root / "townlet_jax" / HISTORY


def main(arguments: list[str]) -> int:
    """Carry out `townlet console` and return the exit code."""
    return app(arguments or ["--help"], prog_name="townlet console", standalone_mode=False) or 0
