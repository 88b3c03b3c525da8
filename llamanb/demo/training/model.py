"""A qwen3-shaped transformer: RMSNorm, RoPE (half rotation), QK norm, SwiGLU, tied embeddings."""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    vocab: int = 2304
    dim: int = 192
    layers: int = 6
    heads: int = 4
    head_dim: int = 48
    ff: int = 512
    rope_base: float = 1e6
    eps: float = 1e-6

    def dict(self):
        return asdict(self)


class Norm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


class Linear(nn.Linear):
    """Master weights in fp32, arithmetic in the dtype of the input."""

    def __init__(self, a, b):
        super().__init__(a, b, bias=False)

    def forward(self, x):
        return F.linear(x, self.weight.to(x.dtype))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        inner = c.heads * c.head_dim
        self.attn_norm, self.ffn_norm = Norm(c.dim, c.eps), Norm(c.dim, c.eps)
        self.q_norm, self.k_norm = Norm(c.head_dim, c.eps), Norm(c.head_dim, c.eps)
        self.q, self.k, self.v = (Linear(c.dim, inner) for _ in range(3))
        self.o = Linear(inner, c.dim)
        self.gate, self.up, self.down = (
            Linear(c.dim, c.ff),
            Linear(c.dim, c.ff),
            Linear(c.ff, c.dim),
        )

    def forward(self, x, cos, sin, past=None, keep=None):
        b, t, _ = x.shape
        h = self.attn_norm(x)
        q, k, v = (
            f(h).view(b, t, self.c.heads, self.c.head_dim).transpose(1, 2)
            for f in (self.q, self.k, self.v)
        )
        q, k = rotate(self.q_norm(q), cos, sin), rotate(self.k_norm(k), cos, sin)
        if keep is not None:
            keep.append((k, v))
        if past is None:
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:  # a prefix that all rows share, seen by every position
            n = past[0].shape[2]
            k, v = (
                torch.cat((p.expand(b, -1, -1, -1), x), 2)
                for p, x in zip(past, (k, v), strict=True)
            )
            mask = torch.ones(t, n + t, dtype=torch.bool, device=x.device).tril(n)
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.o(a.transpose(1, 2).reshape(b, t, -1))
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed = nn.Embedding(c.vocab, c.dim)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = Norm(c.dim, c.eps)
        for n, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(
                    p,
                    std=0.02
                    / ((2 * c.layers) ** 0.5 if n.endswith(("o.weight", "down.weight")) else 1),
                )
        nn.init.normal_(self.embed.weight, std=0.05)
        inv = c.rope_base ** (-torch.arange(0, c.head_dim, 2).float() / c.head_dim)
        self.register_buffer("inv_freq", inv, persistent=False)

    def hidden(self, ids, pos, dtype=torch.float32, past=None, keep=None):
        angle = pos[:, None, :, None].float() * self.inv_freq
        cos, sin = angle.cos().to(dtype), angle.sin().to(dtype)
        x = self.embed(ids).to(dtype)
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin, past[i] if past else None, keep)
        return self.norm(x)

    def logits(self, hidden):
        return F.linear(hidden, self.embed.weight.to(hidden.dtype)).float()
