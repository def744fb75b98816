"""`townlet bench`: chooses the lines, shows the table, keeps the records."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from townlet_jax import runtime
from townlet_jax.bench import compiling, environment, floor, shape, shell
from townlet_jax.bench.record import Record, append, default_file, provenance
from townlet_jax.bench.tick import POLICIES, Line, default_ticks, measure_line
from townlet_jax.config import Config, build, load
from townlet_jax.run import RunError

NAMES = ("tick", "environment", "shape", "compile", "floor", "shell", "quick")
TOWNS = (1, 64, 1024, 8192)
QUICK_LINES = ((1, "drawn"), (8192, "drawn"), (8192, "random"), (1, "scripted"), (8192, "scripted"))
COLUMNS = (  # title, key, format
    ("line", "line", "{}"),
    ("agent-ticks/s", "agent_ticks_per_s", "{:,.0f}"),
    ("us/tick", "us_per_tick", "{:,.0f}"),
    ("cost", "cost", "{:.3f}x"),
    ("wall", "wall_seconds", "{:.2f} s"),
    ("written in", "write_seconds", "{:.2f} s"),
    ("bytes", "snapshot_bytes", "{:,}"),
    ("compile", "compile_seconds", "{:.1f} s"),
    ("B/town", "state_bytes_per_town", "{:,}"),
    ("B/agent", "observation_bytes_per_agent", "{:,}"),
    ("floor", "floor_share", "{:.1%}"),
    ("cold", "cold_seconds", "{:.1f} s"),
    ("warm", "warm_seconds", "{:.1f} s"),
    ("compilations", "compilations", "{}"),
    ("HLO", "hlo_instructions", "{:,}"),
    ("copy GB/s", "copy_bytes_per_s", "{:,.1f}"),
    ("threefry G/s", "threefry_per_s", "{:.3f}"),
    ("matmul GFLOP/s", "matmul_flops_per_s", "{:,.0f}"),
)
GIGA = frozenset({"copy_bytes_per_s", "threefry_per_s", "matmul_flops_per_s"})


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `townlet bench`."""

    name: str
    towns: tuple[int, ...]
    agents: int | None
    policies: tuple[str, ...]
    ticks: int | None
    config: str
    measure: bool
    out: Path | None
    json: bool


def carry_out(request: Request) -> int:
    """Measure, show, keep; returns the exit code. Raises `RunError` or `ConfigError` before anything is measured."""
    check(request)
    runtime.configure(cache=request.name == "shell")  # others measure compile times: nothing may be ready beforehand
    config = load(request.config)
    remarks = Console(stderr=True)
    origin = provenance()
    file = request.out or default_file()
    records: list[Record] = []
    with remarks.status("measuring") as status:
        for record in measured(request, config):
            records.append(origin | record)
            if file is not None:
                keep(records[-1:], file)
            status.update(f"{record['bench']}: {record['line']} done")
    if file is not None:
        remarks.print(Text(f"{len(records)} records appended to {file}"))
    if request.json:
        print(json.dumps(document(records)), flush=True)
    else:
        Console().print(table(records))
    return 0


def check(request: Request) -> None:
    """Refuse what cannot be measured, in one sentence."""
    if request.name not in NAMES:
        raise RunError(f"There is no benchmark '{request.name}'; choose one of {', '.join(NAMES)}.")
    for policy in request.policies:
        if policy not in POLICIES:
            raise RunError(f"--policy is '{policy}', but must be one of {', '.join(POLICIES)}; choose one.")
    for option, values in (("--towns", request.towns), ("--agents", (request.agents,)), ("--ticks", (request.ticks,))):
        for value in values:
            if value is not None and value < 1:
                raise RunError(f"{option} is {value}, but must be at least 1; change it.")
    if request.out is not None and not request.out.parent.is_dir():
        raise RunError(f"--out {request.out} lies in a folder that does not exist; make the folder first.")


def measured(request: Request, config: Config) -> Iterator[Record]:
    """Measure line after line."""
    if request.name in ("floor", "quick"):
        yield from floor.run()
    if request.name in ("tick", "quick"):
        built = shape.grown(config, request.agents) if request.agents is not None else build(config)
        for towns, policy in lines(request):
            ticks = request.ticks or default_ticks(towns)
            yield measure_line(built, Line(towns=towns, policy=policy, ticks=ticks, measure=request.measure))
    if request.name in ("environment", "quick"):
        towns = request.towns[0] if request.towns else TOWNS[-1]
        yield from environment.run(config, towns=towns, ticks=request.ticks or default_ticks(towns))
    if request.name in ("shape", "quick"):
        largest = request.agents or (shape.LARGEST_BY_DEFAULT if request.name == "shape" else 64)
        policy = request.policies[0] if request.policies else "drawn"
        yield from shape.run(config, largest=largest, policy=policy, ticks=request.ticks or shape.TICKS)
    if request.name == "shell":
        towns = request.towns[0] if request.towns else TOWNS[-1]
        yield from shell.run(config, request.config, towns=towns, ticks=request.ticks)
    if request.name in ("compile", "quick"):
        yield from compiling.run(request.config, request.policies or ("drawn", "scripted"))


def lines(request: Request) -> tuple[tuple[int, str], ...]:
    """Return the (towns, policy) pairs of `tick`."""
    if request.name == "quick" and not request.towns and not request.policies:
        return QUICK_LINES
    return tuple((towns, policy) for policy in request.policies or POLICIES for towns in request.towns or TOWNS)


def document(records: list[Record]) -> dict[str, Any]:
    """Return one object: the only record, or the last one with all of them under `records`."""
    return records[0] if len(records) == 1 else records[-1] | {"records": records}


def keep(records: list[Record], file: Path) -> None:
    """Append the records; raises `RunError` if the file cannot be written."""
    try:
        append(records, file)
    except OSError as error:
        raise RunError(f"{file} cannot be written ({error.strerror}); give another file with --out.") from error


def table(records: list[Record]) -> Group:
    """Return the records as a table a benchmark, with the columns that it fills."""
    heading = Text(f"{records[0]['device']}, commit {records[0]['commit']}{' (changed)' * records[0]['dirty']}")
    benches = dict.fromkeys(record["bench"] for record in records)
    return Group(heading, *(_one_table(name, [r for r in records if r["bench"] == name]) for name in benches))


def _one_table(name: str, records: list[Record]) -> Table:
    used = [column for column in COLUMNS if any(column[1] in record for record in records)]
    made = Table(
        title=name, title_justify="left", box=None, header_style="bold underline", padding=(0, 1, 0, 0), pad_edge=False
    )
    for title, key, _ in used:
        made.add_column(title, justify="left" if key == "line" else "right", no_wrap=True)
    for record in records:
        made.add_row(*(_cell(record, key, form) for _, key, form in used))
    return made


def _cell(record: Record, key: str, form: str) -> str:
    if key not in record:
        return ""
    return form.format(record[key] / 1e9 if key in GIGA else record[key])
