package gguf

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
)

// A kind is the type of a key's value, by GGUF's number.
type kind uint32

const (
	kindUint8 kind = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

var kindNames = [...]string{"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array", "uint64", "int64", "float64"}

// kindSizes are bytes of a value; 0: it says itself.
var kindSizes = [...]int64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

func (k kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("type %d", uint32(k))
}

// A Value is what a key of a file says, the zero Value that there is no such key: a view of the file's bytes, decoded when asked for, so
// that a long list takes no more room than it has in the file.
type Value struct {
	kind, of kind // of: the elements of an array
	n        int  // of them
	raw      []byte
}

// Type names the type of a value for messages: "uint32", "array of string".
func (v Value) Type() string {
	if v.kind == kindArray {
		return "array of " + v.of.String()
	}
	return v.kind.String()
}

// Text is a string; ok is false where the value is none.
func (v Value) Text() (text string, ok bool) {
	if v.kind != kindString {
		return "", false
	}
	return string(v.raw), true
}

// Bool is a truth value.
func (v Value) Bool() (b, ok bool) {
	return v.kind == kindBool && v.raw[0] != 0, v.kind == kindBool
}

// Number is a number of any type; those beyond 2⁵³ are rounded.
func (v Value) Number() (x float64, ok bool) {
	if v.raw == nil || v.kind == kindString || v.kind == kindArray || v.kind == kindBool {
		return 0, false
	}
	return number(v.kind, v.raw), true
}

// Int is a whole number that an int holds.
func (v Value) Int() (n int, ok bool) {
	x, ok := v.Number()
	if !ok || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return 0, false
	}
	return int(x), true
}

// Len is the number of an array's elements, 0 of what is none.
func (v Value) Len() int { return v.n }

// Texts goes over an array of strings; ok is false where the value is none.
func (v Value) Texts() (texts iter.Seq2[int, string], ok bool) {
	return func(yield func(int, string) bool) {
		rest := v.raw
		for i := range v.n {
			n := binary.LittleEndian.Uint64(rest)
			if !yield(i, string(rest[8:8+n])) {
				return
			}
			rest = rest[8+n:]
		}
	}, v.kind == kindArray && v.of == kindString
}

// Numbers goes over an array of numbers or truth values, which are 0 and 1.
func (v Value) Numbers() (numbers iter.Seq2[int, float64], ok bool) {
	size := kindSizes[v.of]
	return func(yield func(int, float64) bool) {
		for i := range v.n {
			if !yield(i, number(v.of, v.raw[int64(i)*size:])) {
				return
			}
		}
	}, v.kind == kindArray && size > 0
}

func number(k kind, b []byte) float64 {
	le := binary.LittleEndian
	switch k {
	case kindUint8, kindBool:
		return float64(b[0])
	case kindInt8:
		return float64(int8(b[0]))
	case kindUint16:
		return float64(le.Uint16(b))
	case kindInt16:
		return float64(int16(le.Uint16(b)))
	case kindUint32:
		return float64(le.Uint32(b))
	case kindInt32:
		return float64(int32(le.Uint32(b)))
	case kindFloat32:
		return float64(math.Float32frombits(le.Uint32(b)))
	case kindUint64:
		return float64(le.Uint64(b))
	case kindInt64:
		return float64(int64(le.Uint64(b)))
	}
	return math.Float64frombits(le.Uint64(b))
}
