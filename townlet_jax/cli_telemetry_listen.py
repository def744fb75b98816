"""`townlet telemetry listen`: receive records from `tcp` sinks and write them down. Never imports jax.

Exit codes: 2 bad input, 143 after SIGTERM, 130 after Ctrl-C. Both of the latter finish the files first; a second signal
ends at once.
"""

import asyncio
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

if TYPE_CHECKING:
    from townlet_jax.telemetry.listen import Receiver, Tally

SECONDS = 1.0  # between two lines of progress
GOODBYE = b"Ended at once by a second signal; what was not written is lost.\n"
SIGNALS = (signal.SIGTERM, signal.SIGINT)
app = typer.Typer(help="Receive records.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Hold the commands together, one as it is."""


@app.command()
def listen(
    out: Annotated[Path, typer.Option(help="File of JSON lines; - = standard output.")],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen at; 0 = any free one.")] = 7411,
    cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its unencrypted key, PEM; default: in the file of --cert.")] = None,
    allow_plaintext: Annotated[bool, typer.Option("--allow-plaintext", help="No TLS; for this host only.")] = False,
    token_env: Annotated[str | None, typer.Option(help="Variable that holds the token.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="File that holds the token.")] = None,
    by_run: Annotated[bool, typer.Option("--by-run", help="--out is a folder; each run gets a file in it.")] = False,
    rotate_bytes: Annotated[int | None, typer.Option(min=1_000, help="Size after which a new file begins.")] = None,
    keep_files: Annotated[int, typer.Option(min=1, max=1000, help="Older files that are kept.")] = 5,
    longest_line: Annotated[int, typer.Option(min=1_000, max=2**30, help="Bytes of a line.")] = 16 * 2**20,
    most_senders: Annotated[int, typer.Option(min=1, max=10_000, help="Senders at once.")] = 64,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Receive records over TLS 1.3 from senders that know the token, and write them to a file."""
    raise typer.Exit(
        carry_out(
            Request(
                out=out, host=host, port=port, cert=cert, key=key, allow_plaintext=allow_plaintext,
                token_env=token_env, token_file=token_file, by_run=by_run, rotate_bytes=rotate_bytes,
                keep_files=keep_files, longest_line=longest_line, most_senders=most_senders, quiet=quiet,
            )
        )
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for; the fields are the options."""

    out: Path
    host: str = "127.0.0.1"
    port: int = 0
    cert: Path | None = None
    key: Path | None = None
    allow_plaintext: bool = False
    token_env: str | None = None
    token_file: Path | None = None
    by_run: bool = False
    rotate_bytes: int | None = None
    keep_files: int = 5
    longest_line: int = 16 * 2**20
    most_senders: int = 64
    quiet: bool = False


class _Records(Protocol):
    def write(self, lines: list[bytes]) -> None: ...

    def close(self) -> None: ...


def carry_out(request: Request) -> int:
    """Listen until a signal comes and return the exit code; bad input becomes one sentence on stderr."""
    from townlet_jax.telemetry.sinks.contracts import SinkError

    try:
        return _listen(request)
    except SinkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _listen(request: Request) -> int:
    from townlet_jax.telemetry.listen import Listening, Receiver
    from townlet_jax.telemetry.tokens import token_from

    listening = Listening(
        host=request.host,
        port=request.port,
        token=token_from(variable=request.token_env, file=request.token_file),
        context=_context(request),
        longest_line=request.longest_line,
        most_senders=request.most_senders,
    )
    records = _records(request)
    try:
        receiver = Receiver(listening, records.write)
        return asyncio.run(_serve(receiver, request))
    finally:
        records.close()


def _context(request: Request) -> ssl.SSLContext | None:
    """Return the TLS to listen with, None for plaintext, which has to be asked for."""
    from townlet_jax.telemetry.sinks.contracts import SinkError
    from townlet_jax.telemetry.sinks.network import server_context

    if request.allow_plaintext and (request.cert is not None or request.key is not None):
        raise SinkError("--allow-plaintext and --cert exclude each other; delete one.")
    if request.allow_plaintext:
        return None
    if request.cert is None:
        raise SinkError("Listening needs --cert with a certificate (or --allow-plaintext, on this host only).")
    return server_context(request.cert, request.key or request.cert)


def _records(request: Request) -> _Records:
    """Open what records are written to."""
    from townlet_jax.telemetry.received import FilePerRun, OneFile, Printed
    from townlet_jax.telemetry.sinks.contracts import SinkError

    if request.by_run:
        return FilePerRun(request.out, rotate_bytes=request.rotate_bytes, keep=request.keep_files)
    if str(request.out) == "-":
        if request.rotate_bytes is not None:
            raise SinkError("--rotate-bytes has no use for standard output; delete it.")
        return Printed()
    return OneFile(request.out, rotate_bytes=request.rotate_bytes, keep=request.keep_files)


async def _serve(receiver: "Receiver", request: Request) -> int:
    """Listen until a signal comes and return the exit code."""
    from townlet_jax.telemetry.sinks.network import place

    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(number: int) -> None:
        if stopped.done():
            os.write(2, GOODBYE)
            os._exit(128 + number)
        stopped.set_result(128 + number)

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    with _progress(request.quiet) as show:
        async with receiver:
            manner = "without TLS" if request.allow_plaintext else "with TLS 1.3"
            show(f"Listening at {place(request.host, receiver.port)} {manner}.", True)
            before, since = 0, time.monotonic()
            while not stopped.done():
                await asyncio.wait([stopped], timeout=SECONDS)
                now, tally = time.monotonic(), receiver.tally
                show(_told(tally, (tally.records - before) / (now - since)), False)
                before, since = tally.records, now
        show(f"Ended: {_told(receiver.tally, None)}", True)
    return stopped.result()


@contextmanager
def _progress(is_quiet: bool) -> Iterator[Callable[[str, bool], None]]:
    """Give something that shows a line on stderr: to stay, or until the next one where that can be done."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, quiet=is_quiet, highlight=False, soft_wrap=True)
    last = ""
    with console.status("") if console.is_terminal else nullcontext() as status:

        def show(line: str, stays: bool) -> None:
            nonlocal last
            if status is not None and not stays:
                status.update(Text(line))
            elif stays or line != last:
                console.print(Text(line))
            last = line

        yield show


def _told(tally: "Tally", speed: float | None) -> str:
    """Return the line about what came; what went wrong is there only where something did."""
    parts = [
        f"{tally.records:,} records",
        f"{tally.bytes / 1e6:,.1f} MB",
        f"{tally.senders} sender{'s' * (tally.senders != 1)}",
    ]
    if speed is not None:
        parts.insert(1, f"{speed:,.0f}/s")
    wrong = {
        "broken lines": tally.broken,
        "foreign lines": tally.foreign,
        "lines too long": tally.too_long,
        "wrong tokens": tally.wrong_tokens,
        "locked out": tally.locked,
    }
    parts += [f"{count:,} {what}" for what, count in wrong.items() if count]
    if tally.last_error is not None:
        parts.append(f"last refusal: {tally.last_error}")
    return ", ".join(parts)


if __name__ == "__main__":
    app()
