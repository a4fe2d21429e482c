"""mamba: the network of mamba.go after Gu and Dao 2023, with the scan as the authors' selective_scan_ref has it. Seed 3."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import fixture

torch.manual_seed(3)


def selective_scan(u, delta, a, b, c, d):
    """u, delta (N, L, D); a (D, S); b, c (N, L, S); d (D)."""
    decay = torch.exp(torch.einsum("nld,ds->nlds", delta, a))
    gain = torch.einsum("nld,nls,nld->nlds", delta, b, u)
    h, ys = u.new_zeros(u.shape[0], u.shape[2], a.shape[1]), []
    for s in range(u.shape[1]):
        h = decay[:, s] * h + gain[:, s]
        ys.append(torch.einsum("nds,ns->nd", h, c[:, s]))
    return torch.stack(ys, 1) + u * d


class Mixer(nn.Module):
    def __init__(self, width, state, conv, expand):
        super().__init__()
        self.inner, self.state, self.rank = expand * width, state, math.ceil(width / 16)
        self.in_proj = nn.Linear(width, 2 * self.inner, bias=False)
        self.conv1d = nn.Conv1d(self.inner, self.inner, conv, groups=self.inner, padding=conv - 1)
        self.x_proj = nn.Linear(self.inner, self.rank + 2 * state, bias=False)
        self.dt_proj = nn.Linear(self.rank, self.inner)
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, state + 1)).repeat(self.inner, 1) + 0.1 * torch.randn(self.inner, state))
        self.D = nn.Parameter(1 + 0.1 * torch.randn(self.inner))
        self.out_proj = nn.Linear(self.inner, width, bias=False)

    def forward(self, x):
        u, z = self.in_proj(x).chunk(2, -1)
        u = F.silu(self.conv1d(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        dt, b, c = self.x_proj(u).split([self.rank, self.state, self.state], -1)
        y = selective_scan(u, F.softplus(self.dt_proj(dt)), -torch.exp(self.A_log), b, c, self.D)
        return self.out_proj(y * F.silu(z))


class Layer(nn.Module):
    def __init__(self, width, *sizes):
        super().__init__()
        self.norm, self.mixer = nn.RMSNorm(width, eps=1e-5), Mixer(width, *sizes)

    def forward(self, x):
        return x + self.mixer(self.norm(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Linear(3, 17)
        self.layers = nn.ModuleList(Layer(17, 5, 4, 2) for _ in range(2))
        self.norm_f, self.out = nn.RMSNorm(17, eps=1e-5), nn.Linear(17, 3)

    def forward(self, x):
        x = self.embedding(x)
        for layer in self.layers:
            x = layer(x)
        return self.out(self.norm_f(x)[:, -1])


fixture.save("mamba", Net(), {"stream.0": torch.randn(5, 9, 3)}, [0, 1, 2, 2, 1])
