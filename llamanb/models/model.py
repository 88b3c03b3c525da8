"""One model as users hold it: ask it, count with it, embed with it, let it go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from llamanb.models import batching
from llamanb.models.chatting import Chatting
from llamanb.models.completion import AsyncTextStream, Completion, TextStream
from llamanb.models.memory import readable_bytes
from llamanb.models.options import shows_options
from llamanb.models.reading import Reading
from llamanb.models.requests import build_request, check_options, token_ids
from llamanb.models.table import html_of
from llamanb.settings import plain_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from llamanb.engine import EngineRequest, Generation, TextEngine, Vocabulary
    from llamanb.engine.values import ModelInfo
    from llamanb.models.plan import LoadRequest
    from llamanb.models.preflight import GgufHeader, ModelKind
    from llamanb.models.requests import Prompt
    from llamanb.models.residence import Residence

__all__ = ["Model"]

FIGURES = (
    *("n_ctx", "n_seq_max", "running", "waiting", "used", "tokens_per_s"),
    *("answering", "n_decodes", "n_parts", "most_used"),
)


class Model(Chatting, Reading):
    """A model of this kernel. Stages: resident ⇄ evicted → closed.

    Made by ``llamanb.load``. An evicted model is loaded again when it is next used;
    a closed or unloaded one raises ``ModelClosedError``. Every method may be called
    from any thread; requests of several threads are answered together.

    Attributes
    ----------
    is_toy : whether it is one of the bundled demo models.
    last_completion : what the last ``generate`` gave, also if it was interrupted.

    Examples
    --------
    >>> model = llamanb.load("demo")
    >>> text = model.generate("The sky is", max_tokens=8, temperature=0)
    """

    def __init__(self, residence: Residence, on_close: Callable[[Model, bool], None]) -> None:
        self._residence = residence
        self._on_close = on_close
        self._info: ModelInfo | None = None
        self._metadata: dict[str, str] | None = None
        self.last_completion: Completion | None = None

    # ---- what it is --------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What it is called in ``llamanb.models``; ``load(name=…)`` chooses it."""
        return self._residence.name

    @property
    def path(self) -> str:
        """The file, or the first shard of a split model."""
        return self.header.path

    @property
    def header(self) -> GgufHeader:
        """What the file's header says; known without loading."""
        return self._residence.plan.header

    @property
    def load_request(self) -> LoadRequest:
        """How it was loaded: the options given to ``llamanb.load``."""
        return self._residence.plan.request

    @property
    def is_toy(self) -> bool:
        """Whether this is a bundled demo model, good for trying things out only."""
        return self._residence.plan.source.is_toy

    @property
    def is_embedding(self) -> bool:
        """Whether it turns texts into vectors and cannot write."""
        return self.kind == "embedding"

    @property
    def is_reranker(self) -> bool:
        """Whether it scores documents and cannot write."""
        return self.kind == "rerank"

    @property
    def can_write(self) -> bool:
        """Whether it generates text."""
        return self.kind == "text"

    @property
    def kind(self) -> ModelKind:
        """What it was loaded for: ``"text"``, ``"embedding"`` or ``"rerank"``."""
        return self._residence.plan.kind

    @property
    def info(self) -> ModelInfo:
        """What the weights are: architecture, sizes, vocabulary, template."""
        if self._info is None:
            with self._residence.lease():
                self._info = self._residence.weights().info
        return self._info

    @property
    def metadata(self) -> dict[str, str]:
        """The keys and values of the GGUF header, as llama.cpp prints them."""
        if self._metadata is None:
            with self._residence.lease():
                self._metadata = dict(self._residence.weights().metadata)
        return dict(self._metadata)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell this file's contents from others."""
        with self._residence.lease():
            return str(self._residence.weights().fingerprint)

    @property
    def vocab(self) -> Vocabulary:
        """The model's tokens."""
        with self._residence.lease():
            return self._residence.weights().vocabulary

    @property
    def chat_template(self) -> str | None:
        """The chat template: the one given to ``load``, else the file's, else None."""
        return self._residence.plan.request.chat_template or self.header.chat_template

    @property
    def state(self) -> str:
        """``loading``, ``idle``, ``busy``, ``evicted`` or ``closed``; never waits."""
        return self._residence.state

    @property
    def busy(self) -> bool:
        """Whether it is answering a request; never waits."""
        return self._residence.leases > 0

    @property
    def engine(self) -> TextEngine:
        """The context that writes, opened again if it was evicted."""
        with self._residence.lease():
            engine: TextEngine = self._residence.engine("text")
            return engine

    @property
    def n_ctx(self) -> int:
        """Tokens that one sequence can hold, prompt and answer together."""
        with self._residence.lease():
            return int(self._residence.engine(self._residence.main_kind).n_ctx)

    def perf(self) -> dict[str, Any]:
        """Give speed, use of the context and memory at this moment; never waits."""
        engine = self._residence.context(self._residence.main_kind)
        memory_bytes = sum(hold.n_bytes for hold in self._residence.holds())
        figures: dict[str, Any] = {"state": self.state, "memory_bytes": memory_bytes}
        if engine is not None:
            status = engine.status()
            figures |= {key: getattr(status, key) for key in FIGURES}
        return figures

    # ---- tokens ------------------------------------------------------------------------

    def tokenize(
        self,
        text: str,
        add_special: bool = True,  # noqa: FBT001, FBT002  # positional in llama.cpp too
        parse_special: bool = False,  # noqa: FBT001, FBT002  # positional in llama.cpp too
    ) -> list[int]:
        """Turn text into token ids; see :meth:`Vocabulary.tokenize`."""
        return self.vocab.tokenize(text, add_special=add_special, parse_special=parse_special)

    def detokenize(
        self,
        tokens: Sequence[int],
        special: bool = False,  # noqa: FBT001, FBT002  # positional in llama.cpp too
    ) -> str:
        """Turn token ids into text; ``special`` shows control tokens too."""
        return self.vocab.detokenize(token_ids(tokens, "tokens"), special=special)

    def token_to_piece(self, token: int) -> str:
        """Give the text of one token."""
        return self.vocab.token_to_piece(plain_number(token))

    # ---- generating --------------------------------------------------------------------

    def submit(self, request: EngineRequest) -> Generation:
        """Start a ready-made request; the model stays resident until it ends."""
        return self._residence.submit(request)

    @shows_options
    def request(self, prompt: Prompt, **options: Any) -> EngineRequest:
        """Make the request that ``generate`` would submit; see there for the options."""
        return build_request(self.vocab, prompt, options)

    def _start(self, prompt: Prompt, options: dict[str, Any]) -> Generation:
        check_options(options)
        with self._residence.lease():
            return self.submit(self.request(prompt, **options))

    @shows_options
    def generate(self, prompt: Prompt, **options: Any) -> Completion:
        """Continue a prompt and give the whole text.

        Parameters
        ----------
        prompt : text, in which the names of control tokens mean those tokens whoever
            wrote them; a ``ChatPrompt``, where they do so in the template's text only; or ids.
        **options : sampling and constraint options
            ``max_tokens=256, temperature=0.8, top_k=40, top_p=0.95, min_p=0.05,
            seed=None, stop=None, logprobs=None`` and the other fields of
            :class:`~llamanb.settings.SamplingSettings`; at most one of ``grammar=`` (Lark or
            GBNF), ``json_schema=``, ``regex=``, ``choices=``, which the text will match, all or
            from ``trigger_patterns=``/``trigger_tokens=`` on; ``preserved_tokens=`` to show;
            ``answer_tokens=`` with which the answer begins
            (:func:`~llamanb.models.alternatives.alternative_tokens`): they are read, not
            generated, but are part of the text and its tokens.

        Raises
        ------
        OptionError, GrammarError, ContextLengthError
            Before anything is computed.
        KeyboardInterrupt
            After the request was cancelled; ``last_completion`` has the text so far.
        """
        generation = self._start(prompt, options)
        try:
            generation.wait()
        finally:
            batching.settle([generation])
            self.last_completion = Completion.of(generation)
        generation.raise_for_error()
        return self.last_completion

    @shows_options
    def stream(self, prompt: Prompt, **options: Any) -> TextStream:
        """Continue a prompt and give the text piece by piece; options as ``generate``."""
        return TextStream(self._start(prompt, options))

    @shows_options
    async def agenerate(self, prompt: Prompt, **options: Any) -> Completion:
        """Continue a prompt without blocking the event loop; options as ``generate``."""
        generation = self._start(prompt, options)
        try:
            async for _ in generation:
                pass
        finally:
            generation.cancel()
            self.last_completion = Completion.of(generation)
        return self.last_completion

    @shows_options
    def astream(self, prompt: Prompt, **options: Any) -> AsyncTextStream:
        """Give the text piece by piece in an event loop; options as ``generate``."""
        return AsyncTextStream(self._start(prompt, options))

    @shows_options
    def generate_batch(
        self,
        prompts: Iterable[Prompt],
        *,
        progress: bool = True,
        errors: batching.OnError = "raise",
        **options: Any,
    ) -> list[Completion | Exception]:
        """Continue many prompts, several at a time, and give the texts in order.

        Parameters
        ----------
        progress : show a progress bar.
        errors : ``"raise"`` the first error, with a note which prompt it was, or
            ``"return"`` it in that prompt's place and go on.
        **options : as for ``generate``.
        """
        check_options(options)
        listed = batching.prompt_list(prompts)
        with self._residence.lease():
            return batching.generate_all(
                lambda prompt: self._start(prompt, dict(options)),
                listed,
                width=4 * self.engine.n_seq_max,
                errors=errors,
                progress=progress,
            )

    # ---- leaving -----------------------------------------------------------------------

    def lease(self) -> AbstractContextManager[None]:
        """Keep the model resident inside a ``with`` block, whatever else is loaded."""
        return self._residence.lease()

    def close(self) -> None:
        """Cancel what runs and let the model go; harmless when repeated."""
        self._on_close(self, True)  # noqa: FBT003  # the callback's only flag

    def unload(self, *, force: bool = False) -> None:
        """Give the memory back and forget the model.

        Raises
        ------
        ModelBusyError
            If it is answering a request and ``force`` is False.
        """
        self._on_close(self, force)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- showing -----------------------------------------------------------------------

    def __repr__(self) -> str:
        toy = ", a toy for demos" if self.is_toy else ""
        weights = readable_bytes(self.header.tensor_bytes)
        return (
            f"<llamanb.Model {self.name!r}: {self.header.architecture} "
            f"{self.header.quantization}, {weights}, {self.state}{toy}>"
        )

    def _repr_html_(self) -> str:
        return html_of(self)
