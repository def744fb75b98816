"""Records over TCP, with TLS 1.3 and a token, to `townlet telemetry listen`.

The protocol, all lines JSON: the sender says who it is and with which of its records it goes on; the receiver says
which one it wants next and how long a line may be; then records flow, and the receiver says after each piece how many
of the sender's it has written. A batch counts as sent when it is written, and is offered again after a break, so that
none is lost and none comes twice.
"""

import json
import secrets
import socket
import ssl
from collections.abc import Sequence
from typing import IO, Any

from townlet_jax.telemetry.sinks import network
from townlet_jax.telemetry.sinks.contracts import Item, SinkError
from townlet_jax.telemetry.sinks.sentences import shown

PROTOCOL = "townlet-telemetry/1"
LONGEST_ANSWER = 4096  # bytes


class TcpSink:
    """Sends to one host; `context` None means plaintext, which only goes to this host."""

    def __init__(self, host: str, port: int, token: str, context: ssl.SSLContext | None) -> None:
        if context is None and not network.is_local(host):
            raise SinkError(
                f"tcp {network.place(host, port)} is not this host, which is all that allow_plaintext is for; use TLS.",
                lasting=True,
            )
        self.name = f"tcp {network.place(host, port)}"
        self._host, self._port, self._context = host, port, context
        self._token = token
        self._sender = secrets.token_hex(16)
        self._connection: socket.socket | None = None
        self._answers: IO[bytes] | None = None
        self._written = 0  # records of ours that the receiver has, as far as we know
        self._unsure: list[Item] = []  # sent, but not known to be written
        self._skip: list[Item] = []  # of a batch that may be offered again: known to be written
        self._limit = 0

    def open(self) -> None:
        """Connect, show the token, and learn what the receiver has already."""
        self._connection = network.connect(self._host, self._port, self._context)
        self._answers = self._connection.makefile("rb")
        try:
            self._greet()
        except SinkError:
            self.close()
            raise

    def write(self, items: Sequence[Item]) -> None:
        """Send records and wait until they are written."""
        fresh = [item for item in items if not any(item is known for known in self._skip)]
        for item in fresh:
            if len(item.data) > self._limit:
                raise SinkError(
                    f"{self.name} takes lines of {self._limit} bytes at most, and a {item.kind} record has "
                    f"{len(item.data)}; it was dropped.",
                    refused=True,
                )
        if not fresh:
            return
        self._unsure = fresh
        self._send(b"".join(item.data + b"\n" for item in fresh))
        until = self._written + len(fresh)
        while self._written < until:
            answer = self._answer()
            count = answer.get("written")
            if not isinstance(count, int) or not self._written <= count <= until:
                raise SinkError(f"{self.name} says that it has records which were not sent; it is asked again.")
            self._note_written(count - self._written)
        self._skip = []

    def close(self) -> None:
        """Hang up."""
        answers, self._answers = self._answers, None
        connection, self._connection = self._connection, None
        if answers is not None:
            answers.close()
        network.hang_up(connection)

    def _greet(self) -> None:
        hello = {"townlet": PROTOCOL, "token": self._token, "sender": self._sender, "first": self._written}
        self._send(json.dumps(hello).encode() + b"\n")
        answer = self._answer()
        following = answer.get("next")
        known = following - self._written if isinstance(following, int) else -1
        if not 0 <= known <= len(self._unsure) or not isinstance(answer.get("limit"), int):
            raise SinkError(f"{self.name} answers, but it is no townlet listener; check the port.", lasting=True)
        self._note_written(known)
        self._unsure = []
        self._limit = answer["limit"]

    def _note_written(self, count: int) -> None:
        self._skip += self._unsure[:count]
        self._unsure = self._unsure[count:]
        self._written += count

    def _send(self, data: bytes) -> None:
        assert self._connection is not None
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise SinkError(f"{self.name} broke off ({network.unreached(error)}); it is tried again.") from error

    def _answer(self) -> dict[str, Any]:
        """Return the next answer; raises `SinkError` if there is none, or if it is a no."""
        assert self._answers is not None
        try:
            line = self._answers.readline(LONGEST_ANSWER)
            answer = json.loads(line) if line else None
        except OSError as error:
            raise SinkError(f"{self.name} broke off ({network.unreached(error)}); it is tried again.") from error
        except ValueError as error:
            raise SinkError(f"{self.name} answers, but it is no townlet listener; check the port.") from error
        if answer is None:
            raise SinkError(f"{self.name} hung up; it is tried again.")
        if not isinstance(answer, dict):
            raise SinkError(f"{self.name} answers, but it is no townlet listener; check the port.", lasting=True)
        if "error" in answer:
            said = shown(str(answer["error"])).rstrip(".")
            raise SinkError(f"{self.name} said no ({said}).", lasting=answer.get("lasting") is True)
        return answer
