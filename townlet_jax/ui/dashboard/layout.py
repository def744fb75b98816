"""Which panels stand where: by page and by the size of the terminal. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from townlet_jax.ui.dashboard import catalogue as panels
from townlet_jax.ui.dashboard.catalogue import Panel
from townlet_jax.ui.dashboard.look import Look
from townlet_jax.ui.dashboard.panels.edges import CHOICE_WIDTH, HELP
from townlet_jax.ui.dashboard.panels.people import CARD_ROWS, CARD_WIDTH

LEAST_WIDTH, LEAST_HEIGHT = 40, 10
WIDE, TALL = 150, 44  # from here on the first page shows everything
GAP = 1


class Place(NamedTuple):
    """A panel and its rectangle, in cells from the upper left corner."""

    panel: Panel
    x: int
    y: int
    width: int
    height: int


class Box(NamedTuple):
    """A rectangle."""

    x: int
    y: int
    width: int
    height: int


def arrange(look: Look, width: int, height: int) -> list[Place]:
    """Return the panels of the page; those that lie over others come last."""
    places = [
        Place(panels.HEADER, 0, 0, width, 1),
        Place(panels.TABS, 0, 1, width, 1),
        Place(panels.FOOTER, 0, height - 1, width, 1),
    ]
    bottom = 1
    if look.standing.place is not None:
        places.append(Place(panels.PROGRESS, 0, height - 2, width, 1))
        bottom = 2
    body = Box(0, 2, width, height - 2 - bottom)
    if look.town is None:
        places.append(Place(panels.WAITING, *body))
    else:
        places += _page(look, body)
    return [place for place in (*places, *_over(look, body)) if place.width > 0 and place.height > 0]


def _over(look: Look, body: Box) -> Iterator[Place]:
    if look.glance.has_help:
        width, height = min(body.width, 76), min(body.height, len(HELP) + 2)
        yield Place(panels.HELPING, (body.width - width) // 2, body.y + (body.height - height) // 2, width, height)
    if look.glance.prompt is not None:
        across = max(1, body.width // CHOICE_WIDTH)
        height = min(body.height, 2 - (-len(look.glance.prompt.choices) // across), 10)
        yield Place(panels.CHOICES, 0, body.y + body.height - height, body.width, height)


def _page(look: Look, body: Box) -> list[Place]:
    is_large = body.width >= WIDE and body.height >= TALL - 4
    match look.glance.page:
        case "people":
            return _people_page(look, body)
        case "work":
            return _grid(body, ((panels.EMPLOYMENT, panels.ECONOMY), (panels.PERTURBATIONS, panels.CONFLICT)), (3, 2))
        case "figures":
            return _grid(body, ((panels.KPIS, panels.DISTRIBUTION), (panels.CONFLICT, panels.STABILITY)), (3, 2))
        case "stories":
            return _grid(body, ((panels.TICKER, panels.LOG),), (1,))
        case "run":
            lower = (panels.PROMOTION, panels.ANSWERS)
            return _grid(body, ((panels.POLICY, panels.STABILITY), (panels.TRANSPORT,), lower), (3, 2, 2))
        case _:
            return _everything(look, body) if is_large else _small_town(look, body)


def _small_town(look: Look, body: Box) -> list[Place]:
    """Return the first page of a small terminal: map, people beside it, stories below."""
    across, down = _map_size(look)
    wide = 2 if body.width >= 2 * across + 46 and body.height - 6 >= down else 1
    columns = min(across * wide, max(24, body.width - 41))
    told = max(3, min(8, body.height // 5))
    beneath = max(told, body.height - (down + 1))
    upper, lower = _rows(body, (body.height - beneath, beneath))
    drawn, aside = _columns(upper, (columns, upper.width - columns - GAP))
    if body.width >= 110:
        left, right = _columns(lower, _shares(lower.width, (3, 2)))
        under = [Place(panels.TICKER, *left), Place(panels.CONFLICT, *right)]
    else:
        under = [Place(panels.TICKER, *lower)]
    if aside.height >= 30 and aside.width >= 45:
        cards = min(_cards_height(look, aside), aside.height * 3 // 5)
        top, bottom = _rows(aside, (cards, aside.height - cards))
        beside = [Place(panels.CARDS, *top), Place(panels.PERSON, *bottom)]
    else:
        beside = [Place(panels.CARDS, *aside)]
    return [Place(panels.MAP, *drawn), *beside, *under]


def _everything(look: Look, body: Box) -> list[Place]:
    """Return the first page of a large terminal: all panels at once."""
    across, down = _map_size(look)
    wide = 2 if body.width >= 2 * across + 80 else 1
    columns = min(across * wide, body.width - 80)
    drawn, aside = _columns(body, (columns, body.width - columns - GAP))
    beneath = max(6, drawn.height - (down + 2))
    map_box, key_box, story_box = _rows(drawn, (drawn.height - beneath - 1, 1, beneath))
    cards = min(_cards_height(look, aside), aside.height * 2 // 5)
    top, rest = _rows(aside, (cards, aside.height - cards))
    rest_of_all = (
        (panels.KPIS, panels.DISTRIBUTION),
        (panels.EMPLOYMENT, panels.CONFLICT),
        (panels.ECONOMY, panels.TIES),
        (panels.PERTURBATIONS, panels.STABILITY),
        (panels.POLICY, panels.TRANSPORT),
    )
    return [
        Place(panels.MAP, *map_box),
        Place(panels.LEGEND, *key_box),
        Place(panels.TICKER, *story_box),
        Place(panels.CARDS, *top),
        *_grid(rest, rest_of_all, (8, 7, 7, 3, 3)),
    ]


def _cards_height(look: Look, aside: Box) -> int:
    amount = max(1, len(look.town.frame["agents"]) if look.town is not None else 1)
    across = max(1, aside.width // CARD_WIDTH)
    return 1 + CARD_ROWS * -(-amount // across)


def _people_page(look: Look, body: Box) -> list[Place]:
    amount = len(look.town.frame["agents"]) if look.town is not None else 0
    top, rest = _rows(body, (min(amount + 2, body.height * 9 // 20), 0))
    rest = Box(rest.x, rest.y, rest.width, body.height - top.height)
    left, right = _columns(rest, _shares(rest.width, (1, 1)))
    return [Place(panels.CARDS, *top), Place(panels.PERSON, *left), Place(panels.TIES, *right)]


def _map_size(look: Look) -> tuple[int, int]:
    told = look.model.run.get("ground")
    return (len(told["rows"][0]), len(told["rows"])) if told and told["rows"] else (48, 48)


def _grid(body: Box, wanted: Sequence[Sequence[Panel]], weights: Sequence[int]) -> list[Place]:
    """Return rows of panels; heights by weight, all panels of a row equally wide."""
    found: list[Place] = []
    for box, row in zip(_rows(body, _shares(body.height, weights, gap=0)), wanted, strict=True):
        parts = _columns(box, _shares(box.width, (1,) * len(row)))
        found += [Place(panel, *part) for part, panel in zip(parts, row, strict=True)]
    return found


def _shares(total: int, weights: Sequence[int], gap: int = GAP) -> list[int]:
    """Cut a length in parts by weight, with gaps between; the last part takes what is over."""
    room = total - gap * (len(weights) - 1)
    parts = [room * weight // sum(weights) for weight in weights]
    return [*parts[:-1], room - sum(parts[:-1])]


def _rows(box: Box, heights: Sequence[int]) -> list[Box]:
    tops = [box.y + sum(heights[:place]) for place in range(len(heights))]
    return [Box(box.x, top, box.width, height) for top, height in zip(tops, heights, strict=True)]


def _columns(box: Box, widths: Sequence[int]) -> list[Box]:
    lefts = [box.x + sum(widths[:place]) + GAP * place for place in range(len(widths))]
    return [Box(left, box.y, width, box.height) for left, width in zip(lefts, widths, strict=True)]
