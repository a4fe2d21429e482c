"""s5: the network of s5.go after Smith et al. 2023 and the authors' implementation, as a plain recurrence in complex128. Seed 5."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import fixture

torch.manual_seed(5)


class SSM(nn.Module):
    def __init__(self, width, p, bilinear):
        super().__init__()
        self.bilinear = bilinear
        self.Lambda_re, self.Lambda_im = nn.Parameter(-0.5 + 0.1 * torch.randn(p)), nn.Parameter(3 * torch.arange(1.0, p + 1))
        self.B, self.C = nn.Parameter(torch.randn(p, width, 2)), nn.Parameter(torch.randn(width, p, 2))
        self.D, self.log_step = nn.Parameter(torch.randn(width)), nn.Parameter(math.log(0.03) + 0.5 * torch.randn(p, 1))

    def forward(self, u):
        a = self.Lambda_re.double() + 1j * self.Lambda_im.double()
        b, c = torch.view_as_complex(self.B.double()), torch.view_as_complex(self.C.double())
        dt = torch.exp(self.log_step.double()[:, 0])
        if self.bilinear:
            q = 1 / (1 - dt / 2 * a)
            z, b = q * (1 + dt / 2 * a), (q * dt)[:, None] * b
        else:
            z = torch.exp(a * dt)
            b = ((z - 1) / a)[:, None] * b
        inputs = u.to(torch.complex128) @ b.T
        h, hs = torch.zeros(u.shape[0], len(z), dtype=torch.complex128), []
        for s in range(u.shape[1]):
            h = z * h + inputs[:, s]
            hs.append(h)
        return (2 * (torch.stack(hs, 1) @ c.T).real + u * self.D).float()


class Layer(nn.Module):
    def __init__(self, width, p, bilinear):
        super().__init__()
        self.norm, self.seq, self.out2 = nn.LayerNorm(width), SSM(width, p, bilinear), nn.Linear(width, width)

    def forward(self, x):
        z = F.gelu(self.seq(self.norm(x)))
        return x + z * torch.sigmoid(self.out2(z))


class Net(nn.Module):
    def __init__(self, bilinear):
        super().__init__()
        self.encoder = nn.Linear(3, 7)
        self.layers = nn.ModuleList(Layer(7, 6, bilinear) for _ in range(2))
        self.decoder = nn.Linear(7, 3)

    def forward(self, x):
        x = self.encoder(x)
        for layer in self.layers:
            x = layer(x)
        return self.decoder(x.mean(1))


fixture.save("s5", Net(False), {"stream.0": torch.randn(5, 12, 3)}, [0, 1, 2, 2, 1])
