package catboost

// Resolved is what [Config.resolve] makes of a config.
func Resolved(c Config, classes, n, p int, stops bool) (Config, error) {
	l, err := newLoss(c.Loss, classes)
	if err != nil {
		return c, err
	}
	return c.resolve(l, n, p, stops), nil
}
