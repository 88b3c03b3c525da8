"""Random text and random JSON values, rich in what breaks parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

__all__ = ["any_text", "json_value"]

MAX_DEPTH = 4
_WORDS = (
    *("Paris", "a", "get", "the answer is 42", "true", "null", "7", "don't", '"quoted"', "\\"),
    *("\n", "\n\n", " ", "\t", "é", "日本", "🙂", "{", "}", "[1, 2]", '{"a": 1}', "<", ">", "</"),
    *("<tool", "</parameter>", "\n</parameter>", "</think", "<|", "|>", "[ARGS", "```", "'", ":"),
)


def any_text(
    rng: random.Random,
    forbidden: Iterable[str] = (),
    *,
    is_spoken: bool = False,
    least: int = 0,
    most: int | None = None,
) -> str:
    """Give some text which any of ``forbidden`` may follow, and which holds none of them.

    ``is_spoken`` leaves out white space at the edges; it has ``least`` to ``most``
    characters.
    """
    words = tuple(one for one in forbidden if one)
    while True:
        text = "".join(rng.choice(_WORDS) for _ in range(rng.randint(0, 8)))
        text = text.strip() if is_spoken else text
        text = text.ljust(least, "x")[:most]
        if all((text + word).find(word) == len(text) for word in words):
            return text


def json_value(rng: random.Random, schema: Any, root: Any = None, depth: int = 0) -> Any:
    """Give a value that ``schema`` allows (of the words that tools use)."""
    schema = schema if isinstance(schema, dict) else {}
    root = schema if root is None else root
    if "$ref" in schema:
        return json_value(rng, _target(root, schema["$ref"]), root, depth + 1)
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return json_value(rng, rng.choice(branches), root, depth)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else rng.choice(schema["enum"])
    implied = "object" if "properties" in schema else _any_kind(rng, depth)
    kinds: Any = schema.get("type") or implied
    kind = str(rng.choice(kinds) if isinstance(kinds, list) else kinds)
    return _of_kind(rng, kind, schema, root, depth)


def _target(root: Any, path: str) -> Any:
    for part in path.removeprefix("#").strip("/").split("/"):
        root = root[part] if part else root
    return root


def _any_kind(rng: random.Random, depth: int) -> str:
    kinds = ["string", "integer", "boolean", "null"]
    return rng.choice(kinds if depth >= MAX_DEPTH else [*kinds, "number", "object", "array"])


def _of_kind(rng: random.Random, kind: str, schema: dict[str, Any], root: Any, depth: int) -> Any:
    scalars = {
        "integer": rng.randint(-1000, 1000),
        "number": rng.choice([0, -1.5, 3.25, 1e21, 12]),
        "boolean": rng.random() < 0.5,
    }
    match kind:
        case "string":
            return _string(rng, schema)
        case "array":
            least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
            items = range(rng.randint(least, max(least, most)))
            return [json_value(rng, schema.get("items", {}), root, depth + 1) for _ in items]
        case "object":
            return _object(rng, schema, root, depth)
    return scalars.get(kind)


def _string(rng: random.Random, schema: dict[str, Any]) -> str:
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 60))
    text = any_text(rng) + "x" * least
    return text[:most]


def _object(rng: random.Random, schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    if properties is None:
        if schema.get("additionalProperties") is False or depth >= MAX_DEPTH:
            return {}
        return {f"key{n}": json_value(rng, {}, root, depth + 1) for n in range(rng.randint(0, 2))}
    required = schema.get("required") or ()
    return {
        name: json_value(rng, one, root, depth + 1)
        for name, one in properties.items()
        if name in required or (rng.random() < 0.5 and depth < MAX_DEPTH)
    }
