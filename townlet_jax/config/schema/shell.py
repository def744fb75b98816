"""Telemetry, console and snapshots: what stands around the town (MECHANICS 11-13)."""

from typing import Annotated, Literal

from pydantic import Field

from townlet_jax.config.schema.fields import REQUIRED, Section, Words, entries, flag, given, real, section, whole

FrameSection = Literal[
    "identity", "agents", "objects", "queue_metrics", "conflict", "relationships", "employment", "utilities", "economy",
    "perturbations", "events", "narrations", "rewards", "kpis", "stability", "promotion", "policy", "embedding",
    "console",
    "transport", "health",
]  # fmt: skip
Category = Literal[
    "queue_conflict", "utility_outage", "shower_complete", "sleep_complete", "shared_meal", "relationship_friendship",
    "relationship_rivalry", "relationship_social_alert", "personality_event", "employment", "rent", "departure",
    "perturbation", "alert", "operator_story",
]  # fmt: skip
Cooldown = Annotated[int, Field(strict=True, ge=0, le=100_000)]


def _category_cooldowns() -> "dict[Category, int]":
    return {"queue_conflict": 30, "personality_event": 45}


class Sink(Section):
    """Where records go; docs/sinks.md says which keys belong to which kind."""

    kind: Literal[
        "stdout", "file", "jsonl", "parquet", "tcp", "http", "websocket", "tensorboard", "prometheus", "memory"
    ] = given(REQUIRED, "transport; file and jsonl are the same")
    path: Words | None = given(None, "file to write (file, parquet, prometheus), folder (tensorboard)")
    host: Words | None = given(None, "host to connect to (tcp), or to listen at (prometheus)")
    port: int | None = whole(
        None, 1, 65_535, "index", "port to connect to (tcp), or to listen at (prometheus)", "16 bits, 0 is none"
    )
    url: Words | None = given(None, "address (http, websocket)")
    allow_plaintext: bool = flag(False, "no TLS, local hosts only (tcp)")
    ca: Words | None = given(None, "PEM file of the only CA to trust (tcp, http, websocket); null = the system's")
    token_env: Words | None = given(None, "variable that holds the token; null = TOWNLET_TELEMETRY_TOKEN")
    token_file: Words | None = given(None, "file that holds the token, instead of a variable")
    rotate_bytes: int | None = whole(
        None, 1_000, 1_000_000_000_000, "bytes", "begin a new file before it outgrows this (file); null = never",
        "room for some records",
    )  # fmt: skip
    keep_files: int = whole(5, 1, 1000, "count", "older files that are kept (file)", "at least the last one")


class Buffer(Section):
    """The queue between the town and a sink; each sink has its own."""

    flush_interval_ticks: int = whole(
        1, 1, 100_000, "ticks", "frames are sent every so many ticks", "at least one tick"
    )
    max_batch: int = whole(32, 1, 10_000, "count", "frames sent together", "at least one frame")
    max_bytes: int = whole(32_000_000, 1_000, 1_000_000_000, "bytes", "size of the buffer", "room for at least a frame")
    max_records: int = whole(10_000, 1, 10_000_000, "count", "records in the buffer", "at least one record")
    backpressure: Literal["drop_oldest", "drop_newest", "block", "fan_out"] = given(
        "drop_oldest", "when it is full: drop, wait half a second and drop the oldest, or go at the pace of the sink"
    )
    retry_attempts: int = whole(3, 0, 100, "count", "tries after a failure before a sink counts as down")
    retry_backoff_seconds: float = real(0.5, 0, 60, "seconds", "first pause between tries; it doubles, up to 30")


class Narration(Section):
    """How often the town tells stories."""

    dedupe_window_ticks: int = whole(20, 0, 100_000, "ticks", "the same story is not told again so soon")
    global_cooldown_ticks: int = whole(30, 0, 100_000, "ticks", "pause between two ordinary stories")
    category_cooldown_ticks: dict[Category, Cooldown] = Field(
        default_factory=_category_cooldowns, max_length=15,
        description="pause between two stories of a category; the others use global_cooldown_ticks",
    )  # fmt: skip
    global_window_ticks: int = whole(
        600, 1, 100_000, "ticks", "window of the limit", "a window holds at least one tick"
    )
    global_window_limit: int = whole(10, 0, 10_000, "count", "stories in that window")
    priority_categories: tuple[Category, ...] = Field((), max_length=15, description="categories that skip the pauses")
    friendship_trust: float = real(0.6, -1, 1, "tie", "trust that makes a friendship")
    friendship_rise: float = real(0.25, 0, 2, "tie", "rise of trust in a tick that is told", "trust rises by at most 2")
    friendship_priority_trust: float = real(0.85, -1, 1, "tie", "trust from which friendships are urgent")
    rivalry_level: float = real(0.7, 0, 1, "level", "rivalry that is told")
    rivalry_priority_level: float = real(0.9, 0, 1, "level", "rivalry from which it is urgent")


class PersonalityNarration(Section):
    """Stories about characters."""

    enabled: bool = flag(True, "tell them")
    chat_extroversion: float = real(0.5, -1, 1, "trait", "least extroversion of a speaker")
    chat_priority_extroversion: float = real(0.75, -1, 1, "trait", "extroversion from which a story is urgent")
    chat_quality: float = real(0.3, 0, 1, "share", "least quality of a chat")
    conflict_tolerance: float = real(0.95, 0, 5, "factor", "avoidance is told of profiles below this tolerance")


class TelemetrySection(Section):
    """What is published about watched towns."""

    every_ticks: int = whole(20, 1, 1_000_000, "ticks", "a frame every so many ticks", "at least one tick")
    snapshot_every: int = whole(600, 1, 1_000_000, "ticks", "a whole frame every so many ticks", "at least one tick")
    redact: tuple[FrameSection, ...] = Field(
        ("identity",), max_length=21, description="sections that are left out of frames"
    )
    privacy: Literal["none", "hashed"] = given("none", "whether names are published or their hashes")
    privacy_salt: Words = given("", "salt of the hashes")
    churn_window_ticks: int = whole(600, 1, 100_000, "ticks", "window of the tie statistics", "at least one tick")
    sinks: tuple[Sink, ...] = entries("where frames go", 16, "each has a thread")
    buffer: Buffer = section(Buffer, "the queue between the town and its sinks")
    narration: Narration = section(Narration, "how often stories are told")
    personality_narration: PersonalityNarration = section(PersonalityNarration, "stories about characters")


class Token(Section):
    """A key to the console; exactly one of token and token_env."""

    label: Words = given(REQUIRED, "who holds it; becomes the issuer")
    role: Literal["viewer", "admin"] = given(REQUIRED, "what it opens")
    token: Annotated[str, Field(strict=True, min_length=16, max_length=512)] | None = given(None, "the secret itself")
    token_env: Annotated[str, Field(strict=True, min_length=1, max_length=128)] | None = given(
        None, "environment variable that holds the secret"
    )


class ConsoleAuth(Section):
    """Who may use the console."""

    enabled: bool = flag(False, "ask for tokens; without, everybody is a viewer")
    require_auth_for_viewer: bool = flag(True, "viewers need a token too")
    tokens: tuple[Token, ...] = entries("the keys", 64, "every token is compared with every key")


class ConsoleSection(Section):
    """The console."""

    auth: ConsoleAuth = section(ConsoleAuth, "who may use it")
    audit_path: Words | None = given(None, "file that gets one JSON line a command; null = none")
    history_limit: int = whole(
        512, 1, 100_000, "count", "remembered command ids", "repeated commands are answered from it"
    )


class Autosave(Section):
    """Snapshots by the clock."""

    every_ticks: int | None = whole(
        None,
        100,
        1_000_000_000,
        "ticks",
        "a snapshot every so many ticks; null = never",
        "more often would slow the town",
    )
    keep: int = whole(3, 1, 1000, "count", "autosaves that are kept", "at least the last one")


class SnapshotIdentity(Section):
    """What a snapshot must agree with."""

    policy_hash: Annotated[str, Field(strict=True, pattern=r"^(infer|[0-9a-f]{64})$")] = given(
        "infer", "64 hex digits, or infer: take it from the run"
    )


class Migrations(Section):
    """Old snapshots."""

    auto_apply: bool = flag(False, "apply migrations while loading")


class SnapshotSection(Section):
    """Saving and loading."""

    root: Words = given("snapshots", "folder of the snapshots")
    allowed_paths: tuple[Words, ...] = entries("further folders to load from", 64, "a short list is a safe list")
    require_exact_config: bool = flag(True, "the configuration must be the same")
    allow_downgrade: bool = flag(False, "load snapshots of newer versions")
    allow_faults: bool = flag(False, "load snapshots of towns with faults")
    capture_on_failure: bool = flag(True, "save the state before a failing chunk")
    autosave: Autosave = section(Autosave, "snapshots by the clock")
    identity: SnapshotIdentity = section(SnapshotIdentity, "what a snapshot must agree with")
    migrations: Migrations = section(Migrations, "old snapshots")
