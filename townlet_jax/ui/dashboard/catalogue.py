"""All panels: how each is drawn, and what it reads, so that it is drawn again only when that was replaced."""

from collections.abc import Callable
from dataclasses import dataclass

from townlet_jax.ui.dashboard.block import Block
from townlet_jax.ui.dashboard.look import Look
from townlet_jax.ui.dashboard.model import Town
from townlet_jax.ui.dashboard.panels import edges, figures, ground, judging, people, running, stories, ties, work

SMALL = (int, float, str, bool, type(None))


@dataclass(frozen=True, eq=False)
class Panel:
    """One panel: a pure function of look, width and height; frame sections and histories that it reads."""

    draw: Callable[[Look, int, int], Block]
    sections: tuple[str, ...] = ()
    past: Callable[[Town], tuple[object, ...]] = lambda town: ()
    more: Callable[[Look], tuple[object, ...]] = lambda look: ()

    def reads(self, look: Look) -> tuple[object, ...]:
        """Return what it depends on, to be compared by `same`."""
        town, glance = look.town, look.glance
        view = (look.index, glance.slot, glance.filter, glance.overlay, glance.tie, glance.scroll, look.model.run)
        if town is None:
            return (*view, None, *self.more(look))
        sections = tuple(town.frame.get(section) for section in self.sections)
        return (*view, *sections, *self.past(town), *self.more(look))


def same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Tell whether two readings are the same: objects by identity, small values by what they are."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a is b or (isinstance(a, SMALL) and a == b) for a, b in pairs)


def _events(town: Town) -> tuple[object, ...]:
    return (town.events, town.updates)


def _tick(town: Town) -> tuple[object, ...]:
    return (town.tick,)


def _chunk(look: Look) -> tuple[object, ...]:
    return (look.model.measures[-1] if look.model.measures else None,)


def _edge(look: Look) -> tuple[object, ...]:
    tick = look.town.tick if look.town is not None else look.model.tick
    return (tick, look.glance.prompt, look.glance.message, look.glance.page, look.glance.is_driving, look.model.end,
            *vars(look.standing).values())  # fmt: skip


def _transport(look: Look) -> tuple[object, ...]:
    return (look.model.health, look.model.lost, look.standing.load)


MAP = Panel(ground.ground, ("agents", "objects", "relationships", "employment"))
LEGEND = Panel(ground.legend)
CARDS = Panel(people.cards, ("agents", "employment", "relationships"), lambda town: (town.last_event, town.past))
PERSON = Panel(people.person, ("agents", "employment", "rewards"), lambda town: (town.events, town.past))
KPIS = Panel(figures.kpis, ("kpis",))
DISTRIBUTION = Panel(figures.distribution, ("kpis",), more=_chunk)
CONFLICT = Panel(figures.conflict, ("conflict", "queue_metrics", "objects"), lambda town: (town.events,))
EMPLOYMENT = Panel(work.employment, ("employment",))
ECONOMY = Panel(work.economy, ("economy", "utilities"), _tick)
PERTURBATIONS = Panel(work.perturbations, ("perturbations",), _tick)
TIES = Panel(ties.ties, ("relationships", "agents"), _events)
TICKER = Panel(stories.ticker, (), lambda town: (town.stories,))
LOG = Panel(stories.log, (), lambda town: (town.events, town.updates, town.actions))
POLICY = Panel(running.policy, ("policy", "agents", "identity"))
STABILITY = Panel(judging.stability, ("stability",), more=_chunk)
PROMOTION = Panel(judging.promotion, ("promotion",))
TRANSPORT = Panel(running.transport, more=_transport)
ANSWERS = Panel(running.answers, more=lambda look: (look.model.results,))
HEADER = Panel(edges.header, more=_edge)
TABS = Panel(edges.tabs, ("agents",), more=_edge)
FOOTER = Panel(edges.footer, more=_edge)
PROGRESS = Panel(edges.progress, more=_edge)
WAITING = Panel(edges.waiting, more=_edge)
CHOICES = Panel(edges.choices, more=_edge)
HELPING = Panel(edges.helping)
