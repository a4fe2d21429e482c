"""xlstm: the network of xlstm.go after Beck et al. 2024 and the authors' package (parallel_stabilized_simple, vanilla sLSTM). Gains are stored as they are, not less 1. Seed 7."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import fixture

torch.manual_seed(7)


def gain(n):
    return nn.Parameter(1 + 0.2 * torch.randn(n))


class Norm(nn.Module):
    def __init__(self, n, heads=None):
        super().__init__()
        self.weight, self.heads = gain(n), heads

    def forward(self, x):
        if self.heads is None:
            return F.layer_norm(x, x.shape[-1:], self.weight, None, 1e-5)
        flat = x.reshape(-1, x.shape[-1])
        return F.group_norm(flat, self.heads, self.weight, None, 1e-5).reshape(x.shape)


class Headwise(nn.Module):
    def __init__(self, width, blocks):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(blocks, width // blocks, width // blocks) / 3)

    def forward(self, x):
        y = torch.einsum("...hd,hod->...ho", x.reshape(*x.shape[:-1], len(self.weight), -1), self.weight)
        return y.reshape(x.shape)


class CausalConv(nn.Module):
    def __init__(self, width, taps):
        super().__init__()
        self.conv = nn.Conv1d(width, width, taps, groups=width, padding=taps - 1)

    def forward(self, x):
        return self.conv(x.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)


def mlstm(q, k, v, i, f, eps=1e-6):
    """q, k, v (N, H, S, D); i, f (N, H, S, 1)."""
    s, d = q.shape[-2:]
    total = torch.cumsum(F.logsigmoid(f), -2)
    below = torch.tril(torch.ones(s, s, dtype=torch.bool))
    exponent = (total - total.transpose(-1, -2)).masked_fill(~below, -torch.inf) + i.transpose(-1, -2)
    m = exponent.max(-1, keepdim=True).values
    w = q @ (k / math.sqrt(d)).transpose(-1, -2) * torch.exp(exponent - m)
    normaliser = torch.maximum(w.sum(-1, keepdim=True).abs(), torch.exp(-m))
    return w / (normaliser + eps) @ v


class MCell(nn.Module):
    def __init__(self, inner, heads):
        super().__init__()
        self.heads = heads
        self.igate, self.fgate, self.outnorm = nn.Linear(3 * inner, heads), nn.Linear(3 * inner, heads), Norm(inner, heads)
        self.fgate.bias.data += torch.linspace(3, 6, heads)

    def forward(self, q, k, v):
        n, s, _ = q.shape
        gates = torch.cat([q, k, v], -1)
        i, f = (g(gates).transpose(1, 2)[..., None] for g in (self.igate, self.fgate))
        q, k, v = (x.reshape(n, s, self.heads, -1).transpose(1, 2) for x in (q, k, v))
        return self.outnorm(mlstm(q, k, v, i, f).transpose(1, 2).reshape(n, s, -1))


class MLayer(nn.Module):
    def __init__(self, width, inner, heads):
        super().__init__()
        self.proj_up = nn.Linear(width, 2 * inner, bias=False)
        self.q_proj, self.k_proj, self.v_proj = (Headwise(inner, inner // 4) for _ in range(3))
        self.conv1d, self.mlstm_cell, self.learnable_skip = CausalConv(inner, 4), MCell(inner, heads), gain(inner)
        self.proj_down = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        a, z = self.proj_up(x).chunk(2, -1)
        c = F.silu(self.conv1d(a))
        h = self.mlstm_cell(self.q_proj(c), self.k_proj(c), self.v_proj(a))
        return self.proj_down((h + self.learnable_skip * c) * F.silu(z))


class SCell(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        n = width // heads
        self._recurrent_kernel_ = nn.Parameter(torch.randn(heads, n, 4, n) / 2)
        self._bias_ = nn.Parameter(torch.randn(heads, 4, n))

    def forward(self, gates):
        n, steps, _ = gates.shape
        heads, d = self._recurrent_kernel_.shape[:2]
        gates = gates.reshape(n, steps, 4, heads, d)
        y = c = norm = m = torch.zeros(n, heads, d)
        ys = []
        for s in range(steps):
            i, f, z, o = (gates[:, s] + torch.einsum("nhd,hdgo->ngho", y, self._recurrent_kernel_) + self._bias_.transpose(0, 1)).unbind(1)
            f = m + F.logsigmoid(f)
            new = i if s == 0 else torch.maximum(i, f)
            take, keep = torch.clamp(torch.exp(i - new), max=1), torch.clamp(torch.exp(f - new), max=1)
            c, norm, m = keep * c + take * torch.tanh(z), keep * norm + take, new
            y = torch.sigmoid(o) * c / norm
            ys.append(y)
        return torch.stack(ys, 1).reshape(n, steps, -1)


class SLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.conv1d = CausalConv(width, 4)
        self.fgate, self.igate, self.zgate, self.ogate = (Headwise(width, heads) for _ in range(4))
        self.slstm_cell, self.group_norm = SCell(width, heads), Norm(width, heads)

    def forward(self, x):
        c = F.silu(self.conv1d(x))
        return self.group_norm(self.slstm_cell(torch.cat([self.igate(c), self.fgate(c), self.zgate(x), self.ogate(x)], -1)))


class FeedForward(nn.Module):
    def __init__(self, width, wide):
        super().__init__()
        self.proj_up, self.proj_down = nn.Linear(width, 2 * wide, bias=False), nn.Linear(wide, width, bias=False)

    def forward(self, x):
        gate, up = self.proj_up(x).chunk(2, -1)
        return self.proj_down(F.gelu(gate) * up)


class Block(nn.Module):
    def __init__(self, width, layer, wide=None):
        super().__init__()
        self.xlstm_norm, self.xlstm = Norm(width), layer
        if wide:
            self.ffn_norm, self.ffn = Norm(width), FeedForward(width, wide)

    def forward(self, x):
        x = x + self.xlstm(self.xlstm_norm(x))
        return x + self.ffn(self.ffn_norm(x)) if hasattr(self, "ffn") else x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Linear(3, 8)
        self.blocks = nn.ModuleList([Block(8, MLayer(8, 64, 2)), Block(8, SLayer(8, 2), 64)])
        self.post_blocks_norm, self.out = Norm(8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.embedding(x)
        for block in self.blocks:
            x = block(x)
        return self.out(self.post_blocks_norm(x)[:, -1])


fixture.save("xlstm", Net(), {"stream.0": torch.randn(5, 9, 3)}, [0, 1, 2, 2, 1])
