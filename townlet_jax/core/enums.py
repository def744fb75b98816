"""The codes of the town: enumerations and sentinels. Part of the interface, append only (MECHANICS 1.4, 1.5)."""

from enum import IntEnum

NOBODY = -1  # no agent, no object, no affordance, no slot
NEVER = -1  # no tick
UNREACHABLE = -1  # no route

EPSILON = 1e-5  # tolerance of the comparisons written >=e and <=e in the rules


class Need(IntEnum):
    """Axis N: satisfaction levels, 1 is full."""

    HUNGER = 0
    HYGIENE = 1
    ENERGY = 2


class Direction(IntEnum):
    """The four steps; y grows to the south."""

    NORTH = 0
    EAST = 1
    SOUTH = 2
    WEST = 3


class Kind(IntEnum):
    """What an intent asks for."""

    WAIT = 0
    MOVE = 1
    REQUEST = 2
    START = 3
    USE = 4
    RELEASE = 5
    BLOCKED = 6
    LEAVE = 7
    CHAT = 8


class Phase(IntEnum):
    """Where an agent stands in its shift."""

    IDLE = 0
    AWAIT = 1
    ON_TIME = 2
    LATE = 3
    ABSENT = 4
    POST = 5


class Reason(IntEnum):
    """Why an intent was refused."""

    NONE = 0
    NOT_ACTING = 1
    BAD_INDEX = 2
    BUMPED = 3
    BUSY = 4
    CLOSED = 5
    OUT_OF_RANGE = 6
    COOLDOWN = 7
    WAITING = 8
    WRONG_TYPE = 9
    NOT_HOLDER = 10
    UTILITY_OFF = 11
    NO_CAPACITY = 12
    NO_GOODS = 13
    NO_MONEY = 14
    PRECONDITION = 15
    NOT_WAITING = 16
    ASLEEP = 17
    CHAT_COOLDOWN = 18
    AVOIDED = 19
    NO_TARGET = 20


class Abort(IntEnum):
    """Why a running affordance ended without its effect."""

    NONE = 0
    UTILITY_OFF = 1
    GHOST_STEP = 2
    RELEASED = 3
    RELOCATED = 4
    DEPARTED = 5
    NIGHT = 6
    OPERATOR = 7


class Conflict(IntEnum):
    """What a queue conflict was about."""

    NONE = 0
    GHOST_STEP = 1
    IMPATIENCE = 2


class Exit(IntEnum):
    """Why an agent leaves the town."""

    NONE = 0
    FAINT = 1
    EVICTION_JOB = 2
    EVICTION_RENT = 3
    AGE_OUT = 4
    KILLED = 5


class ExitRoute(IntEnum):
    """Which door of the exit queue an evicted agent took."""

    NONE = 0
    MANUAL = 1
    AUTO_REVIEW = 2
    DAILY_CAP = 3


class Perturb(IntEnum):
    """Kinds of perturbation."""

    PRICE_SPIKE = 0
    BLACKOUT = 1
    OUTAGE = 2
    ARRANGED_MEET = 3
    QUEUE_BOTTLENECK = 4


class TieEvent(IntEnum):
    """Rows of `ties.delta`."""

    CHAT_SUCCESS = 0
    CHAT_FAILURE = 1
    QUEUE_POLITE = 2
    CONFLICT = 3
    SHARED_MEAL = 4
    EMPLOYMENT_HELP = 5
    SHIFT_TAKEN = 6


class Sink(IntEnum):
    """Where an affordance puts what it makes."""

    NONE = 0
    SELF = 1
    LINKED = 2
    HOME = 3


class Option(IntEnum):
    """Temporally extended actions."""

    IDLE = 0
    GET_FED = 1
    GET_CLEAN = 2
    SLEEP = 3
    COOK = 4
    GO_TO_WORK = 5
    SOCIALISE = 6
    GO_HOME = 7


class Avoidance(IntEnum):
    """What the guardrail held an agent back from."""

    NONE = 0
    CHAT_RIVAL = 1
    QUEUE_RIVAL = 2


class Stream(IntEnum):
    """Independent random streams of a town; append only."""

    RESET = 0
    POLICY = 1
    PERTURB = 2
    AGENT = 3
    CONSOLE = 4


class Fault(IntEnum):
    """Bits of `state.faults`."""

    NAN_NEED = 1
    BAD_INTENT = 2
    NEGATIVE_WALLET = 4
    NEGATIVE_STOCK = 8
    DOUBLE_HOLD = 16
    EMBEDDING_EXHAUSTED = 32


class ShiftFlag(IntEnum):
    """Bits of `state.employment.flags`."""

    WAS_ON_TIME = 1
    FINED = 2
    LATE_TOLD = 4
    HELPED = 8
    ABSENT_FINED = 16
    ABSENT_TOLD = 32
    TAKEN = 64
    DEPARTED_TOLD = 128
    ON_SHIFT = 256


class Counter(IntEnum):
    """Axis C: lifetime counters of an individual (`state.tally.count`)."""

    MEALS_CONSUMED = 0
    MEALS_COOKED = 1
    WAGE_TICKS = 2
    SHOWERS_STARTED = 3
    SHOWERS_TAKEN = 4
    SLEEP_ATTEMPTS = 5
    SLEEP_SESSIONS = 6
    LATE_SHIFTS = 7
    ABSENT_SHIFTS = 8
    CHATS_OK = 9
    CHATS_FAILED = 10
    CONFLICTS = 11
    HELPED = 12
    REFUSED = 13
    BUMPED = 14


class Operator(IntEnum):
    """Comparison of a precondition clause."""

    EQ = 0
    NE = 1
    LT = 2
    LE = 3
    GT = 4
    GE = 5


class MeetTarget(IntEnum):
    """Who is invited to an arranged meet."""

    TOP_RIVALS = 0
    RANDOM = 1


class RewardGroup(IntEnum):
    """Columns of `personality.reward_bias`."""

    SOCIAL = 0
    EMPLOYMENT = 1
    SURVIVAL = 2


class Behaviour(IntEnum):
    """Columns of `personality.behaviour_bias`."""

    CHAT_PREFERENCE = 0
    WORK_AFFINITY = 1
    CONFLICT_TOLERANCE = 2


class Trait(IntEnum):
    """Columns of `personality.trait`."""

    EXTROVERSION = 0
    FORGIVENESS = 1
    AMBITION = 2


NUM_NEEDS = len(Need)
NUM_COUNTERS = len(Counter)
NUM_OPTIONS = len(Option)
NUM_KINDS = len(Kind)
NUM_REASONS = len(Reason)
NUM_ABORTS = len(Abort)
NUM_EXITS = len(Exit)
EMBEDDING_WIDTH = 8
