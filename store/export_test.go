package store

// FailWrites makes temporary files of objects fail with err after so many bytes
// in all, or on sync if bytes is negative.
func (s *Store) FailWrites(bytes int, err error) {
	s.newTemp = func(dir string) (tempFile, error) {
		f, ferr := makeTemp(dir)
		return &failing{tempFile: f, left: bytes, err: err}, ferr
	}
}

type failing struct {
	tempFile
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left < 0 {
		return f.tempFile.Write(p)
	}
	if len(p) > f.left {
		n, _ := f.tempFile.Write(p[:f.left])
		f.left -= n
		return n, f.err
	}
	f.left -= len(p)
	return f.tempFile.Write(p)
}

func (f *failing) Sync() error {
	if f.left < 0 {
		return f.err
	}
	return f.tempFile.Sync()
}

// Exec runs a statement on the project database.
func (s *Store) Exec(query string) error {
	_, err := s.db.Exec(query)
	return err
}

// Abandon lets go of the attempt's locks without recording an end, as the
// death of the process does.
func (a *Attempt) Abandon() {
	_ = a.lock.Release()
	_ = a.release()
}
