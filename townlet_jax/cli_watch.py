"""`townlet watch`: the options of the dashboard and its exit codes. Imports little, so that --help is fast.

Exit codes: 0 left by a key, 2 bad input, 128 + the number of a signal that ended it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

BAD_INPUT, INTERRUPTED = 2, 130
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Page = Literal["town", "people", "work", "figures", "stories", "run"]


@app.command()
def watch(
    target: Annotated[
        str, typer.Argument(metavar="WHAT", help="A recording (.jsonl), a session (HOST:PORT, socket), or a config.")
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[key=value]...", help="Changes to the configuration.")
    ] = None,
    town: Annotated[int | None, typer.Option(min=0, help="Town that is looked at first.")] = None,
    page: Annotated[Page, typer.Option(help="Page that is shown first.")] = "town",
    speed: Annotated[
        float | None, typer.Option(help="1 = 4 ticks a second; recordings play at 10, sessions begin at 1.")
    ] = None,
    at: Annotated[int | None, typer.Option(min=0, help="Recording: stand still at this tick.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Recording: write one picture (.svg or .txt) instead of showing it.")
    ] = None,
    size: Annotated[str, typer.Option(help="Columns and rows of --picture.")] = "120x40",
    token_env: Annotated[str | None, typer.Option(help="Session: variable that holds the token.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="Session: file that holds the token.")] = None,
    ca: Annotated[
        Path | None, typer.Option(help="Session: certificates to trust, PEM; default those of the system.")
    ] = None,
    allow_plaintext: Annotated[
        bool, typer.Option("--allow-plaintext", help="Session on this host without TLS.")
    ] = False,
    towns: Annotated[int, typer.Option(min=1, help="Config: number of towns.")] = 1,
    watch_town: Annotated[
        list[int] | None, typer.Option(min=0, help="Config: a town to watch; may be repeated.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Config: seed of the towns.")] = None,
    policy: Annotated[str | None, typer.Option(help="Config: who decides, as in townlet run.")] = None,
) -> None:
    """Watch a town live, and steer it: a recording, a running session, or a new one. Press ? for the keys."""
    from townlet_jax.ui.dashboard.opening import Request, carry_out

    request = Request(
        target=target, overrides=tuple(overrides or ()), town=town, page=page, speed=speed, at=at, picture=picture,
        size=size, token_env=token_env, token_file=token_file, ca=ca, plaintext=allow_plaintext, towns=towns,
        watched=tuple(watch_town or ()), seed=seed, policy=policy,
    )  # fmt: skip
    raise typer.Exit(carry_out(request))


def main(arguments: Sequence[str]) -> int:
    """Carry out the command and return the exit code; what cannot be had is one sentence on stderr."""
    try:
        return app(list(arguments) or ["--help"], prog_name="townlet watch", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _refuse(f"{error.format_message().rstrip('.')}; see --help.")
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except _sentences() as error:
        return _refuse(str(error))


def _sentences() -> tuple[type[Exception], ...]:
    """Return the errors whose text is for the user; imported only once something went wrong."""
    from townlet_jax.ui.dashboard.opening import sentences

    return sentences()


def _refuse(sentence: str) -> int:
    print(f"error: {' '.join(sentence.split())}", file=sys.stderr)
    return BAD_INPUT
