"""gru: two layers of torch.nn.GRU and a linear map of the last state. Seed 2."""

import torch

import fixture

torch.manual_seed(2)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(3, 5, num_layers=2, batch_first=True)
        self.out = torch.nn.Linear(5, 3)

    def forward(self, x):
        return self.out(self.gru(x)[0][:, -1])


fixture.save("gru", Net(), {"stream.0": torch.randn(6, 7, 3)}, [0, 1, 2, 2, 1, 0])
