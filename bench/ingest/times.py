"""Times one reader on one file: times.py LIBRARY FILE THREADS RUNS.

Prints one JSON object with the medians of wall and processor time in seconds;
the first run, which warms the page cache, does not count. The work is that of
this project's reader: the stamps as instants, five columns of doubles.
"""

import json
import os
import statistics
import sys
import time

library, path, threads, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if threads == 1:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["POLARS_MAX_THREADS"] = "1"
    os.environ["OMP_NUM_THREADS"] = "1"

parquet = path.endswith(".parquet")
columns = ["open", "high", "low", "close", "volume"]

if library == "polars":
    import polars as pl

    def read():
        if parquet:
            return pl.read_parquet(path)
        frame = pl.read_csv(path, schema_overrides={"ts": pl.String, **{c: pl.Float64 for c in columns}})
        return frame.with_columns(pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="ns"))

elif library == "pandas":
    import pandas as pd

    def read():
        if parquet:
            return pd.read_parquet(path, use_threads=threads != 1)
        return pd.read_csv(path, parse_dates=["ts"], date_format="ISO8601", dtype={c: "float64" for c in columns})

elif library == "duckdb":
    import duckdb

    connection = duckdb.connect()
    if threads == 1:
        connection.execute("SET threads = 1")

    def read():
        if parquet:
            return connection.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table()
        types = {"ts": "TIMESTAMP", **{c: "DOUBLE" for c in columns}}
        return connection.sql(f"SELECT * FROM read_csv('{path}', header = true, columns = {types})").to_arrow_table()

else:
    sys.exit(f"unknown library {library}")

wall, processor = [], []
for i in range(runs + 1):
    w, p = time.perf_counter(), time.process_time()
    rows = len(read())
    if i > 0:
        wall.append(time.perf_counter() - w)
        processor.append(time.process_time() - p)
print(json.dumps({"name": library, "wall": statistics.median(wall), "cpu": statistics.median(processor), "rows": rows}))
