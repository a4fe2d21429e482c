"""Writes calendars.json: closed weekdays and days with other hours, by two public calendar libraries.

    pip install exchange_calendars==4.13.2 pandas_market_calendars==5.5.0
    python calendars.py > calendars.json

NYSE and EUREX come from exchange_calendars (XNYS, XEUR), CME from pandas_market_calendars
(CME Globex Equity), CBOT and NYMEX from it too (CME Globex Fixed Income, CMEGlobex_CL). "closed" lists weekdays without a
session, "close" the days whose last minute is not the usual one, as local hh:mm.
"""
import json
import exchange_calendars as xc
import pandas as pd
import pandas_market_calendars as mc


def days(schedule, zone, usual, first, last):
    have = set(schedule.index.strftime("%Y-%m-%d"))
    closed = [d.strftime("%Y-%m-%d") for d in pd.bdate_range(first, last) if d.strftime("%Y-%m-%d") not in have]
    close = {}
    for d, t in schedule["close"].items():
        hm = t.tz_convert(zone).strftime("%H:%M")
        if hm != usual(d):
            close[d.strftime("%Y-%m-%d")] = hm
    return {"first": first, "last": last, "closed": closed, "close": close}


def exchange(name, zone, usual, first, last):
    return days(xc.get_calendar(name, start=first, end=last).schedule, zone, usual, first, last)


def market(name, zone, usual, first, last):
    s = mc.get_calendar(name).schedule(first, last).rename(columns={"market_close": "close"})
    return days(s, zone, usual, first, last)


chicago = "America/Chicago"
out = {
    "header": {
        "reference": "exchange_calendars, pandas_market_calendars",
        "version": f"{xc.__version__}, {mc.__version__}",
        "generator": "calendars.py",
        "seed": "none",
        "tolerance": "exact; differences are listed with their reasons in golden_test.go",
    },
    "NYSE": exchange("XNYS", "America/New_York", lambda d: "16:00", "1993-01-01", "2040-12-31"),
    "EUREX": exchange("XEUR", "Europe/Berlin", lambda d: "22:00", "2006-01-01", "2040-12-31"),
    "CME": market("CME Globex Equity", chicago, lambda d: "16:00", "2016-01-01", "2030-12-31"),
    "CBOT": market("CME Globex Fixed Income", chicago, lambda d: "16:00", "2016-01-01", "2030-12-31"),
    "NYMEX": market("CMEGlobex_CL", chicago, lambda d: "16:00", "2016-01-01", "2030-12-31"),
}
print(json.dumps(out, indent=1))
