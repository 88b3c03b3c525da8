"""Plain values that say how to load, sample and serve; the only reader of LLAMANB_*.

Every class here is frozen, checks itself when made (``OptionError``) and can be
pickled, so that it may travel to another process or a Dask worker.
"""

from __future__ import annotations

from llamanb.settings.checks import plain_number, refuse_unknown
from llamanb.settings.constraint import Constraint, Trigger
from llamanb.settings.environment import Environment, read_environment
from llamanb.settings.loading import (
    KV_TYPES,
    ContextSettings,
    FlashAttention,
    KvType,
    Pooling,
    WeightSettings,
)
from llamanb.settings.sampling import MAX_SEED, SamplingSettings
from llamanb.settings.serving import ServerSettings

__all__ = [
    "KV_TYPES",
    "MAX_SEED",
    "Constraint",
    "ContextSettings",
    "Environment",
    "FlashAttention",
    "KvType",
    "Pooling",
    "SamplingSettings",
    "ServerSettings",
    "Trigger",
    "WeightSettings",
    "plain_number",
    "read_environment",
    "refuse_unknown",
]
