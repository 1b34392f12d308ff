package run

import (
	"hone/recipes"
	"hone/trainer/pretrained"
)

// A Model is a checkpoint on this machine's device, which Close gives up.
type Model struct {
	*pretrained.Model
	Device Device
}

// OpenModel loads a checkpoint, and says in which types its weights are kept where that is not float32
// alone. An error is recipes.ErrInput.
func OpenModel(dir string, o pretrained.Options, say func(string)) (*Model, error) {
	dev, err := OpenDevice(0, false)
	if err != nil {
		return nil, err
	}
	m, err := pretrained.OpenWith(dev, dir, o)
	if err != nil {
		dev.Close()
		return nil, recipes.Input(err)
	}
	for _, note := range m.Storage.Notes() {
		say(note)
	}
	return &Model{m, dev}, nil
}

func (m *Model) Close() error { return m.Device.Close() }

// kernels is the kernel set that it computes with.
func (m *Model) kernels() string {
	_, kernels := kindOf(m.Device)
	return kernels
}
