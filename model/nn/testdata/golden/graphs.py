"""What onnx.py and exports.py share: graphs that Go writes, the tensors beside them, and a file of the digests that agree."""

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


def read(path):
    """The tensors of a safetensors file and its metadata."""
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8 : 8 + n])
    metadata = head.pop("__metadata__", {})
    tensors = {}
    for name, t in head.items():
        lo, hi = t["data_offsets"]
        tensors[name] = np.frombuffer(raw[8 + n + lo : 8 + n + hi], "<f4").reshape(t["shape"]).copy()
    return tensors, metadata


def ask(tests, generator, tolerance, difference):
    """Has the Go tests of a pattern write their graphs and calls difference(path without its ending, session) on each.

    It returns how far ONNX Runtime is off. Writes the digests of the graphs within the tolerance to a file of the generator's
    name, and ends the script: with 1 if a graph is further off.
    """
    folder = tempfile.mkdtemp()
    subprocess.run(["go", "test", "-count=1", "./model/nn", "-run", tests, "-args", "-exports", folder],
                   cwd="../../../..", check=True, env={**os.environ, "CGO_ENABLED": "0"})
    digests, bad = {}, 0
    for path in sorted(glob.glob(folder + "/*.onnx")):
        name = os.path.basename(path)[:-5]
        worst = difference(path[:-5], onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]))
        print(f"{name}: {worst:.1e}")
        if not worst <= tolerance:
            bad += 1
            print(f"{name}: ONNX Runtime returns something else")
            continue
        digests[name] = hashlib.sha256(open(path, "rb").read()).hexdigest()
    with open(generator[:-3] + ".json", "w") as f:
        json.dump({"reference": "onnxruntime", "version": onnxruntime.__version__, "generator": generator, "seed": None, "tolerance": tolerance,
                   "digests": digests}, f, indent=1)
        f.write("\n")
    sys.exit(bad > 0)
