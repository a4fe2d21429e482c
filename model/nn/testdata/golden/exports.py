"""Asks ONNX Runtime whether whole exported models predict what the models do.

    python exports.py        in this folder; needs go, onnxruntime and numpy

The Go test TestExportedModels makes the models: every architecture with two seeds
and missing values, and every task. Each is asked for all rows at once and for single
rows. Writes exports.json: the digest of every graph that agrees. A graph that does
not is named, and ends the script with 1.
"""

import glob
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.pop(0)  # a file here is called onnx.py
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

TOLERANCE = 1e-5


def read(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8 : 8 + n])
    missing = np.float32(head.pop("__metadata__")["missing"])
    out = {}
    for name, t in head.items():
        lo, hi = t["data_offsets"]
        out[name] = np.frombuffer(raw[8 + n + lo : 8 + n + hi], "<f4").reshape(t["shape"]).copy()
        if name.startswith("input."):
            out[name][out[name] == missing] = np.nan
    return out


folder = tempfile.mkdtemp()
subprocess.run(["go", "test", "-count=1", "./model/nn", "-run", "^TestExportedModels$", "-args", "-exports", folder],
               cwd="../../../..", check=True, env={**os.environ, "CGO_ENABLED": "0"})
digests, bad = {}, 0
for path in sorted(glob.glob(folder + "/*.onnx")):
    name = os.path.basename(path)[:-5]
    held = read(path[:-5] + ".safetensors")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {i.name: held["input." + i.name] for i in session.get_inputs()}
    outputs = [o.name for o in session.get_outputs()]
    wanted = [k for k in held if k.startswith("output.")]
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
    print(f"{name}: {worst:.1e}")
    if not worst <= TOLERANCE or not wanted:
        bad += 1
        print(f"{name}: ONNX Runtime predicts something else")
        continue
    digests[name] = hashlib.sha256(open(path, "rb").read()).hexdigest()
json.dump({"reference": "onnxruntime", "version": onnxruntime.__version__, "generator": "exports.py", "seed": None, "tolerance": TOLERANCE,
           "digests": digests}, open("exports.json", "w"), indent=1)
open("exports.json", "a").write("\n")
sys.exit(bad > 0)
