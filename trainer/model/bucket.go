package model

import (
	"math"

	"hone/trainer/graph"
)

// distanceBias is T5's relative position bias (Raffel et al. 2020, §2.1): what is added to an attention score for
// the distance of the key from the query. It is looked up in a table (buckets,H), and gives (H,n) for the distances from
// T-1 keys before a query on: n is 2T-1, or in decoding T.
func distanceBias(b *builder, name string, init graph.Init, heads, buckets, farthest, t, n int, bidirectional bool) *graph.Node {
	rows := make([]int32, n)
	for s := range rows {
		rows[s] = distanceBucket(s-(t-1), buckets, farthest, bidirectional)
	}
	table := b.Param(name+".weight", init, buckets, heads)
	return b.Transpose(b.Embed(table, b.Constant(name+" distances", rows, len(rows))))
}

// distanceBucket is the table's row for a distance, which is negative for keys before the query: each small
// distance has a row of its own, larger ones share rows by ranges that grow logarithmically, up to the farthest.
// It is computed in float32, because at the ends of the ranges the rounding decides.
func distanceBucket(distance, buckets, farthest int, bidirectional bool) int32 {
	first := 0
	if bidirectional {
		buckets /= 2
		if distance > 0 {
			first = buckets
		}
		distance = max(distance, -distance)
	} else {
		distance = max(-distance, 0)
	}
	exact := buckets / 2
	if distance < exact {
		return int32(first + distance)
	}
	log := float32(math.Log(float64(float32(distance) / float32(exact))))
	step := float32(log/float32(math.Log(float64(farthest)/float64(exact)))) * float32(buckets-exact)
	return int32(first + min(exact+int(step), buckets-1))
}

// buckets refuses a table that distanceBucket cannot fill.
func (f *Faults) buckets(n, farthest int) {
	if n < 4 || n%2 != 0 {
		f.add("relative_attention_num_buckets", "%d, want an even number from 4 on", n)
	} else if farthest <= n/2 {
		f.add("relative_attention_max_distance", "%d is not above half of relative_attention_num_buckets", farthest)
	}
}
