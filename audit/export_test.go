package audit

// Only is opt with the named checks alone.
func Only(opt Options, checks ...string) Options {
	opt.only = checks
	return opt
}
