"""What a person may set in the widget: the model, how it answers, who allows its calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llamanb.errors import LlamanbError, OptionError
from llamanb.models.kernel import manager
from llamanb.notebook.clean_text import clean_text, encodable
from llamanb.notebook.footer import model_label
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from llamanb.conversation import Session
    from llamanb.models import Model

__all__ = ["ChatSettings", "settings_row"]

SAMPLING = ("temperature", "top_k", "top_p", "min_p", "max_tokens", "seed")
_WHOLE = frozenset({"top_k", "max_tokens", "seed"})
MODES = ("ask", "auto", "never")
SHOWN_ALTERNATIVES = 5
_HELLO = [{"role": "user", "content": "Hello"}]


@dataclass(slots=True, kw_only=True)
class ChatSettings:
    """What was set in the page; what was not is the session's.

    Attributes
    ----------
    sampling : options by name.
    think : whether to reason first; None leaves it to the template.
    approve : ``"ask"``, ``"auto"``, ``"never"``, or a function.
    probabilities : whether to keep the probabilities of every token.
    can_think : whether the model's template knows thinking.
    loading : the model that is being loaded and how far, ``{"name", "fraction"}``.
    """

    sampling: dict[str, Any] = field(default_factory=dict)
    think: bool | None = None
    approve: Any = "ask"
    probabilities: bool = True
    can_think: bool = False
    loading: dict[str, Any] | None = None

    def change(self, given: dict[str, Any], session: Session) -> None:
        """Take what the page says, all of it or nothing.

        Raises
        ------
        OptionError
            If a value is impossible.
        """
        sampling = dict(self.sampling)
        for name in SAMPLING:
            if name in given:
                sampling[name] = _number(name, given[name])
        sampling = {name: value for name, value in sampling.items() if value is not None}
        SamplingSettings.from_options(session.sampling, **sampling)
        think = _checked(given, "think", self.think, (True, False, None))
        approve = _checked(given, "approve", self.approve, MODES)
        kept = _checked(given, "probabilities", self.probabilities, (True, False))
        system_prompt = given.get("system_prompt", session.system_prompt)
        if not isinstance(system_prompt, str | None):
            raise OptionError("system_prompt must be a text")
        session.system_prompt = system_prompt or None
        self.sampling, self.think, self.approve = sampling, think, approve
        self.probabilities = bool(kept)

    def options(self, ask: Any) -> dict[str, Any]:
        """Give what a turn is told; ``ask`` is who is asked about calls."""
        given: dict[str, Any] = {"approve": ask if self.approve == "ask" else self.approve}
        if self.think is not None:
            given["enable_thinking"] = self.think
        if self.probabilities:
            given["logprobs"] = SHOWN_ALTERNATIVES
        return {**given, **self.sampling}

    def look_at(self, model: Any) -> None:
        """Find out what the model's template can."""
        try:
            self.can_think = bool(model.chat_build(_HELLO).thinking_start)
        except LlamanbError:  # it is said when something is asked
            self.can_think = False


def settings_row(
    settings: ChatSettings, session: Session, used: int, **more: Any
) -> dict[str, Any]:
    """Give everything that the page shows beside the talk; ``used`` counts tokens."""
    model: Any = session.model
    chosen = SamplingSettings.from_options(session.sampling, **settings.sampling)
    approve = settings.approve
    return {
        "model": encodable(model.name),
        "models": _models(model),
        "loading": settings.loading,
        "system_prompt": encodable(session.system_prompt or ""),
        "sampling": {name: settings.sampling.get(name) for name in SAMPLING},
        "defaults": {name: getattr(session.sampling, name) for name in SAMPLING},
        "think": settings.think,
        "can_think": settings.can_think,
        "approve": approve if approve in MODES else "function",
        "tools": [
            {
                "name": clean_text(tool.name),
                "description": clean_text(str(tool.schema["function"].get("description", ""))),
                "approve": bool(tool.approve),
            }
            for tool in session.tools.values()
        ],
        "probabilities": settings.probabilities,
        "max_tokens": chosen.max_tokens,
        "n_ctx": model.perf().get("n_ctx", 0),  # never waits
        "used": used,
        "is_toy": model.is_toy,
        **more,
    }


def _models(current: Model) -> list[dict[str, Any]]:
    """Give the models to choose from: those in memory, aliases, and the toy."""
    resident = {name: one for name, one in manager().items() if one.can_write}
    rows = [
        {
            "name": encodable(name),
            "label": f"{encodable(model_label(one))} · {one.header.quantization}",
            "is_resident": True,
        }
        for name, one in {current.name: current, **resident}.items()
    ]
    others = dict.fromkeys([*manager().aliases, "demo"])
    return [
        *rows,
        *(
            {"name": name, "label": name, "is_resident": False}
            for name in others
            if name not in resident and name != current.name
        ),
    ]


def _number(name: str, value: Any) -> float | int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{name}={value!r} is not possible: it must be a number")
    return int(value) if name in _WHOLE and value == int(value) else value


def _checked(given: dict[str, Any], name: str, known: Any, allowed: tuple[Any, ...]) -> Any:
    value = given.get(name, known)
    if value is not known and value not in allowed:
        raise OptionError(f"{name}={value!r} is not possible: it may be {allowed}")
    return value
