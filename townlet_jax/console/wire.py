"""What client and server agree on: addresses, the first lines, how a line looks. Owns no socket."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROTOCOL = 1
LONGEST_ANSWER = 64 * 2**20  # bytes of a line from the server
LONGEST_PATH = 100  # characters of the path of a socket


@dataclass(frozen=True)
class Address:
    """A Unix socket, or a host and a port."""

    path: Path | None
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(text: str) -> Address:
    """Read `HOST:PORT`, or else the path of a Unix socket; raises `ValueError` with a sentence."""
    if not text or "\x00" in text:
        raise ValueError("An address is HOST:PORT or the path of a socket; give one.")
    host, mark, port = text.rpartition(":")
    if mark and port.isdecimal() and "/" not in text and host:
        if int(port) > 65_535:
            raise ValueError(f"There is no port {port}; choose one of 0 to 65535.")
        return Address(None, host.removeprefix("[").removesuffix("]"), int(port))
    if len(text) > LONGEST_PATH:
        raise ValueError(f"The path of a socket has {LONGEST_PATH} characters at most; choose a shorter one.")
    return Address(Path(text))


def line_of(data: dict[str, Any]) -> bytes:
    """Return an object as a line."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode() + b"\n"
