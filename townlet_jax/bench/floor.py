"""What this machine can do at most: copying, random numbers, matrix products, all on the devices that towns use."""

import functools

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from townlet_jax import runtime
from townlet_jax.bench.record import Record, repeat

COPY_BYTES = 1 << 28  # a device; far above every cache
DRAWS = 1 << 24  # 32-bit numbers a device
MATRIX = 2048
INNER = 4  # passes in one timed call


@functools.cache
def _sharding() -> NamedSharding:
    devices = jax.devices()
    mesh = jax.make_mesh(
        (len(devices),), (runtime.TOWNS_AXIS,), axis_types=(jax.sharding.AxisType.Auto,), devices=devices
    )
    return NamedSharding(mesh, PartitionSpec(runtime.TOWNS_AXIS))


@functools.cache
def copy_bandwidth() -> float:
    """Return bytes a second, read and written counted, of a pass over memory by all devices together."""
    sharding = _sharding()
    rows = sharding.num_devices
    values = jax.device_put(jnp.zeros((rows, COPY_BYTES // 4), jnp.float32), sharding)
    add = jax.jit(lambda array: array + 1.0, donate_argnums=0, out_shardings=sharding)
    held = [values]

    def passes() -> None:
        for _ in range(INNER):
            held[0] = add(held[0])
        held[0].block_until_ready()

    return 2 * INNER * rows * COPY_BYTES / repeat(passes).median


def bulk_threefry() -> float:
    """Return random numbers a second, drawn in bulk by all devices together."""
    sharding = _sharding()
    keys = jax.device_put(jax.random.split(jax.random.key(0), sharding.num_devices), sharding)
    draw = jax.jit(jax.vmap(lambda key: jax.random.bits(key, (DRAWS,))))
    timing = repeat(lambda: draw(keys).block_until_ready())
    return sharding.num_devices * DRAWS / timing.median


def matmul_peak() -> float:
    """Return floating point operations a second of float32 matrix products on all devices together."""
    sharding = _sharding()
    rows = sharding.num_devices
    left = jax.device_put(jnp.full((rows, MATRIX, MATRIX), 1e-3, jnp.float32), sharding)
    product = jax.jit(jax.vmap(lambda a: a @ a))
    timing = repeat(lambda: product(left).block_until_ready())
    return 2 * rows * MATRIX**3 / timing.median


def share(state_bytes: int, seconds_per_tick: float, *, written: int = 0) -> float:
    """Return the time of one pass over the state (read and written) and of what is written beside it, of a tick's."""
    return (2 * state_bytes + written) / copy_bandwidth() / seconds_per_tick


def run() -> list[Record]:
    """Measure the floor; one record."""
    return [
        {
            "bench": "floor",
            "line": "floor",
            "copy_bytes_per_s": copy_bandwidth(),
            "threefry_per_s": bulk_threefry(),
            "matmul_flops_per_s": matmul_peak(),
        }
    ]
