"""What a training run is made of: the schema of `configs/train/*.yaml`.

Owns names, defaults and bounds. Every field says what it means and why it is bounded; nothing is read here.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from townlet_jax.config.schema.fields import Section, flag, given, real, section, whole
from townlet_jax.policy import network
from townlet_jax.policy.cores import CoreKind
from townlet_jax.policy.encoders import Activation, MapEncoder

Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1000)]
ActionSpace = Literal["flat", "options"]
_WIDTH = "a layer has at least one unit and fits the memory"


class TownSettings(Section):
    """Where the agents learn."""

    config: Text = given("default", "a town file, or the name of a shipped one")
    overrides: tuple[Text, ...] = Field((), max_length=100, description="changes to it, such as economy.rent_per_day=3")
    horizon: int = whole(
        0, 0, 1_000_000, "ticks", "an episode ends and a new town begins after so many, 0 = endless towns"
    )
    staggered: bool = flag(True, "each town begins at its own tick, so that no update sees one hour of the day alone")
    action_space: ActionSpace = given("options", "options (kept for a while) or flat (one action a tick)")


class NetworkSettings(Section):
    """Kinds and sizes of the parts of the network."""

    map_encoder: MapEncoder = given("embed", "how maps are read")
    map_width: int = whole(64, 1, 65536, "units", "width of the map encoder", _WIDTH)
    feature_width: int = whole(128, 1, 65536, "units", "width of the feature layer", _WIDTH)
    trunk_width: int = whole(96, 1, 65536, "units", "width of the layer that joins both", _WIDTH)
    core: CoreKind = given("none", "recurrent core, trained on whole rollouts or lives")
    core_width: int = whole(96, 1, 65536, "units", "width of the core", _WIDTH)
    critic: network.Critic = given("own", "central: the value also sees what the town's other agents see")
    critic_width: int = whole(64, 1, 65536, "units", "width of a central critic", _WIDTH)
    activation: Activation = given("relu", "activation of the layers")
    compute: network.Compute = given("float32", "precision of all layers but the heads")


class PpoSettings(Section):
    """The update (Schulman et al. 2017)."""

    learning_rate: float = real(1e-3, 0, 1, "rate", "of Adam", "far larger ones diverge")
    anneal: bool = flag(True, "lower the learning rate to 0 by the last update")
    discount: float = real(0.997, 0, 1, "share", "of a reward one tick later", "a share lies between nothing and all")
    trace_decay: float = real(
        0.97, 0, 1, "share", "lambda of the advantage estimates", "a share lies between nothing and all"
    )
    clip: float = real(0.2, 1e-3, 10, "share", "of the probability ratio", "a clip of 0 would let nothing change")
    value_clip: float = real(0.0, 0, 1e6, "deviations", "of the change of a value, 0 = none", "not negative")
    value_weight: float = real(0.5, 0, 100, "weight", "of the value error in the loss", "not negative")
    entropy_start: float = real(0.01, 0, 10, "weight", "of the entropy at the first update", "not negative")
    entropy_end: float = real(0.001, 0, 10, "weight", "of the entropy at the last update", "not negative")
    epochs: int = whole(3, 1, 100, "count", "passes over each rollout", "each costs a forward and a backward pass")
    minibatches: int = whole(8, 1, 4096, "count", "steps of Adam a pass; each has its own towns", "at least one")
    max_grad_norm: float = real(0.5, 1e-6, 1e6, "norm", "longer gradients are shortened to it", "above 0")
    target_kl: float = real(
        0.03, 0, 100, "nats", "mean divergence of a pass above which no other one follows, 0 = none", "not negative"
    )
    normalise_returns: bool = flag(True, "let values be learned in deviations of the returns seen so far")
    return_memory: float = real(
        0.95, 0, 1, "share", "of the weight of older returns that one update leaves", "a share lies between 0 and 1"
    )
    learned_share: float = real(
        1.0,
        0.001,
        1,
        "share",
        "of the steps of a rollout that are learned from, those with a choice first; 1 for a core or a central critic",
        "nothing is learned from nothing",
    )
    chunk_rows: int = whole(
        2048, 1, 10_000_000, "rows", "agents read at once in the backward pass; gradients are added up", "at least one"
    )


class Settings(Section):
    """A complete, checked training run."""

    town: TownSettings = section(TownSettings, "where the agents learn")
    network: NetworkSettings = section(NetworkSettings, "the policy and its value function")
    ppo: PpoSettings = section(PpoSettings, "the update")
    towns: int = whole(32, 1, 1_000_000, "count", "towns at once", "each needs memory for a whole rollout")
    steps: int = whole(240, 1, 100_000, "ticks", "ticks of a rollout", "all of them are kept in memory")
    updates: int = whole(200, 1, 10_000_000, "count", "rollouts and updates of the run", "at least one")
    seed: int = whole(0, 0, 2**31 - 1, "seed", "of towns, draws, parameters and minibatches", "seeds are 31-bit")
