package param_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/param"
	"pgregory.net/rapid"
)

type cost struct {
	Bps   float64 `yaml:"bps" doc:"fee in basis points" min:"0" max:"100" search:"lin 0 10"`
	Fixed float32 `yaml:"fixed" doc:"fee per trade"`
}

func (c cost) Validate() error {
	if c.Bps > 0 && c.Fixed > 0 {
		return &param.Error{Path: "fixed", Problem: "cannot stand beside bps"}
	}
	return nil
}

type shared struct {
	Seed uint64 `yaml:"seed" doc:"seed of every stream"`
}

type tree struct {
	Depth int `yaml:"depth" doc:"levels" min:"1" max:"16"`
}

func (t *tree) Validate() error {
	if t.Depth == 13 {
		return errors.New("thirteen levels are unlucky")
	}
	return nil
}

type config struct {
	_         struct{}         `yaml:"-"`
	Shared    shared           `yaml:",inline"`
	Name      string           `yaml:"name" doc:"name of the run"`
	On        bool             `yaml:"on" doc:"switch"`
	Horizon   param.Duration   `yaml:"horizon" doc:"expiry" min:"1m" max:"30d"`
	Wait      time.Duration    `yaml:"wait" doc:"latency"`
	Since     time.Time        `yaml:"since" doc:"first instant"`
	Side      string           `yaml:"side" doc:"side" enum:"both,long,short"`
	Cost      cost             `yaml:"cost" doc:"what a trade costs"`
	Frames    []param.Duration `yaml:"frames" doc:"timeframes" min:"1m"`
	Trees     []tree           `yaml:"trees" doc:"trees to grow"`
	Fees      map[string]cost  `yaml:"fees" doc:"cost by venue"`
	Weights   map[int]float64  `yaml:"weights" doc:"weight by class" min:"0"`
	Limit     *float64         `yaml:"limit" doc:"optional limit" max:"10"`
	Model     any              `yaml:"model" doc:"parameters of the model"`
	Untagged  int              `doc:"key is the lower-cased name"`
	Invisible int              `yaml:"-"`
}

func example() config {
	return config{
		Shared: shared{Seed: 7}, Name: "a", Horizon: 20 * param.Duration(time.Minute), Wait: time.Second,
		Since: time.Date(2020, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)), Side: "both", Cost: cost{Bps: 0.1},
		Frames: []param.Duration{param.Duration(5 * time.Minute), param.Day}, Trees: []tree{{3}, {6}},
		Fees: map[string]cost{"b": {Bps: 2}, "a": {Bps: 1}}, Weights: map[int]float64{10: 1, 9: 2}, Model: &tree{5},
	}
}

func TestFields(t *testing.T) {
	fields, err := param.Fields(example())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]param.Field{}
	var order []string
	for _, f := range fields {
		got[f.Path] = f
		order = append(order, f.Path+" "+f.Kind)
	}
	want := []string{"seed uint", "name string", "on bool", "horizon duration", "wait duration", "since time", "side string", "cost group",
		"cost.bps float", "cost.fixed float", "frames []duration", "trees []group", "trees.*.depth int", "fees map of group", "fees.*.bps float",
		"fees.*.fixed float", "weights map of float", "limit float", "model group", "model.depth int", "untagged int"}
	if !reflect.DeepEqual(order, want) {
		t.Errorf("fields:\n got %q\nwant %q", order, want)
	}
	bps := got["cost.bps"]
	if bps.Name != "bps" || bps.Doc != "fee in basis points" || *bps.Min != 0 || *bps.Max != 100 || bps.Default != 0.1 || bps.Search != "lin 0 10" {
		t.Errorf("cost.bps: %+v", bps)
	}
	if h := got["horizon"]; *h.Min != 60 || *h.Max != 30*86400 || h.Default != param.Duration(20*time.Minute) {
		t.Errorf("bounds of a duration are seconds: %+v", h)
	}
	if s := got["side"]; !reflect.DeepEqual(s.Enum, []string{"both", "long", "short"}) {
		t.Errorf("enum: %+v", s)
	}
	if d := got["trees.*.depth"]; d.Default != nil || *d.Max != 16 {
		t.Errorf("members of list elements have limits and no default: %+v", d)
	}
	if d := got["model.depth"]; d.Default != 5 {
		t.Errorf("an interface is listed by what it holds: %+v", d)
	}
}

func TestFieldsRefuses(t *testing.T) {
	type undocumented struct {
		A int `yaml:"a"`
		B struct {
			C int `yaml:"c" doc:" "`
		} `yaml:"b" doc:"group"`
	}
	type wrongTags struct {
		A string         `yaml:"a" doc:"x" min:"1"`
		B int            `yaml:"b" doc:"x" min:"5" max:"4"`
		C param.Duration `yaml:"c" doc:"x" min:"5"`
		D float64        `yaml:"d" doc:"x" max:"many"`
		E func()         `yaml:"e" doc:"x"`
		F []byte         `yaml:"f" doc:"x"`
		G chan int       `yaml:"g" doc:"x"`
	}
	type node struct {
		Next []node `yaml:"next" doc:"x"`
	}
	type twice struct {
		A int `yaml:"k" doc:"x"`
		B int `yaml:"k" doc:"x"`
	}
	type dotted struct {
		A int `yaml:"a.b" doc:"x"`
	}
	for _, c := range []struct {
		name  string
		cfg   any
		paths []string
	}{
		{"undocumented", undocumented{}, []string{"a", "b.c"}},
		{"wrong tags", wrongTags{}, []string{"a", "b", "c", "d", "e", "f", "g"}},
		{"recursive", node{}, []string{"next.*"}},
		{"same key", twice{}, []string{""}},
		{"dot in key", dotted{}, []string{""}},
		{"no struct", 3, []string{""}},
		{"nil", nil, []string{""}},
		{"nil pointer", (*config)(nil), []string{""}},
	} {
		_, err := param.Fields(c.cfg)
		var paths []string
		for _, p := range param.Problems(err) {
			paths = append(paths, p.Path)
		}
		if !reflect.DeepEqual(paths, c.paths) {
			t.Errorf("%s: problems at %q, want %q (%v)", c.name, paths, c.paths, err)
		}
	}
}

func TestCanonical(t *testing.T) {
	got, err := param.Canonical(example())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"cost":{"bps":0.1,"fixed":0},"fees":{"a":{"bps":1,"fixed":0},"b":{"bps":2,"fixed":0}},"frames":["5m","1d"],"horizon":"20m",` +
		`"limit":null,"model":{"depth":5},"name":"a","on":false,"seed":7,"side":"both","since":"2020-01-02T02:04:05Z","trees":[{"depth":3},{"depth":6}],` +
		`"untagged":0,"wait":"1s","weights":{"10":1,"9":2}}`
	if string(got) != want {
		t.Errorf("canonical:\n got %s\nwant %s", got, want)
	}
	if !json.Valid(got) {
		t.Error("canonical text is not JSON")
	}
	p := example()
	again, err := param.Canonical(&p)
	if err != nil || string(again) != want {
		t.Errorf("a pointer encodes like its value: %s, %v", again, err)
	}
	d1, err := param.Digest(example())
	if err != nil || len(d1) != 64 {
		t.Fatalf("digest %q: %v", d1, err)
	}
	p.Invisible = 9
	if d2, _ := param.Digest(p); d2 != d1 {
		t.Error("a hidden field changed the digest")
	}
	p.Cost.Fixed = 0.5
	if d2, _ := param.Digest(p); d2 == d1 {
		t.Error("a changed field did not change the digest")
	}
	if d, err := param.Digest(map[string]int{}); err != nil || d != "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" {
		t.Errorf("digest of {}: %s, %v", d, err) // printf '{}' | sha256sum
	}
}

func TestCanonicalScalars(t *testing.T) {
	type named string
	for _, c := range []struct {
		in   any
		want string
	}{
		{nil, "null"}, {true, "true"}, {-3, "-3"}, {uint64(math.MaxUint64), "18446744073709551615"}, {int64(1)<<53 + 1, "9007199254740993"},
		{1.0, "1"}, {0.1, "0.1"}, {float32(0.1), "0.1"}, {math.Copysign(0, -1), "0"}, {1e21, "1e+21"}, {1e-7, "1e-7"}, {1e-10, "1e-10"},
		{1e20, "100000000000000000000"}, {5e-324, "5e-324"}, {math.MaxFloat64, "1.7976931348623157e+308"},
		{"a\"\\\n\t\r\x01<é>", `"a\"\\\n\t\r\u0001<é>"`}, {named("x"), `"x"`},
		{[]int(nil), "[]"}, {[]int{}, "[]"}, {[2]bool{true}, "[true,false]"}, {map[string]int(nil), "{}"}, {(*int)(nil), "null"},
		{[]any{1, "a", nil, []float64{2.5}}, `[1,"a",null,[2.5]]`},
		{param.Duration(90 * time.Minute), `"1h30m"`}, {36 * time.Hour, `"1d12h"`},
	} {
		got, err := param.Canonical(c.in)
		if err != nil || string(got) != c.want {
			t.Errorf("%v: got %s, want %s (%v)", c.in, got, c.want, err)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	type inner struct {
		X []any `yaml:"x"`
	}
	type unexported struct {
		A int
		b int //nolint:unused // its presence is what is refused
	}
	cyclic := []any{nil}
	cyclic[0] = cyclic
	for _, c := range []struct {
		name, path string
		in         any
	}{
		{"nan", "x.1", inner{[]any{1.0, math.NaN()}}},
		{"infinity", "x.0", inner{[]any{float32(math.Inf(-1))}}},
		{"bytes", "x.0", inner{[]any{[]byte{1}}}},
		{"array of bytes", "x.0", inner{[]any{[4]byte{}}}},
		{"function", "x.0", inner{[]any{func() {}}}},
		{"channel", "x.0", inner{[]any{make(chan int)}}},
		{"complex", "x.0", inner{[]any{complex(1, 2)}}},
		{"map key", "x.0", inner{[]any{map[float64]int{1: 1}}}},
		{"invalid utf-8", "x.0", inner{[]any{"\xff"}}},
		{"unexported", "x.0", inner{[]any{unexported{A: 1}}}},
		{"cycle", strings.TrimSuffix(strings.Repeat("0.", 65), "."), cyclic},
	} {
		_, err := param.Canonical(c.in)
		var e *param.Error
		if !errors.As(err, &e) || e.Path != c.path {
			t.Errorf("%s: want a problem at %q, got %v", c.name, c.path, err)
		}
		if _, err := param.Digest(c.in); err == nil {
			t.Errorf("%s: digest of what has no canonical text", c.name)
		}
	}
}

// TestCanonicalRoundTrip: the canonical text reads back, as JSON, to the same floats, and ordering of insertion does not matter.
func TestCanonicalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.String(), rapid.Float64().Filter(func(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) })).Draw(t, "m")
		text, err := param.Canonical(m)
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]float64
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reflect.DeepEqual(back, m) && len(m) > 0 {
			t.Fatalf("read back %v, want %v", back, m)
		}
		again, err := param.Canonical(back)
		if err != nil || string(again) != string(text) {
			t.Fatalf("encoded again: %s, want %s", again, text)
		}
	})
}

func TestValidate(t *testing.T) {
	ok := example()
	if err := param.Validate(&ok); err != nil {
		t.Errorf("a valid config: %v", err)
	}
	bad := example()
	ten1 := 10.5
	bad.Horizon, bad.Side, bad.Limit = 0, "lnog", &ten1
	bad.Cost = cost{Bps: 101, Fixed: 1}
	bad.Frames = append(bad.Frames, 5)
	bad.Trees = []tree{{13}, {17}}
	bad.Weights = map[int]float64{1: -1, 2: math.NaN()}
	bad.Model = tree{0}
	want := []string{
		"horizon: 0s is below the minimum 1m",
		`side: "lnog" is not one of "both", "long", "short"; nearest is "long"`,
		"cost.bps: 101 is above the maximum 100",
		"cost.fixed: cannot stand beside bps",
		"frames.2: 5ns is below the minimum 1m",
		"trees.0: thirteen levels are unlucky",
		"trees.1.depth: 17 is above the maximum 16",
		"weights.1: -1 is below the minimum 0",
		"weights.2: NaN is not a finite number",
		"limit: 10.5 is above the maximum 10",
		"model.depth: 0 is below the minimum 1",
	}
	for name, cfg := range map[string]any{"pointer": &bad, "value": bad} {
		var got []string
		for _, p := range param.Problems(param.Validate(cfg)) {
			got = append(got, p.Error())
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	if n := len(param.Problems(param.Check(bad))); n != len(want)-2 {
		t.Errorf("Check calls no methods: %d problems, want %d", n, len(want)-2)
	}
	if err := param.Validate(nil); err == nil {
		t.Error("nil is no configuration")
	}
}

func TestSetAndLookup(t *testing.T) {
	for _, c := range []struct {
		path, value string
		want        any
	}{
		{"seed", "18446744073709551615", uint64(math.MaxUint64)},
		{"name", " x,y", " x,y"},
		{"on", "true", true},
		{"horizon", "1.5h", param.Duration(90 * time.Minute)},
		{"wait", "2d", 48 * time.Hour},
		{"since", "2021-02-03T04:05:06Z", time.Date(2021, 2, 3, 4, 5, 6, 0, time.UTC)},
		{"cost.bps", "2.5e-1", 0.25},
		{"cost.fixed", "0.1", float32(0.1)},
		{"frames", "[5m, 1h]", []param.Duration{param.Duration(5 * time.Minute), param.Duration(time.Hour)}},
		{"frames", "", []param.Duration{}},
		{"frames.1", "4h", param.Duration(4 * time.Hour)},
		{"trees.1.depth", "9", 9},
		{"fees.a.bps", "3", 3.0},
		{"weights.-1", "4", 4.0},
		{"model.depth", "2", 2},
		{"untagged", "-5", -5},
	} {
		cfg := example()
		before, _ := param.Canonical(cfg)
		shared := cfg // a second value that shares maps, lists and pointers
		if err := param.Set(&cfg, c.path, c.value); err != nil {
			t.Errorf("set %s=%s: %v", c.path, c.value, err)
			continue
		}
		got, err := param.Lookup(cfg, c.path)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v (%v)", c.path, got, c.want, err)
		}
		if after, _ := param.Canonical(shared); string(after) != string(before) {
			t.Errorf("%s: setting one config changed another that shares its parts", c.path)
		}
	}
	cfg := example()
	if err := param.Set(&cfg, "limit", "3"); err != nil || *cfg.Limit != 3 {
		t.Errorf("a nil pointer is allocated: %v", err)
	}
	if all, err := param.Lookup(&cfg, ""); err != nil || !reflect.DeepEqual(all, cfg) {
		t.Errorf("the empty path is the whole: %v", err)
	}
}

func TestSetRefuses(t *testing.T) {
	for _, c := range []struct{ path, value, want string }{
		{"nmae", "x", `nmae: unknown key "nmae"; nearest is "name"`},
		{"cost.bsp", "1", `cost.bsp: unknown key "bsp"; nearest is "bps"`},
		{"cost.zzzzzz", "1", `cost.zzzzzz: unknown key "zzzzzz"; known: bps, fixed`},
		{"cost", "1", "cost: is a group; set one of its keys: bps, fixed"},
		{"on", "yes", `on: "yes" is not true or false`},
		{"cost.bps", "NaN", `cost.bps: "NaN" is not a finite number`},
		{"cost.fixed", "1e39", `cost.fixed: "1e39" is not a finite number`},
		{"seed", "-1", `seed: "-1" is not an integer of 64 bits without a sign`},
		{"untagged", "1.5", `untagged: "1.5" is not an integer of 64 bits`},
		{"horizon", "5", `horizon: duration "5": the last number has no unit; write it like 1h30m, 5d or 250ms`},
		{"frames", "5m,x", `frames.1: duration "x": unknown unit "x"; write it like 1h30m, 5d or 250ms`},
		{"frames.2", "5m", `frames.2: "2" is not an index of a list of 2`},
		{"trees", "3", "trees.0: is a group; set one of its keys: depth"},
		{"fees.c.bps", "1", `fees.c: unknown key "c"; known: a, b`},
		{"name.x", "1", "name.x: string has no keys below it"},
		{"", "1", "no key given to set"},
	} {
		cfg := example()
		err := param.Set(&cfg, c.path, c.value)
		if err == nil || err.Error() != c.want {
			t.Errorf("set %s=%s: got %v, want %s", c.path, c.value, err, c.want)
		}
		if !reflect.DeepEqual(cfg, example()) {
			t.Errorf("set %s=%s failed and changed the config", c.path, c.value)
		}
	}
	empty := config{}
	if err := param.Set(&empty, "model.depth", "1"); err == nil {
		t.Error("an empty interface cannot be set")
	}
	if err := param.Set(empty, "name", "x"); err == nil {
		t.Error("a value cannot be set")
	}
	for _, path := range []string{"nmae", "fees.zz", "model.depth", "frames.7", "name.x"} {
		if _, err := param.Lookup(empty, path); err == nil {
			t.Errorf("lookup of %s must fail", path)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"depth", "rate", "rounds", "max_bins"}
	for key, want := range map[string]string{"dpeth": "depth", "Depth": "depth", "rats": "rate", "round": "rounds", "maxbins": "max_bins", "deepth": "depth", "colour": "", "x": "", "": ""} {
		if got, ok := param.Nearest(key, known); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", key, got, ok)
		}
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0s", "90s": "1m30s", "1h30m": "1h30m", "1.5h": "1h30m", "5d": "5d", "24h": "1d", "-90m": "-1h30m", "250ms": "250ms", "1.5us": "1us500ns",
		"2µs": "2us", "0.0625d": "1h30m", ".5s": "500ms", "+1m": "1m", " 1m ": "1m", "1m1m": "2m", "9223372036854775807ns": "106751d23h47m16s854ms775us807ns",
	} {
		d, err := param.ParseDuration(in)
		if err != nil || d.String() != want {
			t.Errorf("%q: got %v, want %s (%v)", in, d, want, err)
		}
	}
	for _, in := range []string{"", "5", "h", "1x", "1.2.3s", "--1s", "+-1s", "0.1ns", "1.5ns", "106752d", "9223372036854775808ns", "99999999999999999999s", "1h x", "1 h", ".s", "1d-1h", "0.1234567890123456789s"} {
		if d, err := param.ParseDuration(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, d)
		}
	}
	if s := param.Duration(math.MinInt64).String(); s != "-106751d23h47m16s854ms775us808ns" {
		t.Errorf("the smallest duration: %s", s)
	}
	rapid.Check(t, func(t *rapid.T) {
		d := param.Duration(rapid.Int64Min(-math.MaxInt64).Draw(t, "d"))
		if back, err := param.ParseDuration(d.String()); err != nil || back != d {
			t.Fatalf("%v reads back as %v: %v", d, back, err)
		}
		if std, err := param.ParseDuration(d.Std().String()); err != nil || std != d {
			t.Fatalf("%v: the standard text reads as %v: %v", d.Std(), std, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"1h30m", "5d", "-1.5us", "0.0625d", "µs", "106752d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := param.ParseDuration(s)
		if err != nil {
			return
		}
		if back, err := param.ParseDuration(d.String()); err != nil || back != d {
			t.Errorf("%q gives %v, which reads back as %v: %v", s, d, back, err)
		}
	})
}

type selfChecked struct {
	Horizon int `yaml:"horizon" doc:"bars" min:"1"`
}

func (c selfChecked) Validate() error { return param.Check(c) }

// A Validate method that checks its own tags finds what the walk finds too.
func TestAProblemIsReportedOnce(t *testing.T) {
	err := param.Validate(&struct {
		Label selfChecked `yaml:"label" doc:"label"`
	}{})
	if err == nil || err.Error() != "label.horizon: 0 is below the minimum 1" {
		t.Errorf("%v", err)
	}
}
