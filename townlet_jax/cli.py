"""`townlet`: the command line. Owns options, messages and exit codes; the work is done elsewhere.

Nothing heavy is imported before a command runs, so that `--help` answers at once. Exit codes: 0 done, 1 done but
a town reported a fault, 2 bad input (one sentence on stderr), 130 interrupted, 143 told to end (SIGTERM).
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

FAULTY, BAD_INPUT, INTERRUPTED = 1, 2, 130
ABOUT = "A town of agents as arrays: thousands of towns at once, on CPU or GPU."

app = typer.Typer(
    name="townlet",
    help=ABOUT,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from townlet_jax.runtime import versions

        typer.echo(", ".join(f"{name} {version}" for name, version in versions().items()))
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the versions and exit.")
    ] = False,
) -> None:
    """Hold the options that every command has."""
    del version  # shown by its callback


@app.command()
def run(
    config: Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped one such as 'default'.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes, such as economy.rent_per_day=3.")] = None,
    towns: Annotated[int | None, typer.Option(help="Number of towns; default 1.")] = None,
    days: Annotated[float | None, typer.Option(help="Days to live; default 1, or the scenario's length.")] = None,
    ticks: Annotated[int | None, typer.Option(help="Ticks to live, instead of --days.")] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="scripted, random, idle, schedule, a run folder (RUN[@STEP|@best]) or a .safetensors file; default "
            "scripted, schedule in scenarios."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; default the configuration's.")] = None,
    chunk: Annotated[
        int | None, typer.Option(help="Ticks in one call of the device; default 120, fewer for many towns.")
    ] = None,
    pace: Annotated[float | None, typer.Option(help="Ticks a second; default as fast as possible.")] = None,
    snapshots: Annotated[
        Path | None, typer.Option(help="Folder for snapshots: at the end, when stopped, and with --save-every.")
    ] = None,
    save_every: Annotated[int | None, typer.Option(help="Ticks between two snapshots.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on from the newest snapshot in this folder; --ticks counts from the first.")
    ] = None,
    telemetry: Annotated[
        list[str] | None,
        typer.Option(
            help="Publish the run: a file, - for stdout, tcp://host:port, http://... or ws://...; repeatable."
        ),
    ] = None,
    watch_town: Annotated[
        list[int] | None, typer.Option(help="Publish this town tick by tick; may be repeated.")
    ] = None,
    console: Annotated[
        str | None,
        typer.Option(help="Answer townlet console here: a path for a socket, or HOST:PORT (TLS and tokens)."),
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="Who comes to the console without a token may change things.")
    ] = False,
    timeline: Annotated[
        Path | None, typer.Option(help="File of console commands, each before a certain tick (YAML).")
    ] = None,
    promotion: Annotated[
        Path | None, typer.Option(help="Folder for releases and candidates of a learned policy; see townlet promotion.")
    ] = None,
    console_cert: Annotated[Path | None, typer.Option(help="Certificate chain for --console HOST:PORT, PEM.")] = None,
    console_key: Annotated[
        Path | None, typer.Option(help="Its unencrypted key, PEM; default: in the file of --console-cert.")
    ] = None,
    console_plaintext: Annotated[
        bool, typer.Option("--console-plaintext", help="No TLS for --console HOST:PORT; for this host only.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for summary.json.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no tables.")] = False,
) -> None:
    """Let towns live for a while and report how they fared."""
    from townlet_jax.cli_run import Request, carry_out
    from townlet_jax.cli_steering import Steering

    request = Request(
        config=config,
        overrides=tuple(overrides or ()),
        towns=towns,
        days=days,
        ticks=ticks,
        policy=policy,
        seed=seed,
        chunk=chunk,
        pace=pace,
        snapshots=snapshots,
        save_every=save_every,
        resume=resume,
        telemetry=tuple(telemetry or ()),
        watch_towns=tuple(watch_town or ()),
        out=out,
        json=json,
        quiet=quiet,
        steering=Steering(
            console=console,
            admin=admin,
            timeline=timeline,
            cert=console_cert,
            key=console_key,
            plaintext=console_plaintext,
            promotion=promotion,
        ),
    )
    raise typer.Exit(carry_out(request))


Config = Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped one such as 'default'.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Changes, such as economy.rent_per_day=3.")]
Days = Annotated[float | None, typer.Option(help="Days to live; default 1, or the scenario's length.")]
Ticks = Annotated[int | None, typer.Option(help="Ticks to live, instead of --days.")]
Policy = Annotated[str | None, typer.Option(help="scripted, random, idle or schedule; default as in run.")]
Seed = Annotated[int | None, typer.Option(help="Seed; default the configuration's.")]
Town = Annotated[int, typer.Option(help="Which town of the seed.")]
Picture = Annotated[
    Path, typer.Option(help="File ending in .gif, .png, .svg, .txt or .ansi; - = text on the terminal.")
]
First = Annotated[int | None, typer.Option("--from", help="First tick of a film.")]
Every = Annotated[int | None, typer.Option(help="Ticks between two pictures of a film; default: 150 pictures at most.")]
Scale = Annotated[int | None, typer.Option(help="Pixels of a tile, 4 to 64.")]
Overlay = Annotated[str, typer.Option(help="none or ties: friends and rivals as lines.")]


@app.command()
def render(
    config: Config,
    out: Picture,
    overrides: Overrides = None,
    days: Days = None,
    ticks: Ticks = None,
    policy: Policy = None,
    seed: Seed = None,
    town: Town = 0,
    first: First = None,
    every: Every = None,
    scale: Scale = None,
    overlay: Overlay = "none",
) -> None:
    """Draw a town: a film (GIF, or SVG with --from or --every) or its last tick."""
    from townlet_jax import cli_render
    from townlet_jax.ui.pictures import Order

    subject = cli_render.Subject(
        config=config, overrides=tuple(overrides or ()), days=days, ticks=ticks, policy=policy, seed=seed, town=town
    )
    order = Order(out=out, first=first, every=every, scale=scale, overlay=overlay)
    raise typer.Exit(cli_render.render(subject, order))


@app.command()
def record(
    config: Config,
    out: Annotated[Path, typer.Option(help="File ending in .npz.")],
    overrides: Overrides = None,
    days: Days = None,
    ticks: Ticks = None,
    policy: Policy = None,
    seed: Seed = None,
    town: Town = 0,
    every: Annotated[int, typer.Option(help="Ticks between two checkpoints.")] = 60,
) -> None:
    """Save what everybody in a town asks for, so that its life can be replayed."""
    from townlet_jax import cli_render, cli_replay

    subject = cli_render.Subject(
        config=config, overrides=tuple(overrides or ()), days=days, ticks=ticks, policy=policy, seed=seed, town=town
    )
    raise typer.Exit(cli_replay.record(subject, out=out, every=every))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A recording that townlet record made.")],
    out: Annotated[Path | None, typer.Option(help="Draw it, as render does.")] = None,
    first: First = None,
    last: Annotated[int | None, typer.Option("--to", help="Last tick that is drawn.")] = None,
    every: Every = None,
    scale: Scale = None,
    overlay: Overlay = "none",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a sentence.")] = False,
) -> None:
    """Live a recorded run again, check that it is the same bit for bit, and draw any stretch of it."""
    from townlet_jax import cli_replay
    from townlet_jax.ui.pictures import Order

    order = None
    if out is not None:
        order = Order(out=out, first=first, every=every, scale=scale, overlay=overlay)
    span_given = first is not None or last is not None
    request = cli_replay.ReplayRequest(file=file, order=order, last=last, span_given=span_given, json=json)
    raise typer.Exit(cli_replay.play_again(request))


@app.command()
def evaluate(
    overrides: Overrides = None,
    config: Annotated[str, typer.Option(help="A YAML file, or the name of a shipped one.")] = "default",
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="scripted, random, idle, schedule, a run folder (RUN[@STEP|@best][#MEMBER]), a .safetensors file, or "
            "mixture:SHARE:PLACE; once for each, the first is the baseline."
        ),
    ] = None,
    towns: Annotated[int, typer.Option(help="Number of towns: the sample.")] = 64,
    days: Days = None,
    ticks: Ticks = None,
    seed: Seed = None,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Networks take their likeliest choice instead of drawing.")
    ] = False,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples.")] = 2000,
    out: Annotated[Path | None, typer.Option(help="Folder for evaluation.json and evaluation.png.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Compare policies on the same towns: every key figure with its interval, and which differences are real."""
    from townlet_jax import cli_evaluate

    request = cli_evaluate.Request(
        config=config,
        overrides=tuple(overrides or ()),
        policies=tuple(policy or ("scripted", "random")),
        towns=towns,
        days=days,
        ticks=ticks,
        seed=seed,
        resamples=resamples,
        greedy=greedy,
        out=out,
        json=json,
    )
    raise typer.Exit(cli_evaluate.carry_out(request))


@app.command()
def bench(
    name: Annotated[
        str, typer.Argument(help="tick, environment, shape, compile, floor, shell, or quick for a short round.")
    ],
    towns: Annotated[list[int] | None, typer.Option(help="Number of towns (tick); may be repeated.")] = None,
    agents: Annotated[int | None, typer.Option(help="Agents a town (tick); agents a town up to which (shape).")] = None,
    policy: Annotated[list[str] | None, typer.Option(help="drawn, random or scripted; may be repeated.")] = None,
    ticks: Annotated[int | None, typer.Option(help="Ticks in one timed call.")] = None,
    config: Annotated[str, typer.Option(help="The town: a YAML file or the name of a shipped one.")] = "default",
    measure: Annotated[bool, typer.Option("--measure", help="Time the sums for reports too.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="File to append to; default benchmarks/results/ of a checkout.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Measure the simulator on this machine; results are JSON lines with device, versions and commit."""
    from townlet_jax.bench.command import Request, carry_out

    request = Request(
        name=name,
        towns=tuple(towns or ()),
        agents=agents,
        policies=tuple(policy or ()),
        ticks=ticks,
        config=config,
        measure=measure,
        out=out,
        json=json,
    )
    raise typer.Exit(carry_out(request))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def config(context: typer.Context) -> None:
    """Check, show and document town files: check, show, schema, reference."""
    from townlet_jax import cli_config  # builds the schema, so only on demand

    raise typer.Exit(_mounted("config", cli_config.app, context.args))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def snapshot(context: typer.Context) -> None:
    """Look at snapshots, check them, go on from them: list, inspect, verify, restore, migrate, prune, export."""
    from townlet_jax import cli_snapshot

    raise typer.Exit(_mounted("snapshot", cli_snapshot.app, context.args))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def telemetry(context: typer.Context) -> None:
    """Read what telemetry left behind, and receive it."""
    from townlet_jax import cli_telemetry

    raise typer.Exit(_mounted("telemetry", cli_telemetry.app, context.args))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def console(context: typer.Context) -> None:
    """Talk to a running session: look, change things, steer."""
    from townlet_jax import cli_console

    raise typer.Exit(cli_console.main(context.args))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def watch(context: typer.Context) -> None:
    """Watch a town live in the terminal: a running session, a recording, or a new one."""
    from townlet_jax import cli_watch

    raise typer.Exit(cli_watch.main(context.args))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def promotion(context: typer.Context) -> None:
    """Judge a candidate policy against the one that acts: status, evaluate, promote, rollback."""
    from townlet_jax import cli_promotion

    raise typer.Exit(_mounted("promotion", cli_promotion.app, context.args))


def _mounted(name: str, commands: typer.Typer, arguments: list[str]) -> int:
    """Carry out a command that has commands of its own."""
    mounted = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    mounted.callback()(lambda: None)
    mounted.add_typer(commands, name=name)
    return mounted([name, *(arguments or ["--help"])], prog_name="townlet", standalone_mode=False) or 0


def main() -> None:
    """Run the command line; the entry point of the program."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: list[str]) -> int:
    """Carry out one command line and return the exit code; errors become one sentence on stderr."""
    try:
        code = app(arguments or ["--help"], prog_name="townlet", standalone_mode=False)
    except typer.TyperException as error:
        return refuse(f"{error.format_message().rstrip('.')}; see 'townlet --help'.")
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("Interrupted; nothing was written.", err=True)
        return INTERRUPTED
    except _sentences() as error:
        return refuse(str(error))
    return int(code or 0)


def _sentences() -> tuple[type[Exception], ...]:
    """Return the errors whose text is for the user; imported only once something went wrong."""
    from townlet_jax.config.errors import ConfigError
    from townlet_jax.promotion.errors import PromotionError
    from townlet_jax.run import RunError
    from townlet_jax.snapshots import StoreError
    from townlet_jax.telemetry.sinks import SinkError

    return ConfigError, RunError, StoreError, SinkError, PromotionError


def refuse(sentence: str) -> int:
    """Say on stderr, in one printable line, why nothing was done."""
    printable = "".join(letter if letter.isprintable() else " " for letter in sentence)
    typer.echo(f"error: {' '.join(printable.split())}", err=True)
    return BAD_INPUT
