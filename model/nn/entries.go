package nn

import "github.com/mlfactory/mlfactory/model"

// Entries are the registry entries of all architectures.
func Entries() []model.Entry {
	return []model.Entry{
		mlpEntry(),
		realmlpEntry(),
		tabmEntry(),
		lstmEntry(),
		gruEntry(),
		mambaEntry(),
		mamba2Entry(),
		xlstmEntry(),
		s4dEntry(),
		s5Entry(),
		tcnEntry(),
		inceptionTimeEntry(),
		resNet1DEntry(),
		modernTCNEntry(),
		dlinearEntry(),
		nlinearEntry(),
		nbeatsEntry(),
		tsmixerEntry(),
		transformerEntry(),
		itransformerEntry(),
		patchtstEntry(),
		tftEntry(),
		vsnLSTMEntry(),
		miniRocketEntry(),
	}
}

// Register adds all entries to a registry.
func Register(r *model.Registry) error {
	for _, e := range Entries() {
		if err := r.Add(e); err != nil {
			return err
		}
	}
	return nil
}
