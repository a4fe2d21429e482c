package main

import "testing"

func TestCheck(t *testing.T) {
	run := func(market, status string) string {
		return `{"market":"` + market + `","verdict":{"status":"` + status + `"}}`
	}
	for _, c := range []struct {
		name, runs string
		good       bool
	}{
		{"right", run("planted", "pass") + "," + run("null", "fail"), true},
		{"right, unsure", run("planted", "pass") + "," + run("null", "not_enough_evidence"), true},
		{"missed", run("planted", "fail") + "," + run("null", "fail"), false},
		{"fooled", run("planted", "pass") + "," + run("null", "pass"), false},
		{"one market", run("planted", "pass"), false},
		{"unknown word", run("planted", "pass") + "," + run("null", "no"), false},
		{"nothing", "", false},
	} {
		if err := check([]byte(`{"runs":[` + c.runs + `]}`)); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if check([]byte("{")) == nil {
		t.Error("a damaged file was accepted")
	}
}
