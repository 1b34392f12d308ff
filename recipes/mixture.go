package recipes

import (
	"fmt"

	"hone/data"
)

// A Mix is a corpus of a mixture, with one of: a weight, or how often it is read while
// the others are read as often as they say. Where none has either, corpora count by
// their size.
type Mix struct {
	Corpus string  `toml:"corpus" need:"yes" doc:"name of the corpus"`
	Weight float64 `toml:"weight" doc:"weight of the corpus among those of the mixture; 0: see epochs"`
	Epochs float64 `toml:"epochs" doc:"times that the corpus is gone through while the others are as often as they say; 0 and no weight either, of all corpora: by their sizes"`
}

// mixtureUnits are what shares of a mixture can be of.
var mixtureUnits = []string{data.ByToken.String(), data.ByDocument.String()}

// Sources names the corpora that a stage reads.
func (s *Stage) Sources() []string {
	if len(s.Mixture) == 0 {
		return []string{s.Corpus}
	}
	var names []string
	for _, m := range s.Mixture {
		names = append(names, m.Corpus)
	}
	return names
}

// mixture checks the corpora that a stage mixes.
func (d *decoder) mixture(s *Stage, at string, corpora []string) {
	if s.Corpus != "" {
		d.fault(at+"corpus", "the stage has a mixture, and so corpus would not be read: leave one of them out")
	}
	d.oneOf(at+"mixture_by", s.MixtureBy, mixtureUnits)
	d.above(at+"mixture_temperature", s.MixtureTemperature)
	seen := map[string]bool{}
	weights, epochs := 0, 0
	for j, m := range s.Mixture {
		at := fmt.Sprintf("%smixture.%d.", at, j)
		d.oneOf(at+"corpus", m.Corpus, corpora)
		if seen[m.Corpus] {
			d.fault(at+"corpus", "%q is in the mixture twice", m.Corpus)
		}
		seen[m.Corpus] = true
		if m.Weight != 0 {
			weights++
			d.above(at+"weight", m.Weight)
		}
		if m.Epochs != 0 {
			epochs++
			d.above(at+"epochs", m.Epochs)
		}
	}
	if weights > 0 && epochs > 0 || weights+epochs > 0 && weights+epochs < len(s.Mixture) {
		d.fault(at+"mixture", "%d of %d corpora have a weight and %d have epochs: give all of them a weight, or all of them epochs, or none of them either", weights, len(s.Mixture), epochs)
	}
}
