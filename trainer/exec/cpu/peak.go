package cpu

import (
	"math"
	"time"
)

// peakKernels are the loops that measure the processor.
type peakKernels struct {
	fmaLoop  func(n int)               // 12·lanes multiply-adds a round
	readLoop func(n int, src *float32) // n a multiple of 4·lanes
}

// Peak measures what the processor can do with the device's kernel set on that many
// of its threads (at least 1, at most Threads): float32 GFLOP/s, see PeakFLOPS; and GB/s
// of reading memory far larger than the caches, the best of rounds within about 0.1 s.
func (d *Device) Peak(threads int) (gflops, gbs float64) {
	threads = min(max(threads, 1), d.pool.threads)
	gflops = d.PeakFLOPS(threads)

	const share = 8 << 20 // floats a thread: 32 MiB
	r := &readJob{k: d.kern, src: make([]float32, threads*share)}
	for i := range r.src {
		r.src[i] = 1 // else every page would be the same page of zeros
	}
	gbs = best(func() { d.pool.run(threads, r) }, float64(4*len(r.src))) / 1e9
	return gflops, gbs
}

// PeakFLOPS measures float32 GFLOP/s, a multiply and an add counted as two, of
// instructions that wait for no memory: the best of rounds within about 0.1 s.
func (d *Device) PeakFLOPS(threads int) (gflops float64) {
	threads = min(max(threads, 1), d.pool.threads)
	return d.peak(threads, &peakJob{k: d.kern, tile: make([]float32, threads*2*peakSteps)})
}

// PeakBF16 is PeakFLOPS of products of bf16; 0 of a device that has none.
func (d *Device) PeakBF16(threads int) (gflops float64) {
	if d.bf16 == nil {
		return 0
	}
	return d.peak(min(max(threads, 1), d.pool.threads), &peakJob{k: d.kern, bf16: d.bf16})
}

// Rate is the GFLOP/s, over about that many seconds, of the instructions that PeakBF16 or
// else PeakFLOPS measures, on all threads: what the processor gives now, with the clock and
// the company that it has.
func (d *Device) Rate(seconds float64) (gflops float64) {
	j := &peakJob{k: d.kern, bf16: d.bf16, tile: make([]float32, d.pool.threads*2*peakSteps), rounds: 1 << 16}
	if d.kern.fmaLoop == nil {
		j.rounds = peakSteps
	}
	flops := 0.0
	began := time.Now()
	for {
		d.pool.run(d.pool.threads, j)
		flops += float64(d.pool.threads) * float64(j.rounds) * j.flops()
		if took := time.Since(began).Seconds(); took >= seconds {
			return flops / took / 1e9
		}
	}
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
	k   *kernels
	src []float32
}

func (j *readJob) chunk(i, _ int) {
	const share = 8 << 20
	src := j.src[i*share:][:share]
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
