"""The connections to the API: one for each request under way, and nothing shared but the trust."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import httpx2

from scanner.errors import UsageError
from scanner.secret import Secret, redact

Body = Mapping[str, Any]

_CONNECT_TIMEOUT: Final = 10.0
"""Seconds: a host that does not even answer the door is given up sooner."""


class _Bearer(httpx2.Auth):
    """Puts the key on a request at the moment it leaves; nothing else ever holds the header."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


class Connections:
    """HTTP clients with a connection each, as many as requests were ever under way at once.

    A client that they shared would look at all its connections for every request. Redirects are
    not followed: the key goes to the address it was given for, and nowhere else. `timeout` is in
    seconds, for a whole answer.
    """

    def __init__(self, key: Secret, base_url: str, timeout: float) -> None:
        """Raise UsageError if the proxy or TLS settings of the environment are wrong."""
        self._auth = _Bearer(key)
        self._timeout = timeout
        # Plain http is for loopback, where a proxy would only be handed the key.
        self._trust_env = base_url.startswith("https:")
        try:
            self._trust = httpx2.create_ssl_context(trust_env=self._trust_env)
            self._idle = [self._make()]
        except (httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
            why = redact(str(error))
            raise UsageError(
                f"The proxy or TLS settings of the environment cannot be used: {why}",
                help="Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
            ) from None

    async def request(self, method: str, url: str, body: Body | None = None) -> httpx2.Response:
        """Ask once, for a whole answer; raise what httpx2 raises, or TimeoutError if it is late."""
        client = self._idle.pop() if self._idle else self._make()
        try:
            async with asyncio.timeout(self._timeout):
                return await client.request(method, url, json=body)
        finally:
            self._idle.append(client)

    async def aclose(self) -> None:
        """Close them; none is in use."""
        for client in self._idle:
            await client.aclose()

    def _make(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            auth=self._auth,
            headers={"User-Agent": "keyvigil", "Accept": "application/json"},
            timeout=httpx2.Timeout(None, connect=_CONNECT_TIMEOUT),
            verify=self._trust,
            trust_env=self._trust_env,
        )
