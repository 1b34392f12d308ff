package cpu

import (
	"fmt"
	"runtime"
	"unsafe"

	"hone/trainer/exec"
)

// float is the element type of a kernel.
type float interface{ float32 | float64 }

// jobs holds one struct for each kind of parallel region, so that Launch allocates nothing. A job is emptied when its
// region is done: the views in it do not keep their buffers alive, and must be gone before these are unmapped.
type jobs[T float] struct {
	gemm gemmJob[T]
	elem elemJob[T]

	embed        embedJob[T]
	embedGrad    embedGradJob[T]
	norm         normJob[T]
	normGrad     normGradJob[T]
	glu          gluJob[T]
	geluBias     geluBiasJob[T]
	rotations    rotationsJob[T]
	rope         ropeJob[T]
	sums         sums[T]
	attention    attentionJob[T]
	cached       cachedJob[T]
	relative     relativeJob[T]
	remember     rememberJob[T]
	overRows     rowsJob[T]
	columns      columnsJob[T]
	norms        normsJob[T]
	crossEntropy crossEntropyJob[T]
	dropout      dropoutJob[T]
	adamW        adamWJob[T]
	colSum       colSumJob[T]
	sumSquares   sumSquaresJob[T]
	muon         muonJob[T]
	momentum     momentumJob[T]
	blend        blendJob[T]
	adafactor    adafactorJob[T]
	dequantize   dequantizeJob[T]
}

// Launch runs one instruction to its end.
func (d *Device) Launch(in *exec.Instr, args []exec.Arg) error {
	if len(args) == 0 {
		return fmt.Errorf("cpu: %v: no operands", in.Op)
	}
	var err error
	dt := args[0].DType
	if in.Op == exec.OpRotations || in.Op == exec.OpDequantize || in.Op == exec.OpEmbed { // of integers, of what is stored
		dt = args[len(args)-1].DType
	}
	switch {
	case in.Op != exec.OpDequantize && !readable(in.Op, args):
		err = fmt.Errorf("cpu: %v %s: an operand that is stored in a form or a type that it does not read", in.Op, in.Note)
	case in.Attrs.BF16 && (d.bf16 == nil || dt != exec.F32):
		err = fmt.Errorf("cpu: %v: a product of bf16, on a device of other products", in.Op)
	case in.Op == exec.OpCopy: // of any type
		err = copyBytes(d, in, args)
	case in.Op == exec.OpConcat, in.Op == exec.OpSplit:
		err = concat(d, in, args)
	case dt == exec.F32:
		err = launch(d, &d.jobs32, in, args)
	case dt == exec.F64:
		err = launch(d, &d.jobs64, in, args)
	default:
		err = fmt.Errorf("cpu: %v: first operand is %v, not a float", in.Op, dt)
	}
	runtime.KeepAlive(args) // slices made by view do not keep the buffers
	return err
}

// readable says that each operand is plain, or what a product or an embedding reads in panels.
func readable(op exec.Op, args []exec.Arg) bool {
	weight := -1
	switch op {
	case exec.OpLinear, exec.OpLinearCrossEntropy:
		weight = 1
	case exec.OpEmbed:
		weight = 0
	}
	for i := range args {
		if a := &args[i]; (a.DType.Stored() || a.Form != exec.Rows) && (i != weight || a.Form == exec.Rows) {
			return false
		}
	}
	return true
}

func launch[T float](d *Device, j *jobs[T], in *exec.Instr, args []exec.Arg) error {
	switch in.Op {
	case exec.OpLinear:
		return linear(d, j, in, args)
	case exec.OpLinearGradX:
		return linearGradX(d, j, in, args)
	case exec.OpLinearGradW:
		return linearGradW(d, j, in, args)
	case exec.OpInverseNorms:
		return inverseNorms(d, j, in, args)
	case exec.OpColumnScale, exec.OpColumnScaleGrad:
		return columnScale(d, j, in, args)
	case exec.OpAddLinear:
		return addLinear(d, j, in, args)
	case exec.OpGELU, exec.OpScale, exec.OpTanh, exec.OpSigmoid, exec.OpReLU, exec.OpActivation:
		return map1(d, j, in, args)
	case exec.OpAdd, exec.OpTanhGrad, exec.OpSigmoidGrad, exec.OpReLUGrad, exec.OpActivationGrad:
		return map2(d, j, in, args)
	case exec.OpGELUGrad:
		return geluGrad(d, j, in, args)
	case exec.OpAddBias, exec.OpTranspose:
		return overRows(d, j, in, args)
	case exec.OpRelativeScores, exec.OpRelativeScoresGrad:
		return relativeScores(d, j, in, args)
	case exec.OpRemember:
		return remember(d, j, in, args)
	case exec.OpGLU, exec.OpGLUGrad:
		return glu(d, j, in, args)
	case exec.OpRotations:
		return rotations(d, j, in, args)
	case exec.OpRoPE:
		return rope(d, j, in, args)
	case exec.OpEmbed:
		return embed(d, j, in, args)
	case exec.OpEmbedGrad:
		return embedGrad(d, j, in, args)
	case exec.OpColSum:
		return colSum(d, j, in, args)
	case exec.OpLayerNorm, exec.OpAddLayerNorm, exec.OpRMSNorm, exec.OpAddRMSNorm:
		return norm(d, j, in, args)
	case exec.OpLayerNormGrad, exec.OpRMSNormGrad:
		return normGrad(d, j, in, args)
	case exec.OpAttention:
		return attention(d, j, in, args)
	case exec.OpAttentionGrad:
		return attentionGrad(d, j, in, args)
	case exec.OpAttentionCached:
		return attentionCached(d, j, in, args)
	case exec.OpCacheRows:
		return cacheRows(d, j, in, args)
	case exec.OpDropout:
		return dropout(d, j, in, args)
	case exec.OpCrossEntropy:
		return crossEntropy(d, j, in, args)
	case exec.OpCrossEntropyGrad:
		return crossEntropyGrad(d, j, in, args)
	case exec.OpSpanCrossEntropy:
		return spanCrossEntropy[T](d, in, args)
	case exec.OpSpanCrossEntropyGrad:
		return spanCrossEntropyGrad[T](d, in, args)
	case exec.OpSquaredError, exec.OpBinaryCrossEntropy:
		return goalLoss[T](d, in, args)
	case exec.OpSquaredErrorGrad, exec.OpBinaryCrossEntropyGrad:
		return goalLossGrad[T](d, in, args)
	case exec.OpMeanRows, exec.OpMeanRowsGrad:
		return meanRows[T](d, in, args)
	case exec.OpUnitRows:
		return unitRows[T](in, args)
	case exec.OpUnitRowsGrad:
		return unitRowsGrad[T](in, args)
	case exec.OpDotRows:
		return dotRows[T](in, args)
	case exec.OpScaleRows:
		return scaleRows[T](in, args)
	case exec.OpMaskSame:
		return maskSame[T](in, args)
	case exec.OpCoSENT:
		return coSENT[T](in, args)
	case exec.OpCoSENTGrad:
		return coSENTGrad[T](in, args)
	case exec.OpTriplet:
		return triplet[T](in, args)
	case exec.OpTripletGrad:
		return tripletGrad[T](in, args)
	case exec.OpLinearCrossEntropy:
		return linearCrossEntropy(d, j, in, args)
	case exec.OpDequantize:
		return dequantize(d, j, in, args)
	case exec.OpSumSquares:
		return sumSquares(d, j, in, args)
	case exec.OpAdamW:
		return adamW(d, j, in, args)
	case exec.OpMuonMomentum:
		return muonMomentum(d, j, in, args)
	case exec.OpNormalize:
		return normalize(d, j, in, args)
	case exec.OpMatrixPolynomial:
		return matrixPolynomial(d, j, in, args)
	case exec.OpMuonUpdate:
		return muonUpdate(d, j, in, args)
	case exec.OpSGD, exec.OpLion:
		return momentum(d, j, in, args)
	case exec.OpLAMBDirection:
		return lambDirection(d, j, in, args)
	case exec.OpLAMBUpdate, exec.OpAdafactorUpdate:
		return trustUpdate(d, j, in, args)
	case exec.OpAdafactorDirection:
		return adafactor(d, j, in, args)
	case exec.OpEMA:
		return ema(d, j, in, args)
	}
	return fmt.Errorf("cpu: no kernel for %v", in.Op)
}

// view is an operand's elements; nil for an absent operand. The caller keeps the
// operand alive.
func view[T float | int32](a exec.Arg) []T {
	b, ok := a.Buffer.(*buffer)
	if !ok || len(b.bytes) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b.bytes[0])), len(b.bytes)/int(unsafe.Sizeof(*new(T))))
}

// cast reinterprets a slice of T as one of U, which has the same size.
func cast[U, T any](s []T) []U {
	return unsafe.Slice((*U)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

func isF32[T float]() bool { return unsafe.Sizeof(*new(T)) == 4 }
