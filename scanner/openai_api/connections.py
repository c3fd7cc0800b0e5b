"""Connections to the API: one for each active request; only the TLS context is shared."""

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
"""Seconds; shorter than the request timeout, because a live host accepts connections quickly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Proxy and CA certificates for the API; unset values come from the environment.

    `timeout` is in seconds, for a complete response.
    """

    proxy: Secret | None = None
    ca_bundle: Path | None = None
    timeout: float = 45.0


class _Bearer(httpx2.Auth):
    """Adds the key to a request when it is sent; no other object holds the header."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


class Connections:
    """HTTP clients with one connection each, as many as the most parallel requests so far.

    One shared client would search all its connections for every request. Redirects are not
    followed: the key is sent only to the configured address. Cookies are discarded.
    """

    def __init__(self, key: Secret, base_url: str, network: Network) -> None:
        """Raise UsageError if the proxy or TLS settings are wrong."""
        self._auth = _Bearer(key)
        self._timeout = network.timeout
        # Plain http is allowed for loopback only; a proxy would just receive the key.
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
        """Send one request and read the complete response.

        Raise httpx2's errors (TooLargeError is one), or TimeoutError.
        """
        client = self._idle.pop() if self._idle else self._make()
        try:
            async with asyncio.timeout(self._timeout):
                async with client.stream(method, url, json=body) as response:
                    return await self._reading.read(response)
        finally:
            self._idle.append(client)

    async def aclose(self) -> None:
        """Close all clients; none may be in use."""
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
                help="Set http.ca_bundle or --ca-bundle to a file of PEM certificates.",
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
    # The error of httpx2 names a package that KeyVigil does not install.
    why = "a SOCKS proxy is not supported" if isinstance(error, ImportError) else redact(str(error))
    return UsageError(
        f"The proxy or TLS settings cannot be used: {proxy.mask(why) if proxy else why}",
        help="Check http.proxy, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE, SSL_CERT_DIR.",
    )
