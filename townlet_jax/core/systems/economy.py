"""Coins and goods (MECHANICS 4.2.6, 4.3.3, 4.4.6, 4.5). Owns `state.economy`."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.outcomes import Finishes, Shifts, Starts
from townlet_jax.core.params import AffordanceParams, EconomyParams, Params
from townlet_jax.core.state import Economy


def price_now(price: Float[Array, "P"], factor: Float[Array, "P"]) -> Float[Array, "P"]:
    """Return effective prices: the operator's base times the factors of active spikes."""
    return price * factor


def basket_cost(params: EconomyParams, prices: Float[Array, "P"]) -> Float[Array, ""]:
    """Return what the daily basket of goods costs (14.6), in coins."""
    return arrays.total(params.basket_weight * prices)


def admit(params: EconomyParams, economy: Economy, *, arrived: Bool[Array, "A"]) -> Economy:
    """Give newcomers their starter wallet."""
    return economy.replace(wallet=jnp.where(arrived, params.spawn_wallet, economy.wallet))


@arrays.unit
def charge(table: AffordanceParams, economy: Economy, *, starts: Starts) -> Economy:
    """Take the price of begun affordances from wallets and what they consume from the object's stock."""
    begun = starts.affordance != NOBODY
    row = jnp.clip(starts.affordance, 0, table.duration.shape[0] - 1)
    stock = economy.stock.at[arrays.drop_unless(begun, starts.object)].add(-table.consume[row], mode="drop")
    return economy.replace(wallet=jnp.maximum(0.0, economy.wallet - starts.cost), stock=stock)


@arrays.unit
def store(economy: Economy, *, finishes: Finishes) -> Economy:
    """Put what finished affordances made into their sinks; no cap applies."""
    goods = jnp.broadcast_to(jnp.arange(economy.stock.shape[1], dtype=jnp.int32), finishes.sink.shape)
    target = arrays.drop_unless(finishes.sink != NOBODY, finishes.sink)
    return economy.replace(stock=economy.stock.at[target, goods].add(finishes.produced, mode="drop"))


def settle_shifts(economy: Economy, *, shifts: Shifts) -> tuple[Economy, Shifts]:
    """Pay wages and take fines: wallet = max(0, wallet - fine) + paid (4.4.6)."""
    left = jnp.maximum(0.0, economy.wallet - shifts.fine)
    return economy.replace(wallet=left + shifts.paid), shifts.replace(fine_taken=economy.wallet - left)


@arrays.unit
def restock(params: Params, economy: Economy, *, tick_of_day: Int[Array, ""]) -> tuple[Economy, Float[Array, "O G"]]:
    """Deliver the rows that are due, in order; also tell what was delivered (4.5.1)."""
    rows = params.restock
    since = arrays.wrap(tick_of_day - rows.at, params.clock.ticks_per_day)
    due = since % rows.every == 0

    def deliver(row: Int[Array, ""], value: tuple[Array, Array], present: Bool[Array, "O"]) -> tuple[Array, Array]:
        stock, delivered = value
        shelf = present & (params.world.object_type == rows.object_type[row])
        goods = jnp.arange(stock.shape[1], dtype=jnp.int32) == rows.good[row]
        room = jnp.clip(rows.cap[row] - stock, 0.0, rows.amount[row])
        add = jnp.where(shelf[:, None] & goods[None, :], room, 0.0)
        return stock + add, delivered + add

    stock, delivered = arrays.while_pending(
        due, deliver, (economy.stock, jnp.zeros_like(economy.stock)), params.world.present
    )
    return economy.replace(stock=stock), delivered


@arrays.unit
def collect_rent(
    params: EconomyParams, economy: Economy, *, alive: Bool[Array, "A"], is_night: Bool[Array, ""]
) -> tuple[Economy, Float[Array, "A"], Bool[Array, "A"]]:
    """Take the rent at midnight; also tell who paid what and who could not (4.5.2)."""
    rent = params.rent_per_day
    owes = alive & is_night & (rent > 0)
    pays = owes & arrays.at_least(economy.wallet, rent)
    unpaid = owes & ~pays
    left = jnp.where(pays, jnp.maximum(0.0, economy.wallet - rent), economy.wallet)
    days = jnp.where(pays, 0, economy.unpaid_days + unpaid.astype(jnp.int32))
    return economy.replace(wallet=left, unpaid_days=days), jnp.where(pays, rent, 0.0), unpaid


def clear(economy: Economy, *, gone: Bool[Array, "A"]) -> Economy:
    """Empty the slots of those that left."""
    return economy.replace(
        wallet=jnp.where(gone, 0.0, economy.wallet), unpaid_days=jnp.where(gone, 0, economy.unpaid_days)
    )
