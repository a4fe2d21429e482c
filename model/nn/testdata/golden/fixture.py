"""Fixtures of networks for model/nn: the same weights in, the same outputs and gradients out.

A script per architecture imports this file, builds the network with PyTorch and calls save(). Run it in this
folder:  python lstm.py
"""

import torch


def save(name, module, inputs, classes, call=None, rename=lambda n: n, tolerance=1e-5, reference=None, outputs=None, generator=None):
    """Write NAME.safetensors.

    module   a torch.nn.Module; its named parameters (and floating buffers) are written as param.<rename(name)>.
             rename returns None for what the network in Go does not have.
    inputs   dict with "table" (N×p), "stream.0", "stream.1", … (N×T×c), "known" (N×H×k): what the network in Go
             is given, already scaled
    classes  N integers; the loss is the mean cross-entropy of the outputs
    call     function of the inputs (tensors, in the dict's order) that returns N×outputs; default: module itself
    """
    tensors = {f"input.{k}": torch.as_tensor(v, dtype=torch.float32) for k, v in inputs.items()}
    module = module.float()
    out = (call or module)(*tensors.values())
    loss = torch.nn.functional.cross_entropy(out, torch.as_tensor(classes))
    loss.backward()
    tensors["output"] = out.detach()
    tensors["loss"] = loss.detach().reshape(1)
    tensors["classes"] = torch.as_tensor(classes, dtype=torch.float32)
    for n, p in module.named_parameters():
        if rename(n) is not None:
            tensors["param." + rename(n)] = p.detach()
            if p.grad is not None:
                tensors["grad." + rename(n)] = p.grad
    for n, b in module.named_buffers():
        if rename(n) is not None and b.is_floating_point():
            tensors["param." + rename(n)] = b
    if any(b.is_floating_point() for b in module.buffers()):  # such as running statistics
        module.eval()
        tensors["extra.eval"] = (call or module)(*[tensors[f"input.{k}"] for k in inputs]).detach()
    write(name, tensors, {"reference": reference or "PyTorch", "version": torch.__version__.split("+")[0],
                          "generator": generator or name + ".py", "tolerance": repr(tolerance)})


def write(name, tensors, metadata):
    """Write tensors, float32, in the safetensors layout."""
    import json
    import struct

    head, body = {"__metadata__": metadata}, b""
    for n, x in tensors.items():
        raw = x.detach().contiguous().to(torch.float32).numpy().tobytes()
        head[n] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(name + ".safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)
