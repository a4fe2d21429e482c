package ensemble

// NewPlain is a model that walks the nodes of its ensemble, as one with too
// many slots does.
func NewPlain(e *Ensemble) *Model { return &Model{e, newPredictor(e, 0)} }
