package judge

import (
	"math"
	"strings"
)

// GateAudit is the leak check inside a run: nothing known at a decision may
// change when only the future of that decision does.
const GateAudit Gate = "audit"

// Leaked is the verdict of a run whose audit found a leak: fail, whatever the
// record says, because the record used what nobody could have known. culprits
// name what moved.
func (v Verdict) Leaked(culprits []string) Verdict {
	text := "the audit found a look-ahead leak: " + strings.Join(culprits, "; ")
	nan := Number(math.NaN())
	v.Status = Fail
	v.Reasons = append([]Reason{{Gate: GateAudit, Measured: true, Value: Number(len(culprits)), Threshold: nan, Blocks: Fail, Text: text}}, v.Reasons...)
	v.Sentence = text + "; no number of this run can be trusted"
	return v
}
