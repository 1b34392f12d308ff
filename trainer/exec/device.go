package exec

// A Buffer is memory of one device.
type Buffer interface {
	Len() int                       // bytes
	Slice(offset, bytes int) Buffer // shares memory; offset is a multiple of 64
}

// An Arg is an operand of an instruction as the device sees it: contiguous, and row-major unless Form says otherwise.
// The zero Arg stands for an absent operand.
type Arg struct {
	Buffer
	Shape []int
	DType DType
	Form  Form
}

// A Device runs instructions one after the other. Launch may return before the
// work is done; Sync waits and returns the first error. A Device belongs to one
// goroutine at a time.
//
// Upload and Download copy between host memory and a buffer, and wait for all
// earlier work. Launch must not allocate once an instruction has run before.
type Device interface {
	Name() string                    // kind and kernel set, as the log names it: "cpu/avx2"
	Memory() (total, free int64)     // bytes that there are for this process, and that are free now; 0: not known
	Alloc(bytes int) (Buffer, error) // zeroed, aligned to 64 bytes
	Upload(dst Buffer, src []byte) error
	Download(dst []byte, src Buffer) error
	Launch(in *Instr, args []Arg) error // args: the values of in.In, then of in.Out
	Sync() error
	Close() error
}
