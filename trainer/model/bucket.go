package model

import (
	"math"

	"hone/trainer/graph"
)

// distanceBias is what attention adds for the distance of a key from its query (Raffel et al. 2020, §2.1):
// (H,2T-1) of a table (buckets,H).
func distanceBias(b *graph.Builder, name string, init graph.Init, heads, buckets, farthest, t int, bidirectional bool) *graph.Node {
	rows := make([]int32, 2*t-1)
	for s := range rows {
		rows[s] = distanceBucket(s-(t-1), buckets, farthest, bidirectional)
	}
	table := b.Param(name+".weight", init, buckets, heads)
	return b.Transpose(b.Embed(table, b.Constant(name+" distances", rows, len(rows))))
}

// distanceBucket is the row of the table for a distance, negative before the query: one for each small
// distance, then for ranges that grow as the logarithm, up to the farthest. In float32, since at
// the ends of ranges a rounding decides.
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
