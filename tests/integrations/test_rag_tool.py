"""The tool with which a model searches: names, passages, and none of them twice."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import chatlas
import pytest
from chatlas import AssistantTurn, ContentToolRequest, ContentToolResult, UserTurn
from raghilda.chunk import RetrievedChunk

import llamanb
from llamanb.errors import OptionError
from llamanb.integrations.rag_passages import is_known, joined, read_passages, written_passages
from tests.conversation.talks import call, talk
from tests.integrations.rag_cases import HANDBOOK, add_document, make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from raghilda.store import DuckDBStore

    from llamanb import Session

ALL = {text for texts in HANDBOOK.values() for text in texts}
QUESTION = {"text": ["How is a server stopped?"]}
SEARCH = call("search_docs", QUESTION)
SHORT = "Search the docs for texts."


@pytest.fixture
def store(tmp_path: Path, demo_embed_path: Path) -> Iterator[DuckDBStore]:
    """Give a store of the handbook."""
    assert demo_embed_path.exists()
    embed = llamanb.rag.EmbeddingLlama(llamanb.load("demo-embed", n_threads=1))
    made = make_store(tmp_path / "docs.duckdb", embed, title="the handbook")
    yield made
    made.con.close()


@pytest.fixture
def chat() -> chatlas.Chat[Any, Any]:
    """Give a chat of chatlas, whose server nobody asks here."""
    return chatlas.ChatOpenAICompletions(base_url="http://127.0.0.1:9/v1", model="m", api_key="k")


def results(session: Session) -> list[list[dict[str, Any]]]:
    """What the tool has given, call by call."""
    return [json.loads(one["content"]) for one in session.messages if one["role"] == "tool"]


def texts(found: list[dict[str, Any]]) -> list[str]:
    return [passage["text"] for passage in found]


def function_of(chat: Any, name: str = "search_docs") -> Any:
    return next(tool for tool in chat.get_tools() if tool.name == name).func


def note(chat: Any, arguments: Any, result: str) -> None:
    """Put one round into the chat as chatlas does once the model has answered."""
    request = ContentToolRequest(id="c", name="search_docs", arguments=arguments)
    chat.set_turns(
        [
            *chat.get_turns(),
            UserTurn("?"),
            AssistantTurn([request]),
            UserTurn([ContentToolResult(value=result, request=request)]),
            AssistantTurn("!"),
        ]
    )


def chunk(text: str, start: int, origin: str = "a.md", **fields: Any) -> RetrievedChunk:
    end = start + len(text)
    return RetrievedChunk(
        text=text, start_index=start, end_index=end, char_count=len(text), origin=origin, **fields
    )


# ---- in a Session ------------------------------------------------------------------------


def test_a_session_answers_from_the_store_without_asking_anybody(store: DuckDBStore) -> None:
    session, _ = talk(SEARCH, "With srv.stop(), says servers.md.", approve="ask")
    llamanb.rag.register_retrieve_tool(session, store, top_k=2)
    assert session.send("How?").content == "With srv.stop(), says servers.md."
    (found,) = results(session)
    assert found[0] == {"origin": "servers.md", "text": HANDBOOK["servers.md"][0]}
    assert len(found) == 2


def test_the_tool_says_what_it_searches(store: DuckDBStore) -> None:
    session, _ = talk()
    llamanb.rag.register_retrieve_tool(session, store)
    tool = session.tools["search_docs"]
    assert tool.approve
    definition = tool.schema["function"]
    assert "the handbook" in definition["description"]
    assert definition["parameters"]["properties"]["text"]["items"] == {"type": "string"}
    assert definition["parameters"]["required"] == ["text"]


def test_the_same_search_gives_other_passages(store: DuckDBStore) -> None:
    session, _ = talk(SEARCH, SEARCH, SEARCH, SEARCH, "Done.")
    llamanb.rag.register_retrieve_tool(session, store)
    session.send("All of it.")
    found = results(session)
    assert [len(one) for one in found] == [3, 3, 2, 0]
    assert {text for one in found for text in texts(one)} == ALL


def test_passages_of_earlier_turns_are_not_repeated(store: DuckDBStore) -> None:
    session, _ = talk(SEARCH, "One.", SEARCH, "Two.")
    llamanb.rag.register_retrieve_tool(session, store)
    session.send("one")
    llamanb.rag.register_retrieve_tool(session, store)  # the cell ran again
    session.send("two")
    first, second = results(session)
    assert not set(texts(first)) & set(texts(second))
    assert list(session.tools) == ["add", "shout", "search_docs"]


def test_what_left_the_talk_may_come_again(store: DuckDBStore) -> None:
    session, _ = talk(SEARCH, "One.", SEARCH, "Two.", SEARCH, "Three.")
    llamanb.rag.register_retrieve_tool(session, store)
    session.send("one")
    before = results(session)
    session.undo()
    session.send("one, again")
    assert results(session) == before
    session.reset()
    session.send("one, anew")
    assert results(session) == before


def test_a_talk_that_was_saved_remembers(store: DuckDBStore) -> None:
    session, _ = talk(SEARCH, "One.")
    llamanb.rag.register_retrieve_tool(session, store)
    session.send("one")
    again, _ = talk(SEARCH, "Two.")
    again.replace_messages(json.loads(session.to_json())["messages"])
    llamanb.rag.register_retrieve_tool(again, store)
    again.send("two")
    first, second = results(again)
    assert not set(texts(first)) & set(texts(second))


def test_calls_at_the_same_time_share_nothing(store: DuckDBStore) -> None:
    session, _ = talk()
    llamanb.rag.register_retrieve_tool(session, store, top_k=2)
    tool = session.tools["search_docs"]
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(tool(QUESTION["text"]))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    given = [text for one in found for text in texts(json.loads(one))]
    assert len(given) == len(set(given)) == 8


ASKED = 'Search for ["stop a server"]'  # the toy copies lists; it cannot make them up


def test_the_bundled_model_searches_and_answers(store: DuckDBStore, demo_path: Path) -> None:
    session = llamanb.Session(llamanb.load(demo_path, n_threads=1, n_ctx=2048))
    llamanb.rag.register_retrieve_tool(session, store, top_k=1, description=SHORT)
    answer = session.send(ASKED, temperature=0, max_tokens=80).content
    assert texts(results(session)[0]) == [HANDBOOK["servers.md"][0]]
    assert "srv.stop()" in answer


# ---- in chatlas ---------------------------------------------------------------------------


def test_chatlas_gets_the_tool_with_a_hint(store: DuckDBStore, chat: Any) -> None:
    llamanb.rag.register_retrieve_tool(chat, store, title="Handbook", description="Search it.")
    (tool,) = chat.get_tools()
    assert tool.name == "search_docs"
    assert tool.annotations == {"title": "Handbook", "readOnlyHint": True, "openWorldHint": False}
    definition = tool.schema["function"]
    assert definition["description"] == "Search it."
    assert definition["parameters"]["properties"]["text"]["items"] == {"type": "string"}


def test_chatlas_is_not_given_a_passage_twice(store: DuckDBStore, chat: Any) -> None:
    llamanb.rag.register_retrieve_tool(chat, store)
    search = function_of(chat)
    first, second = search(**QUESTION), search(**QUESTION)  # two calls of one round
    note(chat, QUESTION, first)
    third = search(**QUESTION)
    given = [texts(json.loads(one)) for one in (first, second, third)]
    assert [len(one) for one in given] == [3, 3, 3]
    assert not set(given[0]) & {*given[1], *given[2]}
    assert given[1] == given[2]  # the second call never became part of the chat
    chat.set_turns([])
    assert search(**QUESTION) == first


def test_a_chat_of_this_kernel_searches_and_answers(store: DuckDBStore, demo_path: Path) -> None:
    chat = llamanb.chat(demo_path, n_threads=1, n_ctx=2048, temperature=0, max_tokens=80)
    llamanb.rag.register_retrieve_tool(chat, store, top_k=1, description=SHORT)
    answer = str(chat.chat(ASKED, echo="none", stream=False))
    found = [
        texts(json.loads(content.value))
        for turn in chat.get_turns()
        for content in turn.contents
        if isinstance(content, ContentToolResult)
    ]
    assert found == [[HANDBOOK["servers.md"][0]]]
    assert "srv.stop()" in answer
    chat.close()


# ---- what models may write, and what may be registered ------------------------------------


def test_several_questions_are_answered_together(store: DuckDBStore, chat: Any) -> None:
    llamanb.rag.register_retrieve_tool(chat, store, top_k=1)
    found = json.loads(function_of(chat)(text=["stop a server", "quantized weights", " "]))
    assert [passage["origin"] for passage in found] == ["servers.md", "models.md"]
    assert json.loads(function_of(chat)(text="a Python function"))[0]["origin"] == "tools.md"


@pytest.mark.parametrize(
    "text", [[], ["", " "], None, 3, [1], ["q"] * 3 + [str(n) for n in range(9)]]
)
def test_nonsense_is_refused(store: DuckDBStore, chat: Any, text: Any) -> None:
    llamanb.rag.register_retrieve_tool(chat, store)
    with pytest.raises(OptionError, match="text must"):
        function_of(chat)(text=text)


def test_what_cannot_be_registered(store: DuckDBStore, chat: Any) -> None:
    register = llamanb.rag.register_retrieve_tool
    with pytest.raises(OptionError, match=r"chatlas\.Chat or a llamanb\.Session"):
        register("chat", store)
    with pytest.raises(OptionError, match="a store of raghilda"):
        register(chat, "docs.duckdb")
    with pytest.raises(OptionError, match="top_k=0"):
        register(chat, store, 0)
    with pytest.raises(OptionError, match="a tool cannot be called"):
        register(chat, store, name="search docs")


def test_names_of_stores_become_names_of_tools(tmp_path: Path, chat: Any) -> None:
    store = make_store(tmp_path / "x.duckdb", None, name="Örtliche docs/2")
    llamanb.rag.register_retrieve_tool(chat, store)
    assert chat.get_tools()[0].name == "search_rtliche_docs_2".replace("search_", "search__")
    store.con.close()


# ---- passages -----------------------------------------------------------------------------


def test_neighbours_that_overlap_become_one_passage() -> None:
    whole = "one two three four five"
    parts = [chunk(whole[8:], 8), chunk(whole[:13], 0, context="# Numbers"), chunk("x", 0, "b.md")]
    assert joined(parts) == [
        {"origin": "a.md", "context": "# Numbers", "text": whole},
        {"origin": "b.md", "text": "x"},
    ]
    strange = [chunk("abc", 0), chunk("xyz", 1)]  # not of one text, whatever their places say
    assert len(joined(strange)) == 2


def test_a_part_of_a_passage_is_known() -> None:
    given = joined([chunk("one two", 0), chunk("two three", 4)])
    assert is_known(chunk("two three", 4), given)
    assert not is_known(chunk("two three", 4, "b.md"), given)
    assert not is_known(chunk("three four", 8), given)


def test_what_is_too_long_stays_json_and_comes_next_time() -> None:
    long = [chunk("é\n" * 2000, 0, f"{n}.md") for n in range(3)]
    text, given = written_passages(joined(long))
    assert read_passages(text) == given
    assert [one["origin"] for one in given] == ["0.md"]
    huge = chunk('"' * 50_000, 0)
    text, given = written_passages(joined([huge]))
    assert len(text) <= 7_500
    assert read_passages(text) == given
    assert is_known(huge, given)


@pytest.mark.parametrize("text", ["", "no", "{}", "[1, {}]", '[{"text": 3}]', None, "[" * 100_000])
def test_other_results_hold_no_passages(text: Any) -> None:
    assert read_passages(text) == []


def test_long_documents_come_in_parts(tmp_path: Path, chat: Any) -> None:
    store = make_store(tmp_path / "long.duckdb", None)
    for number in range(3):
        add_document(store, f"{number}.md", [f"zebra {number} " + "grass " * 900])
    llamanb.rag.register_retrieve_tool(chat, store)
    search = function_of(chat)
    origins = [json.loads(search(text=["zebra"]))[0]["origin"] for _ in range(3)]
    assert sorted(origins) == ["0.md", "1.md", "2.md"]
    store.con.close()
