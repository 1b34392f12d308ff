package cpu

import (
	"math"
	"time"
	"unsafe"
)

// peakKernels are the loops that measure the processor.
type peakKernels struct {
	fmaLoop  func(n int)               // 12·lanes multiply-adds a round
	readLoop func(n int, src *float32) // n a multiple of 128
}

// PeakFLOPS measures the float32 GFLOP/s, a multiply and an add counted as two, of instructions that do not wait for
// memory: the best of several rounds in about 0.1 s.
func (d *Device) PeakFLOPS(threads int) (gflops float64) {
	threads = min(max(threads, 1), d.pool.threads)
	return d.peak(threads, &peakJob{k: d.kern, tile: make([]float32, threads*2*peakSteps)})
}

// PeakBF16 is PeakFLOPS for products of bf16; 0 where the device has none.
func (d *Device) PeakBF16(threads int) (gflops float64) {
	if d.bf16 == nil {
		return 0
	}
	return d.peak(min(max(threads, 1), d.pool.threads), &peakJob{k: d.kern, bf16: d.bf16})
}

// Limits are the rates that the processor reaches: GFLOP/s of float32 fused multiply-adds, each counted as two, and of
// products of bf16, 0 where the device has none; GB/s of reading memory.
type Limits struct{ GFLOPS, BF16, Bandwidth float64 }

// A Gauge measures limits at the time, so that what is measured in turns with it can be given as a share of them.
type Gauge struct {
	d    *Device
	fma  *peakJob
	bf16 *peakJob // nil: the device has no products of bf16
	read *readJob
}

// ReadShare is what a thread of most gauges reads at a time, in bytes: far more than its own caches.
const ReadShare = 32 << 20

// Gauge gives a gauge of the device, on all its threads, that reads so many bytes of memory again and again. Where
// processors share a large cache, fewer bytes come faster.
func (d *Device) Gauge(bytes int) (*Gauge, error) {
	share := max(1<<20, bytes/d.pool.threads) &^ (1<<12 - 1)
	b, err := newBuffer(d.pool.threads * share)
	if err != nil {
		return nil, err
	}
	g := &Gauge{
		d:    d,
		fma:  &peakJob{k: d.kern, tile: make([]float32, d.pool.threads*2*peakSteps), rounds: 1 << 16},
		read: &readJob{k: d.kern, buf: b, src: unsafe.Slice((*float32)(unsafe.Pointer(&b.bytes[0])), len(b.bytes)/4), share: share / 4},
	}
	if d.kern.fmaLoop == nil {
		g.fma.rounds = peakSteps
	}
	if d.bf16 != nil {
		g.bf16 = &peakJob{k: d.kern, bf16: d.bf16, rounds: 1 << 16}
	}
	for i := range g.read.src {
		g.read.src[i] = 1 // otherwise every page would be the same page of zeros
	}
	return g, nil
}

// Measure takes about that many seconds, the same time for each limit. It returns their
// means, which fall where other processes take a part of the cores, and those of the best
// round of a few milliseconds, which has the clock of the moment without that company.
func (g *Gauge) Measure(seconds float64) (mean, best Limits) {
	threads := float64(g.d.pool.threads)
	rate := func(j task, amount float64) (mean, best float64) {
		began := time.Now()
		for done, last := amount, 0.0; ; done += amount {
			g.d.pool.run(g.d.pool.threads, j)
			took := time.Since(began).Seconds()
			best = max(best, amount/(took-last)/1e9)
			if took >= seconds/3 {
				return done / took / 1e9, best
			}
			last = took
		}
	}
	mean.GFLOPS, best.GFLOPS = rate(g.fma, threads*float64(g.fma.rounds)*g.fma.flops())
	mean.Bandwidth, best.Bandwidth = rate(g.read, float64(4*len(g.read.src)))
	if g.bf16 != nil {
		mean.BF16, best.BF16 = rate(g.bf16, threads*float64(g.bf16.rounds)*g.bf16.flops())
	}
	return mean, best
}

func (d *Device) peak(threads int, j *peakJob) (gflops float64) {
	j.rounds = 1 << 10
	for { // rounds of about a millisecond
		start := time.Now()
		d.pool.run(threads, j)
		if time.Since(start) > time.Millisecond {
			break
		}
		j.rounds *= 2
	}
	flops := float64(threads) * float64(j.rounds) * j.flops()
	return best(func() { d.pool.run(threads, j) }, flops) / 1e9
}

// best is amount/s of the fastest round.
func best(round func(), amount float64) float64 {
	fastest := math.Inf(1)
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
		t := time.Now()
		round()
		fastest = min(fastest, time.Since(t).Seconds())
	}
	return amount / fastest
}

// peakSteps is the k of the portable peak: a tile from the first-level cache.
const peakSteps = 256

type peakJob struct {
	k      *kernels
	bf16   *bf16Set // nil: of float32
	rounds int
	tile   []float32
}

func (j *peakJob) flops() float64 { // of a round
	if j.bf16 != nil {
		return j.bf16.loopFLOPs
	}
	if j.k.fmaLoop != nil {
		return 2 * 12 * float64(j.k.lanes)
	}
	return 2 * genericMR * genericNR // of one step
}

func (j *peakJob) chunk(i, _ int) {
	if j.bf16 != nil {
		j.bf16.loop(j.rounds)
		return
	}
	if j.k.fmaLoop != nil {
		j.k.fmaLoop(j.rounds)
		return
	}
	tile := j.tile[i*2*peakSteps:][:2*peakSteps]
	a, b := tile[:peakSteps], tile[peakSteps:]
	var c [genericMR * genericNR]float32
	for range j.rounds * genericNR / peakSteps {
		microGeneric(peakSteps/genericNR, a, peakSteps/genericMR, 1, b, c[:], genericNR, false)
	}
}

type readJob struct {
	k     *kernels
	buf   *buffer // that src is in
	src   []float32
	share int // of a thread
}

func (j *readJob) chunk(i, _ int) {
	src := j.src[i*j.share:][:j.share]
	if j.k.readLoop != nil {
		j.k.readLoop(len(src), &src[0])
		return
	}
	var a, b, c, d float32
	for len(src) >= 4 {
		a += src[0]
		b += src[1]
		c += src[2]
		d += src[3]
		src = src[4:]
	}
	if a+b+c+d < 0 {
		panic("unreachable: keeps the sums alive")
	}
}
