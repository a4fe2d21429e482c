"""Writes losses.json: values and gradients of the losses by PyTorch.

    python losses.py

The tests never run this.
"""

import json
import pathlib

import torch
import torch.nn.functional as F

SEED = 11
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)


def draw(*shape):
    """Values that float32 holds exactly."""
    return torch.randn(*shape).float().double()


def weighted(rows, w):
    return (rows * w).sum() / w.sum()


def case(name, z, fn, **more):
    z = z.clone().requires_grad_(True)
    loss = fn(z)
    loss.backward()
    out = {"name": name, "z": z.detach().flatten().tolist(), "loss": loss.item(), "grad": z.grad.flatten().tolist()}
    for k, v in more.items():
        out[k] = v.tolist() if torch.is_tensor(v) else v
    return out


n, k = 12, 3
z3, z1 = 2 * draw(n, k), 2 * draw(n, 1)
y = torch.randint(0, k, (n,))
b = torch.randint(0, 2, (n,))
x = draw(n)
w = torch.rand(n).float().double()
follows = [i not in (0, 5) for i in range(n)]
levels = [0.1, 0.5, 0.9]


def focal(logp, gamma):
    return -((1 - logp.exp()) ** gamma) * logp


def picked(z):
    return F.log_softmax(z, 1).gather(1, y[:, None])[:, 0]


def pinball(z):
    e = x[:, None] - z
    q = torch.tensor(levels)
    return weighted(torch.maximum(q * e, (q - 1) * e).mean(1), w)


def sharpe(p, cost, floor=0.01):
    turn = torch.zeros(n)
    for i in range(1, n):
        if follows[i]:
            turn[i] = 1
    change = torch.cat([torch.zeros(1), p[1:] - p[:-1]]).abs() * turn
    r = p * x - cost * change
    m = weighted(r, w)
    return -m / (weighted((r - m) ** 2, w) + floor**2).sqrt()


def members(z):
    return weighted(F.cross_entropy(z.reshape(-1, k), y.repeat_interleave(2), reduction="none").reshape(n, 2).mean(1), w)


def side(z):
    p = F.softmax(z, 1)
    return p[:, 2] - p[:, 0]


cases = [
    case("cross_entropy", z3, lambda z: weighted(F.cross_entropy(z, y, reduction="none", label_smoothing=0.1), w), smoothing=0.1),
    case("members", 2 * draw(2 * n, k), members),
    case("bce", z1, lambda z: weighted(F.binary_cross_entropy_with_logits(z[:, 0], b.double(), reduction="none"), w)),
    case("focal", z3, lambda z: weighted(focal(picked(z), 2.0), w), gamma=2.0),
    case("focal_half", z3, lambda z: weighted(focal(picked(z), 0.5), w), gamma=0.5),
    case("focal_binary", z1, lambda z: weighted(focal(F.logsigmoid(z[:, 0] * (2 * b - 1)), 2.0), w), gamma=2.0),
    case("mse", z1, lambda z: weighted(F.mse_loss(z[:, 0], x, reduction="none"), w)),
    case("huber", z1, lambda z: weighted(F.huber_loss(z[:, 0], x, reduction="none", delta=0.7), w), delta=0.7),
    case("quantile", z3, pinball, levels=levels),
    case("sharpe_tanh", z1, lambda z: sharpe(torch.tanh(z[:, 0]), 0.05), cost=0.05),
    case("sharpe_classes", z3, lambda z: sharpe(side(z), 0.02), cost=0.02),
]
pathlib.Path(__file__).with_name("losses.json").write_text(
    json.dumps(
        {
            "reference": "PyTorch (float64)",
            "version": torch.__version__,
            "generator": "losses.py",
            "seed": SEED,
            "tolerance": 1e-6,
            "classes": y.tolist(),
            "labels": b.tolist(),
            "target": x.tolist(),
            "weight": w.tolist(),
            "follows": follows,
            "cases": cases,
        }
    )
    + "\n"
)
