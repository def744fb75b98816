"""What keys do: a new glance, and wishes to the source of the records. Pure."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from townlet_jax.console.typed import TypedError, command_of_line
from townlet_jax.ui.dashboard import model as models
from townlet_jax.ui.dashboard import palette
from townlet_jax.ui.dashboard.look import FILTERS, OVERLAYS, PAGES, TIES, Glance, Look
from townlet_jax.ui.dashboard.palette import MOST_HISTORY, Prompt
from townlet_jax.ui.dashboard.panels.stories import filtered

DIRECTIONS = {"up": "north", "right": "east", "down": "south", "left": "west"}
PAGE = 10  # events a page
USE = "use"  # while driving: a line `use AFFORDANCE` is an order


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the source is asked to do: pause, faster, slower, step, back, hour on, hour back, begin, end, command."""

    name: str
    town: int | None = None
    command: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    positional: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a key came to."""

    glance: Glance
    wishes: tuple[Wish, ...] = ()
    is_end: bool = False
    is_anew: bool = False  # draw everything anew


def press(look: Look, key: str, history: Sequence[str] = ()) -> Outcome:
    """Return what a key does."""
    glance = look.glance
    if key == "interrupt":
        return Outcome(glance=glance, is_end=True)
    if glance.prompt is not None:
        return _typing(look, glance.prompt, key)
    glance = dataclasses.replace(glance, message="", is_bad=False)
    if glance.has_help:
        return Outcome(glance=dataclasses.replace(glance, has_help=False))
    look = dataclasses.replace(look, glance=glance)
    if glance.is_driving and key in DRIVING:
        return DRIVING[key](look, key)
    if key in ("q", "escape", "quit"):
        return Outcome(glance=glance, is_end=True)
    if key in ("r", "redraw"):
        return Outcome(glance=glance, is_anew=True)
    if key == ":":
        return Outcome(glance=dataclasses.replace(glance, prompt=Prompt(history=tuple(history))))
    wished = _wish(look, key)
    return Outcome(glance=glance, wishes=wished) if wished else _looking(look, key)


def _wish(look: Look, key: str) -> tuple[Wish, ...]:
    names = {"space": "pause", "+": "faster", "=": "faster", "-": "slower", ".": "step"}
    if look.standing.place is not None:
        names |= {"left": "back", "right": "step", "home": "begin", "end": "end"}
        if look.glance.page != "stories":
            names |= {"page up": "hour back", "page down": "hour on"}
    return (Wish(name=names[key], town=look.index),) if key in names else ()


def _looking(look: Look, key: str) -> Outcome:
    """Change where the viewer looks."""
    glance = look.glance
    if key in "123456" and len(key) == 1:
        glance = dataclasses.replace(glance, page=PAGES[int(key) - 1], scroll=0)
    elif key in ("tab", "back tab"):
        glance = dataclasses.replace(glance, page=_turned(PAGES, glance.page, 1 if key == "tab" else -1), scroll=0)
    elif key in ("]", "down", "[", "up"):
        glance = _other_agent(look, 1 if key in ("]", "down") else -1)
    elif key in "tT":
        glance = _other_town(look, 1 if key == "t" else -1)
    elif key in "fF":
        glance = dataclasses.replace(glance, filter=_turned(FILTERS, glance.filter, 1 if key == "f" else -1), scroll=0)
        glance = _said(glance, f"Events: {glance.filter}.")
    elif key == "c":
        glance = dataclasses.replace(glance, overlay=_turned(OVERLAYS, glance.overlay, 1))
    elif key == "o":
        glance = dataclasses.replace(glance, tie=_turned(TIES, glance.tie, 1))
    elif key in ("page up", "page down"):
        glance = _scrolled(look, PAGE if key == "page down" else -PAGE)
    elif key in ("?", "h"):
        glance = dataclasses.replace(glance, has_help=True)
    elif key == "d":
        return _take_the_reins(look)
    return Outcome(glance=glance)


def _turned(options: Sequence[str], now: str, steps: int) -> str:
    return options[(options.index(now) + steps) % len(options)]


def _other_agent(look: Look, steps: int) -> Glance:
    focus, town = look.focus, look.town
    if focus is None or town is None:
        return look.glance
    slots = [agent["slot"] for _, agent in models.people(town)]
    return dataclasses.replace(look.glance, slot=slots[(slots.index(focus[1]["slot"]) + steps) % len(slots)])


def _other_town(look: Look, steps: int) -> Glance:
    towns = models.watched(look.model)
    if look.index is None or len(towns) < 2:
        return _said(look.glance, "No other town is watched.")
    town = towns[(towns.index(look.index) + steps) % len(towns)]
    return _said(dataclasses.replace(look.glance, town=town, scroll=0), f"Town {town}.")


def _scrolled(look: Look, steps: int) -> Glance:
    town = look.town
    most = max(0, len(filtered(town, look.glance.filter)) - 1) if town is not None else 0
    return dataclasses.replace(look.glance, scroll=max(0, min(most, look.glance.scroll + steps)))


def _said(glance: Glance, text: str, is_bad: bool = False) -> Glance:
    return dataclasses.replace(glance, message=text, is_bad=is_bad)


def _take_the_reins(look: Look) -> Outcome:
    """Begin or end driving the agent in focus."""
    focus, glance = look.focus, look.glance
    if not look.standing.can_steer:
        return Outcome(glance=_said(glance, "Nobody can be driven here: this source takes no commands.", True))
    if focus is None or not focus[1]["alive"]:
        return Outcome(glance=_said(glance, "Nobody who lives here is in focus; choose with [ and ].", True))
    word = "release" if glance.is_driving else "acquire"
    wish = command(look, "possess", agent=focus[1]["slot"], action=word)
    return Outcome(glance=dataclasses.replace(glance, is_driving=not glance.is_driving), wishes=(wish,))


def command(look: Look, name: str, **arguments: Any) -> Wish:
    """Return the wish for a command to the town that is looked at."""
    return Wish(name="command", town=look.index, command=name, arguments=tuple(arguments.items()))


def _order(look: Look, intent: dict[str, Any]) -> Outcome:
    """Give the driven agent an order; a paused town lives one tick for it."""
    focus = look.focus
    if focus is None:
        return Outcome(glance=dataclasses.replace(look.glance, is_driving=False))
    wishes = [command(look, "order", agent=focus[1]["slot"], intent=intent)]
    if look.standing.is_paused:
        wishes.append(Wish(name="step", town=look.index))
    return Outcome(glance=look.glance, wishes=tuple(wishes))


def _walk(look: Look, key: str) -> Outcome:
    return _order(look, {"kind": "move", "direction": DIRECTIONS[key]})


def _leave(look: Look, key: str) -> Outcome:
    del key
    return _order(look, {"kind": "leave"})


def _talk(look: Look, key: str) -> Outcome:
    del key
    return _order(look, {"kind": "chat"})


def _use(look: Look, key: str) -> Outcome:
    """Begin a line that says what to use."""
    del key
    prompt = Prompt(text=f"{USE} ", cursor=len(USE) + 1)
    return Outcome(glance=dataclasses.replace(look.glance, prompt=prompt))


def _let_go(look: Look, key: str) -> Outcome:
    del key
    return _take_the_reins(look)


DRIVING: dict[str, Callable[[Look, str], Outcome]] = {
    **dict.fromkeys(DIRECTIONS, _walk), "x": _leave, "k": _talk, "u": _use, "d": _let_go, "escape": _let_go,
}  # fmt: skip


def _typing(look: Look, prompt: Prompt, key: str) -> Outcome:
    """Change the line that is being typed, or send it."""
    glance = look.glance
    match key:
        case "escape" | "quit":
            return Outcome(glance=dataclasses.replace(glance, prompt=None))
        case "enter":
            return _sent(look, prompt)
        case "tab":
            commands = [name for name, _ in look.standing.commands]
            prompt = palette.completed(prompt, commands, names_of(look))
        case "up" | "down":
            prompt = prompt.recalled(1 if key == "up" else -1)
        case "left" | "right":
            prompt = prompt.moved(1 if key == "right" else -1)
        case "home" | "end":
            prompt = prompt.moved(len(prompt.text) if key == "end" else -len(prompt.text))
        case "backspace":
            prompt = prompt.erased()
        case "erase":
            prompt = prompt.erased(prompt.cursor)
        case "erase word":
            head = prompt.text[: prompt.cursor].rstrip()
            prompt = prompt.erased(prompt.cursor - head.rfind(" ") - 1)
        case "space":
            prompt = prompt.typed(" ")
        case _ if len(key) == 1:
            prompt = prompt.typed(key)
    return Outcome(glance=dataclasses.replace(glance, prompt=prompt))


def _sent(look: Look, prompt: Prompt) -> Outcome:
    glance = dataclasses.replace(look.glance, prompt=None, message="", is_bad=False)
    if prompt.text.strip() in ("q", "quit", "exit"):
        return Outcome(glance=glance, is_end=True)
    try:
        said = command_of_line(prompt.text)
    except TypedError as error:
        return Outcome(glance=_said(glance, str(error), True))
    name, values, named = said["name"], said["args"], said["kwargs"]
    if glance.is_driving and name == USE and values:
        return _order(dataclasses.replace(look, glance=glance), {"kind": "use", "affordance": str(values[0])})
    wish = Wish(name="command", town=look.index, command=name, positional=tuple(values), arguments=tuple(named.items()))
    return Outcome(glance=glance, wishes=(wish,))


def remembered(history: Sequence[str], text: str) -> tuple[str, ...]:
    """Return the history with one more line."""
    kept = [line for line in history if line != text]
    return (*kept, text)[-MOST_HISTORY:] if text.strip() else tuple(history)


def names_of(look: Look) -> list[str]:
    """Return the names that a command may hold: agents, objects, jobs, prices, events, homes, needs."""
    town = look.town
    if town is None:
        return []
    frame = town.frame
    found = {*frame["agents"], *frame["objects"], *frame["economy"].get("prices", ())}
    found |= {*frame["employment"].get("jobs", ()), *frame["utilities"], *frame["perturbations"].get("cooldowns", ())}
    for agent in frame["agents"].values():
        found |= {agent["home"], agent["profile"], *agent["needs"]}
    found |= {*frame["kpis"].get("measures", {}).get("starts", ())}
    for event in frame["perturbations"].get("active", ()):
        found |= {event["spec"], event["event_id"]}
    return sorted(found)
