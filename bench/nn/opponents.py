"""PyTorch's side of bench/nn: the same architectures, sizes and data.

    opponents.py serve               a request of JSON a line, an answer of JSON a line
    opponents.py memory MODEL ROWS   peak memory of a training process

Requests: {"what": "steps", "model": "lstm", "mode": "eager", "batches": 4}
          {"what": "infer", "model": "lstm", "mode": "script", "threads": 1}
          {"what": "check", "model": "lstm", "weights": FILE, "rows": 1024}
Modes: eager; compile, compile_max (torch.compile); script (torch.jit, inference only).
"""
import json
import math
import os
import re
import resource
import struct
import sys
import time
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

STEPS, CHANNELS, BATCH, CLASSES = 60, 40, 256, 3


# --- data: the same as in data.go

def hash32(x):
    x = np.asarray(x, np.uint32)
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x85EBCA6B)
    x = x ^ (x >> np.uint32(13))
    x = x * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def bars(rows):
    n = (rows + STEPS - 1) * CHANNELS
    v = (hash32(np.arange(n, dtype=np.uint32)) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 23) - 1
    return torch.from_numpy(v.reshape(-1, CHANNELS))


def windows(rows):
    return bars(rows).unfold(0, STEPS, 1).transpose(1, 2)  # rows x steps x channels, a view


def classes(rows):
    return torch.from_numpy((hash32(np.arange(rows, dtype=np.uint32) ^ np.uint32(0x9E3779B9)) % 3).astype(np.int64))


# --- architectures

class MLP(nn.Module):
    def __init__(self, hidden=256):
        super().__init__()
        self.hidden = nn.ModuleList([nn.Linear(STEPS * CHANNELS, hidden), nn.Linear(hidden, hidden)])
        self.out = nn.Linear(hidden, CLASSES)

    def forward(self, x):
        x = x.reshape(x.shape[0], -1)
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.out(x)


class Recurrent(nn.Module):
    def __init__(self, kind, hidden=64):
        super().__init__()
        layer = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](CHANNELS, hidden, batch_first=True)
        self.add_module(kind, layer)
        self.kind, self.out = kind, nn.Linear(hidden, CLASSES)

    def forward(self, x):
        return self.out(getattr(self, self.kind)(x)[0][:, -1])


class TCN(nn.Module):
    """Bai, Kolter and Koltun 2018: residual blocks of two dilated causal convolutions; `convolutions` of each block is 1 for the plain stack of five layers."""

    def __init__(self, width=64, blocks=5, kernel=3, convolutions=1):
        super().__init__()
        self.kernel, self.blocks = kernel, nn.ModuleList()
        for b in range(blocks):
            ins = CHANNELS if b == 0 else width
            self.blocks.append(nn.ModuleDict({
                "convs": nn.ModuleList([nn.Conv1d(ins if c == 0 else width, width, kernel, dilation=2 ** b) for c in range(convolutions)]),
                "down": nn.Conv1d(ins, width, 1) if ins != width else nn.Identity()}))
        self.out = nn.Linear(width, CLASSES)

    def forward(self, x):
        x = x.transpose(1, 2)
        for b, block in enumerate(self.blocks):
            y = x
            for conv in block["convs"]:
                y = F.relu(conv(F.pad(y, ((self.kernel - 1) * 2 ** b, 0))))
            x = F.relu(y + block["down"](x))
        return self.out(x[:, :, -1])


class Layer(nn.Module):
    """Pre-norm encoder layer with PyTorch's fused attention; its own layer has no faster training path."""

    def __init__(self, width, heads, hidden, norm=nn.LayerNorm):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = norm(width), norm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, width=64, heads=4, hidden=256, layers=2):
        super().__init__()
        self.embed, self.place = nn.Linear(CHANNELS, width), nn.Parameter(0.02 * torch.randn(STEPS, width))
        self.layers = nn.ModuleList([Layer(width, heads, hidden) for _ in range(layers)])
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, x):
        x = self.embed(x) + self.place
        for layer in self.layers:
            x = layer(x)
        return self.out(self.norm(x).mean(1))


class PatchTST(nn.Module):
    """Nie et al. 2023: RevIN, channels apart, patches of 16 by 8 with the end repeated, encoder of width 16 and 4 heads (the paper's small size)."""

    def __init__(self, width=16, heads=4, hidden=128, layers=3, patch=16, stride=8):
        super().__init__()
        self.patch, self.stride = patch, stride
        count = (STEPS - patch) // stride + 2
        self.embed, self.place = nn.Linear(patch, width), nn.Parameter(0.02 * torch.randn(count, width))
        self.layers = nn.ModuleList([Layer(width, heads, hidden) for _ in range(layers)])
        self.out = nn.Linear(CHANNELS * count * width, CLASSES)

    def forward(self, x):
        n = x.shape[0]
        x = x.transpose(1, 2)
        x = (x - x.mean(2, keepdim=True)) / torch.sqrt(x.var(2, keepdim=True, unbiased=False) + 1e-5)
        x = F.pad(x, (0, self.stride), mode="replicate").unfold(2, self.patch, self.stride)
        x = self.embed(x.reshape(n * CHANNELS, -1, self.patch)) + self.place
        for layer in self.layers:
            x = layer(x)
        return self.out(x.reshape(n, -1))


class GRN(nn.Module):
    def __init__(self, ins, width, outs=None, context=False):
        super().__init__()
        outs = outs or width
        self.fc1, self.fc2, self.gate = nn.Linear(ins, width), nn.Linear(width, width), nn.Linear(width, 2 * outs)
        self.context = nn.Linear(width, width, bias=False) if context else None
        self.skip = nn.Linear(ins, outs) if ins != outs else nn.Identity()
        self.norm = nn.LayerNorm(outs)

    def forward(self, x, c=None):
        h = self.fc1(x)
        if c is not None:
            h = h + self.context(c)
        return self.norm(self.skip(x) + F.glu(self.gate(self.fc2(F.elu(h))), -1))


class TFT(nn.Module):
    """Lim et al. 2021 on past inputs: variable selection, LSTM, gates, interpretable attention (values shared by the heads), gated feed-forward."""

    def __init__(self, width=16, heads=4):
        super().__init__()
        self.width, self.heads = width, heads
        self.embed_w = nn.Parameter(torch.randn(CHANNELS, width))
        self.embed_b = nn.Parameter(torch.zeros(CHANNELS, width))
        self.select = GRN(CHANNELS * width, width, CHANNELS)
        # one GRN a variable, all at once
        mat = lambda o, i: nn.Parameter(torch.randn(CHANNELS, i, o) / math.sqrt(i))
        self.w1, self.b1 = mat(width, width), nn.Parameter(torch.zeros(CHANNELS, 1, width))
        self.w2, self.b2 = mat(width, width), nn.Parameter(torch.zeros(CHANNELS, 1, width))
        self.w3, self.b3 = mat(2 * width, width), nn.Parameter(torch.zeros(CHANNELS, 1, 2 * width))
        self.gain, self.bias = nn.Parameter(torch.ones(CHANNELS, 1, width)), nn.Parameter(torch.zeros(CHANNELS, 1, width))
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.gate1, self.norm1 = nn.Linear(width, 2 * width), nn.LayerNorm(width)
        self.enrich = GRN(width, width)
        d = width // heads
        self.q, self.k, self.v, self.o = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, d), nn.Linear(d, width)
        self.gate2, self.norm2 = nn.Linear(width, 2 * width), nn.LayerNorm(width)
        self.feed = GRN(width, width)
        self.gate3, self.norm3 = nn.Linear(width, 2 * width), nn.LayerNorm(width)
        self.out = nn.Linear(width, CLASSES)

    def forward(self, x):
        n, t, c = x.shape
        w, h = self.width, self.heads
        e = x.unsqueeze(-1) * self.embed_w + self.embed_b
        weight = F.softmax(self.select(e.reshape(n, t, c * w)), -1)
        v = e.reshape(n * t, c, w).transpose(0, 1)
        g = torch.baddbmm(self.b2, F.elu(torch.baddbmm(self.b1, v, self.w1)), self.w2)
        g = F.layer_norm(v + F.glu(torch.baddbmm(self.b3, g, self.w3), -1), (w,)) * self.gain + self.bias
        x = (g.permute(1, 2, 0).reshape(n, t, w, c) @ weight.unsqueeze(-1)).squeeze(-1)
        y = self.norm1(x + F.glu(self.gate1(self.lstm(x)[0]), -1))
        z = self.enrich(y)
        last = z[:, -1:]  # only the last step is asked for
        q = self.q(last).view(n, 1, h, w // h).transpose(1, 2)
        k = self.k(z).view(n, t, h, w // h).transpose(1, 2)
        a = F.softmax(q @ k.transpose(2, 3) / math.sqrt(w // h), -1).mean(1) @ self.v(z)
        z = self.norm2(last + F.glu(self.gate2(self.o(a)), -1))
        return self.out(self.norm3(y[:, -1:] + F.glu(self.gate3(self.feed(z)), -1))[:, 0])


class InceptionTime(nn.Module):
    """Ismail Fawaz et al. 2020: six modules of 32 filters (bottleneck, kernels 40, 20, 10, pool), a shortcut every three."""

    def __init__(self, filters=32, depth=6, kernels=(39, 19, 9)):
        super().__init__()
        self.parts, self.cuts = nn.ModuleList(), nn.ModuleList()
        ins, width = CHANNELS, 4 * filters
        for d in range(depth):
            self.parts.append(nn.ModuleDict({
                "bottle": nn.Conv1d(ins, filters, 1, bias=False),
                "convs": nn.ModuleList([nn.Conv1d(filters, filters, k, padding=k // 2, bias=False) for k in kernels]),
                "pool": nn.Conv1d(ins, filters, 1, bias=False), "norm": nn.BatchNorm1d(width)}))
            ins = width
        for d in range(depth // 3):
            self.cuts.append(nn.Sequential(nn.Conv1d(CHANNELS if d == 0 else width, width, 1, bias=False), nn.BatchNorm1d(width)))
        self.out = nn.Linear(width, CLASSES)

    def forward(self, x):
        x = x.transpose(1, 2)
        first = x
        for d, p in enumerate(self.parts):
            y = p["bottle"](x)
            y = torch.cat([conv(y) for conv in p["convs"]] + [p["pool"](F.max_pool1d(x, 3, 1, 1))], 1)
            x = F.relu(p["norm"](y))
            if d % 3 == 2:
                x = F.relu(x + self.cuts[d // 3](first))
                first = x
        return self.out(x.mean(2))


class Mamba(nn.Module):
    """Gu and Dao 2023: blocks of width 64 (inner 128, state 16, convolution 4); the scan in plain PyTorch, as its authors' reference does on a CPU."""

    def __init__(self, width=64, layers=2, state=16, kernel=4, expand=2):
        super().__init__()
        inner, rank = expand * width, max(1, width // 16)
        self.inner, self.state, self.rank, self.kernel = inner, state, rank, kernel
        self.embed, self.layers = nn.Linear(CHANNELS, width), nn.ModuleList()
        for _ in range(layers):
            m = nn.ModuleDict({"norm": nn.RMSNorm(width, 1e-5), "in_proj": nn.Linear(width, 2 * inner, bias=False),
                               "conv": nn.Conv1d(inner, inner, kernel, groups=inner, padding=kernel - 1),
                               "x_proj": nn.Linear(inner, rank + 2 * state, bias=False), "dt_proj": nn.Linear(rank, inner),
                               "out_proj": nn.Linear(inner, width, bias=False)})
            m.A_log = nn.Parameter(torch.log(torch.arange(1, state + 1, dtype=torch.float32).repeat(inner, 1)))
            m.D = nn.Parameter(torch.ones(inner))
            self.layers.append(m)
        self.norm, self.out = nn.RMSNorm(width, 1e-5), nn.Linear(width, CLASSES)

    def forward(self, x):
        n, t, _ = x.shape
        x = self.embed(x)
        for m in self.layers:
            u, z = m["in_proj"](m["norm"](x)).chunk(2, -1)
            u = F.silu(m["conv"](u.transpose(1, 2))[:, :, :t].transpose(1, 2))
            dt, b, c = m["x_proj"](u).split([self.rank, self.state, self.state], -1)
            dt = F.softplus(m["dt_proj"](dt))
            decay = torch.exp(dt.unsqueeze(-1) * -torch.exp(m.A_log))
            gain = (dt * u).unsqueeze(-1) * b.unsqueeze(2)
            h, ys = torch.zeros(n, self.inner, self.state), []
            for d, g, cs in zip(decay.unbind(1), gain.unbind(1), c.unsqueeze(2).unbind(1)):
                h = torch.addcmul(g, d, h)
                ys.append((h * cs).sum(-1))
            x = x + m["out_proj"]((torch.stack(ys, 1) + m.D * u) * F.silu(z))
        return self.out(self.norm(x[:, -1]))


MODELS = {"mlp": MLP, "gru": lambda: Recurrent("gru"), "lstm": lambda: Recurrent("lstm"), "tcn": TCN, "transformer": Transformer,
          "patchtst": PatchTST, "tft": TFT, "inceptiontime": InceptionTime, "mamba": Mamba}


def build(model):
    torch.manual_seed(1)
    return MODELS[model]()


# --- measurements

class Trainer:
    def __init__(self, model, mode):
        self.net = build(model)
        self.call = self.net
        if mode.startswith("compile"):
            torch._dynamo.reset()
            self.call = torch.compile(self.net, mode="max-autotune-no-cudagraphs" if mode == "compile_max" else "default")
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=1e-3, weight_decay=1e-2, fused=True)
        self.x, self.y = windows(4 * BATCH).reshape(4, BATCH, STEPS, CHANNELS).contiguous(), classes(4 * BATCH).reshape(4, BATCH)

    def step(self, i):
        self.optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(self.call(self.x[i % 4]), self.y[i % 4]).backward()
        self.optimiser.step()

    def burst(self, batches):
        return timed(batches, self.step)


def timed(n, call):
    wall, cpu = time.perf_counter(), time.process_time()
    for i in range(n):
        call(i)
    return {"wall_ms": (time.perf_counter() - wall) / n * 1e3, "cpu_ms": (time.process_time() - cpu) / n * 1e3}


class Infer:
    def __init__(self, model, mode):
        net = build(model).eval()
        self.x = windows(1).contiguous()
        with torch.inference_mode():
            if mode == "script":
                net = torch.jit.freeze(torch.jit.trace(net, self.x))
            elif mode.startswith("compile"):
                torch._dynamo.reset()
                net = torch.compile(net)
            self.net = net
            self.call(0)

    def call(self, _):
        with torch.inference_mode():
            return F.softmax(self.net(self.x), -1)

    def burst(self, _):
        return timed(200, self.call)


def read(path):
    with open(path, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        head, body = json.loads(f.read(size)), f.read()
    head.pop("__metadata__", None)
    return {k: torch.from_numpy(np.frombuffer(body[h["data_offsets"][0]:h["data_offsets"][1]], np.float32).reshape(h["shape"]).copy()) for k, h in head.items()}


# How our parameters of a network are called here: pairs of a pattern and its replacement. Others have the same names.
NAMES = {
    "tcn": [(r"network\.(\d+)\.conv1", r"blocks.\1.convs.0"), (r"network\.(\d+)\.downsample", r"blocks.\1.down"), (r"linear", "out")],
    "mamba": [(r"mixer\.", ""), (r"conv1d", "conv"), (r"embedding", "embed"), (r"norm_f", "norm")],
    "inceptiontime": [(r"inceptionblock\.inception\.(\d+)", r"parts.\1"), (r"inceptionblock\.shortcut", "cuts"), (r"bottleneck", "bottle"),
                      (r"maxconvpool\.1", "pool"), (r"\bbn\b", "norm"), (r"^fc", "out")],
}


def check(model, path, rows):
    """The log-loss of our weights in PyTorch's network; an error when their names or shapes are not its own."""
    w = read(path)
    net = build(model).eval()
    own = net.state_dict()
    weights = {k: v for k, v in own.items() if k.endswith("num_batches_tracked")}
    for k, v in w.items():
        if k.startswith("seed.0."):
            k = k[len("seed.0."):]
            for old, new in NAMES.get(model, []):
                k = re.sub(old, new, k)
            weights[k] = v
    net.load_state_dict(weights)
    x = windows(rows)
    if "scale.mean" in w:
        x = x.reshape(rows, -1)
        x = ((x - w["scale.mean"]) * w["scale.inverse_deviation"]).reshape(rows, STEPS, CHANNELS)
    else:
        x = (x - w["stream.0.mean"]) * w["stream.0.inverse_deviation"]
    with torch.inference_mode():
        return F.cross_entropy(net(x.clamp(-5, 5)), classes(rows)).item()


def serve():
    have = {}
    for line in sys.stdin:
        r = json.loads(line)
        try:
            if r["what"] == "check":
                answer = {"loss": check(r["model"], r["weights"], r["rows"])}
            else:
                torch.set_num_threads(r.get("threads", 2))
                key = (r["what"], r["model"], r["mode"])
                if key not in have:
                    have[key] = (Trainer if r["what"] == "steps" else Infer)(r["model"], r["mode"])
                answer = have[key].burst(r.get("batches", 1))
        except Exception as e:  # a mode that does not work for a model is said, not hidden
            answer = {"error": "%s: %s" % (type(e).__name__, str(e).strip().split("\n")[0][:160])}
        print(json.dumps(answer), flush=True)


def memory(model, rows):
    """Peak memory of a process that trains an epoch on windows that share their bars."""
    torch.set_num_threads(2)
    net, x, y = build(model), windows(rows), classes(rows)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2, fused=True)
    for rows in torch.randperm(rows).split(BATCH):
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(net(x[rows]), y[rows]).backward()
        optimiser.step()
    print(json.dumps({"memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "out", "inductor"))
    torch.set_flush_denormal(True)
    warnings.simplefilter("ignore")
    if sys.argv[1] == "serve":
        serve()
    else:
        memory(sys.argv[2], int(sys.argv[3]))
