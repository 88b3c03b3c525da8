"""The list of models, which both official SDKs read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel


def test_openais_sdk_reads_it(demo_server: Server) -> None:
    with openai.OpenAI(base_url=demo_server.base_url, api_key="local") as client:
        (card,) = list(client.models.list())
        assert client.models.retrieve("demo") == card
    assert (card.id, card.object) == ("demo", "model")
    assert card.model_extra is not None
    assert card.model_extra["context_length"] == demo_server.n_ctx
    assert card.model_extra["meta"]["n_ctx_train"] >= demo_server.n_ctx


def test_anthropics_sdk_reads_it(demo_server: Server) -> None:
    with anthropic.Anthropic(base_url=demo_server.url, api_key="local") as client:
        page = client.models.list()
        (card,) = list(page)
        assert client.models.retrieve("demo") == card
    assert (page.first_id, page.last_id, page.has_more) == ("demo", "demo", False)
    assert (card.id, card.type, card.display_name) == ("demo", "model", "demo")
    assert card.created_at.year > 2000
    assert card.max_input_tokens == demo_server.n_ctx


def test_a_name_may_have_slashes(serve_model: ServeModel, tiny_gguf: Path) -> None:
    server = serve_model(tiny_gguf, load={"name": "org/repo:Q4_K_M"})
    with openai.OpenAI(base_url=server.base_url, api_key="local") as client:
        assert [card.id for card in client.models.list()] == ["org/repo:Q4_K_M"]
        assert client.models.retrieve("org/repo:Q4_K_M").id == "org/repo:Q4_K_M"


def test_a_stand_in_is_found_by_its_name_and_a_stranger_is_not(demo_server: Server) -> None:
    with openai.OpenAI(base_url=demo_server.base_url, api_key="local") as client:
        card = client.models.retrieve("gpt-4o")
        assert card.id == "gpt-4o"
        assert card.model_extra is not None
        assert card.model_extra["root"] == "demo"
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve("nobody")
    assert caught.value.code == "model_not_found"
