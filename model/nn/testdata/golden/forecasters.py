"""dlinear, nlinear, tsmixer, nbeats: after the papers' formulas (for the first two as in LTSF-Linear). Seed 3."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import fixture

N, T, C, H = 5, 9, 3, 4
CLASSES = [0, 1, 2, 2, 1]


class Head(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.head = nn.Linear(C * H, width)
        self.out = nn.Linear(width, 3)

    def decide(self, y):  # N × C × H
        return self.out(F.gelu(self.head(y.flatten(1))))


class DLinear(Head):
    def __init__(self, around=2):
        super().__init__()
        self.around = around
        self.Linear_Seasonal = nn.Linear(T, H)
        self.Linear_Trend = nn.Linear(T, H)

    def forward(self, x):
        front, end = x[:, :1].repeat(1, self.around, 1), x[:, -1:].repeat(1, self.around, 1)
        padded = torch.cat([front, x, end], 1).permute(0, 2, 1)
        trend = F.avg_pool1d(padded, 2 * self.around + 1, 1)
        rest = x.permute(0, 2, 1) - trend
        return self.decide(self.Linear_Seasonal(rest) + self.Linear_Trend(trend))


class NLinear(Head):
    def __init__(self):
        super().__init__()
        self.Linear = nn.Linear(T, H)

    def forward(self, x):
        last = x[:, -1:]
        return self.decide((self.Linear((x - last).permute(0, 2, 1)).permute(0, 2, 1) + last).permute(0, 2, 1))


class Block(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm([T * C]), nn.LayerNorm([T * C])
        self.time = nn.Linear(T, T)
        self.fc1, self.fc2 = nn.Linear(C, hidden), nn.Linear(hidden, C)

    def forward(self, x):
        y = self.norm1(x.flatten(1)).reshape(x.shape)
        x = x + F.relu(self.time(y.transpose(1, 2))).transpose(1, 2)
        y = self.norm2(x.flatten(1)).reshape(x.shape)
        return x + self.fc2(F.relu(self.fc1(y)))


class TSMixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(7), Block(7)])
        self.project = nn.Linear(T, H)
        self.out = nn.Linear(C * H, 3)

    def forward(self, x):
        for b in self.blocks:
            x = b(x)
        return self.out(self.project(x.transpose(1, 2)).flatten(1))


def basis(kind, n):
    t = torch.arange(n) / n
    if kind == "trend":
        return torch.stack([t**p for p in range(3)], 1)
    waves = [torch.ones(n)]
    for i in (1, 2):
        waves += [torch.cos(2 * math.pi * i * t), torch.sin(2 * math.pi * i * t)]
    return torch.stack(waves, 1)


class NBlock(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.fc = nn.ModuleList([nn.Linear(T * C, 8), nn.Linear(8, 8)])
        k = {"generic": 4, "trend": 3 * C, "seasonality": 5 * C}[kind]
        self.theta_b, self.theta_f = nn.Linear(8, k, bias=False), nn.Linear(8, k, bias=False)
        if kind == "generic":
            self.backcast, self.forecast = nn.Linear(k, T * C), nn.Linear(k, H * C)

    def forward(self, x):
        h = x
        for l in self.fc:
            h = F.relu(l(h))
        if self.kind == "generic":
            return self.backcast(self.theta_b(h)), self.forecast(self.theta_f(h))
        out = []
        for theta, n in ((self.theta_b(h), T), (self.theta_f(h), H)):
            out.append((theta.reshape(len(x), C, -1) @ basis(self.kind, n).T).flatten(1))
        return out


class NBeats(nn.Module):
    def __init__(self):
        super().__init__()
        self.stacks = nn.ModuleList([nn.ModuleList([NBlock(k), NBlock(k)]) for k in ("trend", "seasonality", "generic")])
        self.out = nn.Linear(H * C, 3)

    def forward(self, x):
        x, total = x.transpose(1, 2).flatten(1), 0
        for stack in self.stacks:
            for block in stack:
                back, fore = block(x)
                x, total = x - back, total + fore
        return self.out(total)


for name, net in (("dlinear", DLinear), ("nlinear", NLinear), ("tsmixer", TSMixer), ("nbeats", NBeats)):
    torch.manual_seed(3)
    fixture.save(name, net(), {"stream.0": torch.randn(N, T, C)}, CLASSES, generator="forecasters.py")
