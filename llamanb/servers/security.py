"""Who may talk to a server: loopback, one key, known hosts, no foreign web pages.

* ``Host`` has to be a loopback name or address, the address the server is bound to, or
  one of ``allowed_hosts``: a web page whose name was pointed at 127.0.0.1 (DNS
  rebinding) says its own name. Bound to all addresses, any address will do, as only
  names can be pointed elsewhere.
* ``Origin``, which browsers alone send, has to be of such a host, of the one in
  ``Host``, or in ``cors_origins``. Pages of loopback servers on any port pass: the program that serves
  them may open this port anyway, development proxies hand their ``Origin`` on, and
  without CORS the page cannot read an answer. ``null`` does not pass. ``Sec-Fetch-*``
  is not looked at: Node's ``fetch`` sends it, too.
* The key is asked for everywhere but at ``/health``, ``HEAD /`` and ``/api/hello``,
  which only tell that something is alive. The names of models are not told.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from llamanb.errors import ServerError
from llamanb.servers.problems import Refusal, problem_response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = [
    "KeyGuard",
    "SiteGuard",
    "check_bind",
    "default_api_key",
    "guarded_environment",
    "host_name",
    "is_loopback",
]

OPEN_PATHS = frozenset({"/health", "/v1/health", "/api/hello"})
SHARED_MACHINES = ("JUPYTERHUB_", "BINDER_")
_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)\]|(?P<name>[\w.-]+))(?::\d*)?", re.ASCII
)
_ORIGIN = re.compile(r"https?://(?P<host>[^/@?#]+)", re.IGNORECASE)


def host_name(host: str) -> str | None:
    """Give the name or address in a ``Host`` header, lower case and without its port.

    Returns
    -------
    str or None
        None if the header cannot be read.

    Examples
    --------
    >>> host_name("LocalHost.:8080"), host_name("[::1]:8080"), host_name("a@b")
    ('localhost', '::1', None)
    """
    found = _HOST.fullmatch(host.strip())
    if found is None:
        return None
    return (found["v6"] or found["name"]).lower().rstrip(".") or None


def is_loopback(name: str) -> bool:
    """Whether a name or an address can only mean this machine.

    Examples
    --------
    >>> is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("a.localhost")
    (True, True, True)
    >>> is_loopback("localhost.evil.test"), is_loopback("0.0.0.0")
    (False, False)
    """
    name = name.lower().rstrip(".")
    address = _address(name)
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def guarded_environment(environment: Mapping[str, str] | None = None) -> bool:
    """Whether others can reach this machine's ports: JupyterHub or Binder runs the kernel."""
    names = os.environ if environment is None else environment
    return any(name.startswith(SHARED_MACHINES) for name in names)


def default_api_key(api_key: str | None) -> str | None:
    """Give the key to ask for: the one given, or a random one on a shared machine."""
    if api_key is None and guarded_environment():
        return f"sk-{secrets.token_urlsafe(24)}"
    return api_key


def check_bind(host: str, api_key: str | None) -> None:
    """Refuse to open an address that others can reach unless a key is asked for.

    Raises
    ------
    ServerError
    """
    name = host.strip("[]")
    if api_key or is_loopback(name):
        return
    raise ServerError(
        f"host={host!r} can be reached from other machines, so an api_key is needed; "
        "give one (api_key=…) or use host='127.0.0.1'"
    )


class SiteGuard:
    """Refuse what a foreign web page may have sent, by ``Host`` and ``Origin``.

    Parameters
    ----------
    host : what the server is bound to.
    allowed_hosts : further names it is known by; ``"*"`` for any.
    origins : origins that may use it, as ``https://app.example``; ``"*"`` for any.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        allowed_hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
    ) -> None:
        self.app = app
        self._names = {name.lower().strip("[]").rstrip(".") for name in (host, *allowed_hosts)}
        self._origins = {origin.lower().rstrip("/") for origin in origins}
        bound = _address(host.strip("[]"))
        self._any_address = not host or (bound is not None and bound.is_unspecified)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what does not come from a foreign page."""
        if scope["type"] == "http":
            request = HTTPConnection(scope)
            refusal = self._refusal(request)
            if refusal is not None:
                await problem_response(request, refusal.problem)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self, request: HTTPConnection) -> Refusal | None:
        hosts = request.headers.getlist("host")
        if len(hosts) != 1:
            return Refusal("the request needs one Host header")
        if not self._is_known(hosts[0]):
            message = "this Host is not known here; name it in allowed_hosts"
            return Refusal(message, status=403, code="forbidden_host")
        origins = request.headers.getlist("origin")
        if not all(self._may_use(origin, hosts[0]) for origin in origins):
            message = "web pages of this Origin may not use the server; name it in cors_origins"
            return Refusal(message, status=403, code="forbidden_origin")
        return None

    def _is_known(self, host: str) -> bool:
        name = host_name(host)
        if name is None:
            return False
        if "*" in self._names or name in self._names or is_loopback(name):
            return True
        return self._any_address and _address(name) is not None

    def _may_use(self, origin: str, host: str) -> bool:
        if "*" in self._origins or origin.lower() in self._origins:
            return True
        found = _ORIGIN.fullmatch(origin)
        name = host_name(found["host"]) if found is not None else None
        if name is None:
            return False
        return is_loopback(name) or name in self._names or name == host_name(host)


class KeyGuard:
    """Ask for the key, in ``Authorization: Bearer …`` or ``x-api-key``.

    Without a key of its own it lets everyone pass.
    """

    def __init__(self, app: ASGIApp, *, api_key: str | None) -> None:
        self.app = app
        self._key = api_key.encode() if api_key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request that has the key."""
        if scope["type"] != "http" or self._key is None or _is_open(scope):
            await self.app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        shown = list(_keys_of(request))
        # every one is compared, in a time that does not tell how much of it is right
        right = [hmac.compare_digest(key, self._key) for key in shown]
        if any(right):
            await self.app(scope, receive, send)
            return
        what = "the API key is wrong" if shown else "an API key is needed"
        refusal = Refusal(
            f"{what}: send it as 'Authorization: Bearer KEY' or as 'x-api-key: KEY'",
            status=401,
            code="invalid_api_key",
            headers={"www-authenticate": "Bearer"},
        )
        await problem_response(request, refusal.problem)(scope, receive, send)


def _is_open(scope: Scope) -> bool:
    is_hello = scope["method"] == "HEAD" and scope["path"] == "/"
    return is_hello or scope["path"] in OPEN_PATHS


def _keys_of(request: HTTPConnection) -> Iterator[bytes]:
    for key in request.headers.getlist("x-api-key"):
        yield key.strip().encode("latin-1")
    for value in request.headers.getlist("authorization"):
        scheme, _, key = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            yield key.strip().encode("latin-1")
