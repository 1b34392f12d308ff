package cpu

import (
	"errors"
	"fmt"
	"runtime"

	"hone/trainer/exec"
)

// Options choose how a device works.
type Options struct {
	Threads int // 0: GOMAXPROCS
	// Kernels is "generic", "avx2" or "avx512"; "": the value of the environment variable HONE_KERNELS, or else the best
	// that the processor has. For bf16, "avx512" may be followed by the instructions to use, "avx512+amx" or
	// "avx512+vdpbf16ps"; without, it is the best too.
	Kernels string
	BF16    bool // instructions may ask for products of bf16
}

// A Device is the processor: a pool of workers and a set of kernels.
type Device struct {
	pool    *pool
	kern    *kernels
	jobs32  jobs[float32]
	jobs64  jobs[float64]
	bf16    *bf16Set // nil: no products of bf16
	bf16Job bf16Job
	panels  panelJob
	shared  scratch // of all workers
	copy    copyJob
	scratch []*scratch // of each worker
}

var _ exec.Device = (*Device)(nil)

// New starts the workers. It fails when the processor lacks the kernels asked for.
func New(o Options) (*Device, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads", o.Threads)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	name := named(o.Kernels)
	kern, err := findKernels(name)
	if err != nil {
		return nil, err
	}
	var set *bf16Set
	if o.BF16 {
		if set, err = findBF16(kern, bf16Sets(kern), name); err != nil {
			return nil, fmt.Errorf("cpu: %w", err)
		}
	}
	d := &Device{pool: newPool(o.Threads), kern: kern, bf16: set}
	for range o.Threads {
		d.scratch = append(d.scratch, &scratch{})
	}
	return d, nil
}

// Name is the kernel set as the log names it: "cpu/avx2", and with bf16 "cpu/avx512+amx".
func (d *Device) Name() string {
	if d.bf16 != nil {
		return "cpu/" + d.kern.name + "+" + d.bf16.name
	}
	return "cpu/" + d.kern.name
}

// Threads is the number of workers.
func (d *Device) Threads() int { return d.pool.threads }

// Memory is the machine's; see the function of that name.
func (d *Device) Memory() (total, free int64) { return Memory() }

// Alloc gives zeroed memory from the operating system, outside Go's heap. It goes
// back when neither the buffer nor a slice of it is reachable.
func (d *Device) Alloc(bytes int) (exec.Buffer, error) {
	b, err := newBuffer(bytes)
	if err != nil {
		return nil, err // not b: a nil *buffer in a Buffer is not nil
	}
	return b, nil
}

// Upload copies src into dst.
func (d *Device) Upload(dst exec.Buffer, src []byte) error {
	b, err := bufferOf(dst)
	if err != nil {
		return err
	}
	if len(b.bytes) < len(src) {
		return fmt.Errorf("cpu: upload of %d bytes into %d", len(src), len(b.bytes))
	}
	copy(b.bytes, src)
	runtime.KeepAlive(b)
	return nil
}

// Download copies src into dst.
func (d *Device) Download(dst []byte, src exec.Buffer) error {
	b, err := bufferOf(src)
	if err != nil {
		return err
	}
	if len(b.bytes) < len(dst) {
		return fmt.Errorf("cpu: download of %d bytes from %d", len(dst), len(b.bytes))
	}
	copy(dst, b.bytes)
	runtime.KeepAlive(b)
	return nil
}

// Sync does nothing: Launch waits.
func (d *Device) Sync() error { return nil }

// Close ends the workers. Buffers stay readable.
func (d *Device) Close() error {
	d.pool.close()
	return nil
}

func bufferOf(b exec.Buffer) (*buffer, error) {
	c, ok := b.(*buffer)
	if !ok {
		return nil, errors.New("cpu: buffer of another device")
	}
	return c, nil
}
