"""How a server answers, and whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from llamanb.settings.checks import AS_MANY_AS_FIT, MAX_N_CTX, check_float, check_int, fail
from llamanb.settings.sampling import SamplingSettings

__all__ = ["SERVER_APIS", "ServerSettings"]

SERVER_APIS = ("openai", "anthropic")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How a server answers, and whom.

    Attributes
    ----------
    apis : the dialects it speaks, of ``"openai"`` and ``"anthropic"``.
    host, port : the address it listens on; port 0 takes a free one.
    api_key : what clients must send; None asks for nothing.
    max_tokens : of an answer whose request names no limit; None: as many as fit.
    enable_thinking : whether to reason where a request does not say; None leaves it
        to the template (in the Anthropic dialect: no).
    strip_thinking : never show reasoning to clients.
    sampling : what requests that say nothing are sampled with.
    chat_template : instead of the model's own.
    queue_limit : requests that may wait for their turn; more are told to come back.
    max_body_bytes, body_timeout_s : the size of a request's body, and the seconds it
        may take to arrive.
    ping_s : seconds of silence in a stream after which a ping is sent.
    cors_origins : web pages that may use the server; ``"*"`` is every page.
    allowed_hosts : names beside the loopback ones by which clients may call it.
    metrics, slots : whether ``/metrics`` and ``/slots`` answer.
    """

    apis: tuple[str, ...] = ("openai", "anthropic")
    host: str = "127.0.0.1"
    port: int = 0
    api_key: str | None = None
    max_tokens: int | None = None
    enable_thinking: bool | None = None
    strip_thinking: bool = False
    sampling: SamplingSettings = field(default_factory=lambda: SamplingSettings(max_tokens=None))
    chat_template: str | None = None
    queue_limit: int = 64
    max_body_bytes: int = 8 << 20
    body_timeout_s: float = 30.0
    ping_s: float = 10.0
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    metrics: bool = True
    slots: bool = True

    def __post_init__(self) -> None:
        if not self.apis or not set(self.apis) <= set(SERVER_APIS):
            raise fail("apis", self.apis, "one or more of " + ", ".join(map(repr, SERVER_APIS)))
        check_int("port", self.port, 0, 65_535)
        if self.max_tokens is not None:
            check_int("max_tokens", self.max_tokens, 1, MAX_N_CTX, AS_MANY_AS_FIT)
        check_int("queue_limit", self.queue_limit, 0, 4096)
        check_int("max_body_bytes", self.max_body_bytes, 1024, 1 << 30)
        check_float("body_timeout_s", self.body_timeout_s, 0.1, 3600)
        check_float("ping_s", self.ping_s, 0.01, 3600)
        for name in ("host", "api_key"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value.strip()):
                raise fail(name, value, "a text that is not empty")
