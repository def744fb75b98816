"""Frame sections about things: objects, queues, utilities, economy, perturbations, identity slots (MECHANICS 11.1)."""

from typing import Any

import numpy as np

from townlet_jax.core.enums import NEVER, NOBODY
from townlet_jax.telemetry.decode_things import about_event, real
from townlet_jax.telemetry.frames_base import Section, Shot
from townlet_jax.telemetry.lived import Table
from townlet_jax.telemetry.naming import named
from townlet_jax.telemetry.text import FALSE, NULL, dumps, entry, listing, mapping, quote, rounded, truth

QUEUE_COUNTERS = ("cooldown_events", "ghost_steps", "rotations")


class Objects(Section):
    """Every object: who holds it, what runs on it, who waits, what it has in stock."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        states, after = shot.lived.states, shot.after
        line, running = states.queues, states.activities
        self.holding, self.waiting, self.ticket = after(line.holding), after(line.waiting), after(line.ticket)
        self.joined, self.stalls = after(line.joined_tick), after(line.stalls)
        self.affordance, self.remaining = after(running.affordance), after(running.remaining)
        self.stock = rounded(after(states.economy.stock))
        self.closed = shot.during(shot.lived.outcomes.shocks.closed)
        waits = np.where(self.waiting == NOBODY, 0, shot.ticks[:, None] - self.joined)
        self.sources = (
            self.holding, self.waiting, self.ticket, waits, self.stalls, self.affordance, self.remaining, self.stock,
            self.closed, after(states.roster.generation),
        )  # fmt: skip
        world = shot.words.params.world
        self.kinds, self.tiles, self.present = world.object_type.tolist(), world.tile.tolist(), world.present.tolist()

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        people: dict[int, tuple[list[int], list[int]]] = {}
        for slot, (held, awaited) in enumerate(zip(self.holding[k].tolist(), self.waiting[k].tolist(), strict=True)):
            if held != NOBODY:
                people.setdefault(held, ([], []))[0].append(slot)
            if awaited != NOBODY:
                people.setdefault(awaited, ([], []))[1].append(slot)
        stock, closed = self.stock[k].tolist(), self.closed[k].tolist()
        cache, parts = self.shot.cache, []
        for place, name in enumerate(self.shot.words.objects):
            if place in people:
                parts.append(entry(name, self._object(place, stock[place], closed[place], k, *people[place])))
                continue
            key = ("object", place, *stock[place], closed[place])
            text = cache.get(key)
            if text is None:
                text = cache[key] = entry(name, self._object(place, stock[place], closed[place], k, [], []))
            parts.append(text)
        return mapping(parts)

    def _object(self, place: int, stock: list[float], closed: bool, k: int, holders: list[int], line: list[int]) -> str:
        words, shot = self.shot.words, self.shot
        holder, running, stalls = NULL, NULL, 0
        for slot in holders[:1]:
            name = holder = quote(shot.person(k, slot))
            stalls = int(self.stalls[k, slot])
            affordance = int(self.affordance[k, slot])
            if affordance != NOBODY:
                what = f'"affordance":{quote(words.affordances[affordance])},"remaining":{self.remaining[k, slot]}'
                running = f'{{"agent":{name},{what}}}'
        waiting = [
            f'{{"agent":{quote(shot.person(k, slot))},"wait":{shot.ticks[k] - self.joined[k, slot]},'
            f'"ticket":{self.ticket[k, slot]}}}'
            for slot in sorted(line, key=lambda slot: int(self.ticket[k, slot]))
        ]
        goods = mapping([entry(good, repr(amount)) for good, amount in zip(words.names.goods, stock, strict=False)])
        return (
            f'{{"type":{quote(words.names.object_types[self.kinds[place]])},"position":{self.tiles[place]},'
            f'"holder":{holder},"running":{running},"queue":{listing(waiting)},"stock":{goods},'
            f'"closed":{truth(closed)},"stalls":{stalls}}}'
        ).replace(", ", ",")


class QueueMetrics(Section):
    """Counters of the queues; increments are since the frame before, which the maker of frames knows."""

    def __init__(self, shot: Shot, totals_before: list[int]) -> None:
        super().__init__(shot)
        line = shot.lived.states.queues
        self.totals = np.stack([shot.after(getattr(line, name)) for name in QUEUE_COUNTERS], axis=-1)
        earlier = np.concatenate([np.asarray([totals_before]), self.totals[:-1]])
        self.increments = self.totals - earlier
        self.sources = (self.totals, self.increments)

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        return mapping(
            [
                f'"{name}":{{"total":{self.totals[k, column]},"increment":{self.increments[k, column]}}}'
                for column, name in enumerate(QUEUE_COUNTERS)
            ]
        )


class Utilities(Section):
    """Which utilities work."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        self.on = shot.during(shot.lived.outcomes.shocks.utility_on)
        self.sources = (self.on,)

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        names = self.shot.words.names.utilities
        return mapping([entry(name, truth(on)) for name, on in zip(names, self.on[k], strict=False)])


class Economy(Section):
    """Prices, goods, money of the living."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        states, told, params = shot.lived.states, shot.lived.outcomes, shot.words.params
        self.base, self.factor = shot.after(states.controls.price), shot.during(told.shocks.price_factor)
        self.now, self.basket = shot.during(told.trades.price_now), shot.during(told.trades.basket_cost)
        self.stock = shot.after(states.economy.stock).sum(axis=1)
        self.next = _next_deliveries(shot)
        self.wallets = rounded(_wallets(shot.after(states.economy.wallet), shot.after(states.roster.alive)))
        self.sources = (self.base, self.factor, self.now, self.basket, self.stock, self.next, self.wallets)
        self.rent = real(params.economy.rent_per_day)

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        names, rows = self.shot.words.names, self.shot.words.params.restock
        columns = zip(*(rounded(column[k]).tolist() for column in (self.base, self.factor, self.now)), strict=True)
        prices = {
            name: dict(zip(("base", "factor", "now"), row, strict=True))
            for name, row in zip(names.prices, columns, strict=False)
        }
        restock = [
            {
                "type": names.object_types[int(rows.object_type[row])],
                "good": names.goods[int(rows.good[row])],
                "next_tick": int(self.next[k, row]),
                "amount": real(rows.amount[row]),
            }
            for row in np.flatnonzero(rows.amount > 0).tolist()
        ]
        return dumps(
            {
                "prices": prices,
                "basket_cost": real(self.basket[k]),
                "rent_per_day": self.rent,
                "stock": dict(zip(names.goods, rounded(self.stock[k]).tolist(), strict=False)),
                "restock": restock,
                "wallets": dict(zip(("min", "mean", "max", "gini"), self.wallets[k].tolist(), strict=True)),
            }
        )


def _next_deliveries(shot: Shot) -> Table:
    """Return the next tick in which each row of deliveries is due, [frames, rows]."""
    rows, day = shot.words.params.restock, shot.words.ticks_per_day
    since = (shot.ticks[:, None] % day - rows.at) % day
    wait = np.minimum(rows.every - since % rows.every, day - since)
    return np.asarray(shot.ticks[:, None] + wait)


def _wallets(wallet: Table, alive: Table) -> Table:
    """Return least, mean, most and Gini coefficient over the living, [frames, 4]; 0 where nobody lives."""
    amount = np.maximum(alive.sum(axis=1), 1)
    coins = np.where(alive, wallet, 0.0).astype(np.float64)
    mean = coins.sum(axis=1) / amount
    both = alive[:, :, None] & alive[:, None, :]
    gaps = np.where(both, np.abs(coins[:, :, None] - coins[:, None, :]), 0.0).sum(axis=(1, 2))
    least = np.where(alive, coins, np.inf).min(axis=1)
    gini = gaps / np.where(mean > 0, 2 * amount * amount * mean, 1.0)
    return np.stack([np.where(np.isfinite(least), least, 0.0), mean, coins.max(axis=1), gini], axis=1)


class Perturbations(Section):
    """Running and ordered events, and how long none can start."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        events = self.events = shot.lived.states.perturbations
        self.until, self.queued, self.member = (
            shot.after(column) for column in (events.until_tick, events.queued_tick, events.member)
        )
        ticks = shot.ticks[:, None]
        self.rest = np.maximum(shot.after(events.cooldown_until) - ticks, 0)
        self.agent_rest = np.maximum(shot.after(events.agent_cooldown_until) - ticks, 0)
        self.sources = (
            self.until, self.queued, self.member, self.rest, self.agent_rest, shot.after(events.started_tick),
            shot.after(events.magnitude), shot.after(events.object), shot.after(shot.lived.states.roster.generation),
        )  # fmt: skip

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        names = self.shot.words.names.perturbations
        active = [self._active(k, spec) for spec in range(len(names)) if self.until[k, spec] != NEVER]
        queued = [self._queued(k, spec) for spec in range(len(names)) if self.queued[k, spec] != NEVER]
        rest = {names[spec]: int(self.rest[k, spec]) for spec in np.flatnonzero(self.rest[k]) if spec < len(names)}
        agents = {
            self.shot.person(k, slot): int(self.agent_rest[k, slot])
            for slot in np.flatnonzero(self.agent_rest[k]).tolist()
        }
        return dumps({"active": active, "queued": queued, "cooldowns": rest, "agent_cooldowns": agents})

    def _members(self, k: int, spec: int) -> list[str]:
        return [self.shot.person(k, slot) for slot in np.flatnonzero(self.member[k, spec]).tolist()]

    def _active(self, k: int, spec: int) -> dict[str, Any]:
        row = int(self.shot.rows[k]) + 1
        about = about_event(self.shot.words, self.events, row, spec, self._members(k, spec))
        return about | {"started_at": int(self.events.started_tick[row, spec])}

    def _queued(self, k: int, spec: int) -> dict[str, Any]:
        row, words = int(self.shot.rows[k]) + 1, self.shot.words
        duration, factor = int(self.events.queued_ticks[row, spec]), real(self.events.queued_magnitude[row, spec])
        return {
            "spec": words.names.perturbations[spec],
            "starts_at": int(self.queued[k, spec]),
            "duration": None if duration < 0 else duration,
            "factor": None if factor < 0 else factor,
            "members": self._members(k, spec),
            "object": named(words.objects, int(self.events.object[row, spec])),
        }


class Embedding(Section):
    """Identity slots."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        slots = shot.lived.states.embeddings
        self.counts = np.stack([shot.after(slots.allocations), shot.after(slots.forced_reuses)], axis=-1)
        self.in_use = (shot.after(slots.slot) != NOBODY).sum(axis=1)
        self.sources = (self.counts, self.in_use)
        self.limit = float(shot.words.params.embeddings.reuse_warning)

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        allocations, forced = self.counts[k].tolist()
        rate = forced / max(1, allocations)
        return (
            f'{{"allocations":{allocations},"forced_reuses":{forced},"rate":{real(rate)!r},'
            f'"warning":{truth(rate > self.limit) if self.limit > 0 else FALSE},"in_use":{self.in_use[k]}}}'
        )
