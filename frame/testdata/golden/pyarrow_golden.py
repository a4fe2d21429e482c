"""Writes pyarrow.parquet, nulls.parquet and pyarrow.json: a file of another writer, and the values that reading it must give.

Run with pyarrow installed: python pyarrow_golden.py, in this folder. Tests read the results and never this script.
"""
import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq

UTC = dt.timezone.utc
t = pa.table(
    {
        "ms": pa.array([1500000000000, -1, 0], pa.timestamp("ms", "UTC")),
        "us": pa.array([1500000000000000, -1, 0], pa.timestamp("us")),
        "date": pa.array([dt.date(2020, 1, 2), dt.date(1969, 12, 31), dt.date(1970, 1, 1)]),
        "x": pa.array([1.5, None, -0.0], pa.float64()),
        "y": pa.array([None, None, 0.25], pa.float32()),
        "i8": pa.array([-128, 127, 0], pa.int8()),
        "i16": pa.array([-32768, 32767, 0], pa.int16()),
        "u16": pa.array([65535, 1, 0], pa.uint16()),
        "u32": pa.array([4294967295, 1, 0], pa.uint32()),
        "u64": pa.array([2**63 - 1, 1, 0], pa.uint64()),
        "s": pa.array(["é", "", "a"], pa.string()),
        "b": pa.array([True, False, True], pa.bool_()),
    }
)
pq.write_table(t, "pyarrow.parquet", compression="snappy", row_group_size=2)
pq.write_table(pa.table({"n": pa.array([1, None, 3], pa.int64())}), "nulls.parquet")
json.dump(
    {
        "reference": "pyarrow",
        "version": pa.__version__,
        "generator": "pyarrow_golden.py",
        "seed": None,
        "tolerance": "exact",
        "kinds": {"ms": "time", "us": "localtime", "date": "localtime", "x": "float64", "y": "float32", "i8": "int8", "i16": "int32",
                  "u16": "int32", "u32": "int64", "u64": "int64", "s": "string", "b": "bool"},
        "values": {
            "ms": [1500000000000000000, -1000000, 0],
            "us": [1500000000000000000, -1000, 0],
            "date": [int(dt.datetime(2020, 1, 2, tzinfo=UTC).timestamp()) * 10**9, -86400 * 10**9, 0],
            "x": [1.5, "NaN", -0.0],
            "y": ["NaN", "NaN", 0.25],
            **{k: t[k].to_pylist() for k in ("i8", "i16", "u16", "u32", "u64", "s", "b")},
        },
    },
    open("pyarrow.json", "w"),
    indent=1,
)
