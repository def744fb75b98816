"""How the run does: decisions of a learner, stability, promotion, sinks and speed, answers of the console."""

from collections.abc import Mapping

from townlet_jax.ui.dashboard import gauges, words
from townlet_jax.ui.dashboard import model as models
from townlet_jax.ui.dashboard.block import (
    BAD,
    BOLD,
    DIM,
    GOOD,
    HIGH,
    Block,
    Piece,
    Row,
    clean,
    left,
    nothing,
    plain,
)
from townlet_jax.ui.dashboard.look import Look


def policy(look: Look, width: int, height: int) -> Block:
    """Show what the policy of the one in focus would rather do, and what it expects."""
    town, focus = look.town, look.focus
    if town is None or focus is None:
        return Block(nothing(" Nobody is in focus."), "Policy")
    name, agent = focus
    identity = town.frame["identity"]
    whose = identity.get("policy") or look.model.run.get("policy", "")
    decision = town.frame["policy"].get(name)
    rows: list[Row] = []
    if not isinstance(decision, Mapping):
        option = words.in_words(agent["option"] or "none")
        rows = [plain(f" {clean(name)}: option {option}", BOLD), plain(" no learner decides here", DIM)]
        return Block(rows, f"Policy: {clean(str(whose))}")
    value, log_prob = decision.get("value"), decision.get("log_prob")
    rows.append(
        (Piece(f" {clean(name)}: ", BOLD), Piece(words.in_words(str(decision.get("action", "?"))), HIGH),
         Piece(f"  value {gauges.number(value, 3)}  log p {gauges.number(log_prob, 2)}", DIM))
    )  # fmt: skip
    room = max(4, width - 32)
    for choice in decision.get("top", ())[: max(0, height - 2)]:
        share = float(choice["probability"])
        rows.append(
            (Piece(f" {left(words.in_words(str(choice['action'])), 16)} {share:6.1%} "), *gauges.level(share, room))
        )
    return Block(rows, f"Policy: {clean(str(whose))}")


def transport(look: Look, width: int, height: int) -> Block:
    """Show speed, records and sinks."""
    health, model = look.model.health, look.model
    rows: list[Row] = []
    if health:
        speed, tick = gauges.number(health["ticks_per_second"], 0), gauges.number(health["tick_ms"])
        publishing = gauges.number(health["publish_ms"], 0)
        rows.append(plain(f" {speed} town-ticks/s, {tick} ms a tick, publishing {publishing} ms a chunk"))
        worries = {key: health[key] for key in ("queue", "skipped_chunks", "failures")}
        said = ", ".join(f"{words.in_words(key)} {value}" for key, value in worries.items())
        is_bad = any(worries[key] for key in ("skipped_chunks", "failures"))
        rows.append(plain(f" {said}, records {health['records']:,}", BAD if is_bad else ""))
        faults = ", ".join(f"{name} in {amount}" for name, amount in health["faults"].items())
        rows.append(plain(f" faults: {faults}", BAD) if faults else plain(" no faults", GOOD))
    behind = models.behind_of(model)
    late = f"; town {', '.join(map(str, behind))} waits for a whole frame" if behind else ""
    own = "" if look.standing.load is None else f", dashboard {look.standing.load:.1%} of a core"
    rows.append(plain(f" heard {model.taken:,}, lost {model.lost:,}{late}{own}", BAD if model.lost else DIM))
    for sink in health.get("channels", ()):
        state = Piece("● " if sink["connected"] else "○ ", GOOD if sink["connected"] else BAD)
        amounts = f"sent {sink['sent']:,} dropped {sink['dropped']:,} waiting {gauges.number(float(sink['queue']))} B"
        rows.append((Piece(" "), state, Piece(left(sink["name"], max(10, min(30, width - 45)))), Piece(f" {amounts}")))
        if sink["last_error"]:
            rows.append(plain(f"   {clean(sink['last_error'])}", BAD))
    del height
    return Block(rows, "Transport and health")


def answers(look: Look, width: int, height: int) -> Block:
    """Show the last answers of the console."""
    if not look.model.results:
        said = " Type : for a command." if look.standing.can_steer else " Commands need a running session."
        return Block(nothing(said), "Console")
    rows: list[Row] = []
    for result in list(look.model.results)[-max(1, height - 1) :][::-1]:
        is_ok = result.get("status") == "ok"
        error = result.get("error") or {}
        told = "; ".join(f"{name} {text}".strip() for name, text in words.flat(result.get("result") or {}))
        said = told if is_ok else error.get("message", "")
        head = f" {left(str(result.get('name', '?')), 18)}"
        rows.append((Piece(head, GOOD if is_ok else BAD), Piece(clean(str(said) or "done"), "" if is_ok else BAD)))
    del width
    return Block(rows, "Console")
