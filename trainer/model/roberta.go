package model

import "cmp"

// RoBERTa has the keys of a RoBERTa's config.json (Liu et al. 2019): a BERT without token types and next
// sentences, whose positions start at pad_token_id + 1.
type RoBERTa BERT

func defaultRoBERTa() Config {
	c, bos, pad := defaultBERT(), 0, robertaPad
	c.ModelType, c.VocabSize, c.BOSTokenID, c.EOSTokenID, c.PadTokenID = "roberta", 50265, &bos, TokenIDs{2}, &pad
	f := c.Family.(BERT)
	f.class = "Roberta"
	c.Family = RoBERTa(f)
	return c
}

// robertaPad is the pad token of every RoBERTa; positions begin after it.
const robertaPad = 1

func (f RoBERTa) small() Family {
	f = RoBERTa(BERT(f).small().(BERT))
	f.MaxPositionEmbeddings += robertaPad + 1
	return f
}

func (f RoBERTa) dropout(p, attention float64) (Family, bool) {
	d, ok := BERT(f).dropout(p, attention)
	return RoBERTa(d.(BERT)), ok
}

func (f RoBERTa) keys(h Head) keys { return BERT(f).keys(h) }

func (f RoBERTa) traits() Traits {
	const offset = robertaPad + 1
	t := Traits{
		Classes: classNames(cmp.Or(f.class, "Roberta"), "ForMaskedLM"), Writing: Never, Learns: MaskedTokens, FirstToken: true,
		PositionOffset: offset, MaxLength: f.MaxPositionEmbeddings - offset, Adapted: []string{"query", "value"},
	}
	t.Classes[MultipleChoice] = cmp.Or(f.class, "Roberta") + "ForMultipleChoice"
	return t
}

func (f RoBERTa) tensors(h Head) tensors {
	return tensors{
		prefix: "roberta.", heads: []string{"lm_head.", "roberta.pooler.", "classifier.", "qa_outputs."},
		ties:   outputTie(h, "lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.bias", "lm_head.bias"),
		others: []string{"pooler."}, buffers: []string{".position_ids", "lm_head.bias"},
	}.of(h)
}

func (f RoBERTa) check(c Config, faults *Faults) {
	BERT(f).check(c, faults)
	if offset := f.traits().PositionOffset; f.MaxPositionEmbeddings <= offset {
		faults.add("max_position_embeddings", "%d: the first %d are of no token", f.MaxPositionEmbeddings, offset)
	}
	if c.PadTokenID != nil && *c.PadTokenID != robertaPad {
		faults.add("pad_token_id", "%d, want %d: positions count from the one after it", *c.PadTokenID, robertaPad)
	}
}

func (f RoBERTa) model(c Config, h Head) Model {
	m := BERT(f).model(c, h).(*bert)
	m.transformAct = "gelu" // whatever the others are
	n := &m.names
	n.body, n.transform, n.transformNorm, n.bias, n.output = f.tensors(h).prefix, "lm_head.dense", "lm_head.layer_norm", "lm_head.bias", "lm_head.decoder"
	if h == MultipleChoice {
		n.pooler = n.body + "pooler.dense" // as BERT's
	} else {
		n.pooler, n.classifier = "classifier.dense", "classifier.out_proj"
	}
	return m
}
