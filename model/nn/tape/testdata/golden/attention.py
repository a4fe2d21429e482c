"""Writes attention.json: values and gradients of attention, gates and embeddings by PyTorch.

    python attention.py

Each case is named for the operation in attention_test.go or gate_test.go that the tests compare; its arguments are that
operation's inputs and parameters. The tests never run this.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

SEED = 12
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)

cases = []


def case(name, fn, *shapes):
    args = [(torch.randn(*s) * (1 if len(s) == 2 and i < 2 else 0.7)).float().double().requires_grad_(True) for i, s in enumerate(shapes)]
    y = fn(*args)
    y = y.reshape(-1, y.shape[-1])
    up = torch.randn_like(y).float().double()
    y.backward(up)

    def flat(x):
        return [float(f"{v:.9g}") for v in x.detach().flatten().tolist()]

    cases.append({"name": name, "args": [flat(a) for a in args], "up": flat(up), "y": flat(y), "grads": [flat(a.grad) for a in args]})


def heads(x, samples, n):
    return x.reshape(samples, x.shape[0] // samples, n, -1).transpose(1, 2)


def join(y):
    return y.transpose(1, 2).flatten(2).flatten(0, 1)


def attend(q, k, v, samples, n, mask=None, causal=False):
    return join(F.scaled_dot_product_attention(heads(q, samples, n), heads(k, samples, n), heads(v, samples, n), attn_mask=mask, is_causal=causal))


def self_attention(x, samples, n, mask=None, causal=False):
    return attend(*x.chunk(3, 1), samples, n, mask, causal)


def t5_bucket(distance, buckets, far):
    """Raffel et al. 2020, as in mesh_tensorflow's relative_position_bucket, bidirectional."""
    buckets //= 2
    first = (distance > 0).long() * buckets
    n = distance.abs()
    exact = buckets // 2
    large = exact + (torch.log(n.double().clamp(min=1) / exact) / math.log(far / exact) * (buckets - exact)).long()
    return first + torch.where(n < exact, n, large.clamp(max=buckets - 1))


def t5(x, w):
    q = torch.arange(9)
    bias = w[t5_bucket(q[None, :] - q[:, None], 8, 6)].permute(2, 0, 1)
    return self_attention(x, 2, 2, bias[None])


def rotate(x):
    y = x[:, :8].reshape(2, 3, 2, 4)
    angle = torch.arange(3.0)[:, None] * 10000 ** (-torch.arange(0, 4, 2.0) / 4)
    angle = torch.cat([angle, angle], 1)[:, None]
    half = torch.cat([-y[..., 2:], y[..., :2]], -1)
    return torch.cat([(y * angle.cos() + half * angle.sin()).reshape(6, 8), x[:, 8:]], 1) + x


def cross(q, kv):
    mask = torch.ones(3, 7, dtype=torch.bool).tril(4)
    k = heads(kv[:, :8], 2, 2)
    v = heads(kv[:, 8:], 2, 2)
    return join(F.scaled_dot_product_attention(heads(q, 2, 2), k, v, attn_mask=mask))


def cell(x, h0, c0, *w):
    lstm = torch.nn.LSTM(4, 5, batch_first=True)
    out = torch.func.functional_call(lstm, dict(zip(["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"], w)),
                                     (x.reshape(2, 3, 4), (h0[None], c0[None])))
    return out[0] + out[1][1].transpose(0, 1)


def positions(x, z, w):
    s = torch.arange(3.0)[:, None]
    wave = torch.zeros(3, 5)
    j = torch.arange(5)
    angle = s / 10000 ** ((j // 2 * 2) / 5)
    wave = torch.where(j % 2 == 0, angle.sin(), angle.cos())
    return (x.reshape(2, 3, 5) + z[:, None] + w + wave).reshape(6, 5)


case("self attention", lambda x: self_attention(x, 3, 2), (15, 24))
case("causal self attention of 17 steps, twice", lambda x: self_attention(x, 2, 1, causal=True) + self_attention(x, 2, 3, causal=True), (34, 9))
case("attention with a bias", lambda x, b: self_attention(x, 2, 2, b.reshape(2, 4, 4).transpose(1, 2)[None]), (8, 12), (8, 4))
case("cross attention, causal", cross, (6, 8), (14, 14))
case("relative bias", t5, (18, 6), (8, 2))
case("rotated heads", rotate, (6, 11))
case("softmax of rows", lambda x: x.softmax(1) + x, (5, 11))
case("glu", lambda x: F.glu(x, 1) + x[:, 9:], (4, 18))
case("geglu", lambda x: x[:, :9] * F.gelu(x[:, 9:]) + x[:, 9:], (4, 18))
case("swiglu", lambda x: x[:, :9] * F.silu(x[:, 9:]) + x[:, 9:], (4, 18))
case("elu", lambda x: F.elu(x) + x, (3, 19))
case("gate without a skip", lambda x, g, b: F.layer_norm(F.glu(x, 1), (17,), g, b, 1e-3), (4, 34), (17,), (17,))
case("add and gate", lambda s, x, g, b: F.layer_norm(s + F.glu(x, 1), (5,), g, b, 1e-3) + F.glu(x, 1), (6, 5), (6, 10), (5,), (5,))
case("embedding", lambda w: F.embedding(torch.tensor([2, 0, 2, 3, 1]), w), (4, 3))
case("positions and contexts", positions, (6, 5), (2, 5), (3, 5))
case("mean over steps", lambda x: x.reshape(2, 4, 3).mean(1) + x.reshape(2, 4, 3)[:, 1], (8, 3))
case("lstm from a state", cell, (6, 4), (2, 5), (2, 5), (20, 4), (20, 5), (20,), (20,))

out = {"reference": "PyTorch", "version": torch.__version__.split("+")[0], "generator": "attention.py", "seed": SEED, "tolerance": 1e-5, "cases": cases}
pathlib.Path("attention.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
