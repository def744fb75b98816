"""How the cost per agent-tick grows with the size of a town, at a constant number of agents in all."""

from typing import Any

from townlet_jax.bench.record import Record
from townlet_jax.bench.tick import Line, measure_line
from townlet_jax.config import Built, Config, build
from townlet_jax.config.loading import from_mapping

TOTAL_AGENTS = 65_536
SIZES = (8, 64, 256, 1024)
LARGEST_BY_DEFAULT = 256
TICKS = 20


def grown(config: Config, num_agents: int) -> Built:
    """Return the town with its list of agents repeated until there are that many, under fresh names."""
    data: dict[str, Any] = config.model_dump(mode="json", by_alias=True)
    cast = data["agents"]
    data["agents"] = [
        cast[slot % len(cast)] | {"name": f"{cast[slot % len(cast)]['name']}_{slot // len(cast)}"}
        for slot in range(num_agents)
    ]
    data["spec"] |= {"num_agents": num_agents, "embedding_slots": max(data["spec"]["embedding_slots"], num_agents)}
    return build(from_mapping(data, source=f"{config.config_id} with {num_agents} agents"))


def run(config: Config, *, largest: int, policy: str, ticks: int) -> list[Record]:
    """Measure every size up to `largest`; `cost` is the time per agent-tick relative to 8 agents."""
    records: list[Record] = []
    for size in SIZES:
        if size > largest:
            break
        line = Line(towns=TOTAL_AGENTS // size, policy=policy, ticks=ticks)
        record = measure_line(grown(config, size), line) | {"bench": "shape"}
        reference = records[0]["agent_ticks_per_s"] if records else record["agent_ticks_per_s"]
        records.append(record | {"cost": reference / record["agent_ticks_per_s"]})
    return records
