"""realmlp: the network of RealMLP after the paper's figure 1. Seed 7."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import fixture

torch.manual_seed(7)
N, P, H, WAVES, D = 6, 4, 9, 5, 3


class Embedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.frequency = nn.Parameter(torch.randn(P, WAVES))
        self.phase = nn.Parameter(torch.randn(P, WAVES))
        self.weight = nn.Parameter(torch.randn(P, D, WAVES))
        self.bias = nn.Parameter(torch.randn(P, D))

    def forward(self, x):
        waves = torch.cos(2 * math.pi * self.frequency * x[:, :, None] + self.phase)
        return torch.cat([x[:, :, None], torch.einsum("nph,pdh->npd", waves, self.weight) + self.bias], 2).flatten(1)


class Tangent(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(o, i)), nn.Parameter(torch.randn(o))

    def forward(self, x):
        return x @ self.weight.T / x.shape[1] ** 0.5 + self.bias


class Act(nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.rand(H) + 0.5)

    def forward(self, x):
        return (1 - self.alpha) * x + self.alpha * F.selu(x)


class RealMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.num_emb = Embedding()
        self.scale = nn.Parameter(torch.rand(P * (D + 1)) + 0.5)
        self.hidden = nn.ModuleList([Tangent(P * (D + 1), H), Tangent(H, H)])
        self.act = nn.ModuleList([Act(), Act()])
        self.out = Tangent(H, 3)

    def forward(self, x):
        x = self.num_emb(x) * self.scale
        for layer, act in zip(self.hidden, self.act):
            x = act(layer(x))
        return self.out(x)


fixture.save("realmlp", RealMLP(), {"table": torch.randn(N, P)}, [0, 1, 2, 2, 1, 0])
