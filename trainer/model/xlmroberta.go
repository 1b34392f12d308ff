package model

// defaultXLMRoBERTa is XLM-RoBERTa (Conneau et al. 2020), a RoBERTa of a hundred languages.
func defaultXLMRoBERTa() Config { return likeRoBERTa("xlm-roberta", "XLMRoberta") }

// defaultCamemBERT is CamemBERT (Martin et al. 2020), a RoBERTa of French.
func defaultCamemBERT() Config { return likeRoBERTa("camembert", "Camembert") }

// likeRoBERTa is a RoBERTa whose classes have other names, and whose vocabulary is of another size.
func likeRoBERTa(modelType, class string) Config {
	c := defaultRoBERTa()
	f := c.Family.(RoBERTa)
	f.class = class
	c.ModelType, c.VocabSize, c.Family = modelType, 30522, f
	return c
}
