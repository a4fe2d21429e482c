"""Asks ONNX Runtime whether the exported graphs of the golden networks return the golden outputs.

    python onnx.py        in this folder; needs go, onnxruntime and numpy

Writes onnx.json: the digest of every graph that agrees. A graph that does not is named, and ends the script with 1.
"""

import os

import graphs
import numpy as np


def difference(path, session):
    golden, _ = graphs.read(os.path.basename(path) + ".safetensors")
    feeds = {i.name: golden["input." + i.name] for i in session.get_inputs()}
    got = session.run(["output"], feeds)[0]
    want = golden.get("extra.eval", golden["output"])
    one = np.concatenate([session.run(["output"], {k: v[i : i + 1] for k, v in feeds.items()})[0] for i in range(len(want))])
    return max(abs(got - want).max(), abs(one - want).max()) / max(1e-3, abs(want).max())


graphs.ask("Golden", "onnx.py", 2e-5, difference)
