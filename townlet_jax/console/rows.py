"""What a command is: a row with a name, who may use it, its arguments and its function (MECHANICS 12.2).

Owns how arguments are read and how a command explains itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from townlet_jax.console.envelope import Role, sentence
from townlet_jax.console.errors import ConsoleError, nearest, one_of, shown
from townlet_jax.console.host import Host

Answer = Mapping[str, Any]


class Arguments(BaseModel):
    """The arguments of a command, in the order in which they may be given without names."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class OfTown(Arguments):
    """Arguments of a command that looks at one town."""

    town: int | None = Field(None, description="which town; default the first that is watched")


class OfTowns(Arguments):
    """Arguments of a command that changes a town, or all of them."""

    town: int | Literal["all"] | None = Field(
        None, description='which town, or "all"; default the first that is watched'
    )


Agent = Annotated[str | int, Field(description="name, name#generation, or number of the slot")]
Tile = Annotated[list[int], Field(min_length=2, max_length=2)]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One command."""

    name: str
    about: str
    function: Callable[[Host, Any], Answer]
    arguments: type[Arguments] = Arguments
    role: Role = "viewer"
    needs_id: bool = False
    aliases: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def positions(self) -> list[str]:
        """Return the names of the arguments in the order in which they may be given without them."""
        return [name for name in self.arguments.model_fields if name != "town"]

    @property
    def usage(self) -> str:
        """Return the command as it is typed, what may be left out in brackets."""
        parts = [self.name]
        for name, field in self.arguments.model_fields.items():
            if name == "town":
                continue
            parts.append(name if field.is_required() else f"[{name}]")
        if "town" in self.arguments.model_fields:
            parts.append("[town=]")
        return " ".join(parts)

    def read(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
        """Check the arguments of a command; raises `ConsoleError`."""
        positions = self.positions
        if len(args) > len(positions):
            raise ConsoleError(
                "invalid_args",
                f"{self.name} takes at most {len(positions)} arguments, but gets {len(args)}; usage: {self.usage}.",
            )
        given = dict(zip(positions, args, strict=False))
        for name in kwargs:
            if name in given:
                raise ConsoleError("invalid_args", f"{self.name} is given '{shown(name)}' twice; usage: {self.usage}.")
            if name not in self.arguments.model_fields:
                raise self._unknown(name)
        try:
            return self.arguments.model_validate(given | dict(kwargs))
        except ValidationError as error:
            raise ConsoleError("invalid_args", f"{self.name}: {sentence(error)}; usage: {self.usage}.") from None

    def _unknown(self, name: str) -> ConsoleError:
        meant = nearest(name, self.arguments.model_fields)
        hint = f" (did you mean {one_of(meant)}?)" if meant else ""
        return ConsoleError(
            "invalid_args", f"{self.name} has no argument '{shown(name)}'{hint}; usage: {self.usage}.", nearest=meant
        )

    def described(self) -> dict[str, Any]:
        """Return what `help` says."""
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "role": self.role,
            "needs_cmd_id": self.needs_id,
            "usage": self.usage,
            "about": self.about,
            "arguments": [argument(name, self.arguments) for name in self.arguments.model_fields],
            "errors": list(self.errors),
        }


def argument(name: str, model: type[Arguments]) -> dict[str, Any]:
    """Return what `help` says of one argument."""
    field = model.model_fields[name]
    schema = model.model_json_schema()["properties"][name]
    told = {"name": name, "kind": _kind(schema), "required": field.is_required(), "about": field.description or ""}
    if not field.is_required() and field.default is not None:
        told["default"] = field.default
    return told


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the words for a JSON Schema of one value."""
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"] if part.get("type") != "null")
    words = {"integer": "whole number", "string": "text", "boolean": "true or false", "object": "map", "array": "list"}
    kind = words.get(schema.get("type", ""), str(schema.get("type", "anything")))
    if schema.get("type") == "array":
        inner = _kind(schema.get("items", {}))
        return f"list of {inner}s" if inner != "anything" else kind
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = {(True, True): f" {low} to {high}", (True, False): f" from {low}", (False, True): f" up to {high}"}
    return kind + bounds.get((low is not None, high is not None), "")
