"""What a newcomer gets wrong, and what is said about it."""

from __future__ import annotations

import inspect
import logging
import pydoc
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import llamanb
from llamanb import models
from llamanb.errors import HubError, LlamanbError, ModelFileError, ModelNotFoundError, OptionError
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llamanb.models import Model, ModelManager

    Call = Callable[[Any], object]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        pytest.param(
            lambda m: m.generate("hi", max_token=5), "did you mean 'max_tokens'", id="typo"
        ),
        pytest.param(lambda m: m.generate("hi", temp=0), "did you mean 'temperature'", id="temp"),
        pytest.param(lambda m: m.generate("hi", n_predict=5), "mean 'max_tokens'", id="n_predict"),
        pytest.param(
            lambda m: m.generate("hi", gramar="x"), "did you mean 'grammar'", id="grammar"
        ),
        pytest.param(lambda m: m.stream("hi", sed=5), "did you mean 'seed'", id="stream"),
        pytest.param(lambda m: m.generate_batch(["a"], max_token=5), "max_tokens", id="batch typo"),
        pytest.param(lambda m: m.embed("a", normalise=False), "'normalize'", id="embed typo"),
        pytest.param(lambda m: m.generate("hi", stream=True), r"call stream\(\)", id="stream="),
        pytest.param(lambda m: m.generate("hi", messages=[]), "llamanb.Session", id="messages="),
        pytest.param(lambda m: m.generate(None), "not None", id="None"),
        pytest.param(lambda m: m.generate(b"hi"), "not bytes", id="bytes"),
        pytest.param(lambda m: m.generate({"a": 1}), "not dict", id="dict"),
        pytest.param(lambda m: m.generate(["a", "b"]), r"generate_batch\(\)", id="list of str"),
        pytest.param(lambda m: m.generate([{"role": "user"}]), "llamanb.Session", id="messages"),
        pytest.param(lambda m: m.generate([-1]), "not in the vocabulary", id="negative id"),
        pytest.param(lambda m: m.generate("hi", max_tokens=-1), "or None for as many", id="-1"),
        pytest.param(lambda m: m.generate("hi", max_tokens=10**9), "to 16,777,216", id="huge"),
        pytest.param(lambda m: m.generate("hi", seed=-1), "or None for a new one", id="seed"),
        pytest.param(lambda m: m.generate("hi", stop=5), "stop=5", id="stop"),
        pytest.param(lambda m: m.generate("hi", logit_bias=[1]), "mapping from token", id="bias"),
        pytest.param(lambda m: m.generate("hi", logit_bias={"a": 1}), "mapping", id="bias of str"),
        pytest.param(lambda m: m.generate("hi", logit_bias={10**6: 1}), "vocabulary", id="bias id"),
        pytest.param(
            lambda m: m.generate("hi", preserved_tokens=5), "token ids or", id="preserved"
        ),
        pytest.param(lambda m: m.generate_batch("hi"), r"use generate\(\)", id="batch of a str"),
        pytest.param(lambda m: m.generate_batch(None), "a list of prompts", id="batch of None"),
        pytest.param(lambda m: m.embed(None), "not None", id="embed None"),
        pytest.param(lambda m: m.embed(5), "not int", id="embed a number"),
        pytest.param(lambda m: m.embed(b"a"), "not bytes", id="embed bytes"),
        pytest.param(lambda m: m.detokenize(5), "a list of token ids, not int", id="detokenize"),
        pytest.param(lambda m: m.detokenize("abc"), "token ids, not str", id="detokenize a str"),
        pytest.param(lambda m: m.count_tokens(None), "messages must be a list", id="count None"),
        pytest.param(lambda m: m.apply_template("hi"), "messages must be a list", id="template"),
        pytest.param(lambda m: m.manager_of_typo, "no attribute", id="attribute"),
    ],
)
def test_mistake_is_named_in_one_line(demo: Model, call: Call, told: str) -> None:
    with pytest.raises((OptionError, AttributeError), match=told) as caught:
        call(demo)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_are_numbers(demo: Model) -> None:
    ids: Any = np.array(demo.tokenize("The sky"))
    options: dict[str, Any] = {"seed": np.int64(3), "max_tokens": np.int32(4)}
    text = demo.generate(ids, temperature=np.float32(0), **options)
    assert text == demo.generate([*ids], max_tokens=4, temperature=0)
    assert text.seed == 3
    assert demo.detokenize(ids) == demo.detokenize(ids.tolist())
    assert demo.token_to_piece(ids[0]) == demo.token_to_piece(int(ids[0]))


def test_misspelt_option_does_not_wake_an_evicted_model(real: ModelManager, demo: Model) -> None:
    real.evict(demo)
    with pytest.raises(OptionError):
        demo.generate("hi", max_token=5)
    assert demo.state == "evicted"


def test_shown_stream_says_how_to_read_it(demo: Model) -> None:
    with demo.stream("hi", max_tokens=2) as stream:
        assert "for text in stream" in repr(stream)


def test_name_of_a_model_cannot_be_assigned(demo: Model) -> None:
    with pytest.raises(AttributeError):
        demo.name = "other"  # type: ignore[misc]  # wrong on purpose


# ---- files -------------------------------------------------------------------------------


def test_safetensors_file_is_recognised(real: ModelManager, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes((64).to_bytes(8, "little") + b'{"__metadata__":{}}' + b" " * 45)
    with pytest.raises(ModelFileError, match=r"safetensors file.*as GGUF"):
        real.load(path)


def test_missing_safetensors_file_is_no_hub_model(real: ModelManager) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no folder"):
        real.load("nowhere/model.safetensors")


def test_folder_is_told_from_a_missing_file(
    real: ModelManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.gguf").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match=r"it is a folder; name a file in it: a\.gguf"):
        real.load("mine")


def test_error_of_the_hub_comes_without_the_clients_traceback(
    real: ModelManager,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with caplog.at_level(logging.DEBUG, "llamanb.models.hub"), pytest.raises(HubError) as caught:
        real.load("nope/none:Q4_0")
    shown = "".join(traceback.format_exception(caught.value))
    assert "httpx" not in shown
    assert "During handling" not in shown
    assert "httpx" in caplog.text or "httpcore" in caplog.text


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        pytest.param({"max_memory": "500%"}, "at most 100%", id="share"),
        pytest.param({"max_mem": "50%"}, "did you mean 'max_memory'", id="typo"),
    ],
)
def test_impossible_limits(fake: ModelManager, limits: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        fake.configure(**limits)


def test_impossible_alias_is_refused(fake: ModelManager) -> None:
    with pytest.raises(OptionError, match="give a str"):
        fake.alias("x", 5)  # type: ignore[arg-type]  # wrong on purpose


# ---- help --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["load", "unload", "ps"])
def test_help_of_a_shortcut_shows_neither_self_nor_annotations(name: str) -> None:
    shown = str(inspect.signature(getattr(llamanb, name)))
    assert "self" not in shown
    assert ":" not in shown
    assert "Raises" in pydoc.render_doc(llamanb.load)


def test_help_of_load_explains_every_option_and_has_an_example() -> None:
    text = inspect.getdoc(llamanb.load) or ""
    for option in inspect.signature(llamanb.load).parameters:
        assert option in text.partition("Raises")[0]
    assert ">>> model = llamanb.load(" in text


def test_completion_of_the_room_shows_the_managers_methods() -> None:
    assert {"configure", "pin", "default", "load", "ps"} <= set(dir(models))


def test_settings_take_the_first_unknown_name() -> None:
    with pytest.raises(LlamanbError, match=r"known are: max_tokens, temperature, .*help\(\)"):
        SamplingSettings.from_options(None, colour="red")
