"""From a ``load`` request to a checked file: aliases, names, hub look-ups kept."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.models import memory
from llamanb.models.hub_names import parse_hub_spec
from llamanb.models.plan import LoadPlan
from llamanb.models.preflight import check_file, file_identity, shard_paths
from llamanb.models.sources import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llamanb.models.plan import LoadRequest
    from llamanb.models.preflight import FileIdentity, GgufHeader
    from llamanb.models.sources import ModelSource

    TrialLoad = Callable[[GgufHeader, FileIdentity, float | None], None]

__all__ = ["Finder"]


class Finder:
    """Knows the user's aliases and where hub models were found before.

    ``try_loading`` is called for files that are neither bundled nor trusted; None
    skips that.
    """

    def __init__(self, try_loading: TrialLoad | None) -> None:
        self._try_loading = try_loading
        self._found: dict[tuple[str, str | None], ModelSource] = {}
        self.aliases: dict[str, str] = {}

    def plan(self, request: LoadRequest, resident: Mapping[str, str]) -> LoadPlan:
        """Find the file of a request and check it; ``resident`` are paths by name.

        Raises
        ------
        ModelNotFoundError, ModelFileError, HubError, OptionError, ModelLoadTimeout
        """
        source = self._locate(request, resident)
        header = check_file(source.path)
        identity = file_identity(shard_paths(source.path))
        trusted = source.is_toy or request.trust == "trusted"
        # What cannot fit is refused later, with figures; trying it could end the machine.
        if self._try_loading is not None and not trusted and _can_fit(header):
            self._try_loading(header, identity, request.seconds_left)
        return LoadPlan(source=source, header=header, identity=identity, request=request)

    def _locate(self, request: LoadRequest, resident: Mapping[str, str]) -> ModelSource:
        """Find the file; a hub model that was found before is not looked up again."""
        key = (str(request.spec), request.revision)
        aliases = {**resident, **self.aliases}
        known = None if key[0] in aliases else self._found.get(key)
        if known is not None and known.path.is_file():
            return known
        source = resolve(
            request.spec,
            aliases=aliases,
            revision=request.revision,
            token=request.token,
            progress=request.progress is not False,
        )
        if key[0] not in aliases and parse_hub_spec(key[0]) is not None:
            self._found[key] = source
        return source

    def set_alias(self, name: Any, target: str | PathLike[str] | None) -> None:
        """Let ``name`` mean ``target``; None takes the alias away."""
        if not isinstance(name, str) or not isinstance(target, str | PathLike | None):
            raise OptionError(f"alias({name!r}, {target!r}): give a str, and a str, a Path or None")
        if target is None:
            self.aliases.pop(name, None)
        else:
            self.aliases[name] = str(target)


def _can_fit(header: GgufHeader) -> bool:
    return header.tensor_bytes <= memory.total_bytes() * memory.SAFE_SHARE
