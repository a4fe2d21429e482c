"""moderntcn: Luo and Wang 2024, with the names of their code.

The flattened features go into the last map by patch, channel and feature; theirs go by channel, feature and patch. Batch norms have momentum
1, so that a step leaves its own statistics in the buffers, as the first step of ours does.
"""

import torch
import torch.nn.functional as F
from torch import nn

from fixture import save

torch.manual_seed(24)


class ConvNorm(nn.Module):
    def __init__(self, n, kernel):
        super().__init__()
        self.conv = nn.Conv1d(n, n, kernel, padding=kernel // 2, groups=n, bias=False)
        self.bn = nn.BatchNorm1d(n, momentum=1.0)

    def forward(self, x):
        return self.bn(self.conv(x))


class Large(nn.Module):
    def __init__(self, n, large, small):
        super().__init__()
        self.lkb_origin = ConvNorm(n, large)
        if small:
            self.small_conv = ConvNorm(n, small)

    def forward(self, x):
        y = self.lkb_origin(x)
        return y + self.small_conv(x) if hasattr(self, "small_conv") else y


class Block(nn.Module):
    def __init__(self, m, d, large, small, ratio):
        super().__init__()
        self.dw = Large(m * d, large, small)
        self.norm = nn.BatchNorm1d(d, momentum=1.0)
        self.ffn1pw1 = nn.Conv1d(m * d, m * d * ratio, 1, groups=m)
        self.ffn1pw2 = nn.Conv1d(m * d * ratio, m * d, 1, groups=m)
        self.ffn2pw1 = nn.Conv1d(m * d, m * d * ratio, 1, groups=d)
        self.ffn2pw2 = nn.Conv1d(m * d * ratio, m * d, 1, groups=d)

    def forward(self, x):
        b, m, d, n = x.shape
        y = self.dw(x.reshape(b, m * d, n))
        y = self.norm(y.reshape(b * m, d, n)).reshape(b, m * d, n)
        y = self.ffn1pw2(F.gelu(self.ffn1pw1(y)))
        y = y.reshape(b, m, d, n).permute(0, 2, 1, 3).reshape(b, d * m, n)
        y = self.ffn2pw2(F.gelu(self.ffn2pw1(y)))
        return x + y.reshape(b, d, m, n).permute(0, 2, 1, 3)


class Net(nn.Module):
    def __init__(self, m, steps, d, blocks, patch, stride, large, small, ratio):
        super().__init__()
        self.patch, self.stride = patch, stride
        self.stem = nn.Sequential(nn.Conv1d(1, d, patch, stride=stride), nn.BatchNorm1d(d, momentum=1.0))
        self.blocks = nn.ModuleList([Block(m, d, large, small, ratio) for _ in range(blocks)])
        self.head_class = nn.Linear(m * d * ((steps - stride) // stride + 1), 3)

    def forward(self, x):
        b, t, m = x.shape
        x = x.transpose(1, 2).reshape(b * m, 1, t)
        x = torch.cat([x, x[:, :, -1:].repeat(1, 1, self.patch - self.stride)], 2)
        x = self.stem(x)
        x = x.reshape(b, m, *x.shape[1:])
        for block in self.blocks:
            x = block(x)
        return self.head_class(F.gelu(x).permute(0, 3, 1, 2).reshape(b, -1))


net = Net(3, 12, 4, 2, 4, 2, 5, 3, 2)
save("moderntcn", net, {"stream.0": torch.randn(6, 12, 3)}, [0, 2, 1, 1, 0, 2], rename=lambda n: n)
