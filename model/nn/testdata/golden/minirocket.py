"""minirocket: the features of aeon's MiniRocket (the authors' code, several channels) with the channels and biases that it drew.

python minirocket.py     needs aeon
"""

import aeon
import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from aeon.transformations.collection.convolution_based import _minirocket as module

from fixture import write
import torch

rng = np.random.default_rng(25)
tensors = {}
for name, channels, steps, features in [("many", 12, 40, 84 * 21), ("one", 1, 30, 84 * 7)]:
    x = rng.standard_normal((5, channels, steps)).astype(np.float32).cumsum(2)
    m = MiniRocket(n_kernels=features, random_state=3)
    m.fit(x)
    counts, index, dilations, per_dilation, biases = [np.asarray(p) for p in m.parameters]
    test = rng.standard_normal((4, channels, steps)).astype(np.float32).cumsum(2)
    out = np.asarray(m.transform(test), dtype=np.float32)
    use, at = -np.ones((len(counts), min(channels, 9)), dtype=np.float32), 0
    for k, c in enumerate(counts):
        use[k, :c] = index[at:at + c]
        at += c
    for part, v in [("train", x.transpose(0, 2, 1)), ("test", test.transpose(0, 2, 1)), ("features", out), ("channels", use), ("dilations", dilations),
                    ("per_dilation", per_dilation), ("biases", biases)]:
        tensors[f"{name}.{part}"] = torch.from_numpy(np.ascontiguousarray(v, dtype=np.float32))
write("minirocket", tensors, {"reference": "aeon", "version": aeon.__version__, "generator": "minirocket.py", "seed": "25", "tolerance": "1e-5"})
