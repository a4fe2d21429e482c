"""itransformer: each channel's window through torch.nn.Linear, layers of torch.nn.TransformerEncoder (normalised last), GELU, a
linear map of all tokens, as the authors' classification head (Liu et al. 2024). Seed 3."""

import torch

import fixture

torch.manual_seed(3)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.value_embedding = torch.nn.Linear(7, 8)
        layer = torch.nn.TransformerEncoderLayer(8, 2, 12, dropout=0, activation="gelu", batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 2, norm=torch.nn.LayerNorm(8))
        for p in self.encoder.parameters():  # the layers are copies of one
            torch.nn.init.normal_(p, 0, 0.5)
        self.projection = torch.nn.Linear(24, 3)

    def forward(self, x):
        x = self.encoder(self.value_embedding(x.transpose(1, 2)))
        return self.projection(torch.nn.functional.gelu(x).flatten(1))


fixture.save("itransformer", Net(), {"stream.0": torch.randn(6, 7, 3)}, [0, 1, 2, 2, 1, 0])
