"""The connections to the API: one for each request under way, and nothing shared but the trust."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final

import httpx2

from scanner.errors import UsageError
from scanner.openai_api.bodies import HEADERS, Reading
from scanner.proxies import check_environment_proxies
from scanner.secret import Secret, redact

Body = Mapping[str, Any]

_CONNECT_TIMEOUT: Final = 10.0
"""Seconds: a host that does not even answer the door is given up sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The way to the API: a proxy and certificates of its own, or else those of the environment.

    `timeout` is in seconds, for a whole answer.
    """

    proxy: Secret | None = None
    ca_bundle: Path | None = None
    timeout: float = 45.0


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
    not followed: the key goes to the address it was given for, and nowhere else. No cookie is kept.
    """

    def __init__(self, key: Secret, base_url: str, network: Network) -> None:
        """Raise UsageError if the proxy or TLS settings are wrong."""
        self._auth = _Bearer(key)
        self._timeout = network.timeout
        # Plain http is for loopback, where a proxy would only be handed the key.
        self._trust_env = base_url.startswith("https:")
        self._proxy = network.proxy if self._trust_env else None
        self._trust = self._trusted(network.ca_bundle)
        if self._trust_env:
            check_environment_proxies()
        self._reading = Reading()
        try:
            self._idle = [self._make()]
        except (httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
            raise _unusable(error, self._proxy) from None

    async def request(self, method: str, url: str, body: Body | None = None) -> httpx2.Response:
        """Ask once, for a whole answer; raise what httpx2 raises, or TimeoutError if it is late.

        TooLargeError is one of httpx2's.
        """
        client = self._idle.pop() if self._idle else self._make()
        try:
            async with asyncio.timeout(self._timeout):
                async with client.stream(method, url, json=body) as response:
                    return await self._reading.read(response)
        finally:
            self._idle.append(client)

    async def aclose(self) -> None:
        """Close them; none is in use."""
        for client in self._idle:
            await client.aclose()

    def _trusted(self, ca_bundle: Path | None) -> ssl.SSLContext:
        try:
            if ca_bundle is None:
                return httpx2.create_ssl_context(trust_env=self._trust_env)
            return ssl.create_default_context(cafile=str(ca_bundle.expanduser()))
        except (OSError, ValueError) as error:
            if ca_bundle is None:
                raise _unusable(error, None) from None
            raise UsageError(
                f"The certificates in {ca_bundle} cannot be used:"
                f" {error.strerror if isinstance(error, FileNotFoundError) else error}",
                help="http.ca_bundle and --ca-bundle name a file of certificates in PEM.",
            ) from None

    def _make(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            auth=self._auth,
            headers={"User-Agent": "keyvigil", "Accept": "application/json", **HEADERS},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=_CONNECT_TIMEOUT),
            verify=self._trust,
            proxy=self._proxy.reveal() if self._proxy else None,
            trust_env=self._trust_env,
        )


def _unusable(error: Exception, proxy: Secret | None) -> UsageError:
    # httpx2 names a package that would be needed: no lock of ours has it.
    why = "a SOCKS proxy is not supported" if isinstance(error, ImportError) else redact(str(error))
    return UsageError(
        f"The proxy or TLS settings cannot be used: {proxy.mask(why) if proxy else why}",
        help="Check http.proxy, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE, SSL_CERT_DIR.",
    )
