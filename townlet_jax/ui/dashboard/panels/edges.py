"""What stands around the panels: the line of the clock, the tabs, the line of messages and keys, help, choices."""

from townlet_jax.ui.dashboard import gauges, words
from townlet_jax.ui.dashboard.block import (
    BAD,
    BOLD,
    DIM,
    GOOD,
    HIGH,
    MARKED,
    TITLE,
    WARN,
    Block,
    Piece,
    Row,
    clean,
    cut,
    left,
    plain,
    spread,
)
from townlet_jax.ui.dashboard.look import PAGES, Look

BAR = "#c9d1e2 on #1b2236"
CHOICE_WIDTH = 26
HELP = (
    ("1 – 6, Tab", "pages: town, people, work, figures, stories, run"),
    ("[ ] , ↑ ↓", "agent in focus: before, next"),
    ("t T", "town: next, before"),
    ("c", "colour of people on the map: needs, ties, rivals"),
    ("o", "relationships: trust, familiarity, rivalry"),
    ("f F", "filter of events: next, before"),
    ("PgUp PgDn", "scroll events (stories page)"),
    ("Space", "pause, resume"),
    ("+ -", "faster, slower"),
    (".", "one step (a frame of a recording)"),
    ("← →", "recording: a frame back, on"),
    ("PgUp PgDn, Home End", "recording: an hour, begin, end"),
    (":", "command; Tab completes, ↑ ↓ history"),
    ("d", "drive the agent: arrows, u use, k chat, x leave"),
    ("r", "draw everything anew"),
    ("? h", "this help"),
    ("q Esc Ctrl-C", "quit"),
)


def header(look: Look, width: int, height: int) -> Block:
    """Show time, run, town, pace and how the source does."""
    del height
    model, standing, town = look.model, look.standing, look.town
    tick = town.tick if town is not None else model.tick
    is_day = 0.25 <= tick % model.ticks_per_day / model.ticks_per_day < 0.85
    begin = [
        Piece(f" {'☀' if is_day else '☾'} {words.clock(tick, model.ticks_per_day)} ", "bold #f3dd9c on #1b2236"),
        Piece(f"tick {tick:,} ", BAR),
    ]
    if look.index is not None:
        begin.append(Piece(f"· town {look.index} of {model.run.get('towns', '?')} ", BAR))
    begin.append(Piece(f"· {clean(str(model.run.get('config_id', standing.name)))} ", BAR))
    begin.append(Piece(f"· {clean(str(model.run.get('policy', '')))}" if model.run.get("policy") else "", BAR))
    begin.append(Piece(" " * width, BAR))
    return Block([spread(begin, _state(look, max(20, width * 2 // 5)), width)])


def _state(look: Look, room: int) -> Row:
    standing, model = look.standing, look.model
    paper = "on #1b2236"
    place = "" if standing.place is None else f" {standing.place:.0%}"
    pace = Piece(f" {'‖' if standing.is_paused else '▶'} {standing.speed}{place} ", f"bold {HIGH} {paper}")
    ended = (Piece(f"ended: {words.in_words(model.end['why'])} ", f"{DIM} {paper}"),) if model.end else ()
    if standing.trouble:
        return (pace, Piece(f"● {cut(standing.trouble, room)} ", f"{BAD} {paper}"))
    kind = Piece(f"● {standing.kind}{f' {standing.role}' if standing.role else ''} ", f"{GOOD} {paper}")
    return (pace, *ended, kind)


def tabs(look: Look, width: int, height: int) -> Block:
    """Show the pages and what is in focus."""
    del height
    row: list[Piece] = []
    for number, page in enumerate(PAGES, start=1):
        row.append(Piece(f" {number} {page} ", MARKED if page == look.glance.page else TITLE))
    row.append(Piece(" " * width, TITLE))
    focus = look.focus
    who = f" {clean(focus[0])} " if focus else ""
    return Block([spread(row, (Piece(who, TITLE),), width)])


def footer(look: Look, width: int, height: int) -> Block:
    """Show the line being typed, the last message, or the most useful keys."""
    del height
    glance = look.glance
    if glance.prompt is not None:
        return Block([_typed(look, width)])
    if glance.message:
        return Block([plain(f" {glance.message}", BAD if glance.is_bad else HIGH)])
    if glance.is_driving:
        return Block([plain(" driving: arrows walk, u use something, k chat, x leave, . step, d let go", WARN)])
    steer = ": command  d drive  " if look.standing.can_steer else "←→ scrub  "
    said = f" ? help  q quit  space pause  + - speed  {steer}[ ] agent  t town  c colours  1-6 pages"
    return Block([plain(cut(said, width), DIM)])


def _typed(look: Look, width: int) -> Row:
    prompt = look.glance.prompt
    assert prompt is not None
    room = max(5, width - 4)
    begin = max(0, prompt.cursor - room + 1)
    text, place = prompt.text[begin : begin + room], prompt.cursor - begin
    under = text[place : place + 1] or " "
    return (Piece(" : ", HIGH), Piece(text[:place]), Piece(under, "reverse"), Piece(text[place + 1 :]))


def choices(look: Look, width: int, height: int) -> Block:
    """Show what the word being typed may become, or how the command is used."""
    prompt = look.glance.prompt
    if prompt is None:
        return Block([])
    name = prompt.text.split(" ", 1)[0]
    usage = dict(look.standing.commands).get(name, "")
    rows: list[Row] = [plain(f" {usage}", DIM)] if usage else []
    across = max(1, width // CHOICE_WIDTH)
    options = prompt.choices[: across * max(0, height - len(rows) - 1)]
    rows += [
        tuple(Piece(f" {left(word, CHOICE_WIDTH - 1)}") for word in options[begin : begin + across])
        for begin in range(0, len(options), across)
    ]
    return Block(rows or [plain(" Tab completes, Enter sends, Esc leaves", DIM)], "Command")


def helping(look: Look, width: int, height: int) -> Block:
    """Show what the keys do."""
    del width, height
    rows: list[Row] = [(Piece(f" {left(keys, 20)}", BOLD), Piece(f" {words_}")) for keys, words_ in HELP]
    if not look.standing.can_steer:
        rows.append(plain(" this source takes no commands", DIM))
    return Block(rows, "Keys", "any key closes")


def waiting(look: Look, width: int, height: int) -> Block:
    """Say why there is nothing to see yet."""
    said = look.standing.trouble or f"Waiting for {look.standing.name or 'records'} …"
    lines = [plain("")] * max(0, height // 2 - 1)
    return Block([*lines, plain(cut(said, width - 2).center(max(0, width - 2)), BAD if look.standing.trouble else DIM)])


def progress(look: Look, width: int, height: int) -> Block:
    """Show where in a recording the viewer is, with the stories and alerts along it."""
    del height
    place = look.standing.place
    if place is None:
        return Block([])
    return Block([(Piece(gauges.bar(place, width), "#5397c6 on #20242c"),)])
