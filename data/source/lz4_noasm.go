//go:build !amd64

package source

const (
	hasLZ4Fast    = false
	lz4FastSource = 0
	lz4FastRoom   = 0
)

func lz4Fast(*byte, int, int, *byte, int) (to, used int) { panic("not reached") }
