"""Write a training checkpoint as GGUF (architecture qwen3).

python export.py run/final.pt --vocab vocab.json --type q8_0 --out llamanb-demo.gguf
"""

import argparse
from pathlib import Path

import gguf
import numpy as np
import torch
from model import Config
from tokenizer import CONTROL, USER_DEFINED, Vocabulary

HERE = Path(__file__).resolve().parent
NAMES = {
    "attn_norm": "attn_norm",
    "ffn_norm": "ffn_norm",
    "q_norm": "attn_q_norm",
    "k_norm": "attn_k_norm",
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}


def kind_of(token):
    """The GGUF token type of a token of our vocabulary."""
    if token in CONTROL:
        return gguf.TokenType.CONTROL
    if token in USER_DEFINED:
        return gguf.TokenType.USER_DEFINED
    if token.startswith("<|unused"):
        return gguf.TokenType.UNUSED
    return gguf.TokenType.NORMAL


def export(checkpoint, vocab_path, out, kind="q8_0", context=65536, description=""):
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    c, vocab = Config(**state["config"]), Vocabulary(vocab_path)
    w = gguf.GGUFWriter(out, "qwen3")
    w.add_name("llamanb-demo")
    w.add_description(
        description
        or "Toy chat model with tool calls, trained from scratch on synthetic text. It knows only a "
        "few things; it is meant for demos and tests."
    )
    w.add_license("mit")
    w.add_languages(["en"])
    w.add_size_label(f"{sum(p.numel() for p in state['model'].values()) / 1e6:.1f}M")
    w.add_file_type(
        {
            "f32": gguf.LlamaFileType.ALL_F32,
            "f16": gguf.LlamaFileType.MOSTLY_F16,
            "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
        }[kind]
    )
    w.add_context_length(context)
    w.add_embedding_length(c.dim)
    w.add_block_count(c.layers)
    w.add_feed_forward_length(c.ff)
    w.add_head_count(c.heads)
    w.add_head_count_kv(c.heads)
    w.add_key_length(c.head_dim)
    w.add_value_length(c.head_dim)
    w.add_rope_dimension_count(c.head_dim)
    w.add_rope_freq_base(c.rope_base)
    w.add_layer_norm_rms_eps(c.eps)
    w.add_vocab_size(len(vocab))

    kinds = [kind_of(t) for t in vocab.tokens]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(vocab.tokens)
    w.add_token_types(kinds)
    w.add_token_merges([" ".join(m) for m in vocab.merges])
    w.add_eos_token_id(vocab.ids["<|im_end|>"])
    w.add_pad_token_id(vocab.ids["<|endoftext|>"])
    w.add_bos_token_id(vocab.ids["<|endoftext|>"])
    w.add_add_bos_token(False)
    w.add_chat_template((HERE / "template.jinja").read_text(encoding="utf-8"))

    def put(name, x):
        x = x.float().numpy()
        if x.ndim == 1 or kind == "f32":
            w.add_tensor(name, x.astype(np.float32))
        elif kind == "f16":
            w.add_tensor(name, x.astype(np.float16))
        else:
            w.add_tensor(
                name,
                gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0),
                raw_dtype=gguf.GGMLQuantizationType.Q8_0,
            )

    for name, x in state["model"].items():
        parts = name.split(".")
        if parts[0] == "embed":
            put("token_embd.weight", x)
        elif parts[0] == "norm":
            put("output_norm.weight", x)
        else:
            put(f"blk.{parts[1]}.{NAMES[parts[2]]}.weight", x)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return Path(out).stat().st_size


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("checkpoint")
    ap.add_argument("--vocab", default=HERE / "vocab.json")
    ap.add_argument("--out", default="llamanb-demo.gguf")
    ap.add_argument("--type", default="q8_0", choices=["f32", "f16", "q8_0"])
    ap.add_argument("--context", type=int, default=65536)
    a = ap.parse_args()
    print(a.out, export(a.checkpoint, a.vocab, a.out, a.type, a.context), "bytes")
