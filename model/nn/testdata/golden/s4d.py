"""s4d: the network of s4d.go after Gu et al. 2022 and the authors' minimal S4D and example, in float64. Seed 4."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import fixture

torch.manual_seed(4)


class Kernel(nn.Module):
    def __init__(self, width, modes):
        super().__init__()
        self.C = nn.Parameter(torch.randn(width, modes, 2))
        self.log_dt = nn.Parameter(math.log(0.02) + 0.5 * torch.randn(width))
        self.log_A_real = nn.Parameter(math.log(0.5) + 0.2 * torch.randn(width, modes))
        self.A_imag = nn.Parameter(math.pi * torch.arange(modes).repeat(width, 1) + 0.1 * torch.randn(width, modes))

    def forward(self, lags):
        dt = torch.exp(self.log_dt.double())
        c = torch.view_as_complex(self.C.double())
        a = -torch.exp(self.log_A_real.double()) + 1j * self.A_imag.double()
        da = a * dt.unsqueeze(-1)
        c = c * (torch.exp(da) - 1) / a
        return 2 * torch.einsum("hn,hnl->hl", c, torch.exp(da.unsqueeze(-1) * torch.arange(lags))).real


class Layer(nn.Module):
    def __init__(self, width, modes):
        super().__init__()
        self.D, self.kernel = nn.Parameter(torch.randn(width)), Kernel(width, modes)
        self.output_linear = nn.Sequential(nn.Conv1d(width, 2 * width, 1), nn.GLU(dim=-2))

    def forward(self, u):
        n = u.shape[-1]
        k = torch.fft.rfft(self.kernel(n), n=2 * n)
        y = torch.fft.irfft(torch.fft.rfft(u.double(), n=2 * n) * k, n=2 * n)[..., :n]
        return self.output_linear(F.gelu((y + u * self.D.unsqueeze(-1)).float()))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 7)
        self.s4_layers = nn.ModuleList(Layer(7, 5) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(7) for _ in range(2))
        self.decoder = nn.Linear(7, 3)

    def forward(self, x):
        x = self.encoder(x).transpose(1, 2)
        for layer, norm in zip(self.s4_layers, self.norms):
            x = norm((x + layer(x)).transpose(1, 2)).transpose(1, 2)
        return self.decoder(x.mean(-1))


fixture.save("s4d", Net(), {"stream.0": torch.randn(5, 14, 3)}, [0, 1, 2, 2, 1])
