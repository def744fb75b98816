"""Town files: read, merged, checked, and built into arrays (MECHANICS 14).

`load` and `from_mapping` find everything that is wrong; `build` is the only door into the core and the only part that
needs jax, so it is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

from townlet_jax.config.errors import ConfigError
from townlet_jax.config.loading import from_mapping, load
from townlet_jax.config.names import Names
from townlet_jax.config.schema import Config
from townlet_jax.config.warn import check_warnings

if TYPE_CHECKING:
    from townlet_jax.config.builder import Built, build

__all__ = ["Built", "Config", "ConfigError", "Names", "build", "check_warnings", "from_mapping", "load"]


def __getattr__(name: str) -> Any:
    """Import the builder, and jax with it, on first use."""
    if name in ("Built", "build"):
        from townlet_jax.config import builder

        return getattr(builder, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
