"""transformer and transformer_causal: torch.nn.TransformerEncoder, pre-norm, with a linear map of the mean step (sinusoidal
positions) and of the last step (learned positions, causal mask). transformer_rotary, _linear and _relative: the same layers with
torch's scaled dot product attention on turned queries and keys (Su et al. 2021, halves paired as in GPT-NeoX), with ALiBi (Press et
al. 2022) and with the buckets of T5 (Raffel et al. 2020). Seed 2."""

import math

import torch
import torch.nn.functional as F

import fixture

write = fixture.write
fixture.write = lambda name, tensors, meta: write(name, tensors, {**meta, "generator": "transformer.py"})
STEPS, HEADS, WIDTH = 7, 2, 8


class Net(torch.nn.Module):
    def __init__(self, positions, causal):
        super().__init__()
        self.positions, self.causal = positions, causal
        self.embedding = torch.nn.Linear(3, WIDTH)
        layer = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, 12, dropout=0, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 2, norm=torch.nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        for p in self.encoder.parameters():  # the layers are copies of one
            torch.nn.init.normal_(p, 0, 0.4)
        self.out = torch.nn.Linear(WIDTH, 3)
        if positions == "learned":
            self.position = torch.nn.Parameter(0.5 * torch.randn(STEPS, WIDTH))
        if positions == "relative":
            self.relative_attention_bias = torch.nn.Embedding(32, HEADS)

    def forward(self, x):
        x = self.embedding(x)
        if self.positions == "learned":
            x = x + self.position
        if self.positions == "sinusoidal":
            angle = torch.arange(STEPS)[:, None] * torch.exp(-math.log(10000) * torch.arange(0, WIDTH, 2) / WIDTH)
            x = x + torch.stack([angle.sin(), angle.cos()], 2).flatten(1)
        if self.positions in ("learned", "sinusoidal"):
            mask = torch.nn.Transformer.generate_square_subsequent_mask(STEPS) if self.causal else None
            x = self.encoder(x, mask=mask, is_causal=self.causal)
        else:
            for layer in self.encoder.layers:
                x = x + self.attention(layer.self_attn, layer.norm1(x))
                x = x + layer.linear2(F.gelu(layer.linear1(layer.norm2(x))))
            x = self.encoder.norm(x)
        return self.out(x[:, -1] if self.causal else x.mean(1))

    def attention(self, m, x):
        b, n, d = x.shape
        q, k, v = (y.view(b, n, HEADS, -1).transpose(1, 2) for y in F.linear(x, m.in_proj_weight, m.in_proj_bias).chunk(3, 2))
        distance = torch.arange(n) - torch.arange(n)[:, None]
        bias = torch.zeros(HEADS, n, n)
        if self.positions == "rotary":
            q, k = self.turn(q), self.turn(k)
        if self.positions == "linear":
            bias = -distance.abs() * (2.0 ** (-8 * torch.arange(1, HEADS + 1) / HEADS))[:, None, None]
        if self.positions == "relative":
            # distances below 8 have buckets of their own, 16 more for keys that come later
            bias = self.relative_attention_bias(torch.where(distance > 0, 16 + distance, -distance)).permute(2, 0, 1)
        if self.causal:
            bias = bias.masked_fill(distance > 0, -torch.inf)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(b, HEADS, n, n))
        return m.out_proj(y.transpose(1, 2).reshape(b, n, d))

    @staticmethod
    def turn(x):
        half = x.shape[-1] // 2
        angle = torch.arange(x.shape[2])[:, None] * 10000.0 ** (-torch.arange(half) / half)
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


for name, positions, causal in (("transformer", "sinusoidal", False), ("transformer_causal", "learned", True), ("transformer_rotary", "rotary", False),
                                ("transformer_linear", "linear", True), ("transformer_relative", "relative", False)):
    torch.manual_seed(2)
    fixture.save(name, Net(positions, causal), {"stream.0": torch.randn(6, STEPS, 3)}, [0, 1, 2, 2, 1, 0])
