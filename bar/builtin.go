package bar

import "github.com/mlfactory/mlfactory/bar/calendar"

// builtin is the table of instruments.
//
// Futures of CME Group: commission is a retail broker's (0.85 a contract, 0.25 a
// micro), plus the exchange's fee for non-members, plus 0.02 for the regulator.
// Spreads are those of the front month in its liquid hours; at night they are
// wider. FESX: broker and exchange together. SPY: 0.005 a share, 1 USD at least.
// NIFTY is an index: the costs are those of its future, which come mostly from
// the transaction tax on the sale, spread here over both sides, with the flat
// brokerage of 20 INR as the least per order. BTCUSD and ETHUSD: the taker fee
// of a spot exchange at the lowest volume.
func builtin() []Instrument {
	const asOf = "2024-01-02"
	cme := func(name, text, cal string, tick, point, commission, half, slip float64) Instrument {
		return Instrument{Name: name, Description: text, Calendar: cal, TickSize: tick, PointValue: point, Currency: "USD",
			CommissionPerSide: commission, FeesAsOf: asOf, HalfSpreadTicks: half, SlippageTicks: slip}
	}
	cl := cme("CL", "WTI crude oil, NYMEX, 1,000 barrels", calendar.NYMEX, 0.01, 1000, 2.47, 0.5, 0.5)
	cl.SignedPrices = true
	coin := func(name, text string, half, slip float64) Instrument {
		return Instrument{Name: name, Description: text, Calendar: calendar.Always, TickSize: 0.01, PointValue: 1, Currency: "USD",
			FeeBps: 20, FeesAsOf: asOf, HalfSpreadBps: half, SlippageBps: slip}
	}
	return []Instrument{
		cme("MES", "Micro E-mini S&P 500 future, CME", calendar.CME, 0.25, 5, 0.62, 0.5, 0.5),
		cme("ES", "E-mini S&P 500 future, CME", calendar.CME, 0.25, 50, 2.25, 0.5, 0.5),
		cme("MNQ", "Micro E-mini Nasdaq-100 future, CME", calendar.CME, 0.25, 2, 0.62, 1, 1),
		cme("NQ", "E-mini Nasdaq-100 future, CME", calendar.CME, 0.25, 20, 2.25, 1, 1),
		cme("MGC", "Micro gold future, COMEX, 10 troy ounces", calendar.NYMEX, 0.1, 10, 0.87, 1, 1),
		cme("GC", "Gold future, COMEX, 100 troy ounces", calendar.NYMEX, 0.1, 100, 2.49, 1, 1),
		cme("SI", "Silver future, COMEX, 5,000 troy ounces", calendar.NYMEX, 0.005, 5000, 2.49, 1, 1),
		cl,
		cme("HG", "Copper future, COMEX, 25,000 pounds", calendar.NYMEX, 0.0005, 25000, 2.49, 1, 1),
		cme("ZB", "30-year Treasury bond future, CBOT, 100,000 USD", calendar.CBOT, 1.0/32, 1000, 1.84, 0.5, 0.5),
		cme("ZN", "10-year Treasury note future, CBOT, 100,000 USD", calendar.CBOT, 1.0/64, 1000, 1.72, 0.5, 0.5),
		{Name: "SPY", Description: "SPDR S&P 500 ETF, regular hours", Calendar: calendar.NYSE, TickSize: 0.01, PointValue: 1, Currency: "USD",
			CommissionPerSide: 0.005, FeeMin: 1, FeesAsOf: asOf, HalfSpreadTicks: 0.5, SlippageTicks: 0.5},
		{Name: "FESX", Description: "EURO STOXX 50 future, Eurex", Calendar: calendar.Eurex, TickSize: 1, PointValue: 10, Currency: "EUR",
			CommissionPerSide: 1.7, FeesAsOf: asOf, HalfSpreadTicks: 0.5, SlippageTicks: 0.5},
		{Name: "NIFTY", Description: "NIFTY 50 index, NSE India", Calendar: calendar.NSE, TickSize: 0.05, PointValue: 1, Currency: "INR",
			FeeBps: 1.35, FeeMin: 20, FeesAsOf: "2024-10-01", HalfSpreadBps: 0.3, SlippageBps: 0.3, Proxy: "an index: proxy; costs of its future"},
		coin("BTCUSD", "Bitcoin in US dollars, spot", 0.5, 1),
		coin("ETHUSD", "Ether in US dollars, spot", 1, 1.5),
		{Name: "SYNTH", Description: "generated market: 390 minutes a day, Monday to Friday, no holidays", Calendar: calendar.Synth, TickSize: 0.01, PointValue: 1,
			Currency: "USD", FeeBps: 0.1, FeesAsOf: asOf, HalfSpreadTicks: 1, SlippageTicks: 0.5, Proxy: "a generated market: proxy; invented costs"},
	}
}
