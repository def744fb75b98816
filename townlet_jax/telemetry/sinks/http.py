"""Records to a web service, as batches of NDJSON by POST. TLS 1.3 is checked; the token goes into a header."""

import http.client
import ssl
from collections.abc import Sequence

from townlet_jax.telemetry.sinks import network
from townlet_jax.telemetry.sinks.contracts import Item, SinkError
from townlet_jax.telemetry.sinks.sentences import shown
from townlet_jax.telemetry.sinks.urls import NOT_ALLOWED, SECURE, bearer, host_and_port, name_of, parsed

BUSY = frozenset({408, 425, 429})  # answers below 500 after which the same request may succeed
MOST_ANSWER = 65_536  # bytes of an answer that are read


class HttpSink:
    """Posts batches, one record a line, to one address."""

    def __init__(self, url: str, token: str | None, context: ssl.SSLContext | None) -> None:
        self._url = parsed(url, ("http", "https"))
        self.name = name_of(self._url)
        self._context = context if self._url.scheme in SECURE else None
        self._headers = {"Content-Type": "application/x-ndjson", "User-Agent": "townlet_jax", **bearer(token)}
        self._client: http.client.HTTPConnection | None = None

    def open(self) -> None:
        """Connect; the connection stays for many requests."""
        host, port = host_and_port(self._url)
        self._client = http.client.HTTPConnection(host, port, timeout=network.ANSWER_SECONDS)
        self._client.auto_open = 0  # a new connection is a matter of `open`, where it is checked
        self._client.sock = network.connect(host, port, self._context)

    def write(self, items: Sequence[Item]) -> None:
        """Post one batch and wait for the answer."""
        assert self._client is not None
        target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        body = b"".join(item.data + b"\n" for item in items)
        try:
            self._client.request("POST", target, body, self._headers)
            answer = self._client.getresponse()
            answer.read(MOST_ANSWER)
        except http.client.NotConnected:
            self.open()
            return self.write(items)
        except (OSError, http.client.HTTPException) as error:
            raise SinkError(f"{self.name} broke off ({network.unreached(error)}); it is tried again.") from error
        if answer.will_close or not answer.isclosed():
            self._client.close()
        return self._judge(answer.status, answer.reason)

    def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _judge(self, status: int, why: str) -> None:
        """Return if the records were taken; raises `SinkError`."""
        said = f"{status} {shown(why)}".strip()
        if 200 <= status < 300:
            return
        if status in NOT_ALLOWED:
            raise SinkError(f"{self.name} does not accept the token ({said}); check token_env.", lasting=True)
        if 300 <= status < 400:
            raise SinkError(f"{self.name} points elsewhere ({said}), which is not followed; give it.", lasting=True)
        if status < 500 and status not in BUSY:
            raise SinkError(f"{self.name} refused records ({said}); they were dropped.", refused=True)
        raise SinkError(f"{self.name} is busy or broken ({said}); it is tried again.")
