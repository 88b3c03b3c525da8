"""Start a server in this process, or give the one that runs already."""

from __future__ import annotations

from dataclasses import fields
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError, ServerError
from llamanb.models import Model, load
from llamanb.servers.app import build_app
from llamanb.servers.background import BackgroundServer, bind
from llamanb.servers.registry import registry
from llamanb.servers.request_log import RequestLog
from llamanb.servers.security import check_bind, default_api_key
from llamanb.servers.served_models import ServedModels
from llamanb.servers.server import Server, close_unserved
from llamanb.servers.service import Service
from llamanb.servers.widening import widened
from llamanb.settings import SamplingSettings, ServerSettings, refuse_unknown

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = ["serve", "serve_anthropic", "serve_openai"]

ANTHROPIC_N_CTX = 32_768
OPENAI_PORT, ANTHROPIC_PORT = 11_434, 11_435
_SERVER_OPTIONS = tuple(one.name for one in fields(ServerSettings) if one.name != "sampling")
_SAMPLING_OPTIONS = tuple(one.name for one in fields(SamplingSettings) if one.name != "max_tokens")


def serve(
    model: str | os.PathLike[str] | Model | Sequence[str | os.PathLike[str] | Model] | None = None,
    *,
    apis: Sequence[str] = ("openai", "anthropic"),
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str | None = None,
    n_ctx: int | None = None,
    name: str | None = None,
    replace: bool = False,
    **options: Any,
) -> Server:
    """Serve a model over HTTP from this process, and go on using it in cells.

    The same call again gives the same server. It runs until ``stop()`` or the end of
    the process, whether anybody keeps what is returned or not.

    Parameters
    ----------
    model : a model, what ``llamanb.load`` takes, several of them (the first answers when
        none is named), or None for the default model.
    apis : the dialects, ``"openai"`` and ``"anthropic"``.
    host, port : where to listen; port 0 takes a free one.
    api_key : what clients must send; None asks for nothing, except on JupyterHub and
        Binder, where a random key is made.
    n_ctx : tokens that a prompt and its answer may have together; a second context over
        the same weights is opened if the model's own is smaller.
    name : what clients call the first model; its own name otherwise.
    replace : stop the server that is on this port, if it was started with other options.
    **options : fields of :class:`~llamanb.settings.ServerSettings` and sampling defaults
        ``max_tokens``, ``enable_thinking``, ``strip_thinking``, ``cors_origins``,
        ``queue_limit``, ``temperature``, ``seed`` …

    Raises
    ------
    ServerError
        If the port is taken, or ``host`` is open to other machines and there is no key.
    OptionError, ModelNotFoundError, InsufficientMemoryError …

    Examples
    --------
    >>> server = llamanb.serve("demo")
    >>> openai.OpenAI(base_url=server.base_url, api_key="local")
    """
    settings = _settings(
        options, apis=tuple(apis), host=host, port=port, api_key=default_api_key(api_key)
    )
    check_bind(settings.host, settings.api_key)
    models = [load(one) if not isinstance(one, Model) else one for one in _listed(model)]
    key = (_known_by(settings, api_key), tuple(map(id, models)), n_ctx, name)
    servers = registry()
    with servers.lock:
        known = servers.find(key)
        if known is not None:
            return known
        _make_way(port, replace=replace)
        server = _start(settings, models, n_ctx, name)
        servers.add(server, key)
    return server


def serve_openai(model: Any = None, *, port: int = OPENAI_PORT, **options: Any) -> Server:
    """Serve the OpenAI dialect alone; options as for :func:`serve`."""
    return serve(model, apis=("openai",), port=port, **options)


def serve_anthropic(
    model: Any = None,
    *,
    port: int = ANTHROPIC_PORT,
    n_ctx: int | None = ANTHROPIC_N_CTX,
    strip_thinking: bool = True,
    enable_thinking: bool | None = False,
    **options: Any,
) -> Server:
    """Serve the Anthropic dialect alone, with the room that coding agents need.

    The first prompt of Claude Code has 12,000 to 19,000 tokens. Options as for
    :func:`serve`.
    """
    return serve(
        model,
        apis=("anthropic",),
        port=port,
        n_ctx=n_ctx,
        strip_thinking=strip_thinking,
        enable_thinking=enable_thinking,
        **options,
    )


def _listed(model: Any) -> list[Any]:
    if isinstance(model, list | tuple):
        if not model:
            raise OptionError("serve() needs at least one model; None is the default model")
        return list(model)
    return [model]


def _settings(options: dict[str, Any], **given: Any) -> ServerSettings:
    """Sort what is the server's and what is sampling's."""
    refuse_unknown(options, [*_SERVER_OPTIONS, *_SAMPLING_OPTIONS])
    base = SamplingSettings(max_tokens=None)
    sampling = {name: value for name, value in options.items() if name in _SAMPLING_OPTIONS}
    others = {name: value for name, value in options.items() if name not in sampling}
    for name in ("cors_origins", "allowed_hosts"):
        if name in others:
            others[name] = (others[name],) if isinstance(others[name], str) else tuple(others[name])
    return ServerSettings(
        **given, **others, sampling=SamplingSettings.from_options(base, **sampling)
    )


def _known_by(settings: ServerSettings, api_key: str | None) -> object:
    """Give what makes two calls the same; a key made at random does not."""
    return changed(settings, api_key=api_key)


def _make_way(port: int, *, replace: bool) -> None:
    """Stop our own server on a port, if that is wanted or its model is gone."""
    rival = registry().get(port)
    if rival is None:
        return
    if not replace and rival.model.state != "closed":
        raise ServerError(
            f"{rival.url} is served already, with other options or another model; stop it, "
            "or pass replace=True"
        )
    rival.stop()


def _start(
    settings: ServerSettings, models: list[Model], n_ctx: int | None, name: str | None
) -> Server:
    listener = bind(settings.host, settings.port)
    owned: list[Model] = []
    try:
        served, owned = _widened(models, n_ctx)
        names = [name or models[0].name, *(one.name for one in models[1:])]
        service = Service(settings, ServedModels(served, names), RequestLog())
        background = BackgroundServer(build_app(service), listener, on_stop=service.stop)
        background.start()
    except BaseException:
        listener.close()
        close_unserved(owned)
        raise
    return Server(service, background, owned=tuple(owned))


def _widened(models: list[Model], n_ctx: int | None) -> tuple[list[Model], list[Model]]:
    """Give the models to serve, and those that were made for it."""
    pairs = [widened(model, n_ctx) for model in models]
    return [model for model, _ in pairs], [model for model, is_new in pairs if is_new]
