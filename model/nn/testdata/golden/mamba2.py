"""mamba2: the network of mamba2.go after Dao and Gu 2024, with the layer as the authors' ssd_minimal has it. Seed 6."""

import torch
import torch.nn.functional as F
from torch import nn

import fixture

torch.manual_seed(6)


def segsum(x):
    """Sums of x over j+1..i at [i, j], −inf above the diagonal."""
    n = x.shape[-1]
    x = x[..., None].expand(*x.shape, n).masked_fill(~torch.tril(torch.ones(n, n, dtype=torch.bool), -1), 0)
    return torch.cumsum(x, -2).masked_fill(~torch.tril(torch.ones(n, n, dtype=torch.bool)), -torch.inf)


def ssd(x, a, b, c, q):
    """x (N, L, H, P) times Δ, a (N, L, H) = Δ·A, b and c (N, L, H, S); chunks of q steps, which divide L."""
    n, length, heads, _ = x.shape
    x, b, c = (v.reshape(n, length // q, q, heads, -1) for v in (x, b, c))
    a = a.reshape(n, length // q, q, heads).permute(0, 3, 1, 2)
    total = torch.cumsum(a, -1)
    diagonal = torch.einsum("bclhn,bcshn,bhcls,bcshp->bclhp", c, b, torch.exp(segsum(a)), x)
    states = torch.einsum("bclhn,bhcl,bclhp->bchpn", b, torch.exp(total[..., -1:] - total), x)
    states = torch.cat([torch.zeros_like(states[:, :1]), states], 1)
    chunks = torch.exp(segsum(F.pad(total[..., -1], (1, 0))))
    states = torch.einsum("bhzc,bchpn->bzhpn", chunks, states)[:, :-1]
    return (diagonal + torch.einsum("bclhn,bchpn,bhcl->bclhp", c, states, torch.exp(total))).reshape(n, length, heads, -1)


class Mixer(nn.Module):
    def __init__(self, width, state, head, conv, expand, chunk):
        super().__init__()
        self.inner, self.state, self.head, self.chunk = expand * width, state, head, chunk
        self.heads = self.inner // head
        self.in_proj = nn.Linear(width, 2 * self.inner + 2 * state + self.heads, bias=False)
        n = self.inner + 2 * state
        self.conv1d = nn.Conv1d(n, n, conv, groups=n, padding=conv - 1)
        self.dt_bias = nn.Parameter(torch.randn(self.heads) - 2)
        self.A_log = nn.Parameter(torch.log(1 + 15 * torch.rand(self.heads)))
        self.D = nn.Parameter(1 + 0.1 * torch.randn(self.heads))
        self.norm = nn.RMSNorm(self.inner, eps=1e-5)
        self.out_proj = nn.Linear(self.inner, width, bias=False)

    def forward(self, x):
        n, length, _ = x.shape
        z, u, dt = self.in_proj(x).split([self.inner, self.inner + 2 * self.state, self.heads], -1)
        u = F.silu(self.conv1d(u.transpose(1, 2))[..., :length].transpose(1, 2))
        v, b, c = u.split([self.inner, self.state, self.state], -1)
        v, dt = v.reshape(n, length, self.heads, self.head), F.softplus(dt + self.dt_bias)
        b, c = (w[:, :, None].expand(-1, -1, self.heads, -1) for w in (b, c))
        y = ssd(v * dt[..., None], dt * -torch.exp(self.A_log), b, c, self.chunk) + v * self.D[:, None]
        return self.out_proj(self.norm(y.reshape(n, length, -1) * F.silu(z)))


class Layer(nn.Module):
    def __init__(self, width, *sizes):
        super().__init__()
        self.norm, self.mixer = nn.RMSNorm(width, eps=1e-5), Mixer(width, *sizes)

    def forward(self, x):
        return x + self.mixer(self.norm(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Linear(3, 9)
        self.layers = nn.ModuleList(Layer(9, 5, 6, 4, 2, 4) for _ in range(2))
        self.norm_f, self.out = nn.RMSNorm(9, eps=1e-5), nn.Linear(9, 3)

    def forward(self, x):
        x = self.embedding(x)
        for layer in self.layers:
            x = layer(x)
        return self.out(self.norm_f(x)[:, -1])


fixture.save("mamba2", Net(), {"stream.0": torch.randn(5, 12, 3)}, [0, 1, 2, 2, 1])
