"""resnet1d: Wang, Yan and Oates 2017 and, second, the strided form of He et al. 2016, with the names of tsai's ResNet.

Batch norms have momentum 1, so that a step leaves its own statistics in the buffers, as the first step of ours does.
"""

import torch
import torch.nn.functional as F
from torch import nn

from fixture import save

torch.manual_seed(23)


def norm(n):
    return nn.BatchNorm1d(n, momentum=1.0)


def conv(ins, outs, kernel, stride=1):
    class Same(nn.Conv1d):
        def forward(self, x):
            return super().forward(F.pad(x, ((kernel - 1) // 2, kernel // 2)))

    return nn.Sequential(Same(ins, outs, kernel, stride=stride, bias=False), norm(outs))


class Block(nn.Module):
    def __init__(self, ins, outs, kernels, stride):
        super().__init__()
        self.count = len(kernels)
        for k, kernel in enumerate(kernels):
            self.add_module(f"convblock{k + 1}", conv(ins if k == 0 else outs, outs, kernel, stride if k == 0 else 1))
        self.shortcut = norm(outs) if ins == outs and stride == 1 else conv(ins, outs, 1, stride)

    def forward(self, x):
        y = x
        for k in range(self.count):
            y = getattr(self, f"convblock{k + 1}")(y)
            if k + 1 < self.count:
                y = F.relu(y)
        return F.relu(y + self.shortcut(x))


class Net(nn.Module):
    def __init__(self, stem, blocks):
        super().__init__()
        if stem:
            self.stem = conv(5, blocks[0][0], stem)
        self.count = len(blocks)
        for i, (ins, outs, kernels, stride) in enumerate(blocks):
            self.add_module(f"resblock{i + 1}", Block(ins, outs, kernels, stride))
        self.fc = nn.Linear(blocks[-1][1], 3)

    def forward(self, x):
        x = x.transpose(1, 2)
        if hasattr(self, "stem"):
            x = F.relu(self.stem(x))
        for i in range(self.count):
            x = getattr(self, f"resblock{i + 1}")(x)
        return self.fc(x.mean(2))


x, classes = torch.randn(6, 11, 5), [0, 2, 1, 1, 0, 2]
save("resnet1d", Net(0, [(5, 4, (8, 5, 3), 1), (4, 8, (8, 5, 3), 1), (8, 8, (8, 5, 3), 1)]), {"stream.0": x}, classes)
save("resnet1d_deep", Net(7, [(4, 4, (3, 3), 1), (4, 4, (3, 3), 1), (4, 8, (3, 3), 2), (8, 8, (3, 3), 1)]), {"stream.0": x}, classes)
