"""Trains CatBoost and our learner in default style on generated data and compares what they learnt.

    python catboost.py [--quick] [--seeds 3]

Skill is the loss of the best constant less the loss on fresh rows. Prints for
each set both skills and their ratio, and fails if the mean ratio over the seeds
is below 0.95. Then compares all borders on 200,000 rows. Needs go and the
packages catboost, numpy and pandas.
"""
import argparse, json, os, subprocess, sys, tempfile, time
import numpy as np

sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
import catboost
import pandas as pd

ARGS = argparse.ArgumentParser()
ARGS.add_argument("--quick", action="store_true")
ARGS.add_argument("--seeds", type=int, default=2)
ARGS = ARGS.parse_args()
HERE = os.path.dirname(os.path.abspath(__file__))
SCALE = 4 if ARGS.quick else 1


def features(r, n, p):
    """Correlated, skewed, squeezed and discrete columns, as market features are."""
    common = r.normal(size=(n, 3))
    x = common @ r.normal(size=(3, p)) * 0.5 + r.normal(size=(n, p))
    x[:, 1::4] = np.exp(0.5 * x[:, 1::4])
    x[:, 2::4] = np.tanh(x[:, 2::4])
    x[:, 3::4] = np.round(2 * x[:, 3::4])
    return x.astype(np.float32)


def signal(x):
    return 0.6 * x[:, 0] * x[:, 4] + np.sin(2 * x[:, 5]) + 0.8 * (x[:, 3] > 1) * x[:, 8] + 0.4 * x[:, 2]


def binary(r, n):
    x = features(r, n, 20)
    return x, (signal(x) + 2 * r.normal(size=n) > 0.3).astype(float), np.ones(n), []


def classes(r, n):
    x = features(r, n, 24)
    z = signal(x) + 2 * r.normal(size=n)
    y = (z > 1).astype(float) + (z > -0.7)
    x[r.random(x.shape) < 0.05] = np.nan
    return x, y, np.round(0.25 + r.random(n), 2), []


def categories(r, n):
    x = features(r, n, 12)
    x[:, 10] = np.minimum(r.geometric(0.01, n), 400)
    x[:, 11] = r.integers(0, 40, n)
    effect = r.normal(size=401)[x[:, 10].astype(int)] + 0.7 * r.normal(size=40)[x[:, 11].astype(int)]
    z = signal(x) + effect + 2 * r.normal(size=n)
    return x, (z > 1).astype(float) + (z > -0.7), np.ones(n), [10, 11]


def real(r, n):
    x = features(r, n, 20)
    return x, signal(x) + 2 * r.normal(size=n), np.ones(n), []


# name: data, loss, classes, iterations, depth, learning rate (0: automatic), ordered
SETS = {
    "binary": (binary, "Logloss", 2, 1000, 6, 0, False),
    "classes": (classes, "MultiClass", 3, 1000, 6, 0, False),
    "categories": (categories, "MultiClass", 3, 1000, 6, 0, False),
    "real": (real, "RMSE", 0, 1000, 6, 0, False),
    "ordered": (binary, "Logloss", 2, 300, 4, 0, True),
}


def loss(name, raw, y, w):
    if name == "RMSE":
        return np.average((raw[:, 0] - y) ** 2, weights=w)
    if name == "Logloss":
        raw = np.column_stack([np.zeros(len(raw)), raw[:, 0]])
    raw = raw - raw.max(axis=1, keepdims=True)
    p = raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))
    return -np.average(p[np.arange(len(y)), y.astype(int)], weights=w)


def prior(name, ytrain, wtrain, y, w):
    if name == "RMSE":
        return np.average((np.average(ytrain, weights=wtrain) - y) ** 2, weights=w)
    share = np.bincount(ytrain.astype(int), wtrain) / wtrain.sum()
    return -np.average(np.log(share)[y.astype(int)], weights=w)


def write(path, x, y, w):
    np.concatenate([np.asarray(x, np.float32).T.ravel(), np.asarray(y, np.float32), np.asarray(w, np.float32)]).tofile(path)


def main():
    n_train, n_stop, n_test = 16000 // SCALE, 4000 // SCALE, 20000 // SCALE
    failed = False
    with tempfile.TemporaryDirectory() as d:
        held = {}
        for seed in range(ARGS.seeds):
            for name, (make, fn, k, iterations, depth, rate, ordered) in SETS.items():
                r = np.random.default_rng(100 * seed + 7)
                x, y, w, cats = make(r, n_train + n_stop + n_test)
                key = f"{name}_{seed}"
                write(f"{d}/{key}.x", x, y, w)
                json.dump({"Train": n_train, "Stop": n_stop, "Test": n_test, "Columns": x.shape[1], "Classes": k if k > 2 else 0, "Loss": fn,
                           "Iterations": iterations, "Depth": depth, "Seed": seed, "Workers": 2, "LearningRate": rate,
                           "Categories": [f"x{j}" for j in cats], "Ordered": ordered}, open(f"{d}/{key}.json", "w"))
                frame = pd.DataFrame({j: x[:, j].astype(int) if j in cats else x[:, j] for j in range(x.shape[1])})
                cut = [slice(0, n_train), slice(n_train, n_train + n_stop), slice(n_train + n_stop, None)]
                pools = [catboost.Pool(frame[s], y[s], weight=np.float32(w[s]), cat_features=cats) for s in cut]
                p = dict(loss_function=fn, iterations=iterations, depth=depth, early_stopping_rounds=50, random_seed=seed, thread_count=2,
                         verbose=False, allow_writing_files=False)
                if cats:
                    p["max_ctr_complexity"] = 1
                if ordered:
                    p["boosting_type"] = "Ordered"
                begin = time.time()
                m = catboost.CatBoost(p).fit(pools[0], eval_set=pools[1])
                seconds = time.time() - begin
                raw = np.asarray(m.predict(pools[2], prediction_type="RawFormulaVal")).reshape(n_test, -1)
                held[key] = raw, [y[s] for s in cut], [np.float32(w[s]).astype(float) for s in cut], seconds, m.tree_count_
        big = np.random.default_rng(1)
        wide = features(big, 200000 // SCALE, 12)
        write(f"{d}/zborders.x", wide, np.zeros(len(wide)), np.ones(len(wide)))
        json.dump({"Train": len(wide), "Columns": 12, "Borders": 254}, open(f"{d}/zborders.json", "w"))
        root = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
        env = dict(os.environ, CGO_ENABLED="0")
        print(subprocess.run(["go", "run", "./bench/trees/parity/catboost", d], cwd=root, env=env, check=True, capture_output=True, text=True).stdout)
        for name, (_, fn, *_) in SETS.items():
            ratios = []
            for seed in range(ARGS.seeds):
                raw, ys, ws, seconds, trees = held[f"{name}_{seed}"]
                ours = np.fromfile(f"{d}/{name}_{seed}.raw").reshape(raw.shape)
                base = prior(fn, ys[0], ws[0], ys[2], ws[2])
                a, b = base - loss(fn, ours, ys[2], ws[2]), base - loss(fn, raw, ys[2], ws[2])
                ratios.append(a / b)
                print(f"{name} seed {seed}: skill {a:.5f}, catboost {b:.5f}, ratio {a / b:.4f} (catboost {seconds:.1f} s, {trees} trees)")
            print(f"SKILL {name} {np.mean(ratios):.4f}")
            failed |= np.mean(ratios) < 0.95
        pool = catboost.Pool(wide, np.arange(len(wide)) % 2)
        pool.quantize(border_count=254)
        pool.save_quantization_borders(f"{d}/theirs")
        theirs = [(int(a), np.float32(b)) for a, b in (line.split()[:2] for line in open(f"{d}/theirs"))]
        ours = [(int(a), np.float32(b)) for a, b in (line.split() for line in open(f"{d}/zborders.borders"))]
        print(f"borders on {len(wide)} rows: {len(set(ours) & set(theirs))} of {len(theirs)} are the same, we have {len(ours)}")
        failed |= sorted(ours) != sorted(theirs)
    sys.exit(failed)


main()
