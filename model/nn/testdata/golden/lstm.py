"""lstm: two layers of torch.nn.LSTM and a linear map of the last state. Seed 1."""

import torch

import fixture

torch.manual_seed(1)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(3, 5, num_layers=2, batch_first=True)
        self.out = torch.nn.Linear(5, 3)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


fixture.save("lstm", Net(), {"stream.0": torch.randn(6, 7, 3)}, [0, 1, 2, 2, 1, 0])
