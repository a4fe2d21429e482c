"""Times TA-Lib on the bars that the Go program wrote and prints the ratios.

    talib_times.py DIR ours.json RUNS
"""
import json
import statistics
import sys
import time

import numpy as np
import talib

folder, ours, runs = sys.argv[1], json.load(open(sys.argv[2])), int(sys.argv[3])
o, h, l, c, v = (np.fromfile("%s/%s.f64" % (folder, n)) for n in ("open", "high", "low", "close", "volume"))
theirs = {
    "SMA": lambda: talib.SMA(c, 20),
    "EMA": lambda: talib.EMA(c, 20),
    "STDDEV": lambda: talib.STDDEV(c, 20),
    "BBANDS": lambda: talib.BBANDS(c, 20, 2, 2, 0),
    "RSI": lambda: talib.RSI(c, 14),
    "MACD": lambda: talib.MACD(c, 12, 26, 9),
    "STOCHF": lambda: talib.STOCHF(h, l, c, 14, 3, 0),
    "WILLR": lambda: talib.WILLR(h, l, c, 14),
    "CCI": lambda: talib.CCI(h, l, c, 20),
    "MFI": lambda: talib.MFI(h, l, c, v, 14),
    "ROC": lambda: talib.ROC(c, 10),
    "ADX": lambda: (talib.ADX(h, l, c, 14), talib.PLUS_DI(h, l, c, 14), talib.MINUS_DI(h, l, c, 14)),
    "AROONOSC": lambda: talib.AROONOSC(h, l, 25),
    "ATR": lambda: talib.ATR(h, l, c, 14),
    "NATR": lambda: talib.NATR(h, l, c, 14),
    "OBV": lambda: talib.OBV(c, v),
}
assert sorted(theirs) == sorted(ours), "the two lists of indicators differ"
print("%d bars, TA-Lib %s, processor time on one core, shortest of %d runs" % (len(c), talib.__ta_version__.decode().split()[0], runs))
print("%-10s %12s %12s %8s" % ("", "ours ns/bar", "theirs", "ratio"))
ratios = []
for name, f in theirs.items():
    best = float("inf")
    for _ in range(runs):
        start = time.process_time()
        f()
        best = min(best, time.process_time() - start)
    ratios.append(ours[name] / best)
    print("%-10s %12.2f %12.2f %8.2f" % (name, ours[name] / len(c) * 1e9, best / len(c) * 1e9, ratios[-1]))
print("ADX is our one kernel against ADX, PLUS_DI and MINUS_DI together: it gives all three.")
print("RATIO talib_median %.3f" % statistics.median(ratios))
print("RATIO talib_max %.3f" % max(ratios))
