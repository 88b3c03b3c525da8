"""Whatever happens in a talk, its messages stay such that every template takes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamanb.chat_layer import Finished, ToolCallStart, ToolResult, build
from llamanb.conversation import Session
from llamanb.conversation.tools import tool
from llamanb.errors import ContextLengthError
from tests.conversation.fakes import ScriptedModel
from tests.conversation.talks import add, assert_whole, call, described, finish_of, talk

if TYPE_CHECKING:
    from llamanb.engine.generation import Generation
    from llamanb.engine.values import EngineRequest

PARTS = (
    "I will look.",
    "<think>hm</think>",
    call("add", {"a": 1}),
    call("add", {"a": "x"}),
    call("add", "{broken"),
    call("fail"),
    call("nobody"),
    call("search", {"q": "x"}),
    '<tool_call>\n{"name": "add", "arguments": {"a": 1}, "id": "same"}\n</tool_call>',
    '<tool_call>\n{"name": "add", "argum',
    "",
)
Ending = Literal["stop", "length", "error", "refused"]


@tool
def fail() -> None:
    raise ValueError("no")


@dataclass(frozen=True)
class Said:
    """One reply of a random talk."""

    parts: list[str]
    ending: Ending = "stop"


@dataclass(frozen=True)
class Turn:
    """What a user does: ask, and leave after so many events, or never."""

    replies: list[Said]
    leave_after: int | None = None
    how: Literal["leave", "cancel", "stop"] = "leave"
    then: Literal["nothing", "undo", "regenerate", "resume", "fork"] = "nothing"
    in_loop: bool = False
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class RandomModel(ScriptedModel):
    """Says what is left of the turn, and then nothing more than "End."."""

    left: list[Said] = field(default_factory=list)

    def submit(self, request: EngineRequest) -> Generation:
        said = self.left.pop(0) if self.left else Said(["End."])
        if said.ending == "refused":
            raise ContextLengthError("too long")
        self.enqueue(said.parts, reason=said.ending, error="broken", error_type="EngineDead")
        return super().submit(request)


endings: st.SearchStrategy[Ending] = st.sampled_from(["stop", "stop", "stop", "length", "error"])
replies = st.builds(Said, st.lists(st.sampled_from(PARTS), max_size=4), endings)
refusals = st.just(Said([], "refused"))
turns = st.builds(
    Turn,
    st.builds(
        lambda first, rest: [first, *rest], replies, st.lists(replies | refusals, max_size=3)
    ),
    st.none() | st.integers(0, 12),
    st.sampled_from(["leave", "cancel", "stop"]),
    st.sampled_from(["nothing", "undo", "regenerate", "resume", "fork"]),
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "max_rounds": st.integers(0, 2),
            "approve": st.sampled_from(["auto", "never", "ask", lambda _: 1 / 0]),
        },
    ),
)


def listen(session: Session, stream: Any, turn: Turn) -> list[Any]:
    """Read a turn, and cut it short as the turn says."""
    events: list[Any] = []
    cuts = {"leave": lambda: None, "cancel": stream.cancel, "stop": session.stop}

    def is_left(event: Any) -> bool:
        events.append(event)
        if len(events) - 1 != turn.leave_after:
            return False
        cuts[turn.how]()
        return turn.how == "leave"

    async def read() -> None:
        async for event in stream:
            if is_left(event):
                break

    if turn.in_loop:
        asyncio.run(read())
        stream.close()
    else:
        any(is_left(event) for event in stream)
    return events


def carry_on(session: Session, stream: Any, turn: Turn) -> Session:
    match turn.then:
        case "undo":
            session.undo()
        case "regenerate":
            list(session.regenerate())
        case "resume" if stream.open_calls:
            list(session.resume({one.id: "found" for one in stream.open_calls}))
        case "fork":
            return session.fork()
        case _:
            pass
    return session


def assert_told(events: list[Any], stream: Any) -> None:
    """Check that the events of a whole turn tell what was noted."""
    assert isinstance(stream.finished, Finished)
    if not events or not isinstance(events[-1], Finished):
        return
    finish_of(events)
    starts = [event for event in events if isinstance(event, ToolCallStart)]
    assert [event.index for event in starts] == list(range(len(starts)))
    told = [(e.id, e.content) for e in events if isinstance(e, ToolResult)]
    noted = [(m["tool_call_id"], m["content"]) for m in stream.messages if m["role"] == "tool"]
    assert sorted(told) == sorted(noted)  # calls that come back are cancelled last


@settings(max_examples=150, deadline=None)
@given(st.lists(turns, max_size=4))
def test_random_talks_stay_whole(story: list[Turn]) -> None:
    model = RandomModel()
    session = Session(model, tools=[add, fail, described("search")], approve="auto")
    for turn in story:
        model.left[:] = turn.replies
        stream = session.stream("Go on.", **turn.options)
        events = listen(session, stream, turn)
        assert_told(events, stream)
        if stream.open_calls:
            assert session.messages[-1]["role"] in {"assistant", "tool"}
        else:
            assert_whole(session.messages)
        model.left.clear()
        session = carry_on(session, stream, turn)
    session.send("last")
    assert_whole(session.messages)
    assert session.messages[-1]["content"] == "End."


def _strict(condition: str, message: str) -> str:
    return f"{{% if {condition} %}}{{{{ raise_exception('{message}') }}}}{{% endif %}}"


TEMPLATES = {
    "alternating": "{% for m in messages %}"
    + _strict("(m.role == 'user') != (loop.index0 % 2 == 0)", "roles must alternate")
    + "{{ m.role }}: {{ m.content }}\n{% endfor %}",
    "answers-after-results": "{% set ns = namespace(turn=0) %}{% for m in messages %}"
    "{% if m.role == 'user' or m.role == 'assistant' and not m.tool_calls %}"
    + _strict("(m.role == 'user') != (ns.turn % 2 == 0)", "roles must alternate")
    + _strict("not m.content", "a turn needs content")
    + "{% set ns.turn = ns.turn + 1 %}{% endif %}"
    "{{ m.role }}: {{ m.content }}{{ m.tool_calls }}\n{% endfor %}",
    "no-tools": "{% for m in messages %}"
    + _strict("m.role not in ['user', 'assistant', 'system']", "unknown role")
    + "{{ m.role }}: {{ m.content }}\n{% endfor %}",
    "object-arguments": "{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% for c in m.tool_calls or [] %}{% for k, v in c.function.arguments.items() %}"
    "{{ k }}={{ v }}{% endfor %}{% endfor %}\n{% endfor %}",
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize("place", range(9))
def test_strict_templates_take_what_was_cut(template: str, place: int) -> None:
    session, _ = talk(call("add", {"a": 1}) + call("add", "{broken"), call("add"), "Done.")
    for number, event in enumerate(session.stream("go")):
        if number >= place and not isinstance(event, ToolCallStart):
            break
    messages = [*session.messages, {"role": "user", "content": "and then?"}]
    assert "and then?" in build(template, messages, tools=[add.schema]).prompt
