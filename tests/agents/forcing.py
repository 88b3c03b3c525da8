"""A proxy on this machine that makes a toy model call the tool it should call.

A coding agent leaves it to the model which tool to call, and the bundled toy is too
weak to choose well among a dozen. So requests are sent on with one tool whose arguments
may have one value only, the first of a talk with a ``tool_choice`` naming that tool, and
the next ones with ``none``. All else is real: the program, the dialect, the server, the
model, and the grammar that writes the call.
"""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ForcedCall", "ForcingProxy", "force"]

HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcedCall:
    """The call that is wanted: the tool's name and its arguments."""

    tool: str
    arguments: dict[str, Any]

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of exactly these arguments."""
        return {
            "type": "object",
            "properties": {name: {"const": value} for name, value in self.arguments.items()},
            "required": list(self.arguments),
            "additionalProperties": False,
        }


def force(path: str, body: dict[str, Any], call: ForcedCall) -> bool:
    """Change a request that offers the tool; whether the call is forced: no tool has answered yet."""
    dialect = next((one for end, one in DIALECTS.items() if path.endswith(end)), None)
    if dialect is None:
        return False
    offered = [tool for tool in body.get("tools") or [] if dialect.name_of(tool) == call.tool]
    for tool in offered:
        dialect.narrow(tool, call.schema)
    is_first = not _has_result(body)
    if offered:
        body |= dialect.one_call(call.tool) if is_first else {"tool_choice": dialect.none}
    return bool(offered) and is_first


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where the parts of a tool are."""

    name_of: Callable[[dict[str, Any]], str | None]
    narrow: Callable[[dict[str, Any], dict[str, Any]], None]
    one_call: Callable[[str], dict[str, Any]]
    none: Any = "none"


def _has_result(body: dict[str, Any]) -> bool:
    """Whether a tool has answered already, in the words of any dialect."""
    turns = [
        turn for turn in body.get("messages") or body.get("input") or [] if isinstance(turn, dict)
    ]
    blocks = [
        block for turn in turns for block in turn.get("content") or [] if isinstance(block, dict)
    ]
    return any(
        turn.get("role") == "tool" or turn.get("type") == "function_call_output" for turn in turns
    ) or any(block.get("type") == "tool_result" for block in blocks)


DIALECTS = {
    "/chat/completions": Dialect(
        lambda tool: tool.get("function", {}).get("name"),
        lambda tool, schema: tool["function"].update(parameters=schema),
        lambda name: {
            "tool_choice": {"type": "function", "function": {"name": name}},
            "parallel_tool_calls": False,
        },
    ),
    "/responses": Dialect(
        lambda tool: tool.get("name"),
        lambda tool, schema: tool.update(parameters=schema),
        lambda name: {
            "tool_choice": {"type": "function", "name": name},
            "parallel_tool_calls": False,
        },
    ),
    "/messages": Dialect(
        lambda tool: tool.get("name"),
        lambda tool, schema: tool.update(input_schema=schema),
        lambda name: {
            "tool_choice": {"type": "tool", "name": name, "disable_parallel_tool_use": True}
        },
        {"type": "none"},
    ),
}


@dataclass(slots=True)
class ForcingProxy:
    """Stages: made → entered (answers on a port of this machine) → left.

    Attributes
    ----------
    bodies : what the program asked for, in the order of arrival, before it was changed.
    forced : in how many requests the call was forced.
    """

    target: str
    call: ForcedCall
    bodies: list[dict[str, Any]] = field(default_factory=list)
    forced: int = 0
    _http: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        assert self._http is not None
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._http is not None
        assert self._thread is not None
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def changed(self, path: str, content: bytes) -> bytes:
        """Note a request and give what is sent on."""
        body = json.loads(content)
        self.bodies.append(json.loads(content))
        self.forced += force(urlsplit(path).path, body, self.call)
        return json.dumps(body).encode()


class _Handler(BaseHTTPRequestHandler):
    proxy: ClassVar[ForcingProxy]

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        self._pass_on(self.proxy.changed(self.path, content))

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_HEAD(self) -> None:
        self._pass_on(b"")

    def _pass_on(self, content: bytes) -> None:
        target = urlsplit(self.proxy.target)
        upstream = http.client.HTTPConnection(str(target.hostname), target.port, timeout=600)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in HOP_HEADERS}
        try:
            upstream.request(self.command, self.path, content or None, kept)
            self._answer(upstream.getresponse())
        except OSError:
            self.close_connection = True  # the program went away
        finally:
            upstream.close()

    def _answer(self, response: http.client.HTTPResponse) -> None:
        """Hand on every piece as it comes; the end of the connection ends the body."""
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in HOP_HEADERS:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while piece := response.read1(65_536):
            self.wfile.write(piece)
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
