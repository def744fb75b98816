"""Records to a websocket, one text message each. TLS 1.3 is checked; the token goes into a header."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any

from townlet_jax.telemetry.sinks import network
from townlet_jax.telemetry.sinks.background import Background
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
        self._library = extra("websockets.asyncio.client", "web", "A websocket")
        self._errors = extra("websockets.exceptions", "web", "A websocket")
        self._background: Background | None = None
        self._socket: Any = None

    def open(self) -> None:
        """Connect and shake hands."""
        host, port = host_and_port(self._url)
        connection = network.reach(host, port, is_secured=self._context is not None)
        self._background = Background(f"telemetry {self.name}")
        try:
            self._socket = self._background.call(self._greeted(connection, network.place(host, port)))
        except BaseException:
            self.close()
            network.hang_up(connection)
            raise

    def write(self, items: Sequence[Item]) -> None:
        """Send the messages and wait for the answer to a ping."""
        if self._background is None:
            raise SinkError(f"{self.name} is closed; it is opened again.")
        try:
            self._background.call(self._send([item.data.decode("utf-8", "replace") for item in items]))
        except (OSError, self._errors.WebSocketException) as error:
            raise SinkError(f"{self.name} broke off ({network.unreached(error)}); it is tried again.") from error

    def close(self) -> None:
        """Say goodbye and hang up."""
        background, self._background = self._background, None
        if background is None:
            return
        if self._socket is not None:
            background.call(self._socket.close())
            self._socket = None
        background.close()

    async def _greeted(self, connection: socket.socket, where: str) -> Any:
        """Return the websocket over a connection; raises `SinkError`."""
        connection.setblocking(False)
        secured: dict[str, Any] = {} if self._context is None else {"ssl": self._context}
        try:
            opened = await self._library.connect(
                self._url.geturl(),
                sock=connection,
                additional_headers=self._headers,
                open_timeout=network.ANSWER_SECONDS,
                close_timeout=1.0,
                **secured,
            )
        except ssl.SSLError as error:
            raise network.distrusted(where, error) from error
        except self._errors.InvalidStatus as error:
            status = error.response.status_code
            why = "does not accept the token" if status in NOT_ALLOWED else "takes no websocket at this address"
            raise SinkError(f"{self.name} {why} (status {status}).", lasting=status < 500) from error
        except (OSError, ValueError, self._errors.WebSocketException) as error:
            raise SinkError(f"{self.name} did not shake hands ({network.unreached(error)}).") from error
        self._ears = asyncio.create_task(self._throw_away(opened))
        return opened

    async def _send(self, messages: Sequence[str]) -> None:
        for message in messages:
            await self._socket.send(message)
        arrived = await self._socket.ping()
        await asyncio.wait_for(arrived, network.ANSWER_SECONDS)

    async def _throw_away(self, opened: Any) -> None:
        """Drop what the other side says, to the end of the connection."""
        try:
            async for _ in opened:
                pass
        except self._errors.ConnectionClosed:
            return
