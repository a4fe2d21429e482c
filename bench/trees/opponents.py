"""The other side of the comparison: one library, one measurement, one line of JSON.

    opponents.py train LIBRARY DIR OBJECTIVE ROUNDS THREADS
    opponents.py cv    LIBRARY DIR SPLITS ROUNDS THREADS MODE

LIBRARY is xgboost, lightgbm, catboost, sklearn_forest, sklearn_extra or
lightgbm_forest. MODE is "threads" (one split after the other, all threads in
each) or "folds" (as many splits at once as threads, one thread each). Matrices
are made the way the library's documentation recommends where training is
repeated on the same data.
"""
import itertools
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

HORIZON, DEPTH, MIN_ROWS = 60, 6, 20


def read(folder, part="", objective="binary"):
    s = json.load(open(os.path.join(folder, "shape.json")))
    x = np.fromfile(os.path.join(folder, "r%s.f32" % part), dtype=np.float32).reshape(-1, s["cols"])
    c = np.fromfile(os.path.join(folder, "y%s.f32" % part), dtype=np.float32).astype(np.int32)
    return x, (c % 3 if objective == "softprob" else (c >= 3).astype(np.int32))


def log_loss(p, y):
    if p.ndim == 1:
        p = np.stack([1 - p, p], 1)
    return float(-np.mean(np.log(np.maximum(p[np.arange(len(y)), y], 1e-15))))


def peak_memory():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024


class XGBoost:
    def __init__(self, objective, threads):
        import xgboost
        self.lib = xgboost
        self.params = dict(tree_method="hist", max_depth=DEPTH, eta=0.1, max_bin=256, min_child_weight=1, reg_lambda=1, nthread=threads, verbosity=0)
        self.params.update(objective="multi:softprob", num_class=3) if objective == "softprob" else self.params.update(objective="binary:logistic")

    def matrix(self, x, y):
        return self.lib.QuantileDMatrix(x, y, max_bin=256, nthread=self.params["nthread"])

    def part(self, full, x, y, rows):
        return self.lib.QuantileDMatrix(x[rows], y[rows], ref=full, max_bin=256, nthread=self.params["nthread"])

    def train(self, d, rounds, mark):
        b = self.lib.Booster(self.params, [d])
        for i in range(rounds):
            b.update(d, i)
            mark()
        return b

    def predict(self, b, x):
        return b.inplace_predict(x)


class LightGBM:
    def __init__(self, objective, threads):
        import lightgbm
        self.lib = lightgbm
        self.params = dict(max_depth=DEPTH, num_leaves=2**DEPTH, learning_rate=0.1, max_bin=255, min_data_in_leaf=1, min_sum_hessian_in_leaf=1, lambda_l2=1,
                           num_threads=threads, verbosity=-1)
        self.params.update(objective="multiclass", num_class=3) if objective == "softprob" else self.params.update(objective="binary")

    def matrix(self, x, y):
        return self.lib.Dataset(x, y, params=self.params, free_raw_data=False).construct()

    def part(self, full, x, y, rows):
        return full.subset(rows, params=self.params).construct()

    def train(self, d, rounds, mark):
        b = self.lib.Booster(self.params, d)
        for _ in range(rounds):
            b.update()
            mark()
        return b

    def predict(self, b, x):
        return b.predict(x, num_threads=self.params["num_threads"])


class CatBoost:
    def __init__(self, objective, threads):
        import catboost
        self.lib = catboost
        self.params = dict(depth=DEPTH, learning_rate=0.1, border_count=254, l2_leaf_reg=1, random_strength=0, bootstrap_type="No", boosting_type="Plain",
                           leaf_estimation_iterations=1, thread_count=threads, allow_writing_files=False, logging_level="Silent", random_seed=0,
                           loss_function="MultiClass" if objective == "softprob" else "Logloss")

    def matrix(self, x, y):
        d = self.lib.Pool(x, y)
        d.quantize(border_count=254)
        return d

    def part(self, full, x, y, rows):
        return full.slice(rows)

    def train(self, d, rounds, mark):
        class Mark:
            def after_iteration(self, info):
                mark()
                return True
        m = self.lib.CatBoostClassifier(iterations=rounds, **self.params)
        m.fit(d, callbacks=[Mark()])
        return m

    def predict(self, m, x):
        return m.predict_proba(x, thread_count=self.params["thread_count"])


class Forest:
    """Forests of scikit-learn, and LightGBM's, with as many leaves as those have."""

    def __init__(self, name, threads):
        self.name, self.threads = name, threads

    def fit(self, x, y, trees):
        if self.name == "lightgbm_forest":
            import lightgbm
            leaves = max(31, len(x) // MIN_ROWS // 3)
            p = dict(boosting="rf", bagging_fraction=0.632, bagging_freq=1, feature_fraction_bynode=int(x.shape[1] ** 0.5) / x.shape[1], num_leaves=leaves,
                     min_data_in_leaf=MIN_ROWS, min_sum_hessian_in_leaf=0, max_bin=255, num_threads=self.threads, verbosity=-1,
                     objective="multiclass", num_class=3)
            return lightgbm.train(p, lightgbm.Dataset(x, y, params=p), trees).predict
        from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
        c = RandomForestClassifier if self.name == "sklearn_forest" else ExtraTreesClassifier
        return c(trees, min_samples_leaf=MIN_ROWS, n_jobs=self.threads, random_state=1).fit(x, y).predict_proba


LIBRARIES = {"xgboost": XGBoost, "lightgbm": LightGBM, "catboost": CatBoost}


def train(name, folder, objective, rounds, threads):
    x, y = read(folder, "", objective)
    if name not in LIBRARIES:
        f = Forest(name, threads)
        if name == "lightgbm_forest":
            import lightgbm
        else:
            import sklearn.ensemble
        start = time.perf_counter()
        predict = f.fit(x, y, rounds)
        total = time.perf_counter() - start
        memory = peak_memory()
        xt, yt = read(folder, "test", objective)
        return {"round_s": total / rounds, "setup_s": 0, "total_s": total, "memory_mb": memory, "loss": log_loss(predict(xt), yt), "rounds": rounds}
    lib = LIBRARIES[name](objective, threads)
    marks = []
    start = time.perf_counter()
    d = lib.matrix(x, y)
    model = lib.train(d, rounds, lambda: marks.append(time.perf_counter()))
    total = time.perf_counter() - start
    memory = peak_memory()
    assert len(marks) == rounds, "%d rounds were marked" % len(marks)
    xt, yt = read(folder, "test", objective)
    return {"setup_s": marks[0] - start, "round_s": (marks[-1] - marks[0]) / (rounds - 1), "total_s": total, "memory_mb": memory,
            "loss": log_loss(lib.predict(model, xt), yt), "rounds": rounds}


def divide(n, groups, test):
    use = np.ones(n, np.int8)
    for g in test:
        lo, hi = n * g // groups, n * (g + 1) // groups
        near = use[max(0, lo - HORIZON):hi + HORIZON]
        near[near == 1] = 0
        use[lo:hi] = 2
    return np.flatnonzero(use == 1), np.flatnonzero(use == 2)


def cv(name, folder, splits, rounds, threads, mode):
    x, y = read(folder)
    groups, at_once = {"kfold6": (6, 1), "cpcv15": (6, 2), "cpcv45": (10, 2)}[splits]
    tests = list(itertools.combinations(range(groups), at_once))
    whole, lib = LIBRARIES[name]("binary", threads), LIBRARIES[name]("binary", threads if mode == "threads" else 1)
    start = time.perf_counter()
    full = whole.matrix(x, y)

    def one(test):
        rows, out = divide(len(x), groups, test)
        m = lib.train(lib.part(full, x, y, rows), rounds, lambda: None)
        return log_loss(lib.predict(m, x[out]), y[out])

    if mode == "threads":
        losses = [one(t) for t in tests]
    else:
        with ThreadPoolExecutor(threads) as pool:
            losses = list(pool.map(one, tests))
    total = time.perf_counter() - start
    return {"total_s": total, "memory_mb": peak_memory(), "loss": float(np.mean(losses)), "splits": len(tests)}


if __name__ == "__main__":
    command, name, folder, what, rounds, threads = sys.argv[1:7]
    if command == "train":
        out = train(name, folder, what, int(rounds), int(threads))
    else:
        out = cv(name, folder, what, int(rounds), int(threads), sys.argv[7])
    print(json.dumps(out))
