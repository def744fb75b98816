"""The README's measured numbers, made from `benchmarks/results/*.jsonl`: `python -m benchmarks.tables [--check]`.

For each device, benchmark and line the newest record counts. With `--check` nothing is written; the exit code says
whether the README is up to date.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from townlet_jax.bench.record import CHECKOUT, RESULTS, Record, read

README = CHECKOUT / "README.md"
BEGIN, END = "<!-- benchmarks:begin (made by `make docs`) -->", "<!-- benchmarks:end -->"
TITLES = {
    "tick": "One tick, all systems on",
    "environment": "The environment: observations written and read in every tick, episodes, accounting",
    "shape": "Larger towns, 65,536 agents in all",
    "compile": "Compiling a chunk of the tick, one core, 64 towns",
    "train": "Training: whole updates of PPO, and how much of that the network alone takes",
    "shell": "What stands around the towns, against a silent session beside it",
    "floor": "What the machine can do at most",
}
ORDER = tuple(TITLES)
COLUMNS = {  # title: (key, format), a benchmark
    "tick": (
        ("towns x agents, policy", "line", "{}"),
        ("agent-ticks/s", "agent_ticks_per_s", "{:,.0f}"),
        ("µs a tick", "us_per_tick", "{:,.0f}"),
        ("compile s", "compile_seconds", "{:.1f}"),
        ("state bytes a town", "state_bytes_per_town", "{:,}"),
        ("observation bytes an agent", "observation_bytes_per_agent", "{:,}"),
        ("share of the bandwidth floor", "floor_share", "{:.1%}"),
        ("HLO instructions", "hlo_instructions", "{:,}"),
    ),
    "environment": (
        ("towns x agents, policy, observations", "line", "{}"),
        ("agent-ticks/s", "agent_ticks_per_s", "{:,.0f}"),
        ("cost", "cost", "{:.2f}x"),
        ("compile s", "compile_seconds", "{:.1f}"),
        ("observation bytes an agent", "observation_bytes_per_agent", "{:,}"),
        ("share of the bandwidth floor", "floor_share", "{:.1%}"),
    ),
    "shape": (
        ("towns x agents, policy", "line", "{}"),
        ("agent-ticks/s", "agent_ticks_per_s", "{:,.0f}"),
        ("cost per agent-tick", "cost", "{:.2f}x"),
        ("state bytes a town", "state_bytes_per_town", "{:,}"),
    ),
    "compile": (
        ("chunk, policy", "line", "{}"),
        ("cold cache, s", "cold_seconds", "{:.1f}"),
        ("warm cache, s", "warm_seconds", "{:.1f}"),
        ("compilations", "compilations", "{}"),
        ("after warm-up", "compilations_after_warm_up", "{}"),
        ("HLO instructions", "hlo_instructions", "{:,}"),
    ),
    "train": (
        ("choices, core, towns x steps, passes over a share of them", "line", "{}"),
        ("parameters", "parameters", "{:,}"),
        ("agent-steps/s", "agent_steps_per_s", "{:,.0f}"),
        ("network alone", "network_share", "{:.0%}"),
        ("compile s", "compile_seconds", "{:.1f}"),
    ),
    "shell": (
        ("what", "line", "{}"),
        ("cost", "cost", "{:.3f}x"),
        ("seconds in all", "wall_seconds", "{:.2f}"),
    ),
    "floor": (
        ("copying, bytes/s", "copy_bytes_per_s", "{:.3g}"),
        ("random numbers/s", "threefry_per_s", "{:.3g}"),
        ("matrix products, FLOP/s", "matmul_flops_per_s", "{:.3g}"),
    ),
}


def newest(records: Iterable[Record]) -> list[Record]:
    """Keep the last record of each device, benchmark and line, in the order of their first appearance."""
    kept: dict[tuple[str, str, str], Record] = {}
    for record in sorted(records, key=lambda record: str(record["time"])):
        kept[record["device"], record["bench"], record["line"]] = record
    return list(kept.values())


def table(bench: str, records: Sequence[Record]) -> list[str]:
    """Return one markdown table."""
    columns = COLUMNS[bench]
    rows = [[form.format(record[key]) if key in record else "" for _, key, form in columns] for record in records]
    head = [title for title, _, _ in columns]
    rule = ["---" if key == "line" else "---:" for _, key, _ in columns]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def sections(records: Sequence[Record]) -> list[str]:
    """Return the text between the markers: a part a device, a table a benchmark."""
    lines: list[str] = []
    for device in dict.fromkeys(str(record["device"]) for record in records):
        here = [record for record in records if record["device"] == device]
        commits = sorted({f"{record['commit']}{' (changed)' * record['dirty']}" for record in here})
        versions = here[-1]["versions"]
        lines += [
            f"**{device}**, Python {versions['python']}, jax {versions['jax']}, "
            f"{max(str(record['time']) for record in here)[:10]}, commit {', '.join(commits)}. "
            "Medians of at least five repeats; living agents only.",
            "",
        ]
        for bench in ORDER:
            of_it = sorted(
                (record for record in here if record["bench"] == bench),
                key=lambda record: (str(record.get("policy", "")), record.get("agents", 0), record.get("towns", 0)),
            )
            if of_it:
                lines += [f"{TITLES[bench]}:", "", *table(bench, of_it), ""]
    return lines or ["Nothing has been measured yet: `make bench` does it.", ""]


def rewritten(text: str, lines: Sequence[str]) -> str:
    """Return the README with fresh tables between its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{README} lacks the markers {BEGIN} and {END}; put them back.")
    body = "\n".join(lines)
    return f"{before}{BEGIN}\n\n{body}\n{END}{after}"


def main(arguments: Sequence[str], *, readme: Path = README, results: Path = RESULTS) -> int:
    """Write the tables, or check them."""
    records = [record for file in sorted(results.glob("*.jsonl")) for record in read(file)]
    text = readme.read_text(encoding="utf-8")
    fresh = rewritten(text, sections(newest(records)))
    if "--check" in arguments:
        return int(fresh != text)
    if fresh != text:
        readme.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
