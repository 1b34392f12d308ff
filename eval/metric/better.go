package metric

import "slices"

// lowerIsBetter are the metrics that are better the lower they are. Of all others, more is better.
var lowerIsBetter = []string{"loss", "bits_per_byte", "bits_per_character", "mse", "mae", "brier", "ece"}

// LowerIsBetter reports whether the metric of a name is better the lower it is.
func LowerIsBetter(name string) bool { return slices.Contains(lowerIsBetter, name) }
