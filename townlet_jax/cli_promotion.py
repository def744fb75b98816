"""`townlet promotion`: judge candidates, promote and roll back, in a folder or in a running session.

Exit codes: 0 done, 1 the gate or the state of things said no, 2 bad input or no connection (one sentence on stderr),
130 interrupted. Never imports jax where a running session answers.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

REFUSED, BAD_INPUT = 1, 2
WAIT = 1.0  # seconds between two questions to a session
GRACE = 3600.0  # seconds that a session may take for the games of a gate

app = typer.Typer(
    help="Judge a candidate policy against the one that acts; promote it, and go back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Folder = Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Folder about releases; not with --console.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the history.")]
Address = Annotated[str | None, typer.Option("--console", help="Ask a running session at this address instead.")]
TokenEnv = Annotated[str | None, typer.Option(help="Variable that holds the token of the console.")]
TokenFile = Annotated[Path | None, typer.Option(help="File that holds the token of the console.")]
Ca = Annotated[Path | None, typer.Option(help="PEM file of the only CA to trust.")]
Plaintext = Annotated[bool, typer.Option("--plaintext", help="No TLS; for this host only.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Config = Annotated[str, typer.Option(help="A YAML file, or the name of a shipped one.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Changes; may be repeated.")]
Towns = Annotated[int | None, typer.Option(help="Towns of each game; default stability.promotion.gate.towns.")]
Ticks = Annotated[int | None, typer.Option(help="Ticks of each game; default stability.promotion.gate.ticks.")]
Scenarios = Annotated[list[str] | None, typer.Option("--scenario", help="Configuration to play; may be repeated.")]


@app.command()
def status(
    folder: Folder = None,
    console: Address = None,
    token_env: TokenEnv = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Say who acts, who is a candidate, and what may be rolled back."""
    with _sentences():
        if console is None:
            from townlet_jax.promotion.folder import Folder as Desk
            from townlet_jax.promotion.folder import published

            _tell(published(Desk(_demanded(folder)).office()), json)
        else:
            with _session(console, token_env, token_file, ca, plaintext) as ask:
                _tell(ask("promotion_status")["promotion"], json)


@app.command()
def evaluate(
    folder: Folder = None,
    candidate: Annotated[
        str | None, typer.Option(help="A run folder (RUN[@STEP|@best][#MEMBER]) or a .safetensors file.")
    ] = None,
    release: Annotated[
        str | None, typer.Option(help="What it is compared with; default the folder's release, else scripted.")
    ] = None,
    config: Config = "default",
    overrides: Overrides = None,
    towns: Towns = None,
    ticks: Ticks = None,
    scenario: Scenarios = None,
    anneal: Annotated[
        Path | None, typer.Option(help="result.json of the candidate's anneal; default the one in its run folder.")
    ] = None,
    console: Address = None,
    token_env: TokenEnv = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Let candidate and release live in the same towns; say whether the candidate passes. Exit code 1: it does not."""
    with _sentences():
        if candidate is None:
            raise _InputError("There is no candidate; give --candidate a run folder or a .safetensors file.")
        if console is not None:
            with _session(console, token_env, token_file, ca, plaintext) as ask:
                report = _played(ask, candidate)
        else:
            from townlet_jax.promotion.examining import Papers
            from townlet_jax.promotion.judging import Order, judged

            order = Order(
                candidate=candidate, release=release, config=config, overrides=tuple(overrides or ()), towns=towns,
                ticks=ticks, scenarios=tuple(scenario or ()),
            )  # fmt: skip
            report = judged(_demanded(folder), order, papers=Papers(anneal=anneal), say=_remark)
        _report(report, json)
        if report["status"] != "pass":
            raise typer.Exit(REFUSED)


@app.command()
def promote(
    folder: Folder = None,
    reason: Reason = None,
    console: Address = None,
    token_env: TokenEnv = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Make the candidate the release, if it is ready and has passed the gate. Exit code 1: it may not."""
    _change("promote", folder, reason, json, console, token_env, token_file, ca, plaintext)


@app.command()
def rollback(
    folder: Folder = None,
    reason: Reason = None,
    console: Address = None,
    token_env: TokenEnv = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Make the release before the release again. Exit code 1: nothing was promoted."""
    _change("rollback", folder, reason, json, console, token_env, token_file, ca, plaintext)


@app.command()
def golden(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder about releases.")],
    policy: Annotated[str, typer.Argument(help="A policy that does well, spelled as for townlet evaluate.")],
    name: Annotated[str, typer.Option(help="Name of the golden.")] = "golden",
    config: Config = "default",
    overrides: Overrides = None,
    towns: Towns = None,
    ticks: Ticks = None,
    scenario: Scenarios = None,
) -> None:
    """Remember what a policy can do, so that every later candidate is held against it."""
    with _sentences():
        from townlet_jax.promotion.judging import Order, remembered

        order = Order(
            candidate=policy, release=None, config=config, overrides=tuple(overrides or ()), towns=towns, ticks=ticks,
            scenarios=tuple(scenario or ()),
        )  # fmt: skip
        print(f"{remembered(folder, name, order, say=_remark)} holds what {policy} can do.")


class _InputError(Exception):
    """What was asked for makes no sense; the text is one sentence."""


def _change(what: str, folder: Path | None, reason: str | None, as_json: bool, console: str | None, *how: Any) -> None:
    with _sentences():
        if console is None:
            from townlet_jax.promotion.folder import Folder as Desk
            from townlet_jax.promotion.folder import published

            with Desk(_demanded(folder)).held() as desk:
                office = desk.promote(reason) if what == "promote" else desk.rollback(reason)
            _tell(published(office), as_json)
        else:
            with _session(console, *how) as ask:
                _tell(ask(f"{what}_policy", reason=reason), as_json)


Ask = Callable[..., dict[str, Any]]


@contextmanager
def _session(
    address: str, token_env: str | None, token_file: Path | None, ca: Path | None, plaintext: bool
) -> Iterator[Ask]:
    """Give what asks a running session; a refusal ends the command with its sentence."""
    from townlet_jax.cli_console import VARIABLE
    from townlet_jax.console.client import Link
    from townlet_jax.telemetry.tokens import token_from

    token = None
    if token_env is not None or token_file is not None:
        token = token_from(variable=token_env or VARIABLE, file=token_file)
    with Link.connect(address, token=token, ca=ca, plaintext=plaintext) as link:

        def ask(name: str, **arguments: Any) -> dict[str, Any]:
            given = {key: value for key, value in arguments.items() if value is not None}
            answer = link.send(name, timeout=60.0, **given)
            if answer["status"] != "ok":
                print(f"error: {answer['error']['message']}", file=sys.stderr)
                raise typer.Exit(REFUSED)
            result: dict[str, Any] = answer["result"]
            return result

        yield ask


def _played(ask: Ask, candidate: str) -> dict[str, Any]:
    """Load a candidate into a session and wait for its gate."""
    import time

    ask("load_shadow", checkpoint=candidate)
    end, told = time.monotonic() + GRACE, ""
    while time.monotonic() < end:
        gate: dict[str, Any] = ask("promotion_status")["promotion"]["gate"] or {"status": "none", "reasons": []}
        if gate["status"] != "playing":
            return gate
        if gate["playing"] != told:
            told = gate["playing"]
            _remark(told)
        time.sleep(WAIT)
    raise _InputError(f"The gate still plays after {GRACE:g} s; ask again with townlet promotion status.")


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _demanded(folder: Path | None) -> Path:
    if folder is None:
        raise _InputError("There is no folder; give DIR, or --console ADDRESS for a running session.")
    return folder


def _tell(said: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(said))
        return
    from townlet_jax.ui.promotion_text import status_lines

    print("\n".join(status_lines(said)))


def _report(report: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(report))
        return
    from townlet_jax.ui.promotion_text import report_lines

    print("\n".join(report_lines(report)))


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn what goes wrong into one sentence and an exit code."""
    from townlet_jax.console.client import LinkError
    from townlet_jax.promotion.errors import PromotionError
    from townlet_jax.telemetry.sinks.contracts import SinkError

    try:
        yield
    except PromotionError as error:
        print(f"error: {error.sentence}", file=sys.stderr)
        raise typer.Exit(BAD_INPUT if error.code == "not_found" else REFUSED) from error
    except (_InputError, LinkError, SinkError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from error
