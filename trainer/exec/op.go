package exec

import "fmt"

// Op names a kernel. The set is closed: a device is a switch over it.
//
// Shapes below: R rows (usually B·T), K and N widths, C channels, V vocabulary,
// H heads of size D. An index of -1 in Instr.In means that the optional operand
// is absent. "T" is the program's float type, float32 or float64.
type Op uint8

const (
	OpInvalid Op = iota

	// Embed: w(V,C) T, ids(R) int32 -> y(R,C). A negative id gives a row of zeros.
	// It serves as row gather too: w is then any matrix. w may be in panels, as in OpLinear.
	OpEmbed
	// EmbedGrad: dy(R,C), ids(R), [base(V,C)] -> dw(V,C): base, or zeros, to which rows are added
	// in row order. base may be dw itself.
	OpEmbedGrad

	// Linear: x(R,K), w, [bias(N)] -> y(R,N) = x·wᵀ + bias.
	// w is (N,K) as in torch.nn.Linear, or (K,N) as in GPT-2's Conv1D when Attrs.Transposed. It may be in panels of T or of
	// BF16, F16 or a quantised type, and is read so: an element has the same bits.
	OpLinear
	// LinearGradX: dy(R,N), w -> dx(R,K). w(N,K) may have fewer rows than dy columns: those from Attrs.First on are its own.
	OpLinearGradX
	// LinearGradW: x(R,K), dy(R,N) -> dw, in w's layout; of columns of dy as LinearGradX.
	OpLinearGradW
	// AddLinear: y(R,N), x(R,K), w(M,K) -> y'(R,N): y, with x·wᵀ added to its M columns from Attrs.First on.
	OpAddLinear
	// InverseNorms: w(N,K), or (K,N) when Attrs.Transposed, a(S,K), b(N,S) -> y(N): 1/‖row of w + Scale·b·a‖ (2-norm), of
	// each row of the (N,K) matrix.
	OpInverseNorms
	// ColumnScale: x(…,N), g(M) -> y: x, with its M columns from Attrs.First on multiplied by g.
	OpColumnScale
	// ColumnScaleGrad: x(…,N), dy(…,N) -> dg(M).
	OpColumnScaleGrad
	// ColSum: dy(R,N) -> db(N), the gradient of a bias.
	OpColSum

	// LayerNorm (Ba et al. 2016): x(R,C), gain(C), [bias(C)] -> y(R,C), [mean(R)], [rstd(R)], with Attrs.Eps.
	OpLayerNorm
	// AddLayerNorm: a(R,C), b(R,C), gain(C), [bias(C)] -> sum(R,C) = a + b, y(R,C), [mean(R)], [rstd(R)],
	// the norm of the sum, with Attrs.Eps.
	OpAddLayerNorm
	// LayerNormGrad: dy, x, gain, mean, rstd, [dres(R,C)] -> [dx(R,C)], [dgain(C)], [dbias(C)], [dsum(C)].
	// dres, the gradient that reaches x past the norm, is added to dx; dsum is the sum of dx's rows,
	// the gradient of a bias that was added to x.
	OpLayerNormGrad

	// RMSNorm (Zhang & Sennrich 2019): x(R,C), gain(C) -> y(R,C) = x/√(mean x² + eps)·gain, [rstd(R)],
	// with Attrs.Eps. With gain(D), C = N·D, it is of each D columns alone, and rstd(R,N).
	OpRMSNorm
	// AddRMSNorm: a(R,C), b(R,C), gain(C) -> sum(R,C), y(R,C), [rstd(R)], as OpAddLayerNorm.
	OpAddRMSNorm
	// RMSNormGrad: dy, x, gain, rstd, [dres(R,C)] -> [dx(R,C)], [dgain(C)], [dsum(C)], as OpLayerNormGrad;
	// no dsum with gain(D).
	OpRMSNormGrad

	// Rotations: positions(R) int32 -> table(R,D): of each row the cosines, then the sines, of its
	// position times Attrs.Frequencies (D/2), all times Attrs.Scale. A negative position does not turn: 1 and 0
	// times that.
	OpRotations
	// RoPE (Su et al. 2021): x(R,W), table(R,D) -> y(R,W). The first Attrs.Heads·D columns are heads of
	// size D, of which column i < D/2 is turned together with column i + D/2, as in Hugging Face's Llama;
	// other columns are copied. Attrs.Inverse turns back: the gradient.
	OpRoPE

	// Attention (Vaswani et al. 2017, eq. 1): q(R,H·D), k(S,KV·D), v(S,KV·D), segments(R), order(R),
	// keySegments(S), keyOrder(S) int32, [bias], [rng(4) int32] -> y(R,H·D), lse(R,H). R = B·T queries and S = B·T'
	// keys; every KV head serves H/KV query heads. Without v, k(S,2·KV·D) holds the values beside
	// the keys; without k, q(R,(H+2·KV)·D) holds both, and without the keys' segments and order
	// they are the queries'.
	//
	// Query i sees key j of the same sequence when their segments are equal and not negative, and
	// keyOrder[j] <= order[i], < with Attrs.Strict; and with Attrs.Window, which is for keys that are the
	// queries' rows, when i-j < Window. A query that sees nothing gives zeros and lse = 0.
	// bias is added to the scaled products: bias[h][j-i+T-1] of shape (H,T+T'-1), i and j counted
	// within their sequences (Raffel et al. 2020), or (R,H,T+T'-1), of each query its own (Dai et al.
	// 2019: the shifted products with relative positions).
	// With rng, probabilities are dropped as OpDropout drops elements, after their sum is taken.
	// Attrs: B, T, Heads, KVHeads, Scale, Strict, Window; P, Salt.
	OpAttention
	// AttentionGrad: attention's inputs, y, lse, dy(R,H·D) -> dq, [dk], [dv], [dbias], in the inputs'
	// shapes; dbias may be absent where bias is not. It has attention's attributes.
	OpAttentionGrad
	// AttentionCached: q(R,H·D), keys(B,T,KV·D), values(B,T,KV·D), positions(R), sequences(R) int32, [k(R,KV·D),
	// v(R,KV·D)], [bias] -> y(R,H·D), [keys, values]: first each row's k and v are written to row positions[r] of keys and
	// values of its sequence, then it attends to rows 0..positions[r] of these, the last Window of them. Without k and v,
	// q(R,(H+2·KV)·D) holds both. A row whose position is negative is none: y is 0. Keys and values are of class Cache, and
	// listed as outputs too; where they are not, nothing is written: k and v are absent, and q(R,H·D) attends to what CacheRows
	// has written. bias(H,T) or (R,H,T) is added to the scaled products: bias[h][j-i+T-1] for the row at position i and key
	// j. With Attrs.Strict a row attends to rows 0..positions[r]-1 alone. A row has the bits of OpAttention, whatever other
	// rows there are.
	OpAttentionCached
	// CacheRows: x(R,2·W), keys(B,T,W), values(B,T,W), positions(R), sequences(R) int32 -> keys, values: writes the halves
	// of row r to row positions[r] of keys and of values of its sequence. A row whose position is negative is none. Without
	// values, x(R,W) goes to keys(B,T,W), or (T,W) of a single sequence.
	OpCacheRows

	// RelativeScores (Dai et al. 2019): q(R,H·D), k(S,H·D), [qs(R,H·D), seg(2,H·D), types(B·T') int32] ->
	// y(R,H,S), an attention's bias: the products of a query's heads with those of the distances, k, times
	// Scale. With types (Yang et al. 2019, §2.5) of the T' = S-T+1 keys, of which the last T are the
	// queries' rows, the score of a key of the query's type has qs·seg[0] more, and of another type
	// qs·seg[1]. Attrs: T, Heads, Scale.
	OpRelativeScores
	// RelativeScoresGrad: the inputs, dy(R,H,S) -> dq, dk, [dqs], [dseg].
	OpRelativeScoresGrad
	// Remember (Dai et al. 2019, §3.2): memory(N,B,M,C), slots(2) int32, x(B·T,C) -> y(B·(M+T),C), memory: of each
	// sequence, memory[slots[0]] and then x; of that the last M rows become memory[slots[1]]. The slots differ, so
	// that running it again gives the same.
	OpRemember

	// GELU (Hendrycks & Gimpel 2016) in its tanh form ("gelu_new"), or x·Φ(x) itself ("gelu") with
	// Attrs.Erf: x -> y, elementwise.
	OpGELU
	// GELUGrad: x(R,N), dy(R,N) -> dx(R,N), [db(N)]; db is the sum of dx's rows. Without db, of any shape.
	// It has GELU's attribute.
	OpGELUGrad
	// Tanh, Sigmoid, ReLU: x -> y, elementwise.
	OpTanh
	OpSigmoid
	OpReLU
	// TanhGrad, SigmoidGrad, ReLUGrad: y, dy -> dx, from the output.
	OpTanhGrad
	OpSigmoidGrad
	OpReLUGrad
	// Activation: x -> y, elementwise, of the function Attrs.Activation. What has an op of its own is faster there.
	OpActivation
	// ActivationGrad: x, dy -> dx.
	OpActivationGrad
	// GLU (Shazeer 2020): gate(R,N), up(R,N) -> y(R,N) = f(gate)·up, with f = Attrs.Activation. With up
	// absent, gate(R,2N) holds both side by side.
	OpGLU
	// GLUGrad: gate, [up], dy -> dgate, [dup], in the shapes of gate and up.
	OpGLUGrad
	// Add: a, b -> a + b, elementwise.
	OpAdd
	// AddBias: x(R,C), bias(C) -> y(R,C) = x + bias, in each row.
	OpAddBias
	// Scale: x -> y = Scale·x, elementwise. Attrs: Scale.
	OpScale
	// Transpose: x(R,C) -> y(C,R).
	OpTranspose
	// Dropout (Srivastava et al. 2014): x, rng(4) int32 -> y: kept elements scaled by 1/(1-P).
	// The mask is a function of (rng[0..3] = seed low, seed high, step, micro-batch), Attrs.Salt
	// and the element's index alone, so that the gradient is the same op on dy.
	OpDropout

	// CrossEntropy: logits(R,V), targets(R) int32, weights(R) T -> loss(1) = Σ weights·(nll + ZLoss·lse²), nll(R), lse(R).
	// With Smoothing nll is that of a target which is right with the probability 1-Smoothing, and else any of the V.
	// Rows with target -1 have nll 0 and are not counted.
	OpCrossEntropy
	// CrossEntropyGrad: logits, targets, weights, lse, dloss(1) -> dlogits(R,V).
	OpCrossEntropyGrad
	// LinearCrossEntropy is OpLinear, OpCrossEntropy and their gradients, on some rows at a
	// time, so that there are never more logits than work holds: x(R,C), w(V,C), targets(R) int32,
	// weights(R), [dloss(1)] -> loss(1), nll(R), lse(R), [dx(R,C)], [dw(V,C)], work(P,V), P ≤ R. With a bias(V)
	// after dloss, [dbias(V)] follows work. The results, but for dbias, have the bits of the separate ops. w is (C,V) when Attrs.Transposed. dloss is needed for dx and dw. Without
	// these, w may be in panels.
	OpLinearCrossEntropy

	// SpanCrossEntropy: scores(R,K), spans(S,2) int32, targets(S,K) int32, weights(S) -> loss(1) = Σ weights·nll,
	// nll(S), lse(S,K). Sequence s has the rows from spans[s][0] up to, not with, spans[s][1]; a softmax of each
	// column over its rows predicts the row targets[s][k], and nll is the mean over the K columns: start
	// and end of an answer. A target of -1 has no part.
	OpSpanCrossEntropy
	// SpanCrossEntropyGrad: scores, spans, targets, weights, lse, dloss(1) -> dscores(R,K).
	OpSpanCrossEntropyGrad

	// SquaredError: x(R,K), goals(R,K), weights(R) -> loss(1) = Σ weights·error, error(R), the mean over the K
	// columns of (x-goal)². BinaryCrossEntropy likewise, with -goal·log σ(x) where the goal is above 0, the weight of a
	// yes, and -log(1-σ(x)) where it is 0.
	OpSquaredError
	OpBinaryCrossEntropy
	// SquaredErrorGrad, BinaryCrossEntropyGrad: x, goals, weights, dloss(1) -> dx(R,K).
	OpSquaredErrorGrad
	OpBinaryCrossEntropyGrad

	// MeanRows: x(R,C), spans(S,2) int32 -> y(S,C), of each span the mean of the rows from its first up to, not with,
	// its second number; of an empty span 0. MeanRowsGrad: dy, spans -> dx(R,C).
	OpMeanRows
	OpMeanRowsGrad
	// UnitRows: x(R,C) -> y(R,D), norm(R): the first D ≤ C columns over their norm, which is Attrs.Eps at least.
	// UnitRowsGrad: dy, y, norm -> dx(R,C). A row of a smaller norm has no gradient.
	OpUnitRows
	OpUnitRowsGrad
	// DotRows: x(R,C), y(R,C) -> dots(R,1). ScaleRows: x(R,C), factors(R,1) -> y(R,C).
	OpDotRows
	OpScaleRows
	// MaskSame: x(R,N), rows(R,K), columns(N,K), targets(R) int32 -> y: x, but Attrs.Scale in columns whose first number is
	// negative, and in those that have a number ≥ 0 in common with the row, except its target.
	OpMaskSame
	// CoSENT (Su 2022): scores(R,1), goals(R,1), weights(R) -> loss(1), lse(1), with the temperature Attrs.Scale:
	// lse = log(1 + Σ exp(Scale·(score_i - score_j))) over all i, j of goal_i < goal_j and weights above 0, and
	// loss = lse·Σ weights. CoSENTGrad: scores, goals, weights, lse, dloss(1) -> dscores(R,1).
	OpCoSENT
	OpCoSENTGrad
	// Triplet (Schroff et al. 2015): anchors(R,C), positives(R,C), negatives(R,C), weights(R) -> loss(1), distances(R,2):
	// loss = Σ weights·max(0, ‖a-p‖ - ‖a-n‖ + Attrs.Margin). A distance of 0 has no gradient.
	// TripletGrad: anchors, positives, negatives, weights, distances, dloss(1) -> danchors, dpositives, dnegatives.
	OpTriplet
	OpTripletGrad

	// Dequantize: w of a stored type, or in panels -> y T, row-major, in w's shape. What does not read such a parameter
	// as it is stored has it from this op, before each instruction that uses it.
	OpDequantize
	// Copy: x -> y, any type.
	OpCopy
	// Concat: x_1 … x_n -> y, one after another along the first dimension, any type. Split: y -> x_1 … x_n.
	// Of parameters, and their gradients, that lie side by side in their arena, Fuse makes both a view.
	OpConcat
	OpSplit
	// SumSquares: x(n) T -> y(1) float64, in float64 over fixed chunks and one tree.
	OpSumSquares
	// AdamW (Loshchilov & Hutter 2019): p, g, m, v (n) T, scalars(3) float64 = {lr, step, clip},
	// norm2(1) float64 -> p, m, v, in place. The gradient is scaled by min(1, clip/√norm2) first
	// (clip 0: not at all). Where norm2 is not finite nothing is written, so that the step can be
	// run again to see why. Attrs: Beta1, Beta2, Eps, WeightDecay.
	OpAdamW

	// Muon (Jordan et al. 2024) takes four ops beside matrix products, for a weight of K maps
	// side by side, each (R,N); scalars and norm2 are AdamW's, and so is what they do.
	//
	// MuonMomentum: g, m (R,K·N) T, scalars(3), norm2(1) float64 -> m, in place, and of each map
	// the Nesterov update u_1 … u_K (R,N): m = β·m + (1-β)·g, u = β·m + (1-β)·g. Where norm2 is
	// not finite, m is kept and u is zero. Attrs: Beta1 (β).
	OpMuonMomentum
	// Normalize: x T, sum(1) float64 -> y = x/max(√sum, Eps), elementwise.
	OpNormalize
	// MatrixPolynomial: a, b (N,N) -> c0·I + c1·a + c2·b, with Attrs.Coefficients; b is usually a².
	OpMatrixPolynomial
	// MuonUpdate: p(R,K·N) T, scalars(3), norm2(1) float64, o_1 … o_K (R,N) ->
	// p = (1 - lr·WeightDecay)·p - lr·Scale·o, in place; where norm2 is not finite nothing is written.
	// Attrs: Scale, WeightDecay.
	OpMuonUpdate

	// SGD with momentum, as torch.optim.SGD: p, g, m (n) T, scalars(3), norm2(1) float64 -> p, m, in place:
	// m = β·m + g + WeightDecay·p, p = p - lr·m. Scalars, norm2 and clipping are AdamW's here and below.
	// Attrs: Beta1 (β), WeightDecay.
	OpSGD
	// Lion (Chen et al. 2023): p, g, m (n) T, scalars(3), norm2(1) float64 -> p, m, in place:
	// p = (1 - lr·WeightDecay)·p - lr·sign(β1·m + (1-β1)·g), m = β2·m + (1-β2)·g.
	// Attrs: Beta1, Beta2, WeightDecay.
	OpLion
	// LAMBDirection (You et al. 2020): p, g, m, v (n) T, scalars(3), norm2(1) float64 -> m, v, in place as
	// AdamW's, and u(n) = m̂/(√v̂ + Eps) + WeightDecay·p. Where norm2 is not finite, m and v are kept and
	// u is zero. Attrs: Beta1, Beta2, Eps, WeightDecay.
	OpLAMBDirection
	// LAMBUpdate: p, u (n) T, scalars(3), norm2(1), psum(1), usum(1) float64 -> p = p - lr·√psum/√usum·u,
	// in place; psum and usum are the squared 2-norms of p and u, and where one is zero the ratio is 1.
	OpLAMBUpdate
	// AdafactorDirection (Shazeer & Stern 2018), as torch.optim.Adafactor: g(R,N) T, scalars(3), norm2(1)
	// float64, row(R), col(N) -> row, col, in place, and u(R,N). Row and column means of g² move by
	// step^-0.8 of the way; u = g/√max(row·col/max(mean row, Eps), Eps²). Without col, row is the mean of
	// g² itself, in g's shape. Where norm2 is not finite, both are kept and u is zero. Attrs: Eps.
	OpAdafactorDirection
	// AdafactorUpdate: p, u (n) T, scalars(3), norm2(1), psum(1), usum(1) float64 -> p, in place:
	// p = (1 - lr·WeightDecay)·p - min(lr, 1/√step)·max(10⁻³, √(psum/n))/max(1, √(usum/n))·u.
	// psum is of p before. Attrs: WeightDecay.
	OpAdafactorUpdate
	// EMA: a, p (n) T, scalars(3), norm2(1) float64 -> a = β·a + (1-β)·p, in place; at step 1, a = p.
	// Attrs: Beta1 (β).
	OpEMA

	numOps
)

var opNames = [numOps]string{
	OpInvalid: "invalid",
	OpEmbed:   "embed", OpEmbedGrad: "embed_grad",
	OpLinear: "linear", OpLinearGradX: "linear_grad_x", OpLinearGradW: "linear_grad_w", OpAddLinear: "add_linear",
	OpInverseNorms: "inverse_norms", OpColumnScale: "column_scale", OpColumnScaleGrad: "column_scale_grad", OpColSum: "col_sum",
	OpLayerNorm: "layer_norm", OpAddLayerNorm: "add_layer_norm", OpLayerNormGrad: "layer_norm_grad",
	OpRMSNorm: "rms_norm", OpAddRMSNorm: "add_rms_norm", OpRMSNormGrad: "rms_norm_grad",
	OpRotations: "rotations", OpRoPE: "rope",
	OpAttention: "attention", OpAttentionGrad: "attention_grad", OpAttentionCached: "attention_cached", OpCacheRows: "cache_rows",
	OpGELU: "gelu", OpGELUGrad: "gelu_grad", OpActivation: "activation", OpActivationGrad: "activation_grad", OpGLU: "glu", OpGLUGrad: "glu_grad",
	OpTanh: "tanh", OpSigmoid: "sigmoid", OpReLU: "relu", OpTanhGrad: "tanh_grad", OpSigmoidGrad: "sigmoid_grad", OpReLUGrad: "relu_grad",
	OpAdd: "add", OpAddBias: "add_bias", OpScale: "scale", OpTranspose: "transpose", OpDropout: "dropout",
	OpRelativeScores: "relative_scores", OpRelativeScoresGrad: "relative_scores_grad", OpRemember: "remember",
	OpSpanCrossEntropy: "span_cross_entropy", OpSpanCrossEntropyGrad: "span_cross_entropy_grad",
	OpSquaredError: "squared_error", OpSquaredErrorGrad: "squared_error_grad",
	OpBinaryCrossEntropy: "binary_cross_entropy", OpBinaryCrossEntropyGrad: "binary_cross_entropy_grad",
	OpMeanRows: "mean_rows", OpMeanRowsGrad: "mean_rows_grad", OpUnitRows: "unit_rows", OpUnitRowsGrad: "unit_rows_grad",
	OpDotRows: "dot_rows", OpScaleRows: "scale_rows", OpMaskSame: "mask_same",
	OpCoSENT: "cosent", OpCoSENTGrad: "cosent_grad", OpTriplet: "triplet", OpTripletGrad: "triplet_grad",
	OpCrossEntropy: "cross_entropy", OpCrossEntropyGrad: "cross_entropy_grad", OpLinearCrossEntropy: "linear_cross_entropy",
	OpDequantize: "dequantize", OpCopy: "copy", OpConcat: "concat", OpSplit: "split", OpSumSquares: "sum_squares", OpAdamW: "adamw",
	OpMuonMomentum: "muon_momentum", OpNormalize: "normalize", OpMatrixPolynomial: "matrix_polynomial", OpMuonUpdate: "muon_update",
	OpSGD: "sgd", OpLion: "lion", OpLAMBDirection: "lamb_direction", OpLAMBUpdate: "lamb_update",
	OpAdafactorDirection: "adafactor_direction", OpAdafactorUpdate: "adafactor_update", OpEMA: "ema",
}

func (o Op) String() string {
	if o < numOps {
		return opNames[o]
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// inPlace reports whether an output may share the buffer of its first operand,
// because each element is read before it is written.
func (o Op) inPlace() bool {
	switch o {
	case OpGELU, OpGELUGrad, OpTanh, OpSigmoid, OpReLU, OpTanhGrad, OpSigmoidGrad, OpReLUGrad, OpActivation, OpActivationGrad, OpGLUGrad, OpAdd, OpAddBias, OpScale, OpDropout, OpRoPE, OpAddLinear, OpColumnScale,
		OpLayerNorm, OpAddLayerNorm, OpLayerNormGrad, OpRMSNorm, OpAddRMSNorm, OpRMSNormGrad,
		OpCrossEntropyGrad, OpNormalize, OpMatrixPolynomial:
		return true
	}
	return false
}

// Attrs are an instruction's constants. Which ones an op reads is said beside it.
type Attrs struct {
	B, T                      int // attention: sequences and rows of each
	Heads, KVHeads            int
	Strict                    bool    // a query does not see keys of its own order
	Window                    int     // a query sees so many rows up to its own; 0: all
	Scale                     float64 // of attention's logits, usually 1/√D; of rotations; of Muon's update; see ops of rows
	Margin                    float64
	Eps                       float64
	P                         float64 // dropout probability
	ZLoss                     float64 // of cross-entropy: factor of the square of log Z
	Smoothing                 float64 // of cross-entropy: the part of a target that all classes share
	Salt                      uint64  // number of the dropout within the model
	Transposed                bool    // weight is (in, out)
	First                     int     // column of a range
	Beta1, Beta2, WeightDecay float64
	Rate                      float64    // of updates: factor of the learning rate; 0: 1
	Coefficients              [3]float64 // of a polynomial, the constant first
	Frequencies               []float64  // of rotations, radians a position
	Inverse                   bool       // turn back
	Activation                Activation // of OpActivation, and of a gated linear unit
	Erf                       bool       // GELU by the error function
	BF16                      bool       // of matrix products: the operands are rounded to bf16, and added in float32
	Int8                      bool       // of products with a quantised weight: rows of x are rounded to 8 bits
}

// Activation is a function of one number.
type Activation uint8

const (
	SiLU         Activation = iota // x·σ(x): SwiGLU
	GELUTanh                       // GELU in its tanh form: T5's gated GELU
	GELUErf                        // x·Φ(x), with the normal distribution Φ
	GELUClipped                    // that, at most 10
	GELUQuick                      // x·σ(1.702·x)
	ReLU                           // max(x, 0)
	ReLUSquared                    // max(x, 0)²
	ReLU6                          // max(x, 0), at most 6
	ReLULeaky                      // x, below 0 a hundredth of it
	HardSwish                      // x·relu6(x+3)/6
	Mish                           // x·tanh(softplus(x))
	Laplace                        // the normal distribution of mean √½ and variance 1/(4π)
	SqrtSoftplus                   // √log(1+exp(x))
	Tanh
	Sigmoid
	Linear // x

	numActivations
)

func (a Activation) String() string {
	return [...]string{
		"silu", "gelu", "gelu_erf", "gelu_clipped", "gelu_quick", "relu", "relu_squared", "relu6", "relu_leaky", "hard_swish",
		"mish", "laplace", "sqrt_softplus", "tanh", "sigmoid", "linear",
	}[a]
}

// Known says that there is such a function.
func (a Activation) Known() bool { return a < numActivations }
