"""What the tests of sinks share: records, buffers, certificates, a receiver that runs in a thread."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from townlet_jax.config.schema.shell import Buffer
from townlet_jax.telemetry.listen import Listening, Receiver
from townlet_jax.telemetry.sinks import Item
from townlet_jax.telemetry.sinks.network import client_context, server_context

TOKEN = "0123456789abcdef" * 4
OTHER_TOKEN = "fedcba9876543210" * 4


class Certified:
    """A certificate for localhost and 127.0.0.1, its key and its CA, as files."""

    def __init__(self, folder: Path, *names: str) -> None:
        import trustme

        authority = trustme.CA()
        own = authority.issue_cert(*(names or ("localhost", "127.0.0.1")))
        self.ca, self.cert, self.key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        own.private_key_pem.write_to_path(str(self.key))
        own.cert_chain_pems[0].write_to_path(str(self.cert))

    def server(self) -> Any:
        """Return the context of a server."""
        return server_context(self.cert, self.key)

    def client(self) -> Any:
        """Return the context of a client that trusts the CA."""
        return client_context(self.ca)


class Listen:
    """A receiver in a thread, inside a `with`; `lines` holds what it wrote. `slow` is a pause before each write."""

    def __init__(self, context: Any, *, port: int = 0, slow: float = 0.0, write: Any = None, **options: Any) -> None:
        self.lines: list[bytes] = []
        listening = Listening(host="127.0.0.1", port=port, token=TOKEN, context=context, **options)
        self._slow = slow
        self.receiver = Receiver(listening, write or self._write)
        self._ready = threading.Event()

    def _write(self, lines: list[bytes]) -> None:
        time.sleep(self._slow)
        self.lines += lines

    @property
    def port(self) -> int:
        return self.receiver.port

    @property
    def sequences(self) -> list[int]:
        return [json.loads(line)["sequence"] for line in self.lines]

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self.receiver:
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()


def limits(**options: Any) -> Buffer:
    """Return a buffer that tries again soon."""
    return Buffer(**{"retry_backoff_seconds": 0.02, **options})


def record(sequence: int, *, kind: str = "measures", size: int = 0, **more: Any) -> Item:
    """Return one record; `size` pads it."""
    content = {"payload_type": kind, "run_id": "r1", "sequence": sequence, "tick": sequence, **more}
    if size:
        content["pad"] = "x" * size
    return Item(tick=sequence, kind=kind, data=json.dumps(content).encode())


def until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()
