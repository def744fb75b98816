"""One of two processes that train together and share a store. Run by `test_processes`.

python -m tests.snapshots.pair FOLDER PORT RANK

What it has to say is left in FOLDER/said-RANK, because the library that joins the processes writes to the output.
"""

import sys
from pathlib import Path

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from townlet_jax.core import batch
from townlet_jax.snapshots import Store, StoreError, like

TOWNS = 8


def whole() -> dict[str, np.ndarray]:
    """Return what all towns of both processes hold."""
    return {"towns": np.arange(TOWNS * 3, dtype=np.float32).reshape(TOWNS, 3), "shared": np.arange(5, dtype=np.int32)}


def spread(mesh: jax.sharding.Mesh, offset: int) -> dict[str, jax.Array]:
    """Place the towns over the devices of both processes; keys too, which are split like towns."""
    keys = jax.vmap(jax.random.key)(np.arange(TOWNS, dtype=np.uint32) + np.uint32(offset))
    data = jax.random.key_data(keys)
    by_town, everywhere = NamedSharding(mesh, PartitionSpec(batch.AXIS)), NamedSharding(mesh, PartitionSpec())
    towns, shared = whole()["towns"] + np.float32(offset), whole()["shared"]
    raw = np.asarray(data)
    return {
        "towns": jax.make_array_from_callback(towns.shape, by_town, lambda index: towns[index]),
        "shared": jax.make_array_from_callback(shared.shape, everywhere, lambda index: shared[index]),
        "keys": jax.random.wrap_key_data(jax.make_array_from_callback(raw.shape, by_town, lambda index: raw[index])),
    }


def demand_equal(found: dict[str, jax.Array], wanted: dict[str, jax.Array]) -> None:
    """Hold this process's part of two trees against each other."""
    for name, leaf in wanted.items():
        raw = jax.random.key_data if name == "keys" else lambda array: array
        assert found[name].sharding == leaf.sharding, name
        pairs = zip(raw(found[name]).addressable_shards, raw(leaf).addressable_shards, strict=True)
        for one, other in pairs:
            np.testing.assert_array_equal(one.data, other.data)


def main() -> None:
    """Save together, restore together, and fall back together."""
    folder, port, rank = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    jax.config.update("jax_num_cpu_devices", 2)
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, rank)
    mesh = batch.town_mesh(jax.devices())
    assert mesh.size == 4
    said = folder / f"said-{rank}"
    with Store(folder, identity=None) as store:
        for step in (1, 2):
            store.save(step, spread(mesh, step))
        try:
            store.save(1, spread(mesh, 1))
        except StoreError as error:
            said.write_text(str(error))
        restored = store.restore(like(spread(mesh, 0)))
        assert (restored.manifest.step, restored.refused) == (2, ())
        demand_equal(restored.tree, spread(mesh, 2))
        if rank == 0:
            (folder / "2" / "meta" / "meta.json").write_text("{}")
        jax.block_until_ready(jax.jit(lambda array: array + 1)(restored.tree["towns"]))
        jax.experimental.multihost_utils.sync_global_devices("damaged")
        restored = store.restore(like(spread(mesh, 0)))
        demand_equal(restored.tree, spread(mesh, 1))
        (refused,) = restored.refused
        assert (refused.step, refused.fallback) == (2, 1)
        assert refused.moved is not None
        assert refused.moved.is_relative_to(folder / ".quarantine")
        store.save(3, spread(mesh, 3))


if __name__ == "__main__":
    import jax.experimental.multihost_utils

    main()
