"""inceptiontime: Ismail Fawaz et al. 2020, with the names of tsai's PyTorch version.

Batch norms have momentum 1, so that a step leaves its own statistics in the buffers, as the first step of ours does.
"""

import torch
import torch.nn.functional as F
from torch import nn

from fixture import save

torch.manual_seed(22)


class Module(nn.Module):
    def __init__(self, ins, filters, kernel, bottleneck):
        super().__init__()
        self.bottleneck = nn.Conv1d(ins, bottleneck, 1, bias=False)
        kernels = [k if k % 2 else k - 1 for k in (kernel, kernel // 2, kernel // 4)]
        self.convs = nn.ModuleList([nn.Conv1d(bottleneck, filters, k, padding=k // 2, bias=False) for k in kernels])
        self.maxconvpool = nn.Sequential(nn.MaxPool1d(3, 1, 1), nn.Conv1d(ins, filters, 1, bias=False))
        self.bn = nn.BatchNorm1d(4 * filters, momentum=1.0)

    def forward(self, x):
        y = self.bottleneck(x)
        return F.relu(self.bn(torch.cat([c(y) for c in self.convs] + [self.maxconvpool(x)], 1)))


class Block(nn.Module):
    def __init__(self, ins, filters, depth, kernel, bottleneck):
        super().__init__()
        width = 4 * filters
        self.inception = nn.ModuleList([Module(ins if d == 0 else width, filters, kernel, bottleneck) for d in range(depth)])
        self.shortcut = nn.ModuleList([nn.Sequential(nn.Conv1d(ins if d == 0 else width, width, 1, bias=False), nn.BatchNorm1d(width, momentum=1.0))
                                       for d in range(depth // 3)])

    def forward(self, x):
        first = x
        for d, m in enumerate(self.inception):
            x = m(x)
            if d % 3 == 2:
                x = first = F.relu(x + self.shortcut[d // 3](first))
        return x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inceptionblock = Block(5, 3, 6, 12, 4)
        self.fc = nn.Linear(12, 3)

    def forward(self, x):
        return self.fc(self.inceptionblock(x.transpose(1, 2)).mean(2))


save("inceptiontime", Net(), {"stream.0": torch.randn(6, 10, 5)}, [0, 2, 1, 1, 0, 2])
