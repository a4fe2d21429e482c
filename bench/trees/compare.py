"""Runs both sides in turn and prints the tables and ratios; called by run.sh.

    compare.py [--quick] [--only NAME,NAME] [--threads N] [--repeats N]

Every measurement is a process of its own with its threads pinned by the
environment, so that nobody's idle threads disturb the other and peak memory is
that of one side alone. Sides take turns; medians count.
"""
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "out")
OURS = ["xgboost", "lightgbm", "catboost"]
THEIRS = ["xgboost", "lightgbm", "catboost"]
WORSE = 1.01  # a test loss this many times theirs is flagged
EQUAL = 1.001  # validation: a library whose mean loss is more than this many times ours trains longer

QUICK = "--quick" in sys.argv
ONLY = next((sys.argv[i + 1].split(",") for i, a in enumerate(sys.argv) if a == "--only"), None)


def number(flag):
    """The value of --flag N, None without it."""
    return next((int(sys.argv[i + 1]) for i, a in enumerate(sys.argv) if a == flag), None)


# name, rows, columns, objective, rounds
TRAIN = [
    ("train_200k_binary", 200000, 120, "binary", 100),
    ("train_200k_3class", 200000, 120, "softprob", 50),
    ("train_1m_binary", 1000000, 60, "binary", 50),
    ("train_20k_binary", 20000, 120, "binary", 100),
]
CV = [("cv6_200k", "kfold6", 200000, 120, 50), ("cpcv15", "cpcv15", 200000, 120, 50), ("cpcv45", "cpcv45", 200000, 120, 50)]
FORESTS = [("forest", "random_forest", ["sklearn_forest", "lightgbm_forest"]), ("extra_trees", "extra_trees", ["sklearn_extra"])]
PREDICT = ["predict_row", "predict_batch64", "shap"]  # measured together
FOREST_ROWS, FOREST_COLS, TREES, TEST, REPEATS, THREADS = 200000, 120, 20, 50000, 3, [2, 1]
if QUICK:
    TRAIN = [(n, 10000, 60, o, 8) for n, _, _, o, _ in TRAIN[:2]]
    CV = [(n, s, 8000, 40, 8) for n, s, _, _, _ in CV[:1]]
    FOREST_ROWS, FOREST_COLS, TREES, TEST, REPEATS, THREADS = 10000, 60, 10, 5000, 1, [2]
unknown = set(ONLY or []) - {n for n, *_ in TRAIN + CV + FORESTS} - {"predict"}.union(PREDICT)
if unknown:
    raise SystemExit("no benchmark is called " + ", ".join(sorted(unknown)))
THREADS = [number("--threads")] if number("--threads") else THREADS
REPEATS = number("--repeats") or REPEATS

ratios = []


def environment(threads):
    t = str(threads)
    pins = {"GOMAXPROCS": t, "OMP_NUM_THREADS": t, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**os.environ, **pins}


def call(args, threads):
    r = subprocess.run([str(a) for a in args], env=environment(threads), capture_output=True, text=True)
    if r.returncode != 0:
        raise SystemExit("%s:\n%s%s" % (" ".join(map(str, args)), r.stdout, r.stderr))
    return json.loads(r.stdout.strip().splitlines()[-1])


def ours(command, threads, **flags):
    args = [os.path.join(OUT, "trees"), command, "-threads", threads]
    for k, v in flags.items():
        args += ["-" + k, v]
    return call(args, threads)


def theirs(threads, *args):
    return call([sys.executable, os.path.join(HERE, "opponents.py"), *args], threads)


def data(rows, cols):
    d = os.path.join(OUT, "%dx%d-%d" % (rows, cols, TEST))
    if not os.path.exists(os.path.join(d, "shape.json")):
        subprocess.run([os.path.join(OUT, "trees"), "gen", "-dir", d, "-rows", str(rows), "-cols", str(cols), "-test", str(TEST)], check=True)
    return d


def medians(results):
    return {k: statistics.median(r[k] for r in results) for k in results[0]}


def in_turn(sides):
    """Calls every side REPEATS times, in an order that moves by one."""
    names, seen = list(sides), {n: [] for n in sides}
    for i in range(REPEATS):
        for n in names[i % len(names):] + names[:i % len(names)]:
            seen[n].append(sides[n]())
    return {n: medians(r) for n, r in seen.items()}


def ratio(name, value, note=""):
    ratios.append("RATIO %s %.4f" % (name, value))
    print("    %s = %.3f %s" % (name, value, note), flush=True)


def loss_note(mine, other):
    return "" if mine <= WORSE * other else "  LOSS WORSE: %.5f against %.5f" % (mine, other)


def wanted(name):
    return ONLY is None or name in ONLY


def training():
    for name, rows, cols, objective, rounds in TRAIN:
        if not wanted(name):
            continue
        d = data(rows, cols)
        for t in THREADS:
            print("%s: %d x %d, %s, %d rounds, depth 6, %d threads, median of %d" % (name, rows, cols, objective, rounds, t, REPEATS))
            sides = {"ours " + s: (lambda s=s: ours("train", t, dir=d, style=s, objective=objective, rounds=rounds)) for s in OURS}
            sides.update({s: (lambda s=s: theirs(t, "train", s, d, objective, rounds, t)) for s in THEIRS})
            got = in_turn(sides)
            print("    %-16s %12s %12s %10s %10s" % ("", "ms a round", "setup s", "loss", "peak MB"))
            for n, r in got.items():
                print("    %-16s %12.2f %12.2f %10.5f %10.0f" % (n, r["round_s"] * 1e3, r["setup_s"], r["loss"], r["memory_mb"]))
            suffix = "" if t == THREADS[0] else "_%dt" % t
            fast = min(THEIRS, key=lambda s: got[s]["round_s"])
            mine = got["ours xgboost"]
            ratio(name + suffix, mine["round_s"] / got[fast]["round_s"], "against %s%s" % (fast, loss_note(mine["loss"], got[fast]["loss"])))
            for s in OURS:
                r = got["ours " + s]
                ratio("%s_%s_style%s" % (name, s, suffix), r["round_s"] / got[s]["round_s"], "against %s%s" % (s, loss_note(r["loss"], got[s]["loss"])))
            if t == THREADS[0]:
                setup = min(THEIRS, key=lambda s: got[s]["setup_s"])
                ratio("setup_" + name[6:], mine["setup_s"] / got[setup]["setup_s"], "binning and the first round, against " + setup)
                lean = min(THEIRS, key=lambda s: got[s]["memory_mb"])
                ratio("memory" if name == "train_200k_binary" else "memory_" + name[6:], mine["memory_mb"] / got[lean]["memory_mb"], "peak, against " + lean)


def equal(run, loss, counts):
    """The first of some counts of rounds whose run has at most the loss, with what it returned; None if there is none."""
    for n in counts:
        r = run(n)
        if r["loss"] <= loss:
            return n, r
    return None


def validation():
    faster, enough = {}, {}
    for name, splits, rows, cols, rounds in CV:
        if not wanted(name):
            continue
        d, t = data(rows, cols), THREADS[0]
        print("%s: %d x %d, binary, %d rounds a split, purged by 60 rows, %d threads" % (name, rows, cols, rounds, t))
        if not faster:  # each library in the way that suits it on this machine, found with six folds
            for s in THEIRS:
                modes = ["folds"] if QUICK else ["folds", "threads"]
                first = {m: theirs(t, "cv", s, d, "kfold6", rounds, t, m)["total_s"] for m in modes} if len(modes) > 1 else {}
                faster[s] = min(modes, key=lambda m: first.get(m, 0))
        sides = {"ours " + s: (lambda s=s: ours("cv", t, dir=d, splits=splits, rounds=rounds, style=s)) for s in ("xgboost", "lightgbm", "catboost")}
        sides.update({s: (lambda s=s: theirs(t, "cv", s, d, splits, rounds, t, faster[s])) for s in THEIRS})
        got = in_turn(sides)
        how = {"folds": "splits side by side", "threads": "threads in each split"}
        print("    %-16s %12s %10s %10s" % ("", "seconds", "mean loss", "peak MB"))
        for n, r in got.items():
            print("    %-16s %12.2f %10.5f %10.0f  %s" % (n, r["total_s"], r["loss"], r["memory_mb"], how.get(faster.get(n), "splits side by side")))
        mine = got["ours xgboost"]
        for s in THEIRS:
            if got[s]["loss"] <= EQUAL * mine["loss"]:
                continue
            # The rounds that six folds needed, and more if those are not enough.
            step = max(1, rounds // 10)
            counts = range(enough.get(s, rounds + step), 4 * rounds + 1, step)
            found = equal(lambda n: theirs(t, "cv", s, d, splits, n, t, faster[s]), EQUAL * mine["loss"], counts)
            if found is None:
                print("    %s does not reach our loss in %d rounds" % (s, 4 * rounds))
                continue
            enough[s], r = found
            got[s + " longer"] = r
            print("    %-16s %12.2f %10.5f %10.0f  %d rounds, for our loss" % (s, r["total_s"], r["loss"], r["memory_mb"], enough[s]))
        same = min(THEIRS, key=lambda s: got[s]["total_s"])
        there = [s for s in got if not s.startswith("ours") and got[s]["loss"] <= EQUAL * mine["loss"]]
        if there:
            fast = min(there, key=lambda s: got[s]["total_s"])
            ratio(name, mine["total_s"] / got[fast]["total_s"], "against %s, the fastest of those with our loss" % fast)
        ratio(name + "_same_rounds", mine["total_s"] / got[same]["total_s"], "against %s, whose loss is %.5f; ours is %.5f" % (same, got[same]["loss"], mine["loss"]))


def forests():
    for name, style, others in FORESTS:
        if not wanted(name):
            continue
        d, t = data(FOREST_ROWS, FOREST_COLS), THREADS[0]
        print("%s: %d x %d, 3 classes, %d trees, leaves of 20 rows, %d threads, median of %d" % (name, FOREST_ROWS, FOREST_COLS, TREES, t, REPEATS))
        sides = {"ours": lambda: ours("train", t, dir=d, style=style, objective="softprob", rounds=TREES)}
        sides.update({s: (lambda s=s: theirs(t, "train", s, d, "softprob", TREES, t)) for s in others})
        got = in_turn(sides)
        print("    %-16s %12s %10s %10s" % ("", "ms a tree", "loss", "peak MB"))
        for n, r in got.items():
            print("    %-16s %12.1f %10.5f %10.0f" % (n, r["round_s"] * 1e3, r["loss"], r["memory_mb"]))
        for s in others:
            ratio(name if s.startswith("sklearn") else name + "_lightgbm", got["ours"]["round_s"] / got[s]["round_s"],
                  "against %s%s" % (s, loss_note(got["ours"]["loss"], got[s]["loss"])))


def prediction():
    script = os.path.join(HERE, "shap_predict", "run.sh")
    if not any(map(wanted, ["predict"] + PREDICT)) or not os.path.exists(script):
        return
    r = subprocess.run([script] + (["--quick"] if QUICK else []), capture_output=True, text=True)
    for line in r.stdout.splitlines():
        if line.startswith("RATIO "):
            ratios.append(line)
        print("    " + line)
    if r.returncode != 0:
        print(r.stderr)
        raise SystemExit("shap_predict/run.sh failed")


if QUICK:
    print("quick: small sizes; these ratios say that the comparison runs and nothing else")
training()
validation()
forests()
prediction()
print("\n".join(ratios))
