"""tft, tft_past and vsn_lstm, written from the equations of Lim et al. (2021) with torch.nn layers, without the shortcuts that the
networks in Go take: every embedding is made, and every step asks the attention. Seed 5."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import fixture

write = fixture.write
fixture.write = lambda name, tensors, meta: write(name, tensors, {**meta, "generator": "tft.py"})
EPS = 1e-5


class GRN(nn.Module):
    """Equations 2 to 5."""

    def __init__(self, ins, width, outs=None, context=False):
        super().__init__()
        outs = outs or width
        self.fc1, self.fc2, self.gate = nn.Linear(ins, width), nn.Linear(width, width), nn.Linear(width, 2 * outs)
        if context:
            self.context = nn.Linear(width, width, bias=False)
        if ins != outs:
            self.skip = nn.Linear(ins, outs)
        self.norm = nn.LayerNorm(outs, eps=EPS)

    def forward(self, a, c=None):
        h = self.fc1(a)
        if c is not None:
            h = h + (self.context(c) if a.dim() == 2 else self.context(c)[:, None])
        h = self.fc2(F.elu(h))
        return self.norm((self.skip(a) if hasattr(self, "skip") else a) + F.glu(self.gate(h), -1))


class Stacked(nn.Module):
    def __init__(self, n, o, i):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n, o, i) / math.sqrt(i))
        self.bias = nn.Parameter(0.5 * torch.randn(n, o))


class Norms(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.weight, self.bias = nn.Parameter(1 + 0.2 * torch.randn(n, d)), nn.Parameter(0.2 * torch.randn(n, d))


class GRNs(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.fc1, self.fc2, self.gate, self.norm = Stacked(n, d, d), Stacked(n, d, d), Stacked(n, 2 * d, d), Norms(n, d)

    def forward(self, e, j):
        lin = lambda m, x: F.linear(x, m.weight[j], m.bias[j])
        z = lin(self.gate, lin(self.fc2, F.elu(lin(self.fc1, e))))
        return F.layer_norm(e + F.glu(z, -1), (e.shape[-1],), self.norm.weight[j], self.norm.bias[j], EPS)


class Embedding(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(n, d)), nn.Parameter(0.5 * torch.randn(n, d))


class Selection(nn.Module):
    """Equations 6 to 8."""

    def __init__(self, n, d, context):
        super().__init__()
        self.embedding, self.single_variable_grns = Embedding(n, d), GRNs(n, d)
        self.flattened_grn = GRN(n * d, d, n, context)

    def forward(self, x, c=None):
        e = x[..., None] * self.embedding.weight + self.embedding.bias
        weights = self.flattened_grn(e.flatten(-2), c).softmax(-1)
        return sum(weights[..., j : j + 1] * self.single_variable_grns(e[..., j, :], j) for j in range(x.shape[-1]))


class Skip(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.gate, self.norm = nn.Linear(d, 2 * d), nn.LayerNorm(d, eps=EPS)

    def forward(self, x, y):
        return self.norm(x + F.glu(self.gate(y), -1))


class TFT(nn.Module):
    def __init__(self, static, past, known, heads, width):
        super().__init__()
        d, s = heads * width, static > 0
        self.heads, self.width = heads, width
        if s:
            self.static_variable_selection = Selection(static, d, False)
            for name in ("variable_selection", "initial_hidden_lstm", "initial_cell_lstm", "enrichment"):
                self.add_module("static_context_" + name, GRN(d, d))
        self.encoder_variable_selection, self.lstm_encoder = Selection(past, d, s), nn.LSTM(d, d, batch_first=True)
        if known:
            self.decoder_variable_selection, self.lstm_decoder = Selection(known, d, s), nn.LSTM(d, d, batch_first=True)
        self.post_lstm, self.static_enrichment = Skip(d), GRN(d, d, context=s)
        self.multihead_attn = nn.ModuleDict({"q": nn.Linear(d, d), "k": nn.Linear(d, d), "v": nn.Linear(d, width), "out": nn.Linear(width, d)})
        self.post_attn, self.pos_wise_ff, self.pre_output = Skip(d), GRN(d, d), Skip(d)
        self.output_layer = nn.Linear(d, 3)

    def forward(self, past, static=None, known=None):
        choose = enrich = None
        state = None
        if static is not None:
            s = self.static_variable_selection(static)
            choose, enrich = self.static_context_variable_selection(s), self.static_context_enrichment(s)
            state = (self.static_context_initial_hidden_lstm(s)[None], self.static_context_initial_cell_lstm(s)[None])
        x = self.encoder_variable_selection(past, choose)
        y, state = self.lstm_encoder(x, state)
        if known is not None:
            f = self.decoder_variable_selection(known, choose)
            x, y = torch.cat([x, f], 1), torch.cat([y, self.lstm_decoder(f, state)[0]], 1)
        local = self.post_lstm(x, y)
        rich = self.static_enrichment(local, enrich)
        m, (b, n) = self.multihead_attn, rich.shape[:2]
        q, k = (m[w](rich).view(b, n, self.heads, self.width).transpose(1, 2) for w in "qk")
        score = (q @ k.transpose(2, 3) / math.sqrt(self.width)).masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -torch.inf)
        h = self.post_attn(rich, m["out"](score.softmax(-1).mean(1) @ m["v"](rich)))
        return self.output_layer(self.pre_output(local, self.pos_wise_ff(h)))[:, -1]


class VSNLSTM(nn.Module):
    def __init__(self, static, past, d):
        super().__init__()
        self.static_variable_selection = Selection(static, d, False)
        for name in ("variable_selection", "initial_hidden_lstm", "initial_cell_lstm"):
            self.add_module("static_context_" + name, GRN(d, d))
        self.variable_selection, self.lstm = Selection(past, d, True), nn.LSTM(d, d, batch_first=True)
        self.post_lstm, self.out = Skip(d), nn.Linear(d, 3)

    def forward(self, past, static):
        s = self.static_variable_selection(static)
        state = (self.static_context_initial_hidden_lstm(s)[None], self.static_context_initial_cell_lstm(s)[None])
        x = self.variable_selection(past, self.static_context_variable_selection(s))
        return self.out(self.post_lstm(x, self.lstm(x, state)[0])[:, -1])


y = [0, 1, 2, 2, 1]
torch.manual_seed(5)
past, static, known = torch.randn(5, 6, 3), torch.randn(5, 2), torch.randn(5, 3, 2)
fixture.save("tft", TFT(2, 3, 2, 2, 3), {"stream.0": past, "table": static, "known": known}, y)
fixture.save("tft_past", TFT(0, 3, 0, 2, 2), {"stream.0": past}, y)
fixture.save("vsn_lstm", VSNLSTM(2, 3, 5), {"stream.0": past, "table": static}, y)
