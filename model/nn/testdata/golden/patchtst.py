"""patchtst and patchtst_last: RevIN with gain and bias, patches by unfold of the window with its end repeated, torch.nn.TransformerEncoder
(pre-norm) over the patches of every channel, a linear map of all patches of two streams, or of the last ones (Nie et al. 2023).
Seed 4."""

import torch

import fixture

write = fixture.write
fixture.write = lambda name, tensors, meta: write(name, tensors, {**meta, "generator": "patchtst.py"})
PATCH, STRIDE, WIDTH = 4, 2, 8


class Net(torch.nn.Module):
    def __init__(self, shapes, last):
        super().__init__()
        self.last = last
        self.counts = [(steps + STRIDE - PATCH) // STRIDE + 1 for steps, _ in shapes]
        for k, (steps, channels) in enumerate(shapes):
            self.register_parameter(f"gain{k}", torch.nn.Parameter(1 + 0.3 * torch.randn(channels)))
            self.register_parameter(f"bias{k}", torch.nn.Parameter(0.3 * torch.randn(channels)))
            self.register_parameter(f"pos{k}", torch.nn.Parameter(0.5 * torch.randn(self.counts[k], WIDTH)))
        self.W_P = torch.nn.Linear(PATCH, WIDTH)
        layer = torch.nn.TransformerEncoderLayer(WIDTH, 2, 12, dropout=0, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 2, norm=torch.nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        for p in self.encoder.parameters():  # the layers are copies of one
            torch.nn.init.normal_(p, 0, 0.5)
        self.head = torch.nn.ModuleDict({"linear": torch.nn.Linear(sum(c * (1 if last else n) for (_, c), n in zip(shapes, self.counts)) * WIDTH, 3)})

    def forward(self, *streams):
        out = []
        for k, x in enumerate(streams):
            mean, deviation = x.mean(1, keepdim=True), torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5)
            x = (x - mean.detach()) / deviation.detach() * getattr(self, f"gain{k}") + getattr(self, f"bias{k}")
            x = torch.nn.functional.pad(x.transpose(1, 2), (0, STRIDE), mode="replicate").unfold(2, PATCH, STRIDE)
            x = self.encoder(self.W_P(x.flatten(0, 1)) + getattr(self, f"pos{k}"))
            out.append((x[:, -1:] if self.last else x).reshape(len(streams[0]), -1))
        return self.head["linear"](torch.cat(out, 1))


def rename(name):
    for a, b in (("gain", "revin.{}.affine_weight"), ("bias", "revin.{}.affine_bias"), ("pos", "W_pos.{}")):
        if name[:-1] == a:
            return b.format(name[-1])
    return name


for name, shapes, last in (("patchtst", [(7, 2), (9, 3)], False), ("patchtst_last", [(7, 3)], True)):
    torch.manual_seed(4)
    inputs = {f"stream.{k}": torch.randn(5, *s) for k, s in enumerate(shapes)}
    fixture.save(name, Net(shapes, last), inputs, [0, 1, 2, 2, 1], rename=rename)
