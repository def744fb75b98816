"""What the gate and the promotion manager say, as lines for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from townlet_jax.report import printable

SHOWN_DIGITS = 12  # of a hash


def status_lines(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield who sits where, and what is known of them."""
    yield f"state     {status['state']}"
    for name in ("release", "shadow", "previous"):
        yield f"{name:<9} {_seat(status[name])}"
    if "ready_share" in status:
        yield f"ready     {status['ready_share']:.0%} of the towns have passed enough windows"
    if status.get("promoted_tick") is not None:
        yield f"promoted  after tick {status['promoted_tick']:,}, {status['windows_watched']} windows judged since"
    gate = status.get("gate")
    if gate is not None:
        about = f": {printable(gate['playing'])}" if gate["status"] == "playing" else ""
        yield f"gate      {gate['status']}{about}"
        yield from (f"          {printable(reason)}" for reason in gate.get("reasons", ()))
    for name, canary in status.get("kpis", {}).items():
        yield f"{canary['colour'] or 'no colour':<9} {name} {canary['value']:.4g}"
    for record in status.get("history", ()):
        reason = (record.get("metadata") or {}).get("reason")
        yield f"history   tick {record['tick']:,} {record['event']}{f': {printable(reason)}' if reason else ''}"


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a gate found: every metric of every scenario with its interval and limit."""
    for scenario, judged in report.get("scenarios", {}).items():
        yield from _games(printable(scenario), judged)
    for name, golden in report.get("goldens", {}).items():
        for scenario, judged in golden.items():
            yield from _games(f"golden {printable(name)}, {printable(scenario)}", judged)
    anneal = report.get("anneal")
    if anneal is not None:
        accuracy = anneal["clone_accuracy"]
        known = "" if accuracy is None else f", accuracy on held-out frames {accuracy:.3f}"
        yield f"anneal: {printable(anneal['status'])}{known}"
    yield f"gate: {report['status']}"
    yield from (f"  {printable(reason)}" for reason in report["reasons"])


def _games(title: str, judged: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield f"{title}: candidate minus release, an agent-day"
    yield f"  {'metric':<20}{'release':>11}{'candidate':>11}{'mean':>11}{'low':>11}{'high':>11}{'limit':>11}"
    for name, one in judged.items():
        numbers = "".join(_number(one.get(key)) for key in ("release", "candidate", "mean", "low", "high", "limit"))
        yield f"  {name:<20}{numbers}  {'pass' if one['pass'] else 'FAIL'}"


def _number(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.4g}':>11}"


def _seat(seat: Mapping[str, Any] | None) -> str:
    if seat is None:
        return "-"
    return f"{printable(seat['name'])}, {seat['step']} updates, {seat['policy_hash'][:SHOWN_DIGITS]}"
