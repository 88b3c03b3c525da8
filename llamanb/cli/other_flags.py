"""Options of llama-server that mean nothing here, or are not possible: reasons and names.

A name that ends in ``=`` has a value. What is ignored cannot change an answer; what
could is refused.
"""

from __future__ import annotations

from types import MappingProxyType

__all__ = ["IGNORED", "REFUSED"]

IGNORED = MappingProxyType(
    {
        "chat templates are always rendered as Jinja": ("--jinja",),
        "there is no web page": ("--no-webui", "--no-ui", "--webui", "--ui"),
        "nothing is logged without -v": (
            "--log-disable",
            "--log-prefix",
            "--no-log-prefix",
            "--log-timestamps",
            "--no-log-timestamps",
            "--log-colors=",
            "--no-log-jsonl",
        ),
        "requests always share their batches": ("-cb", "--cont-batching"),
        "prompts are always kept for the next request": ("--cache-prompt", "--cache-reuse="),
        "the sequence with the longest common prefix is always taken": (
            "-sps=",
            "--slot-prompt-similarity=",
        ),
        "a full context ends the answer": ("--no-context-shift", "--keep="),
        "the model is always warm": ("--warmup", "--no-warmup"),
        "requests are always timed": ("--perf", "--no-perf"),
        "files are always checked": ("--check-tensors",),
        "GET /props always answers": ("--props",),
        "one thread serves all connections": ("--threads-http=",),
        "the threads are left to the system": (
            "--prio=",
            "--prio-batch=",
            "--poll=",
            "--poll-batch=",
            "--cpu-strict=",
            "--cpu-strict-batch=",
        ),
        "memory is always looked after": ("-fit=", "--fit=", "-dt=", "--defrag-thold="),
    }
)

REFUSED = MappingProxyType(
    {
        "LoRA adapters and control vectors are not available yet; merge them into the model": (
            "--lora",
            "--lora-scaled",
            "--lora-init-without-apply",
            "--control-vector",
            "--control-vector-scaled",
        ),
        "images and sound are not available yet": (
            "-mm",
            "--mmproj",
            "-mmu",
            "--mmproj-url",
            "--media-path",
        ),
        "speculative decoding is not available": (
            "-md",
            "--model-draft",
            "-hfd",
            "--hf-repo-draft",
            "--draft",
            "--draft-max",
            "--draft-min",
            "--spec-type",
            "--spec-draft-model",
        ),
        "send the constraint in the request": (
            "--grammar",
            "--grammar-file",
            "-j",
            "--json-schema",
            "-jf",
            "--json-schema-file",
        ),
        "send it in the request": (
            "--chat-template-kwargs",
            "--reasoning-effort",
            "--reasoning-budget-message",
            "-r",
            "--reverse-prompt",
        ),
        "this way of sampling is not available": (
            "--samplers",
            "--sampling-seq",
            "--sampler-seq",
            "--mirostat",
            "--mirostat-lr",
            "--mirostat-ent",
            "--dry-multiplier",
            "--dry-base",
            "--dry-allowed-length",
            "--dry-penalty-last-n",
            "--dry-sequence-breaker",
            "--xtc-probability",
            "--xtc-threshold",
            "--top-nsigma",
            "--top-n-sigma",
            "--dynatemp-range",
            "--dynatemp-exp",
            "--adaptive-target",
            "--adaptive-decay",
        ),
        "chat templates are always rendered as Jinja": ("--no-jinja", "--skip-chat-parsing"),
        "an answer that reaches the end of its context ends": ("--context-shift",),
        "encryption is the duty of a proxy in front": ("--ssl-key-file", "--ssl-cert-file"),
        "files and pages are not served": ("--path", "--api-prefix"),
        "a server never runs tools": (
            "--tools",
            "-ag",
            "--agent",
            "--mcp-servers-config",
            "--mcp-servers-json",
            "--webui-mcp-proxy",
            "--ui-mcp-proxy",
        ),
        "name one model; several are served with llamanb.serve([…]) in Python": (
            "--models-dir",
            "--models-preset",
            "--models-max",
            "--models-autoload",
        ),
        "download the file, and name it": ("-mu", "--model-url", "-dr", "--docker-repo"),
        "set HF_HUB_OFFLINE=1 in the environment": ("--offline",),
        "the file says how its context is stretched": (
            "--rope-scaling",
            "--rope-scale",
            "--rope-freq-base",
            "--rope-freq-scale",
            "--yarn-orig-ctx",
            "--yarn-ext-factor",
            "--yarn-attn-factor",
            "--yarn-beta-slow",
            "--yarn-beta-fast",
        ),
        "weights cannot be placed or changed one by one": (
            "--override-kv",
            "-ot",
            "--override-tensor",
            "-cmoe",
            "--cpu-moe",
            "-ncmoe",
            "--n-cpu-moe",
            "-ts",
            "--tensor-split",
            "-dev",
            "--device",
            "-nkvo",
            "--no-kv-offload",
            "--rpc",
            "--numa",
        ),
        "use --mmap, --no-mmap or --mlock": ("-lm", "--load-mode"),
        "what a sequence remembers is not saved": ("--slot-save-path", "--log-prompts-dir"),
        "redirect the output instead": ("--log-file", "--log-jsonl"),
    }
)
