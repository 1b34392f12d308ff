package tokenizer

// graphemeLen gives the bytes of the first extended grapheme cluster of s, which
// is not empty (Unicode's annex 29).
func graphemeLen(s string) int {
	r, i := decodeRune(s, 0)
	kind := breakClass(r)
	pictograph := kind == breakPictographic // a pictograph and what extends it
	joined := false                         // and a joiner after that
	flags := 0
	if kind == breakRegionalIndicator {
		flags = 1
	}
	conjunct, linked := kind == breakConsonant, false
	for i < len(s) {
		if c := s[i]; c >= ' ' && c < 0x7f && kind != breakPrepend {
			return i
		}
		r, n := decodeRune(s, i)
		next := breakClass(r)
		switch {
		case kind == breakCR && next == breakLF:
		case kind == breakCR || kind == breakLF || kind == breakControl || next == breakCR || next == breakLF || next == breakControl:
			return i
		case kind == breakL && (next == breakL || next == breakV || next == breakLV || next == breakLVT):
		case (kind == breakLV || kind == breakV) && (next == breakV || next == breakT):
		case (kind == breakLVT || kind == breakT) && next == breakT:
		case next == breakExtend || next == breakZWJ || next == breakLinker || next == breakSpacingMark:
		case kind == breakPrepend:
		case conjunct && linked && next == breakConsonant:
		case joined && next == breakPictographic:
		case flags == 1 && next == breakRegionalIndicator:
		default:
			return i
		}
		joined = pictograph && next == breakZWJ
		pictograph = next == breakPictographic || pictograph && (next == breakExtend || next == breakLinker)
		if next == breakRegionalIndicator {
			flags++
		} else {
			flags = 2
		}
		switch next {
		case breakConsonant:
			conjunct, linked = true, false
		case breakLinker:
			linked = true
		case breakExtend, breakZWJ:
		default:
			conjunct = false
		}
		kind = next
		i += n
	}
	return len(s)
}
