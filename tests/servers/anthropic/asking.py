"""Requests of the Messages API as tests write them, and readers of what comes back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from llamanb.servers.anthropic.adapter import read_request
from llamanb.servers.anthropic.requests import MessagesRequest
from llamanb.servers.request_log import RequestLog
from llamanb.servers.served_models import ServedModels
from llamanb.servers.service import Service
from llamanb.settings import ServerSettings

if TYPE_CHECKING:
    from llamanb.servers.asked import Asked

__all__ = ["accumulated", "asked", "body", "events_of", "read", "text", "tool", "user"]

Body = dict[str, Any]


def user(*content: Any) -> Body:
    """Give a turn of the user: texts, blocks or both."""
    return {
        "role": "user",
        "content": [text(one) if isinstance(one, str) else one for one in content],
    }


def text(words: str) -> Body:
    """Give a block of text."""
    return {"type": "text", "text": words}


def tool(name: str = "add", **more: Any) -> Body:
    """Give a tool with two numbers."""
    properties = {"a": {"type": "integer"}, "b": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["a", "b"]}
    return {"name": name, "description": "Adds.", "input_schema": schema, **more}


def body(*messages: Body, **fields: Any) -> Body:
    """Give a request; without messages the user says hello."""
    talk = list(messages) or [user("Hello")]
    return {"model": "claude-local", "max_tokens": 64, "messages": talk, **fields}


def read(request: Body, headers: dict[str, str] | None = None, **settings: Any) -> Asked:
    """Read a request as a server with these settings would."""
    service = Service(ServerSettings(**settings), ServedModels([]), RequestLog())
    return read_request(MessagesRequest(**request), headers or {}, service)


def asked(*messages: Body, **fields: Any) -> list[Body]:
    """Give the OpenAI messages of a conversation."""
    return read(body(*messages, **fields)).messages


def events_of(stream: bytes) -> list[tuple[str, Body]]:
    """Take a stream of server-sent events apart: the event's name and its JSON."""
    found = []
    for one in stream.decode().split("\n\n"):
        if one.strip():
            name, data = one.split("\n")
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def accumulated(stream: bytes) -> Body:
    """Join events to the message that they tell, and check that their order is right."""
    events = [(name, data) for name, data in events_of(stream) if name != "ping"]
    assert all(name == data["type"] for name, data in events)
    (first, start), *inner, (before_last, delta), (last, _) = events
    assert (first, before_last, last) == ("message_start", "message_delta", "message_stop")
    message: Body = start["message"]
    blocks = _Blocks()
    for name, data in inner:
        getattr(blocks, name)(data)
    assert blocks.open_index is None
    message |= {**delta["delta"], "usage": message["usage"] | delta["usage"]}
    return {**message, "content": blocks.content}


class _Blocks:
    """The blocks of a message; strictly one is open at a time."""

    def __init__(self) -> None:
        self.content: list[Body] = []
        self.open_index: int | None = None
        self._json = ""

    def content_block_start(self, data: Body) -> None:
        assert self.open_index is None
        assert data["index"] == len(self.content)
        self.open_index = data["index"]
        self._json = ""
        self.content.append(data["content_block"])

    def content_block_delta(self, data: Body) -> None:
        assert data["index"] == self.open_index
        delta, block = data["delta"], self.content[-1]
        match delta["type"]:
            case "text_delta":
                block["text"] += delta["text"]
            case "thinking_delta":
                block["thinking"] += delta["thinking"]
            case "signature_delta":
                block["signature"] += delta["signature"]
            case "input_json_delta":
                self._json += delta["partial_json"]

    def content_block_stop(self, data: Body) -> None:
        assert data["index"] == self.open_index
        self.open_index = None
        if self._json:
            self.content[-1]["input"] = from_json(self._json, allow_partial=True)
