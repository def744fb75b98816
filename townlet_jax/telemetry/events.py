"""The event catalogue on the wire: one model for each shape of event (MECHANICS 10). Owns the names and their order."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args

from pydantic import Discriminator, Tag, ValidationInfo, model_validator

from townlet_jax.telemetry.parts import Part, Real, Text, Tile, Whole, Yes, is_newer, told

ActionName = Literal[
    "action.wait", "action.move", "action.request", "action.start", "action.use", "action.release", "action.blocked",
    "action.leave", "action.chat",
]  # fmt: skip


class EventBase(Part):
    """What every event says."""

    tick: Whole = told("tick in which it happened", "ticks")
    town: Whole = told("index of the town")


class AgentRespawn(EventBase):
    """Somebody came to live in a slot."""

    event: Literal["agent_respawn"]
    agent: Text = told("name")
    uid: Whole = told("number of the individual, never used again")
    generation: Whole = told("newcomers in this slot before")
    home: Text = told("home")


class AgentPlaced(EventBase):
    """An operator let somebody in or put somebody elsewhere."""

    event: Literal["agent_spawned", "agent_teleported"]
    agent: Text = told("name")
    position: Tile = told("x, y", "tiles")


class AgentKilled(EventBase):
    """An operator condemned somebody."""

    event: Literal["agent_killed"]
    agent: Text = told("name")
    reason: Text = told("the operator's words, may be empty")


class PerturbationEvent(EventBase):
    """An event of the town began or ended."""

    event: Literal["perturbation_started", "perturbation_ended"]
    event_id: Text = told("<spec>@<tick of its start>")
    spec: Text = told("name of the spec")
    kind: Text = told("kind of perturbation")
    members: tuple[Text, ...] = told("participants of a meet")
    prices: tuple[Text, ...] = told("price keys it touches")
    factor: Real = told("price factor, 1 = none")
    utility: Text | None = told("utility that fails")
    object: Text | None = told("object that is closed")
    ends_at: Whole = told("first tick after it", "ticks")


class PerturbationCancelled(EventBase):
    """An operator cancelled an event."""

    event: Literal["perturbation_cancelled"]
    event_id: Text | None = told("<spec>@<tick of its start>; null if it had not begun")
    spec: Text = told("name of the spec")
    pending: Yes = told("it had not begun")


class MeetRelocated(EventBase):
    """Somebody was called to a meet."""

    event: Literal["arranged_meet_relocated"]
    agent: Text = told("name")
    spec: Text = told("name of the spec")
    position: Tile = told("x, y of the meet", "tiles")


class UtilityEvent(EventBase):
    """A utility failed or came back."""

    event: Literal["utility_outage", "utility_restored"]
    utility: Text = told("name")


class ActionEvent(EventBase):
    """What somebody asked for and what became of it."""

    event: ActionName
    agent: Text = told("name")
    kind: Text = told("kind of intent")
    object: Text | None = told("object asked for")
    affordance: Text | None = told("affordance asked for")
    target: Text | None = told("agent spoken to")
    ok: Yes = told("it succeeded")
    reason: Text = told("why not; none if it succeeded")


class ActionInvalid(EventBase):
    """An intent named something that does not exist."""

    event: Literal["action.invalid"]
    agent: Text = told("name")
    kind: Text = told("kind of intent")


class AgentBumped(EventBase):
    """A step was refused."""

    event: Literal["agent_bumped"]
    agent: Text = told("name")
    direction: Text = told("north, east, south or west")


class AffordanceStart(EventBase):
    """Somebody began to use an object."""

    event: Literal["affordance_start"]
    object: Text = told("object")
    agent: Text = told("name")
    affordance: Text = told("affordance")
    duration: Whole = told("how long it takes", "ticks")
    cost: Real = told("price paid", "coins")


class AffordanceRefused(EventBase):
    """The holder of an object could not begin and lost it."""

    event: Literal["affordance_refused"]
    object: Text = told("object")
    agent: Text = told("name")
    affordance: Text = told("affordance")
    reason: Text = told("why")


class PreconditionFail(EventBase):
    """A precondition did not hold for the holder of an object."""

    event: Literal["affordance_precondition_fail"]
    object: Text = told("object")
    agent: Text = told("name")
    affordance: Text = told("affordance")
    reason: Text = told("why")
    clause: Text = told("the precondition as it is written")
    clause_index: Whole = told("first false clause of its first alternative, -1 = unknown")


class AffordanceFail(EventBase):
    """What ran ended without effect."""

    event: Literal["affordance_fail"]
    object: Text = told("object")
    agent: Text = told("name")
    affordance: Text = told("affordance")
    reason: Text = told("why it was aborted")


class AffordanceFinish(EventBase):
    """What ran ended with its effect."""

    event: Literal["affordance_finish"]
    object: Text = told("object")
    agent: Text = told("name")
    affordance: Text = told("affordance")
    early: Yes = told("released before its end, with part of the effect")
    produced: dict[Text, Real] = told("goods made", "units")


class Completed(EventBase):
    """A shower, a night's sleep or cooking was completed."""

    event: Literal["shower_complete", "sleep_complete", "meal_cooked"]
    agent: Text = told("name")
    object: Text = told("object")


class SharedMeal(EventBase):
    """Two ate together."""

    event: Literal["shared_meal"]
    agents: tuple[Text, Text] = told("both names")
    object: Text = told("object at which the later one ate")


class QueueConflict(EventBase):
    """A quarrel over an object."""

    event: Literal["queue_conflict"]
    object: Text = told("object")
    actor: Text = told("who was displaced, or lost patience")
    rival: Text = told("the other one")
    reason: Text = told("ghost_step or impatience")
    intensity: Real = told("strength, 0.1 to 5")
    queue_length: Whole = told("waiting agents", "agents")


class QueueInteraction(EventBase):
    """An object was handed over to somebody who waited."""

    event: Literal["queue_interaction"]
    object: Text = told("object")
    actor: Text = told("who left")
    rival: Text = told("who was let in")
    reason: Literal["handover"]
    preferred: Yes = told("chosen for its ties")


class QueuePlaceLost(EventBase):
    """Somebody stayed away from what it held or waited for too long."""

    event: Literal["queue_place_lost"]
    agent: Text = told("name")
    object: Text = told("object")


class Chat(EventBase):
    """A chat, good or bad."""

    event: Literal["chat_success", "chat_failure"]
    speaker: Text = told("who spoke")
    listener: Text = told("who was spoken to")
    quality: Real = told("0 to 1; 0 of a failure")


class RivalryAvoidance(EventBase):
    """Somebody kept away from a rival."""

    event: Literal["rivalry_avoidance"]
    agent: Text = told("name")
    object: Text | None = told("object not asked for, where known")
    target: Text | None = told("agent not spoken to, where known")
    reason: Literal["chat_rival", "queue_rival"] | None = told("from what it kept away; null where unknown")


class ShiftEvent(EventBase):
    """A shift began, ended, or was left early."""

    event: Literal["shift_begun", "shift_departed_early"]
    agent: Text = told("name")
    job: Text = told("job")


class ShiftFinalised(EventBase):
    """A shift is over."""

    event: Literal["shift_finalised"]
    agent: Text = told("name")
    job: Text = told("job")
    sample: Real = told("share of the shift worked on time")
    attendance_ratio: Real = told("mean of the last shifts")


class ShiftLateStart(EventBase):
    """Somebody is late for the first time in a shift."""

    event: Literal["shift_late_start"]
    agent: Text = told("name")
    job: Text = told("job")
    ticks_since_start: Whole = told("since the shift began", "ticks")


class ShiftAbsent(EventBase):
    """Somebody is absent for the first time in a shift."""

    event: Literal["shift_absent"]
    agent: Text = told("name")
    job: Text = told("job")
    absent_shifts: Whole = told("absences in the days looked back on", "shifts")


class Coworkers(EventBase):
    """Coworkers helped a late one or took over an absent one's shift."""

    event: Literal["employment_helped_when_late", "employment_took_my_shift"]
    agent: Text = told("the late or absent one")
    coworkers: tuple[Text, ...] = told("the others")


class StockReplenish(EventBase):
    """Goods were delivered."""

    event: Literal["stock_replenish"]
    object: Text = told("object")
    good: Text = told("good")
    amount: Real = told("delivered", "units")


class RentPaid(EventBase):
    """Rent was taken."""

    event: Literal["rent_paid"]
    agent: Text = told("name")
    amount: Real = told("paid", "coins")


class RentUnpaid(EventBase):
    """Rent could not be paid."""

    event: Literal["rent_unpaid"]
    agent: Text = told("name")
    unpaid_days: Whole = told("in a row", "days")


class PriceUpdate(EventBase):
    """An operator set a price."""

    event: Literal["economy_price_update"]
    key: Text = told("price key")
    value: Real = told("before spikes", "coins")


class RelationshipEvent(EventBase):
    """A tie changed."""

    event: Literal["relationship_added", "relationship_updated", "relationship_evicted", "relationship_faded"]
    owner: Text = told("who feels")
    other: Text = told("for whom")
    trust: Real = told("after the tick, -1 to 1")
    familiarity: Real = told("after the tick, -1 to 1")
    rivalry: Real = told("after the tick, 0 to 1")
    trust_delta: Real = told("change in the tick")
    familiarity_delta: Real = told("change in the tick")
    rivalry_delta: Real = told("change in the tick")


class NightlyReset(EventBase):
    """Midnight came over somebody."""

    event: Literal["agent_nightly_reset"]
    agent: Text = told("name")
    moved: Yes = told("was taken home")
    lifted: Yes = told("a need was raised to the floor of the night")


class ExitPending(EventBase):
    """Somebody with too many absences entered the exit queue."""

    event: Literal["employment_exit_pending"]
    agent: Text = told("name")
    pending_count: Whole = told("length of the queue", "agents")


class ExitOverflow(EventBase):
    """The exit queue is longer than it should be."""

    event: Literal["employment_exit_queue_overflow"]
    agent: Text = told("who made it so")
    limit: Whole = told("its limit", "agents")


class ExitProcessed(EventBase):
    """Somebody leaves through the exit queue."""

    event: Literal["employment_exit_processed"]
    agent: Text = told("name")
    job: Text = told("job, empty if none")
    route: Text = told("manual, auto_review or daily_cap")


class ExitRequested(EventBase):
    """An operator decided about an exit."""

    event: Literal["employment_exit_manual_request", "employment_exit_deferred"]
    agent: Text = told("name")


class AgentRemoved(EventBase):
    """Somebody left the town."""

    event: Literal["agent_removed"]
    agent: Text = told("name")
    uid: Whole = told("number of the individual")
    reason: Text = told("why")
    respawn_tick: Whole | None = told("when the slot is filled again; null = never", "ticks")


class ForcedReuse(EventBase):
    """An identity slot was given out before it had cooled down."""

    event: Literal["embedding_forced_reuse"]
    agent: Text = told("name")
    slot: Whole = told("identity slot")


class AlertEvent(EventBase):
    """An analyser raised or cleared its alert."""

    event: Literal["alert_raised", "alert_cleared"]
    alert: Text = told("name of the alert")


class FaultEvent(EventBase):
    """An invariant of the simulation broke."""

    event: Literal["fault"]
    bits: Whole = told("fault bits that rose")
    sentence: Text = told("what they mean")


class PromotionWindow(EventBase):
    """A promotion window ended."""

    event: Literal["promotion_window"]
    result: Literal["pass", "fail"] = told("whether it passed")
    streak: Whole = told("windows passed in a row", "windows")


class SessionEvent(EventBase):
    """Something the session did: its own fields follow in `data`."""

    event: Literal[
        "console.result", "policy.promoted", "policy.rolled_back", "policy.swapped", "snapshot.saved",
        "snapshot.loaded", "loop.failure",
    ]  # fmt: skip
    data: dict[Text, Any] = told("what the session says about it")


class OtherEvent(EventBase):
    """An event that this version does not know."""

    event: Text = told("name")

    @model_validator(mode="after")
    def _from_the_future(self, info: ValidationInfo) -> "OtherEvent":
        if not is_newer(info):
            raise ValueError(f"unknown event {self.event!r}")
        return self


MODELS: tuple[type[EventBase], ...] = (
    AgentRespawn, AgentPlaced, AgentKilled, PerturbationEvent, PerturbationCancelled, MeetRelocated, UtilityEvent,
    ActionEvent, ActionInvalid, AgentBumped, AffordanceStart, AffordanceRefused, PreconditionFail, AffordanceFail,
    AffordanceFinish, Completed, SharedMeal, QueueConflict, QueueInteraction, QueuePlaceLost, Chat, RivalryAvoidance,
    ShiftEvent, ShiftFinalised, ShiftLateStart, ShiftAbsent, Coworkers, StockReplenish, RentPaid, RentUnpaid,
    PriceUpdate, RelationshipEvent, NightlyReset, ExitPending, ExitOverflow, ExitProcessed, ExitRequested,
    AgentRemoved, ForcedReuse, AlertEvent, FaultEvent, PromotionWindow, SessionEvent,
)  # fmt: skip
MODEL_OF = {name: model for model in MODELS for name in get_args(model.model_fields["event"].annotation)}
NAMES = tuple(MODEL_OF)
ROWS = {name: row for row, model in enumerate(MODELS) for name in get_args(model.model_fields["event"].annotation)}


def _tag(value: Any) -> str:
    name = value.get("event") if isinstance(value, dict) else getattr(value, "event", None)
    return MODEL_OF[name].__name__ if isinstance(name, str) and name in MODEL_OF else OtherEvent.__name__


if TYPE_CHECKING:
    Event = EventBase
else:
    _TAGGED = tuple(Annotated[model, Tag(model.__name__)] for model in (*MODELS, OtherEvent))
    Event = Annotated[Union[_TAGGED], Discriminator(_tag)]  # noqa: UP007  # a union of a table
