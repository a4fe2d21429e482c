"""Asks ONNX Runtime whether whole exported models predict what the models do.

    python exports.py        in this folder; needs go, onnxruntime and numpy

The Go test TestExportedModels makes the models: every architecture with two seeds
and missing values, and every task. Each is asked for all rows at once and for single
rows. Writes exports.json: the digest of every graph that agrees. A graph that does
not is named, and ends the script with 1.
"""

import os

import graphs
import numpy as np


def difference(path, session):
    name = os.path.basename(path)
    held, metadata = graphs.read(path + ".safetensors")
    feeds = {i.name: held["input." + i.name] for i in session.get_inputs()}
    for x in feeds.values():
        x[x == np.float32(metadata["missing"])] = np.nan
    outputs = [o.name for o in session.get_outputs()]
    wanted = [k for k in held if k.startswith("output.")]
    assert wanted, f"{name}: there is nothing to compare"
    result = dict(zip(outputs, session.run(outputs, feeds)))
    worst = 0.0
    for k in wanted:
        want, got = held[k], result[k[len("output."):]]
        one = np.concatenate([session.run([k[len("output."):]], {f: v[i : i + 1] for f, v in feeds.items()})[0] for i in range(len(want))])
        for x in (got, one):
            assert x.shape == want.shape, f"{name}: {k} has the shape {x.shape}, want {want.shape}"
            worst = max(worst, abs(x - want).max() / max(1.0, abs(want).max()))
        if k == "output.probabilities":
            top = np.sort(want, axis=1)
            sure = top[:, -1] - top[:, -2] > 1e-4
            assert (result["label"] == want.argmax(1) - 1)[sure].all(), f"{name}: other labels"
    return worst


graphs.ask("^TestExportedModels$", "exports.py", 1e-5, difference)
