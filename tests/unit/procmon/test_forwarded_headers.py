# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/nginx.md builds on: which address of X-Forwarded-For uvicorn takes for the client's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

CLAIMED, CLIENT = "203.0.113.9", "198.51.100.7"
APPENDED, REPLACED = f"{CLAIMED}, {CLIENT}", CLIENT


def client_of(trusted: str, proxy: tuple[str, int] | None, header: str) -> str | None:
    """Return the address that an app sees behind a proxy which sends a header."""
    seen: list[Any] = []

    async def app(scope: Any, _receive: object, _send: object) -> None:  # noqa: ANN401  as uvicorn passes it
        seen.append(scope["client"])

    scope = {"type": "http", "client": proxy, "scheme": "http", "headers": [(b"x-forwarded-for", header.encode())]}
    asyncio.run(ProxyHeadersMiddleware(app, trusted)(scope, None, None))  # type: ignore[arg-type]
    return seen[0][0] if seen[0] else None


@pytest.mark.parametrize(
    ("trusted", "proxy", "header", "client"),
    [
        ("127.0.0.1,::1", ("127.0.0.1", 40000), APPENDED, CLIENT),
        ("127.0.0.1,::1", ("192.0.2.5", 40000), APPENDED, "192.0.2.5"),
        ("127.0.0.1,::1", None, REPLACED, None),
        ("*", None, REPLACED, CLIENT),
        # Here a client could pretend to be another: on a unix socket the proxy must not append to the header.
        ("*", None, APPENDED, CLAIMED),
    ],
)
def test_the_client_is_the_one_that_the_proxy_has_seen(
    trusted: str, proxy: tuple[str, int] | None, header: str, client: str | None
) -> None:
    assert client_of(trusted, proxy, header) == client
