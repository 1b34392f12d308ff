package source

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// appendValueJSON appends value i of an array as JSON, which has no number for a float that is not
// finite: it is null.
func appendValueJSON(dst []byte, c arrow.Array, i int) []byte {
	if isNull(c, i) {
		return append(dst, "null"...)
	}
	switch c := c.(type) {
	case *array.Boolean:
		return strconv.AppendBool(dst, c.Value(i))
	case *array.Float16:
		return appendFloat(dst, float64(c.Value(i).Float32()), 32)
	case *array.Float32:
		return appendFloat(dst, float64(c.Value(i)), 32)
	case *array.Float64:
		return appendFloat(dst, c.Value(i), 64)
	case *array.Uint64:
		return strconv.AppendUint(dst, c.Value(i), 10)
	case *array.Struct:
		dst = append(dst, '{')
		for k, f := range c.DataType().(*arrow.StructType).Fields() {
			if k > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendValueJSON(append(appendString(dst, f.Name), ": "...), c.Field(k), i)
		}
		return append(dst, '}')
	case array.ListLike:
		dst = append(dst, '[')
		lo, hi := c.ValueOffsets(i)
		for k := lo; k < hi; k++ {
			if k > lo {
				dst = append(dst, ", "...)
			}
			dst = appendValueJSON(dst, c.ListValues(), int(k))
		}
		return append(dst, ']')
	}
	if v, ok := integer(c, i); ok {
		return strconv.AppendInt(dst, v, 10)
	}
	return appendString(dst, valueText(c, i))
}

// valueText returns value i of an array, neither null nor nested, as the text that it has in CSV,
// and where JSON has no such type, in JSON.
func valueText(c arrow.Array, i int) string {
	switch c := c.(type) {
	case *array.String:
		return c.Value(i)
	case *array.LargeString:
		return c.Value(i)
	case *array.Binary:
		return base64.StdEncoding.EncodeToString(c.Value(i))
	case *array.LargeBinary:
		return base64.StdEncoding.EncodeToString(c.Value(i))
	case *array.FixedSizeBinary:
		return base64.StdEncoding.EncodeToString(c.Value(i))
	case *array.Timestamp:
		t := c.DataType().(*arrow.TimestampType)
		form := "2006-01-02T15:04:05.999999999"
		if t.TimeZone != "" {
			form += "Z" // whatever zones this machine knows
		}
		return c.Value(i).ToTime(t.Unit).Format(form)
	case *array.Date32:
		return c.Value(i).ToTime().Format(time.DateOnly)
	case *array.Date64:
		return c.Value(i).ToTime().Format(time.DateOnly)
	case *array.Time32:
		return c.Value(i).ToTime(c.DataType().(*arrow.Time32Type).Unit).Format("15:04:05.999999999")
	case *array.Time64:
		return c.Value(i).ToTime(c.DataType().(*arrow.Time64Type).Unit).Format("15:04:05.999999999")
	case *array.Duration:
		return strconv.FormatInt(int64(c.Value(i)), 10) + c.DataType().(*arrow.DurationType).Unit.String()
	case *array.Decimal128:
		return c.Value(i).ToString(c.DataType().(*arrow.Decimal128Type).Scale)
	case *array.Decimal256:
		return c.Value(i).ToString(c.DataType().(*arrow.Decimal256Type).Scale)
	case *array.Boolean:
		return strconv.FormatBool(c.Value(i))
	case *array.Float16:
		return formatFloat(float64(c.Value(i).Float32()), 32)
	case *array.Float32:
		return formatFloat(float64(c.Value(i)), 32)
	case *array.Float64:
		return formatFloat(c.Value(i), 64)
	case *array.Uint64:
		return strconv.FormatUint(c.Value(i), 10)
	}
	if v, ok := integer(c, i); ok {
		return strconv.FormatInt(v, 10)
	}
	return c.ValueStr(i)
}

// formatFloat gives the shortest digits that are read as the same float.
func formatFloat(v float64, bits int) string {
	if finite(v) {
		return string(appendFloat(nil, v, bits))
	}
	return strconv.FormatFloat(v, 'g', -1, bits) // NaN, +Inf
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func appendFloat(dst []byte, v float64, bits int) []byte {
	if !finite(v) {
		return append(dst, "null"...)
	}
	form := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, v, form, -1, bits)
	if bytes.ContainsAny(dst[n:], ".e") {
		return dst
	}
	return append(dst, ".0"...) // read as a float again, not as an integer
}

// appendString appends a JSON string. Everything but quotes, backslashes and control characters
// stands as it is.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[start:]...), '"')
}
