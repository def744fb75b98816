"""The machine: devices, the compilation cache, versions. Owns what must be set before jax starts.

Every entry point calls `configure` first. On a CPU each core becomes a device of its own and towns are spread
over them, because one program a core is faster than one program on all of them.
"""

import contextlib
import hashlib
import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

CACHE_VARIABLE = "TOWNLET_CACHE_DIR"  # a folder, or "off"
TOWNS_AXIS = "towns"


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What `configure` did."""

    cache: Path | None  # compilation cache in use
    note: str  # one sentence on what could not be had, empty if nothing


def configure(*, cpu_devices: int | None = None, cache: bool = True) -> Runtime:
    """Set devices and compilation cache; call it before anything computes.

    `cpu_devices` is the number of host devices, one a usable core if None. A jax that has already started keeps
    its devices. Raises nothing: a cache that cannot be had costs time, never a result.
    """
    import jax

    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with contextlib.suppress(RuntimeError):  # jax has started: its devices stand
            jax.config.update("jax_num_cpu_devices", cpu_devices or usable_cores())
    folder, note = cache_folder() if cache else (None, "")
    if folder is not None and jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    return Runtime(cache=folder, note=note)


def cache_folder() -> tuple[Path | None, str]:
    """Return the folder for compiled programs, made if needed, and a sentence if there is none.

    It is private to the user and keyed by everything that decides whether a compiled program may be loaded.
    """
    setting = os.environ.get(CACHE_VARIABLE, "")
    if setting.lower() == "off":
        return None, ""
    root = Path(setting).expanduser() if setting else _user_cache() / "townlet_jax"
    folder = root / f"jaxlib-{metadata.version('jaxlib')}-{sys.platform}-{cpu_fingerprint()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        return None, (
            f"Compiled programs are not kept: {folder} cannot be made ({error.strerror}); "
            f"set {CACHE_VARIABLE} to a writable folder, or to 'off'."
        )
    return folder, ""


def _user_cache() -> Path:
    if "XDG_CACHE_HOME" in os.environ:
        return Path(os.environ["XDG_CACHE_HOME"])
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_field(name: str) -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.partition(":")[0].strip() == name:
                return line.partition(":")[2].strip()
    return ""


def cpu_model() -> str:
    """Return the name of the processor and the number of usable cores."""
    return f"{_cpu_field('model name') or platform.processor() or platform.machine()} x{usable_cores()}"


def cpu_fingerprint() -> str:
    """Return a short hash of the processor's instruction sets."""
    described = f"{platform.machine()} {_cpu_field('flags') or _cpu_field('Features')}"
    return hashlib.sha256(described.encode()).hexdigest()[:12]


def device() -> str:
    """Return the devices in words: count, platform, kind. Starts jax."""
    import jax

    devices = jax.devices()
    kind = cpu_model() if devices[0].platform == "cpu" else devices[0].device_kind
    return f"{len(devices)} {devices[0].platform} device{'s' * (len(devices) > 1)}: {kind}"


def versions() -> dict[str, str]:
    """Return the versions that decide a result or a speed."""
    packages = {name: metadata.version(name) for name in ("jax", "jaxlib", "numpy")}
    return {"python": platform.python_version(), "townlet_jax": own_version(), **packages}


def own_version() -> str:
    """Return the version of the installed package, or say that it is not installed."""
    try:
        return metadata.version("townlet_jax")
    except metadata.PackageNotFoundError:
        return "0 (not installed)"
