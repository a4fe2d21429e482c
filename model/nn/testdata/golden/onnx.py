"""Asks ONNX Runtime whether the exported graphs of the golden networks return the golden outputs.

    python onnx.py        in this folder; needs go, onnxruntime and numpy

Writes onnx.json: the digest of every graph that agrees. A graph that does not is named, and ends the script with 1.
"""

import glob
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.pop(0)  # this file is called onnx.py
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

TOLERANCE = 2e-5


def read(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8 : 8 + n])
    head.pop("__metadata__", None)
    out = {}
    for name, t in head.items():
        lo, hi = t["data_offsets"]
        out[name] = np.frombuffer(raw[8 + n + lo : 8 + n + hi], "<f4").reshape(t["shape"])
    return out


folder = tempfile.mkdtemp()
subprocess.run(["go", "test", "-count=1", "./model/nn", "-run", "Golden", "-args", "-exports", folder],
               cwd="../../../..", check=True, env={**os.environ, "CGO_ENABLED": "0"})
digests, bad = {}, 0
for path in sorted(glob.glob(folder + "/*.onnx")):
    name = os.path.basename(path)[:-5]
    golden = read(name + ".safetensors")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {i.name: golden["input." + i.name] for i in session.get_inputs()}
    got = session.run(["output"], feeds)[0]
    want = golden.get("extra.eval", golden["output"])
    one = np.concatenate([session.run(["output"], {k: v[i : i + 1] for k, v in feeds.items()})[0] for i in range(len(want))])
    difference = max(abs(got - want).max(), abs(one - want).max()) / max(1e-3, abs(want).max())
    print(f"{name}: {difference:.1e}")
    if not difference <= TOLERANCE:
        bad += 1
        print(f"{name}: ONNX Runtime returns something else")
        continue
    digests[name] = hashlib.sha256(open(path, "rb").read()).hexdigest()
json.dump({"reference": "onnxruntime", "version": onnxruntime.__version__, "generator": "onnx.py", "seed": None, "tolerance": TOLERANCE,
           "digests": digests}, open("onnx.json", "w"), indent=1)
open("onnx.json", "a").write("\n")
sys.exit(bad > 0)
