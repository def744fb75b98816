"""What stays the same in all pictures of a town: its ground, its things and its words. Host only."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from townlet_jax.config.names import Names
from townlet_jax.core.enums import NOBODY, NUM_NEEDS, Need, Option, Perturb, Sink
from townlet_jax.core.params import Params
from townlet_jax.report import printable
from townlet_jax.ui import icons, signs
from townlet_jax.ui.view import View

HOURS, MINUTES = 24, 60
TWILIGHT = 1 / 24  # of a day, before the night and after it
GOALS: Mapping[int, str] = {  # where somebody walks to, by the option that acts
    Option.GET_FED: "to eat",
    Option.GET_CLEAN: "to wash",
    Option.SLEEP: "to bed",
    Option.COOK: "to cook",
    Option.GO_TO_WORK: "to work",
    Option.SOCIALISE: "to a chat",
    Option.GO_HOME: "home",
}
RELIEF: Mapping[int, str] = {Need.HUNGER: "eat", Need.HYGIENE: "wash", Need.ENERGY: "rest"}


def in_words(name: str) -> str:
    """Return a name of the configuration as people would write it."""
    return printable(name).replace("_", " ")


def ordinal(number: int) -> str:
    """Return `1st`, `2nd`, `3rd`, `4th` and so on."""
    special = {1: "st", 2: "nd", 3: "rd"} if number % 100 not in (11, 12, 13) else {}
    return f"{number}{special.get(number % 10, 'th')}"


@dataclass(frozen=True)
class Stage:
    """The unchanging part of a town, read out of its configuration."""

    names: Names
    params: Params
    title: str = ""

    @property
    def height(self) -> int:
        """Rows of the map."""
        return len(self.names.map_rows)

    @property
    def width(self) -> int:
        """Columns of the map."""
        return len(self.names.map_rows[0])

    @cached_property
    def tiles(self) -> tuple[tuple[str, ...], ...]:
        """Return what each tile of the map means, row by row."""
        return tuple(tuple(self.names.map_legend.get(sign, "floor") for sign in row) for row in self.names.map_rows)

    @cached_property
    def walkable(self) -> npt.NDArray[np.bool_]:
        """Return where somebody could stand if no object stood there."""
        return np.asarray(self.params.world.walkable)

    def ground(self, x: int, y: int) -> str:
        """Return the ground of a tile; under what stands on it lies the ground of its neighbours."""
        meaning = self.tiles[y][x]
        if meaning in signs.TILES:
            return meaning
        around = ((x + dx, y + dy) for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)))
        beside = [self.tiles[j][i] for i, j in around if 0 <= j < self.height and 0 <= i < self.width]
        return "grass" if beside.count("grass") > beside.count("floor") else "floor"

    @cached_property
    def objects(self) -> tuple[tuple[str, int, int], ...]:
        """Return type, x and y of each object."""
        tiles, types = np.asarray(self.params.world.tile), np.asarray(self.params.world.object_type)
        rows = range(len(self.names.objects))
        return tuple((self.names.object_types[types[o]], int(tiles[o, 0]), int(tiles[o, 1])) for o in rows)

    @cached_property
    def marks(self) -> tuple[tuple[str, str, int, int], ...]:
        """Return kind, caption, x and y of homes, sites and places; residents are a home's caption.

        The site of a job that nobody has is left out.
        """
        world, start = self.params.world, self.params.start
        home_of, alive = np.asarray(start.home), np.asarray(start.alive)
        found = []
        for home, (x, y) in enumerate(np.asarray(world.home_tile)[: len(self.names.homes)]):
            slots = np.flatnonzero(alive & (home_of == home))[:2]
            found.append(("home", ", ".join(self.agent(int(slot)) for slot in slots), int(x), int(y)))
        held = set(np.asarray(start.job).tolist())
        for job, (x, y) in enumerate(np.asarray(world.site_tile)[: len(self.names.jobs)]):
            if job in held:
                found.append(("site", in_words(self.names.jobs[job]), int(x), int(y)))
        for place, (x, y) in zip(self.names.places, np.asarray(world.place_tile), strict=False):
            found.append(("place", in_words(place), int(x), int(y)))
        return tuple(found)

    def agent(self, slot: int) -> str:
        """Return the name of a slot."""
        return printable(self.names.agents[slot]) if slot < len(self.names.agents) else f"slot_{slot}"

    def person(self, view: View, slot: int) -> str:
        """Return the name of who lives in a slot: `ada`, and `ada#2` for the second newcomer after her."""
        generation = int(view.people.generation[slot])
        return f"{self.agent(slot)}#{generation}" if generation > 0 else self.agent(slot)

    def thing(self, row: int) -> str:
        """Return the name of an object in words."""
        return in_words(self.names.objects[row])

    @cached_property
    def uses(self) -> tuple[str, ...]:
        """Return the sign (a key of `icons.DOING`) of each affordance, by what it does for people."""
        table = self.params.affordances
        effect, made = np.asarray(table.need_effect), np.asarray(table.produce).sum(axis=1) > 0
        asleep, meal, sink = np.asarray(table.is_sleep), np.asarray(table.is_meal), np.asarray(table.sink)
        found = []
        for row in range(len(self.names.affordances)):
            best = int(effect[row, :NUM_NEEDS].argmax()) if effect[row, :NUM_NEEDS].max() > 0 else NOBODY
            if asleep[row]:
                found.append("sleep")
            elif meal[row]:
                found.append("eat")
            elif made[row]:
                found.append("shop" if sink[row] == Sink.HOME else "cook")
            else:
                found.append(RELIEF.get(best, "use"))
        return tuple(found)

    def sign(self, view: View, slot: int) -> str:
        """Return what an agent does as a key of `icons.DOING`."""
        doing = view.doing
        if not view.people.alive[slot]:
            return "away"
        if doing.affordance[slot] != NOBODY:
            return self.uses[int(doing.affordance[slot])]
        if doing.waiting[slot] != NOBODY:
            return "wait"
        if doing.holding[slot] != NOBODY:
            return "hold"
        if doing.on_shift[slot]:
            return "work"
        return "walk" if doing.moved[slot] else "idle"

    def occupation(self, view: View, slot: int) -> str:
        """Return what an agent does in a few words."""
        sign, doing = self.sign(view, slot), view.doing
        verb = icons.DOING[sign][0]
        match sign:
            case "use":
                return f"{verb} {in_words(self.names.affordances[int(doing.affordance[slot])])}"
            case "wait":
                return f"{ordinal(int(doing.place[slot]) + 1)} in line: {self.thing(int(doing.waiting[slot]))}"
            case "hold":
                return f"{verb} {self.thing(int(doing.holding[slot]))}"
            case "work":
                return f"{verb} as {in_words(self.names.jobs[int(view.people.job[slot])])}"
            case "walk":
                goal = GOALS.get(int(doing.option[slot]), "")
                return f"{verb} {goal}".strip()
            case _:
                return verb

    @cached_property
    def ticks_per_day(self) -> int:
        """Return the length of a day."""
        return int(self.params.clock.ticks_per_day)

    def clock(self, tick: int) -> str:
        """Return day and time, as `day 1 06:30`; the town's day is spread over 24 hours."""
        minutes = tick % self.ticks_per_day * HOURS * MINUTES // self.ticks_per_day
        return f"day {tick // self.ticks_per_day + 1} {minutes // MINUTES:02}:{minutes % MINUTES:02}"

    def darkness(self, share_of_day: float) -> float:
        """Return 0 by day and 1 by night, with twilight before the night's start and after its end."""
        rules = self.params.behaviour
        start, end = (int(tick) / self.ticks_per_day for tick in (rules.night_start, rules.night_end))
        night = (end - start) % 1.0
        since = (share_of_day - start) % 1.0
        if since <= night:
            return 1.0
        return max(0.0, 1.0 - min(since - night, 1.0 - since) / TWILIGHT)

    def weather(self, view: View) -> tuple[tuple[str, str], ...]:
        """Return kind (a key of `icons.EVENTS`) and words of each running event."""
        specs, events = self.params.perturbation, view.events
        found = []
        for row in np.flatnonzero(np.asarray(events.active))[: len(self.names.perturbations)]:
            kind = Perturb(int(specs.kind[row]))
            found.append((kind.name.lower(), self._event(kind, int(row), view)))
        return tuple(found)

    def _event(self, kind: Perturb, row: int, view: View) -> str:
        specs, events = self.params.perturbation, view.events
        match kind:
            case Perturb.PRICE_SPIKE:
                dearer = [
                    in_words(name)
                    for name, hit in zip(self.names.prices, np.asarray(specs.price_mask)[row], strict=False)
                    if hit
                ]
                what = "all" if len(dearer) == len(self.names.prices) else ", ".join(dearer)
                return f"prices x {float(events.magnitude[row]):.2f}: {what}"
            case Perturb.BLACKOUT | Perturb.OUTAGE:
                return f"no {in_words(self.names.utilities[int(specs.utility[row])])}"
            case Perturb.ARRANGED_MEET:
                guests = [self.person(view, int(slot)) for slot in np.flatnonzero(np.asarray(events.member)[row])]
                return f"meeting: {', '.join(guests)}" if guests else "meeting"
            case Perturb.QUEUE_BOTTLENECK:
                closed = int(events.object[row])
                return f"closed: {self.thing(closed)}" if closed != NOBODY else "closed"

    def closed(self, view: View) -> tuple[int, ...]:
        """Return the objects that are closed."""
        kinds = np.asarray(self.params.perturbation.kind)
        shut = np.asarray(view.events.active) & (kinds == Perturb.QUEUE_BOTTLENECK)
        return tuple(int(row) for row in np.asarray(view.events.object)[shut] if row != NOBODY)
