"""tcn: Bai, Kolter and Koltun 2018, with the names of their code (locuslab/TCN), weight norm included."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import weight_norm

from fixture import save

torch.manual_seed(21)


class Block(nn.Module):
    def __init__(self, ins, outs, kernel, dilation, norm):
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.conv1 = norm(nn.Conv1d(ins, outs, kernel, dilation=dilation))
        self.conv2 = norm(nn.Conv1d(outs, outs, kernel, dilation=dilation))
        self.downsample = nn.Conv1d(ins, outs, 1) if ins != outs else None

    def forward(self, x):
        y = F.relu(self.conv1(F.pad(x, (self.reach, 0))))
        y = F.relu(self.conv2(F.pad(y, (self.reach, 0))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Net(nn.Module):
    def __init__(self, channels, width, layers, kernel, outputs, norm, mean):
        super().__init__()
        self.network = nn.Sequential(*[Block(channels if b == 0 else width, width, kernel, 2 ** b, norm) for b in range(layers)])
        self.linear = nn.Linear(width, outputs)
        self.mean = mean

    def forward(self, x):
        y = self.network(x.transpose(1, 2))
        return self.linear(y.mean(2) if self.mean else y[:, :, -1])


x, classes = torch.randn(4, 12, 5), [0, 2, 1, 1]
save("tcn", Net(5, 7, 3, 3, 3, weight_norm, False), {"stream.0": x}, classes)
save("tcn_plain", Net(5, 5, 2, 4, 3, lambda c: c, True), {"stream.0": x}, classes)
