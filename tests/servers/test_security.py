"""Keys, hosts, origins: who may talk to a server, tested without a network."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from llamanb.errors import ServerError
from llamanb.servers.border import add_border
from llamanb.servers.security import (
    KeyGuard,
    SiteGuard,
    check_bind,
    default_api_key,
    guarded_environment,
    host_name,
    is_loopback,
)
from llamanb.settings import ServerSettings
from tests.support.asgi import Answered, Echo, ask

KEY = "sk-ключ"  # a key may have any character
EVERYWHERE = "0.0.0.0"  # noqa: S104  # what must not be opened by accident
LOCAL = ("host", "127.0.0.1:8080")
APP_ORIGIN = "https://app.example"


def _latin(key: str) -> str:
    return key.encode().decode("latin-1")


def _site(host: str = "127.0.0.1", **options: tuple[str, ...]) -> SiteGuard:
    return SiteGuard(Echo(), host=host, **options)


def _status(guard: SiteGuard, *headers: tuple[str, str]) -> int:
    return ask(guard, headers=headers).status


def _bordered(settings: ServerSettings) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.post("/v1/chat/completions")
    async def answer() -> dict[str, bool]:
        return {"ok": True}

    add_border(app, settings)
    return app


# ---- Host ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:11434",
        "127.8.9.1:80",
        "localhost",
        "LOCALHOST:1",
        "localhost.",
        "api.localhost:8080",
        "[::1]",
        "[::1]:8080",
        "[::ffff:127.0.0.1]:80",
    ],
)
def test_loopback_hosts_pass(host: str) -> None:
    assert _status(_site(), ("host", host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:11434",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "notlocalhost",
        "192.168.1.5",
        EVERYWHERE,
        "[::]:80",
        "[fe80::1]",
        "2130706433",
        "127.1",
        "127.0.0.1@evil.test",
        "evil.test#localhost",
        "evil.test/localhost",
        "localhost:80:80",
        "localhost evil.test",
        "::1",
        "",
        ".",
    ],
)
def test_foreign_and_broken_hosts_are_refused(host: str) -> None:
    answered = ask(_site(), headers=[("host", host)])

    assert (answered.status, answered.json["error"]["code"]) == (403, "forbidden_host")


@pytest.mark.parametrize("hosts", [[], [LOCAL, LOCAL], [LOCAL, ("host", "evil.test")]])
def test_a_request_needs_exactly_one_host(hosts: list[tuple[str, str]]) -> None:
    assert _status(_site(), *hosts) == 400


def test_the_address_that_the_server_is_bound_to_passes() -> None:
    assert _status(_site("192.168.1.5"), ("host", "192.168.1.5:80")) == 200
    assert _status(_site("192.168.1.5"), ("host", "192.168.1.6:80")) == 403
    assert _status(_site("FE80::1"), ("host", "[fe80::1]:80")) == 200


@pytest.mark.parametrize("bound", [EVERYWHERE, "::", ""])
def test_bound_to_all_addresses_any_address_passes_but_no_name(bound: str) -> None:
    assert _status(_site(bound), ("host", "192.168.1.5:80")) == 200
    assert _status(_site(bound), ("host", "evil.test:80")) == 403


def test_allowed_hosts_pass_in_any_spelling() -> None:
    site = _site(allowed_hosts=("Hub.Example.org",))

    assert _status(site, ("host", "hub.example.org:443")) == 200
    assert _status(site, ("host", "sub.hub.example.org")) == 403
    assert _status(_site(allowed_hosts=("*",)), ("host", "anything.test")) == 200


def test_a_refusal_is_in_the_dialect_of_the_path() -> None:
    answered = ask(_site(), "/v1/messages", headers=[("host", "evil.test")])

    assert answered.json["error"]["type"] == "permission_error"


@pytest.mark.parametrize("host", ["a b", "a@b", "[::1", "[a]", "a:b", "[::1]x"])
def test_what_is_no_host_has_no_name(host: str) -> None:
    assert host_name(host) is None


# ---- Origin ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8888", "http://lab.localhost"],
)
def test_pages_of_this_machine_pass(origin: str) -> None:
    assert _status(_site(), LOCAL, ("origin", origin)) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.test",
        "http://evil.test:8080",
        "http://localhost.evil.test",
        "http://localhost@evil.test",
        "http://localhost:1@evil.test",
        "null",
        "",
        "file://",
        "file://localhost",
        "chrome-extension://abcdef",
        "http://",
        "localhost",
        "http://localhost, https://evil.test",
        "http://192.168.1.5",
    ],
)
def test_foreign_pages_are_refused(origin: str) -> None:
    answered = ask(_site(), headers=[LOCAL, ("origin", origin)])

    assert (answered.status, answered.json["error"]["code"]) == (403, "forbidden_origin")


def test_two_origins_have_to_be_known_both() -> None:
    headers = [LOCAL, ("origin", "http://localhost"), ("origin", "https://evil.test")]

    assert _status(_site(), *headers) == 403


def test_nodes_fetch_passes_with_its_sec_fetch_headers_and_no_origin() -> None:
    headers = [LOCAL, ("sec-fetch-mode", "cors"), ("sec-fetch-site", "cross-site")]

    assert _status(_site(), *headers) == 200


def test_a_page_of_the_same_host_passes_and_others_do_not_even_if_any_host_may_be_named() -> None:
    site = _site(allowed_hosts=("*",))

    same = _status(site, ("host", "hub.test:443"), ("origin", "https://hub.test"))
    other = _status(site, ("host", "hub.test"), ("origin", "https://evil.test"))

    assert (same, other) == (200, 403)


def test_configured_origins_pass() -> None:
    site = _site(origins=("https://App.example/", "tauri://localhost"))

    assert _status(site, LOCAL, ("origin", APP_ORIGIN)) == 200
    assert _status(site, LOCAL, ("origin", "tauri://localhost")) == 200
    assert _status(site, LOCAL, ("origin", "http://app.example")) == 403
    assert _status(_site(origins=("*",)), LOCAL, ("origin", "null")) == 200


# ---- the key ---------------------------------------------------------------------------


def _with_key(*headers: tuple[str, str], path: str = "/v1/models", method: str = "GET") -> Answered:
    return ask(KeyGuard(Echo(), api_key=KEY), path, method=method, headers=headers)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", f"Bearer {KEY}"),
        ("authorization", f"bearer   {KEY} "),
        ("x-api-key", KEY),
    ],
)
def test_the_key_is_taken_from_either_header(name: str, value: str) -> None:
    assert _with_key((name, _latin(value))).status == 200


def test_one_right_key_is_enough() -> None:
    headers = [("authorization", "Bearer none"), ("x-api-key", _latin(KEY))]

    assert _with_key(*headers).status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "Bearer wrong"),
        ("authorization", f"Basic {KEY}"),
        ("authorization", KEY),
        ("authorization", "Bearer"),
        ("authorization", ""),
        ("x-api-key", ""),
        ("x-api-key", KEY[:-1]),
        ("x-api-key", KEY + "x"),
        ("accept", "*/*"),
    ],
)
def test_anything_else_is_401_and_says_how_to_send_it(name: str, value: str) -> None:
    answered = _with_key((name, _latin(value)))

    assert (answered.status, answered.headers["www-authenticate"]) == (401, "Bearer")
    assert answered.json["error"]["code"] == "invalid_api_key"
    assert "Authorization: Bearer" in answered.json["error"]["message"]


def test_a_missing_key_is_an_authentication_error_for_anthropics_clients() -> None:
    told = _with_key(path="/v1/messages", method="POST").json

    assert told["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("HEAD", "/", 200),
        ("HEAD", "/api/hello", 200),
        ("GET", "/", 401),
        ("GET", "/v1/models", 401),
        ("GET", "/metrics", 401),
        ("GET", "/health/x", 401),
        ("GET", "/openapi.json", 401),
    ],
)
def test_only_signs_of_life_are_open(method: str, path: str, status: int) -> None:
    assert _with_key(method=method, path=path).status == status


def test_without_a_key_of_its_own_the_server_asks_for_none() -> None:
    assert ask(KeyGuard(Echo(), api_key=None), headers=[LOCAL]).status == 200


# ---- CORS ------------------------------------------------------------------------------


def _preflight(settings: ServerSettings, origin: str) -> Answered:
    headers = [
        LOCAL,
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization, content-type"),
    ]
    return ask(_bordered(settings), method="OPTIONS", headers=headers)


def test_a_configured_page_may_ask_before_it_has_a_key() -> None:
    settings = ServerSettings(api_key="k", cors_origins=(APP_ORIGIN,))

    answered = _preflight(settings, APP_ORIGIN)

    assert answered.status == 200
    assert answered.headers["access-control-allow-origin"] == APP_ORIGIN
    assert "authorization" in answered.headers["access-control-allow-headers"]


def test_a_configured_page_can_read_that_its_key_is_wrong() -> None:
    settings = ServerSettings(api_key="k", cors_origins=(APP_ORIGIN,))

    answered = ask(_bordered(settings), headers=[LOCAL, ("origin", APP_ORIGIN)])

    assert answered.status == 401
    assert answered.headers["access-control-allow-origin"] == APP_ORIGIN


def test_other_pages_are_refused_before_cors() -> None:
    settings = ServerSettings(cors_origins=(APP_ORIGIN,))

    answered = _preflight(settings, "https://evil.test")

    assert answered.status == 403
    assert "access-control-allow-origin" not in answered.headers


def test_without_configuration_no_page_can_read_an_answer() -> None:
    answered = ask(
        _bordered(ServerSettings()), headers=[LOCAL, ("origin", "http://localhost:3000")]
    )

    assert answered.status == 200
    assert not any(name.startswith("access-control") for name in answered.headers)


# ---- where it may listen ---------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.1.2.3"])
def test_loopback_needs_no_key(host: str) -> None:
    check_bind(host, None)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "", "192.168.1.5", "myhost", "127.0.0.1.x"])
@pytest.mark.parametrize("key", [None, ""])
def test_any_other_address_needs_one(host: str, key: str | None) -> None:
    with pytest.raises(ServerError, match="api_key"):
        check_bind(host, key)


def test_any_address_will_do_with_a_key() -> None:
    check_bind(EVERYWHERE, "k")


@pytest.mark.parametrize("name", ["JUPYTERHUB_API_TOKEN", "BINDER_REQUEST"])
def test_on_a_shared_machine_a_random_key_is_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")

    first, second = default_api_key(None), default_api_key(None)

    assert first is not None
    assert len(first) > 30
    assert first != second
    assert default_api_key("mine") == "mine"


def test_elsewhere_no_key_is_made() -> None:
    assert not guarded_environment({"JUPYTER_RUNTIME_DIR": "x", "PATH": "y"})
    assert guarded_environment({"JUPYTERHUB_USER": "me"})


@pytest.mark.parametrize("name", ["localhost.evil.test", EVERYWHERE, "::", "host", "1.2.3.4"])
def test_other_names_are_not_loopback(name: str) -> None:
    assert not is_loopback(name)
