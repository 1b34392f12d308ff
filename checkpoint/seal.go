package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"hone/checkpoint/file"
)

// A sealed file is a JSON object whose last member is the hash of the text before it: a file
// that was changed in any way cannot be read.
const (
	sealHead = ",\n  \"sha256\": \""
	sealTail = "\"\n}\n"
)

// ErrDamaged is the error for a file that is not as hone wrote it.
var ErrDamaged = errors.New("damaged: it is not as hone wrote it")

// WriteSealed writes v, which must be a JSON object, as a sealed file, in the way of file.Write.
func WriteSealed(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	text = bytes.TrimSuffix(text, []byte("\n}"))
	sum := sha256.Sum256(text)
	text = append(text, sealHead+hex.EncodeToString(sum[:])+sealTail...)
	return file.WriteBytes(path, text)
}

// ReadSealed reads a sealed file into v. The error is ErrDamaged where it is not as it was
// written. A file that was never sealed, of a hone before there were seals, must have no
// member that v has not: a damaged seal is one.
func ReadSealed(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	damaged := func(why string) error { return fmt.Errorf("%s: %w%s", path, ErrDamaged, why) }
	body, sealed := bytes.CutSuffix(text, []byte(sealTail))
	at := len(body) - 2*sha256.Size
	if sealed && at >= 0 && bytes.HasSuffix(body[:at], []byte(sealHead)) {
		sum := sha256.Sum256(body[:at-len(sealHead)])
		if hex.EncodeToString(sum[:]) != string(body[at:]) {
			return damaged("")
		}
		if err := json.Unmarshal(text, v); err != nil {
			return damaged(" (" + err.Error() + ")")
		}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return damaged(" (" + err.Error() + ")")
	}
	if len(bytes.TrimSpace(text[d.InputOffset():])) > 0 {
		return damaged("")
	}
	return nil
}
