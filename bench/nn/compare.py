"""Runs both sides in turn and prints the tables and ratios; called by run.sh.

    compare.py [--quick] [--only NAME,NAME]
    compare.py fit [--quick]

Each side is a process that waits between its bursts; they take turns, so that
the neighbours of the machine disturb both alike. The shortest burst counts;
medians and processor time are printed beside it.
"""
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "out")
OURS = os.path.join(OUT, "nn")
THREADS = 2
QUICK = "--quick" in sys.argv
ONLY = next((sys.argv[i + 1].split(",") for i, a in enumerate(sys.argv) if a == "--only"), None)

# The keys that make our network the one of opponents.py.
SIZES = {
    "mlp": "hidden=256,layers=2,activation=relu,norm=false,dropout=0",
    "gru": "hidden=64,layers=1,dropout=0,order=shuffled",
    "lstm": "hidden=64,layers=1,dropout=0,order=shuffled",
    "tcn": "channels=64,kernel=3,layers=5,convolutions=1,weight_norm=false,dropout=0",
    "transformer": "heads=4,head_width=16,layers=2,hidden=256,dropout=0",
    "patchtst": "heads=4,head_width=4,layers=3,hidden=128,patch=16,stride=8,revin=true,head=flatten,dropout=0,head_dropout=0",
    "tft": "heads=4,head_width=4,dropout=0",
    "inceptiontime": "filters=32,depth=6,bottleneck=32,kernel=40,dropout=0",
    "mamba": "width=64,layers=2,state=16,expand=2,conv=4,dropout=0",
}
# Mini-batches of a burst: about a tenth of a second.
BATCHES = {"mlp": 8, "gru": 4, "lstm": 4, "tcn": 3}


def multiply_adds(training):
    """Those of each network for a window, from the shapes of opponents.py: in a training step or in a prediction.

    What works value by value (activations, norms, softmax, gates, the optimiser) is not counted, so that nothing reaches the floor, least
    of all where the products are small. The scan of mamba counts as three products of state x channels.
    """
    def linear(ins, outs, first=False):
        """Of a row: forward, in training also the gradient of the weights and, unless the inputs are data, of the inputs."""
        return (1 if not training else 2 if first else 3) * ins * outs

    def recurrent(gates):
        return 60 * (linear(40, gates * 64, True) + linear(64, gates * 64)) + linear(64, 3)

    def encoder(steps, width, hidden, layers):
        """Each step: queries, keys and values, scores and their sums over all steps, what joins the heads, feed-forward."""
        return steps * layers * (linear(width, 3 * width) + 2 * linear(steps, width) + linear(width, width) + 2 * linear(width, hidden))

    def grn(ins, width, outs):
        """Two layers, a gate of two halves and, where the widths differ, a shortcut."""
        return linear(ins, width) + linear(width, width) + linear(width, 2 * outs) + (linear(ins, outs) if ins != outs else 0)

    def inceptiontime():
        """Each step, module by module: bottleneck, three convolutions, that of the pool; two shortcuts."""
        n = linear(40, 128, True) + linear(128, 128)
        for d in range(6):
            n += 2 * linear(40 if d == 0 else 128, 32, d == 0) + linear((39 + 19 + 9) * 32, 32)
        return 60 * n + linear(128, 3)

    return {
        "mlp": linear(2400, 256, True) + linear(256, 256) + linear(256, 3),
        "gru": recurrent(3),
        "lstm": recurrent(4),
        "tcn": 60 * (linear(3 * 40, 64, True) + 4 * linear(3 * 64, 64) + linear(40, 64, True)) + linear(64, 3),
        "transformer": 60 * linear(40, 64, True) + encoder(60, 64, 256, 2) + linear(64, 3),
        "patchtst": 40 * (7 * linear(16, 16) + encoder(7, 16, 128, 3)) + linear(40 * 7 * 16, 3),
        "tft": 60 * (grn(640, 16, 40) + 40 * (grn(16, 16, 16) + linear(1, 16)) + 2 * linear(16, 4 * 16) + linear(16, 32) + grn(16, 16, 16)
                     + linear(16, 16) + linear(16, 4) + linear(4, 4) + linear(1, 4)) + 3 * linear(16, 32) + linear(4, 16) + grn(16, 16, 16),
        "inceptiontime": inceptiontime(),
        "mamba": 60 * (linear(40, 64, True) + 2 * (linear(64, 256) + linear(4, 128) + linear(128, 36) + linear(4, 128) + 3 * linear(16, 128)
                                                   + linear(128, 64))) + linear(64, 3),
    }


ROWS = 256  # of a mini-batch

ratios = []


def environment(policy):
    # passive: idle threads sleep. Where others use the cores, spinning threads cost the opponent most of its time; where nobody does, they save it some.
    e = {**os.environ, "GOMAXPROCS": str(THREADS), "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS)}
    if policy != "default":
        e["OMP_WAIT_POLICY"] = policy
    return e


class Server:
    """A process that answers each line with a line."""

    def __init__(self, args, policy="default"):
        self.args = args
        self.p = subprocess.Popen(args, env=environment(policy), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self):
        line = self.p.stdout.readline()
        if not line:
            raise SystemExit(" ".join(self.args) + ": no answer")
        return json.loads(line)

    def ask(self, line=""):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.read()

    def end(self):
        """Closes the input and returns what is still said."""
        out, _ = self.p.communicate()
        if self.p.returncode != 0:
            raise SystemExit(" ".join(self.args) + " failed")
        return [json.loads(x) for x in out.splitlines()]


servers = {}


def torch(policy, **request):
    if policy not in servers:
        servers[policy] = Server([sys.executable, os.path.join(HERE, "opponents.py"), "serve"], policy)
    return servers[policy].ask(json.dumps(request))


def lowest(bursts, key="wall_ms"):
    return min(b[key] for b in bursts)


def report(label, bursts, unit="ms"):
    k = 1e3 if unit == "us" else 1
    print("    %-34s least %9.2f %s, median %9.2f, processor: least %9.2f, median %9.2f" % (
        label, lowest(bursts) * k, unit, statistics.median(b["wall_ms"] for b in bursts) * k,
        lowest(bursts, "cpu_ms") * k, statistics.median(b["cpu_ms"] for b in bursts) * k), flush=True)


def choose(what, model, policies, modes, **more):
    """The fastest way of the opponent to run a model: first bursts of each decide."""
    if len(policies) * len(modes) == 1:
        torch(policies[0], what=what, model=model, mode=modes[0], **more)  # grows buffers
        return policies[0], modes[0]
    best = None
    for policy in policies:
        for mode in modes:
            first = torch(policy, what=what, model=model, mode=mode, **more)  # compiles
            if "error" in first:
                print("    torch %s %s: %s" % (policy, mode, first["error"]))
                continue
            t = lowest([torch(policy, what=what, model=model, mode=mode, **more) for _ in range(1 if QUICK else 3)])
            if best is None or t < best[0]:
                best = t, policy, mode
    return best[1:]


def wanted(name):
    return ONLY is None or name in ONLY


def ratio(name, value, note=""):
    ratios.append("RATIO %s %.4f" % (name, value))
    print("    %s = %.3f %s" % (name, value, note), flush=True)


def compare(name, mine, bursts, unit, policies, modes, **request):
    policy, mode = choose(request["what"], request["model"], policies, modes, **{k: v for k, v in request.items() if k not in ("what", "model")})
    a, b = [], []
    for i in range(bursts):
        if i % 2 == 0:
            a.append(mine.ask())
        b.append(torch(policy, mode=mode, **request))
        if i % 2 == 1:
            a.append(mine.ask())
    report("ours", a, unit)
    floor(request["model"], request["what"] == "steps", a)
    report("torch, %s, threads %s" % (mode, policy), b, unit)
    ratio(name, lowest(a) / lowest(b), "by processor time %.3f" % (lowest(a, "cpu_ms") / lowest(b, "cpu_ms")))


peak = []  # GF/s of a core, once measured


def floor(model, training, bursts):
    """What a step takes over what its multiply-adds would take at the peak of every core, or a prediction over those of one."""
    if not peak:
        r = subprocess.run([OURS, "peak"], env=environment("default"), capture_output=True, text=True, check=True)
        peak.append(json.loads(r.stdout).get("peak"))
    if peak[0] is None:
        return
    count = multiply_adds(training)[model]
    if not training:
        core = 2 * count / peak[0] / 1e6  # ms
        print("    %.2f M multiply-adds, at %.0f GF/s of a core %.1f us: %.2f of that floor" % (count / 1e6, peak[0], core * 1e3, lowest(bursts) / core), flush=True)
        return
    core = 2 * count * ROWS / peak[0] / 1e6
    print("    %.2f G multiply-adds, at %.0f GF/s of a core %.2f ms on %d: %.2f of that floor, by processor time %.2f" % (
        count * ROWS / 1e9, peak[0], core / THREADS, THREADS, lowest(bursts) / (core / THREADS), lowest(bursts, "cpu_ms") / core), flush=True)


def steps(model, there):
    name = "step_" + model
    if not wanted(name):
        return
    if model not in there:
        print("%s: there is no such network yet" % name)
        return
    batches = 1 if QUICK else BATCHES.get(model, 1)
    print("%s: a training step of %d windows of 60 x 40, %d threads, bursts of %d" % (name, 256, THREADS, batches))
    weights = os.path.join(OUT, model + ".safetensors")
    args = [OURS, "steps", "-model", model, "-batches", str(batches), "-weights", weights, "-threads", str(THREADS)]
    mine = Server(args + (["-set", SIZES[model]] if SIZES[model] else []), "default")
    mine.read()  # the first burst grows buffers
    compare(name, mine, 1 if QUICK else 24, "ms", ["passive"] if QUICK else ["passive", "default"],
            ["eager"] if QUICK else ["eager", "compile"], what="steps", model=model, batches=batches)
    said = mine.end()
    loss = next((x["loss"] for x in said if "loss" in x), None)
    other = torch("passive", what="check", model=model, weights=weights, rows=256 * batches)
    if "error" in other:
        print("    same weights: not comparable: %s" % other["error"])
    else:
        print("    same weights, same rows: log-loss %.7f, torch's %.7f" % (loss, other["loss"]))
        if abs(loss - other["loss"]) > 1e-4:
            raise SystemExit("the networks are not the same")


def infer(model, there):
    name = "infer_window" if model == "lstm" else "infer_" + model
    if not wanted(name) or model not in there:
        return
    print("%s: the probabilities of one window through %s, one call at a time" % (name, model))
    args = [OURS, "infer", "-model", model, "-threads", str(THREADS)]
    mine = Server(args + (["-set", SIZES[model]] if SIZES[model] else []), "default")
    best = {}
    for threads in (1,) if QUICK else (1, 2):
        for mode in ("eager", "script") if QUICK else ("eager", "script", "compile"):
            request = dict(what="infer", model=model, mode=mode, threads=threads)
            first = torch("passive", **request)
            if "error" in first:
                print("    torch %s: %s" % (mode, first["error"]))
                continue
            best[mode, threads] = lowest([torch("passive", **request) for _ in range(2)])
    mode, threads = min(best, key=best.get)
    compare(name, mine, 2 if QUICK else 24 if model == "lstm" else 8, "us", ["passive"], [mode], what="infer", model=model, threads=threads)
    mine.end()


def memory():
    if not wanted("memory"):
        return
    rows = 2560 if QUICK else 20000
    print("memory: peak of a process that trains lstm for an epoch of %d windows" % rows)
    mine = fit_once("memory", rows, 1)["memory_mb"]
    r = subprocess.run([sys.executable, os.path.join(HERE, "opponents.py"), "memory", "lstm", str(rows)], env=environment("passive"), capture_output=True, text=True, check=True)
    other = json.loads(r.stdout)["memory_mb"]
    print("    ours %.0f MB, torch %.0f MB" % (mine, other))
    ratio("memory", mine / other)


def gemm():
    if not wanted("gemm_peak"):
        return
    print("gemm_peak: GF/s of one thread over a loop of fused multiply-adds without memory (above 1 is better)")
    best = {}
    for _ in range(1 if QUICK else 4):
        r = json.loads(subprocess.run([OURS, "gemm", "-rounds", "30" if QUICK else "300"], env=environment("default"), capture_output=True, text=True, check=True).stdout)
        best = {k: max(v, best.get(k, 0)) for k, v in r.items()}
    top = best.pop("peak")
    print("    %-16s %7.1f GF/s" % ("registers only", top))
    for k, v in best.items():
        print("    %-16s %7.1f GF/s  %.3f" % (k, v, v / top))
    ratio("gemm_peak", statistics.median(best.values()) / top, "the median shape; the worst has %.3f" % (min(best.values()) / top))


def fit_once(command, rows, epochs, more=""):
    args = [OURS, command, "-model", "lstm", "-set", SIZES["lstm"] + more, "-rows", str(rows), "-epochs", str(epochs), "-threads", str(THREADS)]
    return json.loads(subprocess.run(args, env=environment("default"), capture_output=True, text=True, check=True).stdout)


def fit():
    rows, epochs, budget = 300000, 20, 360
    print("fit: lstm of 64 units, %d epochs of %d windows of 60 x 40, no early stop, %d threads" % (epochs, rows, THREADS))
    for order, more in (("by default, auto: blocks of 16 rows", ",order=auto"), ("shuffled", "")):
        k = 1
        if QUICK:
            k = epochs * -(-rows // 256) / 60  # 60 of the 1172 steps of an epoch, three times
            r = min((fit_once("fit", 60 * 256, 1, more) for _ in range(3)), key=lambda r: r["seconds"])
            print("    %s: 60 steps took %.2f s (processor %.2f s) at best; times %.1f" % (order, r["seconds"], r["cpu_seconds"], k))
        else:
            r = fit_once("fit", rows, epochs, more)
        seconds, cpu = r["seconds"] * k, r["cpu_seconds"] * k
        print("    %s: %.0f s, processor %.0f s on %d threads" % (order, seconds, cpu, THREADS))
        ratio("fit_lstm_300k" + ("" if more else "_shuffled"), seconds / budget,
              "of the budget of %d s; by processor time %.3f" % (budget, cpu / THREADS / budget))


if "fit" in sys.argv[1:2]:
    fit()
else:
    if QUICK:
        print("quick: few bursts, eager only; these ratios say that the comparison runs and little else")
    there = subprocess.run([OURS, "names"], capture_output=True, text=True, check=True).stdout.split()
    for m in SIZES:
        steps(m, there)
    for m in SIZES:
        infer(m, there)
    memory()
    gemm()
for s in servers.values():
    s.end()
print("\n".join(ratios))
