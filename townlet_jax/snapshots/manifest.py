"""What a snapshot says about itself, and the hashes that show whether it still says the truth.

Owns two documents beside the arrays. `meta` says what was saved, by whom, and where each leaf lies; `manifest` holds
the SHA-256 of `meta`, of every leaf, and of itself. No number in them is believed before the hashes have been checked.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, JsonValue, ValidationError

from townlet_jax.snapshots.errors import FlawError, MigrationError, cut
from townlet_jax.snapshots.identity import Identity, Model

FORMAT: Literal[1] = 1  # of the files; the version of what is in them is the owner's
MOST_STEP = 10**12
LeafPath = tuple[str | int, ...]


class Leaf(Model):
    """One array of the tree: where its bytes lie and what they mean.

    `kind` is "array", "key:<cipher>" for typed random keys (dtype and shape are those of the raw data), or
    "bool", "int", "float" for Python scalars.
    """

    path: LeafPath
    kind: str
    dtype: str
    shape: tuple[int, ...]
    offset: int = Field(ge=0)  # bytes from the start of the data

    @property
    def nbytes(self) -> int:
        """Return the length of the leaf in bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Manifest(Model):
    """A snapshot without its arrays."""

    format: Literal[1]
    step: int = Field(ge=0, le=MOST_STEP)
    created: str  # UTC, ISO 8601
    version: int = Field(ge=1)  # of the content
    versions: dict[str, str]  # of the software
    identity: Identity | None
    metrics: dict[str, float]
    meta: dict[str, JsonValue]  # the owner's
    migrations: tuple[str, ...]  # applied so far, each "source->target:name"
    leaves: tuple[Leaf, ...]
    size: int = Field(ge=1)  # bytes of data


def canonical(document: object) -> bytes:
    """Return JSON of which there is only one spelling."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest(content: bytes | memoryview) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def seal(meta: Mapping[str, Any], hashes: Sequence[str]) -> dict[str, Any]:
    """Return the manifest of a `meta` document whose leaves have these hashes."""
    leaves = [{"path": leaf["path"], "sha256": found} for leaf, found in zip(meta["leaves"], hashes, strict=True)]
    body = {"format": FORMAT, "step": meta["step"], "meta": digest(canonical(meta)), "leaves": leaves}
    return body | {"manifest": digest(canonical(body))}


def _hash(document: object, item: str) -> str:
    try:
        return digest(canonical(document))
    except (ValueError, RecursionError) as error:  # numbers too large for a float, tables too deep
        raise FlawError(item, f"it is not JSON ({type(error).__name__})") from None


def opened(meta: Any, manifest: Any, step: int) -> tuple[Manifest, list[str]]:
    """Check the two documents of a snapshot and return its description and the hashes of its leaves.

    Raises `FlawError` for anything that is not as it was written, `MigrationError` for a later format.
    """
    if not isinstance(manifest, dict):
        raise FlawError("manifest", "it is not a table")
    body = {name: value for name, value in manifest.items() if name != "manifest"}
    if _hash(body, "manifest") != manifest.get("manifest"):
        raise FlawError("manifest", "it does not have its own hash")
    if isinstance(body.get("format"), int) and body["format"] > FORMAT:
        raise MigrationError(
            f"Snapshot {step} has file format {body['format']}, but this program reads {FORMAT}; "
            "use a later townlet_jax."
        )
    if body.get("step") != step:
        raise FlawError("manifest", f"it is that of snapshot {cut(str(body.get('step')))}")
    if _hash(meta, "meta") != body.get("meta"):
        raise FlawError("meta", "it does not have the hash that the manifest holds")
    try:
        described = Manifest.model_validate_json(canonical(meta))
        hashes = [leaf["sha256"] for leaf in body["leaves"]]
    except (ValidationError, KeyError, TypeError) as error:
        raise FlawError("meta", f"it cannot be understood ({type(error).__name__})") from None
    if len(hashes) != len(described.leaves):
        raise FlawError("manifest", "it does not have a hash for each leaf")
    return described, hashes
