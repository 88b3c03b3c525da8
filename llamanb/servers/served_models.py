"""Which model answers to which name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llamanb.models import Model

__all__ = ["Kind", "ServedModels"]

Kind = Literal["chat", "embedding", "rerank"]

# Names that programs send although they know that another model is behind the URL.
_STAND_INS = re.compile(
    r"(?:default|local|claude-.*|claude|sonnet|opus|haiku|gpt-.*|chatgpt-.*|o\d(?:-.*)?|codex-.*"
    r"|text-embedding-.*|rerank-.*)",
    re.IGNORECASE,
)
_FITS: dict[Kind, Callable[[Model], bool]] = {
    "chat": lambda model: model.can_write,
    "embedding": lambda model: model.is_embedding,
    "rerank": lambda model: model.is_reranker,
}


class ServedModels:
    """The models of one server, the most important first."""

    def __init__(self, models: Sequence[Model], names: Sequence[str] = ()) -> None:
        self._models = {
            name or model.name: model
            for model, name in zip(models, [*names, *[""] * len(models)], strict=False)
        }

    @property
    def names(self) -> list[str]:
        """What clients may call them, the default first."""
        return list(self._models)

    @property
    def all(self) -> list[Model]:
        """The models, the default first."""
        return list(self._models.values())

    @property
    def default(self) -> Model:
        """The model that answers when none is named."""
        return next(iter(self._models.values()))

    def cards(self) -> list[tuple[str, Model]]:
        """Give names and models."""
        return list(self._models.items())

    def find(self, name: str | None, *, kind: Kind = "chat") -> Model:
        """Give the model of a name; a stand-in's name means the default of that kind.

        Raises
        ------
        Refusal
            404 if nothing has that name, 400 if it cannot do what is asked.
        """
        model = self._models.get(name or "")
        if model is not None:
            return model
        if name and not _STAND_INS.fullmatch(name):
            known = ", ".join(map(repr, self._models))
            raise Refusal(
                f"the model {name!r} is not served here; there is {known}",
                status=404,
                kind="not_found_error",
                param="model",
                code="model_not_found",
            )
        return self._of_kind(kind)

    def name_of(self, model: Model) -> str:
        """Give the name by which clients know a model."""
        return next((name for name, one in self._models.items() if one is model), model.name)

    def _of_kind(self, kind: Kind) -> Model:
        fitting = (model for model in self._models.values() if _FITS[kind](model))
        return next(fitting, self.default)
