"""The sections of a frame: the host view of one watched town after one tick (MECHANICS 11.1)."""

from typing import Any, Literal

from townlet_jax.telemetry.events import Event
from townlet_jax.telemetry.parts import Empty, Part, Real, Text, Tile, Whole, Yes, told

Level = Real
NeedLevels = dict[Text, Level]


class Identity(Part):
    """What the town is made of."""

    config_id: Text = told("name of the configuration")
    config_hash: Text = told("SHA-256 of the merged configuration")
    spec_hash: Text = told("SHA-256 of the sizes and structural flags")
    policy: Text = told("name of the policy")
    policy_hash: Text | None = told("SHA-256 of a learned policy; null for the others")
    observation_variant: Text = told("hybrid, full or compact")
    action_space: Text = told("flat or options")
    anneal_ratio: Real | None = told("share of the learner's decisions; null if nothing is annealed")
    seed: Whole = told("seed of the run")


class Action(Part):
    """What somebody asked for in the tick."""

    kind: Text = told("kind of intent")
    object: Text | None = told("object asked for")
    affordance: Text | None = told("affordance asked for")
    target: Text | None = told("agent spoken to")
    ok: Yes = told("it succeeded")
    reason: Text = told("why not; none if it succeeded")


class Activity(Part):
    """What somebody runs."""

    object: Text = told("object")
    affordance: Text = told("affordance")
    remaining: Whole = told("left", "ticks")


class Waiting(Part):
    """Where somebody waits."""

    object: Text = told("object")
    position: Whole = told("place in the queue, 0 = first")
    wait: Whole = told("since it joined", "ticks")


class Agent(Part):
    """One slot that somebody lives in, or lived in."""

    slot: Whole = told("index of the slot")
    uid: Whole = told("number of the individual")
    generation: Whole = told("newcomers in this slot before")
    alive: Yes = told("lives here now")
    position: Tile = told("x, y", "tiles")
    home: Text = told("home")
    profile: Text = told("personality profile")
    traits: dict[Text, Real] = told("extroversion, forgiveness, ambition, -1 to 1")
    needs: NeedLevels = told("levels, 0 empty to 1 full")
    wallet: Real = told("money", "coins")
    job: Text | None = told("job")
    option: Text | None = told("option it acts by; null if the policy has none")
    action: Action = told("what it asked for in the tick")
    activity: Activity | None = told("what it runs")
    holding: Text | None = told("object it holds")
    queue: Waiting | None = told("where it waits")
    embedding_slot: Whole | None = told("identity slot")
    age_ticks: Whole = told("since it came", "ticks")
    reward: Real = told("of the tick")
    possessed: Yes = told("acts by an operator's orders")


class Running(Part):
    """What runs on an object."""

    agent: Text = told("who runs it")
    affordance: Text = told("affordance")
    remaining: Whole = told("left", "ticks")


class InLine(Part):
    """Somebody in a queue."""

    agent: Text = told("name")
    wait: Whole = told("since it joined", "ticks")
    ticket: Whole = told("order, lowest first")


class Object(Part):
    """One object."""

    type: Text = told("object type")
    position: Tile = told("x, y", "tiles")
    holder: Text | None = told("who holds it")
    running: Running | None = told("what runs on it")
    queue: tuple[InLine, ...] = told("who waits, first one first")
    stock: dict[Text, Real] = told("goods", "units")
    closed: Yes = told("closed by an event")
    stalls: Whole = told("attempts counted against the holder")


class Counted(Part):
    """A counter of the town."""

    total: Whole = told("since the town began")
    increment: Whole = told("since the frame before")


class QueueMetrics(Part):
    """Counters of the queues."""

    cooldown_events: Counted = told("requests refused because of a cooldown")
    ghost_steps: Counted = told("holders pushed to the end of their queue")
    rotations: Counted = told("queues whose order was changed")


class Rivalry(Part):
    """A rivalry."""

    owner: Text = told("who feels it")
    other: Text = told("against whom")
    rivalry: Real = told("0 to 1")


class Pair(Part):
    """Two agents, in this direction."""

    owner: Text = told("who avoids")
    other: Text = told("whom")


class Conflicts(Part):
    """Quarrels and rivals."""

    events: tuple[Event, ...] = told("queue_conflict since the frame before")
    intensity_sum: Real = told("of these events")
    rivalry_top: tuple[Rivalry, ...] = told("three strongest of each owner")
    avoided: tuple[Pair, ...] = told("who avoids whom")


class Tie(Part):
    """What one feels for another. In a snapshot the last four are absent."""

    owner: Text = told("who feels")
    other: Text = told("for whom")
    trust: Real = told("-1 to 1")
    familiarity: Real = told("-1 to 1")
    rivalry: Real = told("0 to 1")
    status: Literal["added", "updated", "evicted", "faded", "departed"] | None = None
    trust_delta: Real | None = None
    familiarity_delta: Real | None = None
    rivalry_delta: Real | None = None


class Churn(Part):
    """Ties lost in the running window."""

    window_start: Whole = told("first tick", "ticks")
    window_end: Whole = told("last tick", "ticks")
    total: Whole = told("ties lost so far")
    owners: dict[Text, Whole] = told("by owner")
    reasons: dict[Text, Whole] = told("by reason: capacity, fade, departed")


class Relationships(Part):
    """All known ties (snapshot) or those that changed (diff), sorted by owner and other."""

    ties: tuple[Tie, ...] = told("ties")
    churn: Churn = told("ties lost")


class Job(Part):
    """One job and who is at it."""

    start: Whole = told("tick of day, included", "ticks")
    end: Whole = told("tick of day, included", "ticks")
    wage: Real = told("a paid tick", "coins")
    site: Tile = told("x, y", "tiles")
    on_shift: tuple[Text, ...] = told("paid in the tick")
    late: tuple[Text, ...] = told("late")
    absent: tuple[Text, ...] = told("absent")


class Worker(Part):
    """One agent's work."""

    phase: Text = told("where it stands in its shift")
    on_shift: Yes = told("paid in the tick")
    late_today: Whole = told("late since midnight", "ticks")
    late_shifts: Whole = told("lifetime count of late shifts", "shifts")
    attendance_ratio: Real = told("mean of the last shifts, 0 without any")
    absent_shifts: Whole = told("absences in the days looked back on", "shifts")
    shift_paid: Real = told("of the open or last shift", "coins")
    shift_withheld: Real = told("of the open or last shift", "coins")
    earned: Real = told("in its life", "coins")
    withheld: Real = told("in its life", "coins")
    exit_pending: Yes = told("stands in the exit queue")


class Asked(Part):
    """Somebody in the exit queue."""

    agent: Text = told("name")
    asked_tick: Whole = told("when it entered", "ticks")


class ExitQueue(Part):
    """Who has to go."""

    pending: tuple[Asked, ...] = told("by time of entry")
    exits_today: Whole = told("since midnight", "agents")
    cap: Whole = told("exits a day, 0 = no cap", "agents")
    limit: Whole = told("length from which on it is too long, 0 = none", "agents")
    review_ticks: Whole = told("wait after which the exit is automatic", "ticks")


class Employment(Part):
    """Work."""

    jobs: dict[Text, Job] = told("by name")
    agents: dict[Text, Worker] = told("living ones, by name")
    exit_queue: ExitQueue = told("exit queue")


class Price(Part):
    """One price."""

    base: Real = told("before spikes", "coins")
    factor: Real = told("of the running spikes")
    now: Real = told("to be paid", "coins")


class Restock(Part):
    """One row of deliveries."""

    type: Text = told("object type")
    good: Text = told("good")
    next_tick: Whole = told("next delivery", "ticks")
    amount: Real = told("at most, for each object", "units")


class Wallets(Part):
    """How money is spread over the living."""

    min: Real = told("least", "coins")
    mean: Real = told("mean", "coins")
    max: Real = told("most", "coins")
    gini: Real = told("0 = all equal")


class Economy(Part):
    """Prices, goods, money."""

    prices: dict[Text, Price] = told("by key")
    basket_cost: Real = told("daily basket", "coins")
    rent_per_day: Real = told("0 = off", "coins")
    stock: dict[Text, Real] = told("sum over objects by good", "units")
    restock: tuple[Restock, ...] = told("deliveries")
    wallets: Wallets = told("money of the living")


class ActiveEvent(Part):
    """A running event."""

    event_id: Text = told("<spec>@<tick of its start>")
    spec: Text = told("name of the spec")
    kind: Text = told("kind of perturbation")
    started_at: Whole = told("first tick", "ticks")
    ends_at: Whole = told("first tick after it", "ticks")
    members: tuple[Text, ...] = told("participants of a meet")
    prices: tuple[Text, ...] = told("price keys it touches")
    factor: Real = told("price factor, 1 = none")
    utility: Text | None = told("utility that fails")
    object: Text | None = told("object that is closed")


class QueuedEvent(Part):
    """An event an operator ordered."""

    spec: Text = told("name of the spec")
    starts_at: Whole = told("first tick", "ticks")
    duration: Whole | None = told("null = drawn", "ticks")
    factor: Real | None = told("price factor; null = drawn")
    members: tuple[Text, ...] = told("participants; empty = by the spec's rule")
    object: Text | None = told("object to close; null = by the spec's rule")


class Perturbations(Part):
    """Events of the town. Cooldowns that are over are left out."""

    active: tuple[ActiveEvent, ...] = told("running")
    queued: tuple[QueuedEvent, ...] = told("ordered")
    cooldowns: dict[Text, Whole] = told("until a random start is possible, by spec", "ticks")
    agent_cooldowns: dict[Text, Whole] = told("until a meet may call them, by agent", "ticks")


class Narration(Part):
    """One story."""

    tick: Whole = told("when", "ticks")
    category: Text = told("category")
    message: Text = told("one sentence")
    priority: Yes = told("urgent")
    data: dict[Text, Any] = told("names and numbers of the story")
    dedupe_key: Text = told("the same key is not told again so soon")


class RewardBreakdown(Part):
    """One agent's reward of the tick and its terms after personality bias."""

    total: Real = told("reward")
    survival: Real = told("term")
    needs_penalty: Real = told("term")
    social_bonus: Real = told("term")
    social_penalty: Real = told("term")
    social_avoidance: Real = told("term")
    wage: Real = told("term")
    punctuality: Real = told("term")
    shaping: Real = told("term")
    terminal: Real = told("term")
    homeostasis: Real = told("survival and needs_penalty")
    work: Real = told("wage and punctuality")
    social: Real = told("the three social terms")
    clip_adjustment: Real = told("total minus the nine terms")
    guard: Yes = told("held at or below 0")
    clipped: Yes = told("a clip was reached")


class Kpis(Part):
    """Measures of the tick and the last values of some."""

    measures: dict[Text, Any] = told("measures of the town: numbers, and maps of numbers by name")
    history: dict[Text, tuple[Real, ...]] = told("one value a tick, newest last, at most 50")


class JudgedWindow(Part):
    """The running promotion window and the last one."""

    window_start: Whole = told("first tick of the running window", "ticks")
    window_ticks: Whole = told("length of a window", "ticks")
    failed: Yes = told("an alert that is not allowed was raised in the running window")
    pass_streak: Whole = told("windows passed in a row", "windows")
    required_passes: Whole = told("windows in a row that make the town ready", "windows")
    candidate_ready: Yes = told("enough windows passed in a row")
    last_evaluated_tick: Whole | None = told("last tick of the last judged window; null before the first", "ticks")
    last_result: Literal["none", "pass", "fail"] = told("of the last judged window")
    sums: dict[Text, Real] = told("key figures of the running window so far, by name")
    last_sums: dict[Text, Real] = told("key figures of the last judged window, by name")


class Stability(Part):
    """What the analysers say of the tick."""

    alerts: tuple[Text, ...] = told("alerts that stand, in the order of the analysers")
    latest_alert: Text | None = told("the first of them; null if none stands")
    metrics: dict[Text, Real] = told("the figure that each analyser compared, by name of its alert")
    thresholds: dict[Text, Real] = told("its limit; below 0 = off, 0 where the town's own rules say it")
    promotion_window: JudgedWindow = told("promotion window")


class Seat(Part):
    """A policy in a seat."""

    name: Text = told("where its weights come from")
    step: Whole = told("updates it has learned", "updates")
    policy_hash: Text = told("SHA-256 of its weights")


class Promotion(Part):
    """The promotion manager."""

    state: Literal["monitoring", "ready", "promoted"] = told("where it stands")
    release: Seat | None = told("the policy that acts")
    shadow: Seat | None = told("the candidate; null if none is loaded")
    previous: Seat | None = told("what rollback returns to; null if there is none")
    candidate_ready: Yes = told("enough towns passed enough windows")
    ready_share: Real = told("share of towns that are ready")
    candidate_ready_tick: Whole | None = told("when the candidate became ready; null = not", "ticks")
    promoted_tick: Whole | None = told("when the release was promoted; null if it was not", "ticks")
    windows_watched: Whole = told("windows judged since then", "windows")
    gate: dict[Text, Any] | None = told("what the gate says: status, reasons, metrics; null without a candidate")
    kpis: dict[Text, Any] = told("colour and value of the key figures of the last window; null = not judged")
    history: tuple[dict[Text, Any], ...] = told("last records, newest last")


class Choice(Part):
    """Something a learner could have picked."""

    action: Text = told("flat action or option")
    probability: Real = told("of picking it")


class Decision(Part):
    """What a learner weighed for one agent in the last tick of the chunk."""

    action: Text = told("what it does: flat action, or the option it is at")
    log_prob: Real = told("logarithm of the probability of that")
    value: Real = told("what it expects, in its own units")
    top: tuple[Choice, ...] = told("likeliest choices, at most 5")


class Embedding(Part):
    """Identity slots."""

    allocations: Whole = told("since the town began")
    forced_reuses: Whole = told("given out before they had cooled down")
    rate: Real = told("forced_reuses / max(1, allocations)")
    warning: Yes = told("the rate is above its limit")
    in_use: Whole = told("slots in use")


class ChannelStatus(Part):
    """One sink."""

    name: Text = told("name of the sink")
    connected: Yes = told("its transport is open")
    sent: Whole = told("records delivered")
    dropped: Whole = told("records thrown away")
    bytes: Whole = told("delivered", "bytes")
    queue: Whole = told("waiting", "bytes")
    peak: Whole = told("most that ever waited", "bytes")
    retries: Whole = told("tries after failures")
    restarts: Whole = told("new connections")
    last_error: Text | None = told("last failure")
    last_success_tick: Whole | None = told("tick of the last record delivered", "ticks")


class TownHealth(Part):
    """How the run does, as of the chunk that this frame belongs to."""

    tick_ms: Real | None = told("wall time of a tick of all towns; null before the first chunk", "milliseconds")
    ticks_per_second: Real | None = told("of all towns together")
    failures: Whole = told("chunks that could not be published")
    queue: Whole = told("chunks that wait to be published", "chunks")


class Sections(Part):
    """Every section of a frame. An empty one is {} or []; a redacted one too."""

    tick_of_day: Whole = told("tick mod ticks a day", "ticks")
    day: Whole = told("tick div ticks a day", "days")
    identity: Identity | Empty = told("what the town is made of")
    agents: dict[Text, Agent] = told("by name")
    objects: dict[Text, Object] = told("by id")
    queue_metrics: QueueMetrics | Empty = told("counters of the queues")
    conflict: Conflicts | Empty = told("quarrels and rivals")
    relationships: Relationships | Empty = told("ties")
    employment: Employment | Empty = told("work")
    utilities: dict[Text, Yes] = told("whether each one works")
    economy: Economy | Empty = told("prices, goods, money")
    perturbations: Perturbations | Empty = told("events of the town")
    events: tuple[Event, ...] = told("since the frame before, in order")
    narrations: tuple[Narration, ...] = told("since the frame before, in order")
    rewards: dict[Text, RewardBreakdown] = told("of the agents that acted, by name")
    kpis: Kpis | Empty = told("measures of the tick and their history")
    stability: Stability | Empty = told("alerts of the tick and promotion window; empty without analysers")
    promotion: Promotion | Empty = told("promotion manager; empty without one")
    policy: dict[Text, Decision] = told("decisions of a learner by agent; empty without one")
    embedding: Embedding | Empty = told("identity slots")
    console: tuple[dict[Text, Any], ...] = told("results since the frame before; filled by the console")
    transport: tuple[ChannelStatus, ...] = told("sinks")
    health: TownHealth | Empty = told("how the run does")


NAMES = tuple(Sections.model_fields)
EMPTY_LISTS = frozenset({"events", "narrations", "console", "transport"})
