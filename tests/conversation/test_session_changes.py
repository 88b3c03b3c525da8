"""Others take part in a talk: they hear of changes, put messages in, let the model go on."""

from __future__ import annotations

from typing import Any

import pytest

from llamanb.errors import OptionError
from tests.conversation.talks import ADD_CALL, shape, talk

ASKED: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


def test_every_change_is_told() -> None:
    session, _ = talk("One.", "Two.")
    told: list[str] = []
    unsubscribe = session.subscribe(lambda: told.append(shape(session)))
    session.send("a")
    session.undo()
    session.replace_messages(ASKED)
    session.reset()
    assert told == ["u", "u a", "", "u", ""]
    unsubscribe()
    unsubscribe()
    session.send("b")
    assert len(told) == 5


def test_messages_put_in_are_copies_and_end_what_goes_on() -> None:
    session, _ = talk("One.")
    stream = session.stream("a")
    session.replace_messages(ASKED)
    assert stream.finished is not None
    session.messages[0]["content"] = "changed"
    assert ASKED[0]["content"] == "Hi"


def test_what_is_no_message_changes_nothing() -> None:
    session, _ = talk("One.")
    session.send("a")
    with pytest.raises(OptionError, match="must be a dictionary with a role"):
        session.replace_messages([{"content": "x"}])
    assert shape(session) == "u a"


def test_the_model_goes_on_after_results_of_others() -> None:
    session, model = talk("It is 5.")
    called = {"role": "assistant", "content": "", "tool_calls": [ADD_CALL]}
    result = {"role": "tool", "tool_call_id": "c1", "name": "add", "content": "5"}
    session.replace_messages([*ASKED, called, result])
    events = list(session.go_on())
    assert shape(session) == "u a(0) t0 a"
    assert "".join(getattr(event, "text", "") for event in events) == "It is 5."
    assert len(model.requests) == 1


def test_without_messages_nothing_can_go_on() -> None:
    session, _ = talk("One.")
    with pytest.raises(OptionError, match="nothing to answer"):
        session.go_on()
