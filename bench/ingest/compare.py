"""Runs ours and the others in turn and prints the table; see run.sh.

compare.py ROWS ROUNDS RUNS
"""

import json
import os
import statistics
import subprocess
import sys

rows, rounds, runs = (int(x) for x in sys.argv[1:4])
here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, "out")
csv, parquet = os.path.join(out, f"bars_{rows}.csv"), os.path.join(out, f"bars_{rows}.parquet")
ours = os.path.join(out, "ingest")

if not os.path.exists(csv):
    subprocess.run([ours, "-make", csv + ".part", "-rows", str(rows)], check=True)
    os.rename(csv + ".part", csv)
if not os.path.exists(parquet):
    import pandas as pd

    frame = pd.read_csv(csv, parse_dates=["ts"], date_format="ISO8601")
    frame.to_parquet(parquet + ".part", compression="zstd", row_group_size=122880)
    os.rename(parquet + ".part", parquet)


def once(name, path, threads):
    if name == "mlfactory":
        env = dict(os.environ)
        if threads == 1:
            env["GOMAXPROCS"] = "1"
        command = [ours, "-read", path, "-runs", str(runs)]
    else:
        env, command = None, [sys.executable, os.path.join(here, "times.py"), name, path, str(threads), str(runs)]
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


names = ["mlfactory", "polars", "pandas", "duckdb"]
print(f"{rows} bars, {os.path.getsize(csv) / 1e6:.0f} MB of CSV; seconds; medians of {rounds} x {runs} runs")
print(f"{'':10}{'':12}{'one core':>24}{'all threads':>14}")
print(f"{'':10}{'':12}{'processor':>12}{'wall':>12}{'wall':>14}{'MB/s':>10}")
ratios, speed = [], {}
for form, path in (("csv", csv), ("parquet", parquet)):
    got, least = {n: ([], [], []) for n in names}, []
    for _ in range(rounds):
        for n in names:
            one, many = once(n, path, 1), once(n, path, 0)
            if n == "mlfactory":
                least.append(one["least"])
            for values, x in zip(got[n], (one["cpu"], one["wall"], many["wall"])):
                values.append(x)
    median = {n: [statistics.median(x) for x in got[n]] for n in names}
    for n in names:
        cpu, wall, many = median[n]
        print(f"{form:10}{n:12}{cpu:12.3f}{wall:12.3f}{many:14.3f}{os.path.getsize(path) / 1e6 / cpu:10.0f}")
    size = os.path.getsize(path) / 1e6
    speed[form] = (size / median["mlfactory"][0], size / min(least))
    for n in names[1:]:
        ratios.append((f"{form}_vs_{n}_threads", median["mlfactory"][2] / median[n][2]))
    for n in names[1:]:
        ratios.append((f"{form}_vs_{n}", median["mlfactory"][0] / median[n][0]))
print("MB/s: size of the file by processor time on one core. Ours checks every bar and finds its session as well.")
print("RATIO …: processor time on one core, ours/theirs; RATIO …_threads: wall time with all threads.")
for form, (middle, best) in speed.items():
    print(f"SPEED {form} {middle:.0f} MB/s of processor time on one core; the best of all runs {best:.0f}")
for name, r in sorted(ratios, key=lambda x: not x[0].endswith("_threads")):
    print(f"RATIO {name} {r:.3f}")
