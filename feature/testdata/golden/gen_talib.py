"""Writes talib.json: TA-Lib's values on generated bars.

    pip install TA-Lib numpy && python gen_talib.py > talib.json

Prices have six decimals and hardly ever tie, since TA-Lib decides ties by the
last bit of a sum. Volumes are whole numbers.
"""
import json
import math
import sys

import numpy as np
import talib

SEED, N = 20240607, 260
rng = np.random.default_rng(SEED)
vol = np.exp(0.3 * np.cumsum(rng.normal(size=N)) / np.sqrt(N))
close = 100 * np.exp(np.cumsum(0.01 * vol * rng.normal(size=N)))
open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(0.002 * rng.normal(size=N))
high = np.maximum(open_, close) * np.exp(np.abs(0.004 * vol * rng.normal(size=N)))
low = np.minimum(open_, close) * np.exp(-np.abs(0.004 * vol * rng.normal(size=N)))
o, h, l, c = (np.round(x, 6) for x in (open_, high, low, close))
v = np.floor(1000 * vol * np.exp(0.5 * rng.normal(size=N)))

out = []


def add(function, entry, params, column, values, tolerance=1e-10):
    out.append({"function": function, "entry": entry, "params": params, "column": column, "tolerance": tolerance,
                "values": [None if math.isnan(x) else float(x) for x in values]})


add("SMA(20)", "sma", {"window": 20}, 0, talib.SMA(c, 20))
add("EMA(20)", "ema", {"window": 20}, 0, talib.EMA(c, 20))
add("RSI(14)", "rsi", {"window": 14}, 0, talib.RSI(c, 14))
add("RSI(5)", "rsi", {"window": 5}, 0, talib.RSI(c, 5))
for j, x in enumerate(talib.MACD(c, 12, 26, 9)):
    add("MACD(12,26,9)[%d]" % j, "macd_level", {"fast": 12, "slow": 26, "signal": 9}, j, x)
k, d = talib.STOCHF(h, l, c, 14, 3, 0)
add("STOCHF(14,3)[0]", "stoch", {"window": 14, "smooth": 3}, 0, k)
add("STOCHF(14,3)[1]", "stoch", {"window": 14, "smooth": 3}, 1, d)
add("WILLR(14)", "williams_r", {"window": 14}, 0, talib.WILLR(h, l, c, 14))
add("CCI(20)", "cci", {"window": 20}, 0, talib.CCI(h, l, c, 20), 1e-9)
add("MFI(14)", "mfi", {"window": 14}, 0, talib.MFI(h, l, c, v, 14))
add("ROC(10)", "roc", {"lag": 10}, 0, talib.ROC(c, 10))
add("ADX(14)", "adx", {"window": 14}, 0, talib.ADX(h, l, c, 14))
add("PLUS_DI(14)", "adx", {"window": 14}, 1, talib.PLUS_DI(h, l, c, 14))
add("MINUS_DI(14)", "adx", {"window": 14}, 2, talib.MINUS_DI(h, l, c, 14))
add("ADX(7)", "adx", {"window": 7}, 0, talib.ADX(h, l, c, 7))
add("AROONOSC(25)", "aroon", {"window": 25}, 0, talib.AROONOSC(h, l, 25))
add("ATR(14)", "atr", {"window": 14}, 0, talib.ATR(h, l, c, 14))
add("NATR(14)", "atr_pct", {"window": 14}, 0, talib.NATR(h, l, c, 14))
add("STDDEV(20)", "stddev", {"window": 20}, 0, talib.STDDEV(c, 20), 1e-7)
for j, x in enumerate(talib.BBANDS(c, 20, 2, 2, 0)):
    add("BBANDS(20,2)[%d]" % j, "bollinger_bands", {"window": 20, "width": 2}, j, x, 1e-8)
add("OBV", "obv", {}, 0, talib.OBV(c, v))

json.dump({"reference": "TA-Lib", "version": talib.__ta_version__.decode().split()[0] + ", python package " + talib.__version__,
           "generator": "gen_talib.py", "seed": SEED, "tolerance": "relative, given with each series",
           "bars": {"open": o.tolist(), "high": h.tolist(), "low": l.tolist(), "close": c.tolist(), "volume": v.tolist()},
           "series": out}, sys.stdout)
print()
