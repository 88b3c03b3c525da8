"""Convert a BERT sentence-embedding checkpoint to GGUF, e.g. MiniLM or bge-small.

The checkpoint is a Hugging Face folder: config.json, vocab.txt or tokenizer.json,
model.safetensors.

    python convert_bert.py path/to/all-MiniLM-L6-v2 --out minilm.gguf --type f16
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np

LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
TOP = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}


def new_name(name):
    name = name.removeprefix("bert.").replace(".gamma", ".weight").replace(".beta", ".bias")
    if name in TOP:
        return TOP[name]
    if name.startswith("encoder.layer."):
        _, _, i, rest = name.split(".", 3)
        part, end = rest.rsplit(".", 1)
        return f"blk.{i}.{LAYER[part]}.{end}"
    return None  # pooler, position_ids, heads


def read_vocab(folder):
    path = Path(folder) / "vocab.txt"
    if path.exists():
        return path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    vocab = json.loads((Path(folder) / "tokenizer.json").read_text(encoding="utf-8"))["model"][
        "vocab"
    ]
    return sorted(vocab, key=vocab.get)


def tensors(folder):
    """{name: fp32 array} of model.safetensors (read without the safetensors package)."""
    path = Path(folder) / "model.safetensors"
    raw = np.memmap(path, np.uint8, "r")
    n = int(raw[:8].view("<u8")[0])
    for name, t in json.loads(bytes(raw[8 : 8 + n])).items():
        if name == "__metadata__":
            continue
        a, b = t["data_offsets"]
        x = raw[8 + n + a : 8 + n + b]
        if t["dtype"] == "BF16":
            x = (x.view("<u2").astype(np.uint32) << 16).view(np.float32)
        elif t["dtype"] in ("F32", "F16"):
            x = x.view({"F32": "<f4", "F16": "<f2"}[t["dtype"]]).astype(np.float32)
        else:
            continue
        yield name, x.reshape(t["shape"])


def convert(folder, out, kind="f16"):
    c = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    if (
        c.get("model_type", "bert") != "bert"
        or c.get("position_embedding_type", "absolute") != "absolute"
    ):
        raise ValueError("only BERT models with absolute positions")
    tokens = read_vocab(folder)
    pooling = gguf.PoolingType.MEAN
    p = Path(folder) / "1_Pooling" / "config.json"
    if p.exists() and json.loads(p.read_text(encoding="utf-8")).get("pooling_mode_cls_token"):
        pooling = gguf.PoolingType.CLS
    w = gguf.GGUFWriter(out, "bert")
    w.add_name(Path(folder).resolve().name)
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_layer_norm_eps(c.get("layer_norm_eps", 1e-12))
    w.add_causal_attention(False)
    w.add_pooling_type(pooling)
    w.add_token_type_count(c.get("type_vocab_size", 2))
    w.add_file_type(
        {
            "f32": gguf.LlamaFileType.ALL_F32,
            "f16": gguf.LlamaFileType.MOSTLY_F16,
            "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
        }[kind]
    )
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    kinds = [
        gguf.TokenType.CONTROL
        if t in special
        else gguf.TokenType.UNUSED
        if t.startswith("[unused")
        else gguf.TokenType.NORMAL
        for t in tokens
    ]
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("default")
    w.add_token_list(
        [
            t
            if t in special or t.startswith("[unused")
            else t[2:]
            if t.startswith("##")
            else "\u2581" + t
            for t in tokens
        ]
    )
    w.add_token_types(kinds)
    w.add_unk_token_id(tokens.index("[UNK]"))
    w.add_pad_token_id(tokens.index("[PAD]"))
    w.add_bos_token_id(tokens.index("[CLS]"))
    w.add_eos_token_id(tokens.index("[SEP]"))
    w.add_sep_token_id(tokens.index("[SEP]"))
    w.add_mask_token_id(tokens.index("[MASK]"))
    for name, x in tensors(folder):
        new = new_name(name)
        if new is None:
            continue
        if new == "token_embd.weight" and len(x) != len(tokens):
            raise ValueError(f"{len(x)} embeddings, but {len(tokens)} tokens")
        if kind == "f32" or x.ndim == 1 or new in ("token_types.weight", "position_embd.weight"):
            w.add_tensor(new, x.astype(np.float32))
        elif kind == "f16":
            w.add_tensor(new, x.astype(np.float16))
        else:
            w.add_tensor(
                new,
                gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0),
                raw_dtype=gguf.GGMLQuantizationType.Q8_0,
            )
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("folder")
    ap.add_argument("--out", required=True)
    ap.add_argument("--type", default="f16", choices=["f32", "f16", "q8_0"])
    a = ap.parse_args()
    convert(a.folder, a.out, a.type)
    print(a.out, Path(a.out).stat().st_size, "bytes")
