"""What every telemetry record is made of: the base model and a field that says what it means.

Owns the rule about unknown keys: they are refused in a record of this version or an older one, and kept where the
record says that it is newer.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

NEWER = "newer"  # key of the validation context: the record comes from a newer minor version

Whole = Annotated[int, Field(strict=True)]
Real = Annotated[float, Field(strict=True)]
Yes = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]
Tile = tuple[Whole, Whole]
Empty = Annotated[dict[Text, Any], Field(max_length=0)]
Spread = dict[Text, Real | None]


class Part(BaseModel):
    """A frozen part of a record."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="after")
    def _no_strangers(self, info: ValidationInfo) -> "Part":
        if self.model_extra and not is_newer(info):
            raise ValueError(f"unknown key {sorted(self.model_extra)[0]!r}")
        return self


def is_newer(info: ValidationInfo) -> bool:
    """Tell whether the record that is read comes from a newer minor version."""
    return bool(info.context) and NEWER in info.context  # type: ignore[operator]  # the context is ours, a set


def told(meaning: str, unit: str = "", **more: Any) -> Any:
    """Declare a field that must be there, unless `default` says what it is in older records."""
    return Field(description=meaning, json_schema_extra={"unit": unit} if unit else None, **more)
