"""Fixtures of convolution, pooling and the norms of columns: values and gradients by PyTorch.

Run it in this folder:  python conv.py
Sequences are written as samples × steps × channels.
"""

import json

import torch
import torch.nn.functional as F

torch.manual_seed(11)
cases = []


def case(op, options, f, x, *params):
    x = x.clone().requires_grad_()
    params = [p.clone().requires_grad_() for p in params]
    y = f(x.transpose(1, 2), *params).transpose(1, 2)
    dy = torch.randn_like(y)
    y.backward(dy)
    flat = lambda v: [float("%.9g" % e) for e in v.detach().reshape(-1).tolist()]
    cases.append({"op": op, "options": options, "shape": list(x.shape), "x": flat(x),
                  "params": [{"shape": list(p.shape), "value": flat(p), "grad": flat(p.grad)} for p in params],
                  "y": flat(y), "dy": flat(dy), "dx": flat(x.grad)})


def conv(n, t, cin, cout, k, s=1, d=1, g=1, left=0, right=0, bias=True):
    x, w = torch.randn(n, t, cin), torch.randn(cout, cin // g, k) * 0.3
    f = lambda x, w, b=None: F.conv1d(F.pad(x, (left, right)), w, b, stride=s, dilation=d, groups=g)
    case("conv", {"stride": s, "dilation": d, "groups": g, "left": left, "right": right}, f, x, w, *([torch.randn(cout)] if bias else []))


conv(2, 9, 5, 7, 1)
conv(2, 9, 5, 7, 3, left=2)
conv(2, 12, 5, 7, 3, d=4, left=8)
conv(2, 12, 6, 4, 9, left=4, right=4, bias=False)
conv(2, 11, 6, 8, 3, s=2, left=1, right=1)
conv(2, 11, 6, 8, 3, g=2, left=1, right=1)
conv(2, 11, 18, 18, 5, g=18, left=2, right=2)
conv(2, 11, 18, 18, 3, s=2, d=2, g=18, left=2, right=2)

x = lambda: torch.randn(2, 11, 5)
for k, s, p in [(3, 1, 1), (2, 2, 0), (3, 2, 1)]:
    case("max_pool", {"kernel": k, "stride": s, "padding": p}, lambda x: F.max_pool1d(x, k, s, p), x())
    case("max_pool", {"kernel": k, "stride": s, "padding": p}, lambda x: F.max_pool1d(x, k, s, p), x().clamp(min=0))  # with ties
    case("average_pool", {"kernel": k, "stride": s, "padding": p}, lambda x: F.avg_pool1d(x, k, s, p), x())
for n in [1, 4]:
    case("adaptive_max_pool", {"steps": n}, lambda x: F.adaptive_max_pool1d(x, n), x())
    case("adaptive_average_pool", {"steps": n}, lambda x: F.adaptive_avg_pool1d(x, n), x())
w, b = torch.rand(5) + 0.5, torch.randn(5)
case("batch_norm", {}, lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), x() * 3 + 7, w, b)
case("instance_norm", {}, lambda x, w, b: F.instance_norm(x, None, None, w, b), x() * 3 + 7, w, b)


def revin(x, w, b):  # Kim et al. 2022: statistics without gradient, eps 1e-5, doubled back and forth
    mean = x.mean(2, keepdim=True).detach()
    dev = torch.sqrt(x.var(2, keepdim=True, unbiased=False) + 1e-5).detach()
    z = torch.tanh((x - mean) / dev * w[:, None] + b[:, None])
    return (z - b[:, None]) / (w[:, None] + 1e-10) * dev + mean


case("reversible_norm", {}, revin, x() * 3 + 7, w, b)
json.dump({"header": {"reference": "PyTorch", "version": torch.__version__.split("+")[0], "generator": "conv.py", "seed": 11, "tolerance": 1e-5}, "cases": cases},
          open("conv.json", "w"), separators=(",", ":"))
