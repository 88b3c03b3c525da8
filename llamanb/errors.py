"""Every exception llamanb raises, in one tree.

Each class also inherits the builtin a caller would expect, so ``except
FileNotFoundError`` works without knowing llamanb::

    LlamanbError
    ├── OptionError (ValueError)               an option has an impossible value
    ├── ModelError
    │   ├── ModelNotFoundError (FileNotFoundError)
    │   ├── UnknownModelError (KeyError)       no resident model has that name
    │   ├── ModelFileError (ValueError)        the file is not a usable GGUF
    │   ├── ModelLoadError (RuntimeError)      llama.cpp refused the file
    │   ├── ModelLoadTimeout (TimeoutError)
    │   ├── ModelLoadCancelled (RuntimeError)
    │   ├── ModelBusyError (RuntimeError)
    │   ├── ModelClosedError (RuntimeError)
    │   ├── InsufficientMemoryError (MemoryError)
    │   └── HubError (OSError)                 a download or look-up on the hub failed
    ├── ContextLengthError (ValueError)        the prompt does not fit
    ├── GrammarError (ValueError)              a constraint does not compile
    ├── ExtractionError (ValueError)           the answer is not of the type asked for
    ├── TemplateError (ValueError)             a chat template cannot be rendered
    │   └── TemplateLimitError                 … within its bounds of time, size, memory
    ├── EngineError (RuntimeError)
    │   ├── EngineDead                         native code aborted; the kernel lives on
    │   ├── QueueFullError
    │   ├── NumericalError                     the model computed NaN or infinity
    │   └── ForkedProcessError                 used in a child made by os.fork
    ├── ServerError (RuntimeError)
    └── MissingExtraError (ImportError)        an optional package is not installed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class LlamanbError(Exception):
    """Base class of everything llamanb raises on purpose."""

    def __str__(self) -> str:
        """Give the message alone (KeyError and OSError would decorate it)."""
        return str(self.args[0]) if self.args else type(self).__name__


class OptionError(LlamanbError, ValueError):
    """An option has a value that cannot work."""


class ModelError(LlamanbError):
    """Something about a model file or a resident model."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """No file, alias or hub model answers to that name."""


class UnknownModelError(ModelError, KeyError):
    """No resident model has that name.

    Attributes
    ----------
    name : the name that was asked for.
    resident : the names that are resident.
    """

    def __init__(self, message: str, *, name: str = "", resident: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.resident = tuple(resident)


class ModelFileError(ModelError, ValueError):
    """The file is not a GGUF that can be loaded safely.

    Attributes
    ----------
    path : the file.
    reason : what is wrong with it, without the path.
    """

    def __init__(self, message: str, *, path: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason


class ModelLoadError(ModelError, RuntimeError):
    """llama.cpp could not load the file or create a context."""


class ModelLoadTimeout(ModelError, TimeoutError):
    """Loading took longer than the caller allowed; nothing stays resident.

    Attributes
    ----------
    timeout_s : the limit, in seconds.
    """

    def __init__(self, message: str, *, timeout_s: float = 0.0) -> None:
        super().__init__(message)
        self.timeout_s = timeout_s


class ModelLoadCancelled(ModelError, RuntimeError):
    """Loading was cancelled; nothing stays resident."""


class ModelBusyError(ModelError, RuntimeError):
    """The model is answering a request and was not unloaded."""


class ModelClosedError(ModelError, RuntimeError):
    """The model, context or generation was closed before this call."""


class InsufficientMemoryError(ModelError, MemoryError):
    """The weights and their context would not fit into memory.

    Attributes
    ----------
    needed_bytes, available_bytes : the prediction and what may be used.
    largest_n_ctx : the largest context per sequence that would fit, 0 if none does.
    """

    def __init__(
        self,
        message: str,
        *,
        needed_bytes: int = 0,
        available_bytes: int = 0,
        largest_n_ctx: int = 0,
    ) -> None:
        super().__init__(message)
        self.needed_bytes = needed_bytes
        self.available_bytes = available_bytes
        self.largest_n_ctx = largest_n_ctx


class HubError(ModelError, OSError):
    """A look-up or download on the model hub failed."""


class ContextLengthError(LlamanbError, ValueError):
    """The prompt does not fit into the context of one sequence.

    Attributes
    ----------
    n_prompt : tokens in the prompt.
    n_ctx : tokens that one sequence can hold.
    """

    def __init__(self, message: str, *, n_prompt: int = 0, n_ctx: int = 0) -> None:
        super().__init__(message)
        self.n_prompt = n_prompt
        self.n_ctx = n_ctx


class GrammarError(LlamanbError, ValueError):
    """A grammar, JSON Schema or regular expression cannot be enforced.

    Attributes
    ----------
    line, column : where the problem is, counted from 1; 0 when unknown.
    """

    def __init__(self, message: str, *, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class ExtractionError(LlamanbError, ValueError):
    """A model's answer is not of the type that was asked for.

    Attributes
    ----------
    text : the answer, as far as it goes.
    finish_reason : ``"length"`` if it was cut off by ``max_tokens``.
    """

    def __init__(self, message: str, *, text: str = "", finish_reason: str = "") -> None:
        super().__init__(message)
        self.text = text
        self.finish_reason = finish_reason


class TemplateError(LlamanbError, ValueError):
    """A chat template is malformed or refuses these messages."""


class TemplateLimitError(TemplateError):
    """A chat template needs more time, memory or output than it may have."""


class EngineError(LlamanbError, RuntimeError):
    """The engine could not carry out a request."""


class EngineDead(EngineError):
    """Native code aborted; its thread is parked and the kernel lives on."""


class QueueFullError(EngineError):
    """Too many requests wait for this model already."""


class NumericalError(EngineError):
    """The model produced logits that are not numbers."""


class ForkedProcessError(EngineError):
    """A model was used in a child process made by ``os.fork``."""


class ServerError(LlamanbError, RuntimeError):
    """A server could not be started or stopped."""


class MissingExtraError(LlamanbError, ImportError):
    """An optional package is not installed; the message names the extra."""
