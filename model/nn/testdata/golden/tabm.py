"""tabm: TabM after the paper's formula, outputs averaged over the members. Seed 5."""

import torch
import torch.nn.functional as F
from torch import nn

import fixture

torch.manual_seed(5)
N, P, D, K = 6, 5, 7, 4


class Layer(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i) / i**0.5)
        self.r = nn.Parameter(torch.randn(K, i))
        self.s = nn.Parameter(torch.randn(K, o))
        self.bias = nn.Parameter(torch.randn(K, o))

    def forward(self, x):  # N × K × i
        return F.relu(self.s * ((self.r * x) @ self.weight.T) + self.bias)


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(K, 3, D) / D**0.5)
        self.bias = nn.Parameter(torch.randn(K, 3))

    def forward(self, x):
        return torch.einsum("nki,koi->nko", x, self.weight) + self.bias


class TabM(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.ModuleList([Layer(P, D), Layer(D, D)])
        self.output = Heads()

    def forward(self, x):
        x = x[:, None].expand(-1, K, -1)
        for layer in self.backbone:
            x = layer(x)
        return self.output(x).mean(1)


fixture.save("tabm", TabM(), {"table": torch.randn(N, P)}, [0, 1, 2, 2, 1, 0])
