"""Records to a websocket, one text message each. TLS 1.3 is checked; the token goes into a header."""

import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from townlet_jax.telemetry.sinks import network
from townlet_jax.telemetry.sinks.contracts import Item, SinkError
from townlet_jax.telemetry.sinks.sentences import extra
from townlet_jax.telemetry.sinks.urls import NOT_ALLOWED, SECURE, bearer, host_and_port, name_of, parsed


class WebsocketSink:
    """Sends to one address; a batch counts as sent when the other side answered a ping that follows it."""

    def __init__(self, url: str, token: str | None, context: ssl.SSLContext | None) -> None:
        self._url = parsed(url, ("ws", "wss"))
        self.name = name_of(self._url)
        self._context = context if self._url.scheme in SECURE else None
        self._headers = bearer(token)
        self._library = extra("websockets.sync.client", "web", "A websocket")
        self._errors = extra("websockets.exceptions", "web", "A websocket")
        self._session = ExitStack()
        self._socket: Any = None

    def open(self) -> None:
        """Connect and shake hands."""
        host, port = host_and_port(self._url)
        connection = network.connect(host, port, self._context)
        connection.settimeout(None)  # the library waits on it in a thread of its own, and sees to keepalive
        try:
            self._socket = self._session.enter_context(
                self._library.connect(
                    self._url._replace(scheme="ws").geturl(),  # TLS is there already
                    sock=connection,
                    additional_headers=self._headers,
                    open_timeout=network.ANSWER_SECONDS,
                    close_timeout=1.0,
                    max_queue=None,  # what the other side says is thrown away below
                )
            )
        except self._errors.InvalidStatus as error:
            network.hang_up(connection)
            status = error.response.status_code
            why = "does not accept the token" if status in NOT_ALLOWED else "takes no websocket at this address"
            raise SinkError(f"{self.name} {why} (status {status}).", lasting=status < 500) from error
        except (OSError, ValueError, self._errors.WebSocketException) as error:
            network.hang_up(connection)
            raise SinkError(f"{self.name} did not shake hands ({network.unreached(error)}).") from error

    def write(self, items: Sequence[Item]) -> None:
        """Send the messages and wait for the answer to a ping."""
        try:
            for item in items:
                self._socket.send(item.data.decode("utf-8", "replace"))
            arrived = self._socket.ping()
            if not arrived.wait(network.ANSWER_SECONDS):
                raise TimeoutError
            self._throw_away()
        except (OSError, self._errors.WebSocketException) as error:
            raise SinkError(f"{self.name} broke off ({network.unreached(error)}); it is tried again.") from error

    def close(self) -> None:
        """Say goodbye and hang up."""
        self._socket = None
        self._session.close()

    def _throw_away(self) -> None:
        """Drop what the other side sent."""
        while True:
            try:
                self._socket.recv(timeout=0)
            except TimeoutError:
                return
