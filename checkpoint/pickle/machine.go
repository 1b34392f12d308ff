package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// A machine runs the program that a pickle is. Its values are those below, and what it is
// told to call are the functions of global alone: nothing else happens, whatever it says.
//
//	nil, bool, int64, float64, string
//	tuple, *list, *dict
//	class     what GLOBAL names
//	storage   what BINPERSID names
//	tensor    what the functions make
type machine struct {
	rest   []byte
	size   int
	stack  []any
	marks  []int
	memo   [][]any // in pieces of memoPiece, which stay where they are
	kept   uint64  // values in it
	memory int64   // that may still be taken
	load   func(id tuple) (storage, error)
}

type (
	tuple []any
	list  struct{ items []any }
	dict  struct{ keys, values []any }
)

// What values take, rather too much, so that the bound holds.
const (
	maxStack   = 1 << 16  // values that wait at once
	moreMemory = 10 << 20 // beside what the pickle itself takes
	memoPiece  = 1 << 10
	slotBytes  = 40 // of a value in a slice that grows
)

var errEnds = errors.New("the pickle ends within it")

// A kind names a value for messages.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case bool:
		return "a truth value"
	case int64, float64:
		return "a number"
	case string:
		return "a string"
	case tuple:
		return "a tuple"
	case *list:
		return "a list"
	case *dict:
		return "a dict"
	case class:
		return "a class"
	case storage:
		return "a storage"
	case tensor:
		return "a tensor"
	}
	return "a value of another kind"
}

// newMachine makes one that asks load for storages.
func newMachine(pickle []byte, load func(id tuple) (storage, error)) *machine {
	return &machine{rest: pickle, size: len(pickle), memory: int64(len(pickle)) + moreMemory, load: load}
}

// run gives the value that the pickle makes. The error names the opcode and its place.
func (m *machine) run() (any, error) {
	for {
		at := m.size - len(m.rest)
		op, err := m.take(1)
		if err != nil {
			return nil, fmt.Errorf("byte %d: the pickle has no end", at)
		}
		code := opcode(op[0])
		if code == opStop {
			if len(m.stack) != 1 || len(m.marks) > 0 || len(m.rest) > 0 {
				return nil, fmt.Errorf("byte %d: STOP leaves something over", at)
			}
			return m.stack[0], nil
		}
		if err := m.step(code); err != nil {
			if name, ok := m.about(code); ok {
				return nil, fmt.Errorf("byte %d: %v: tensor %q: %w", at, code, name, err)
			}
			return nil, fmt.Errorf("byte %d: %v: %w", at, code, err)
		}
	}
}

// about is the name for which an opcode makes a tensor: the last string that still waits.
func (m *machine) about(code opcode) (string, bool) {
	if code == opReduce || code == opBinPersID {
		for _, v := range slices.Backward(m.stack) {
			if name, ok := v.(string); ok {
				return name, true
			}
		}
	}
	return "", false
}

// charge counts memory before it is taken.
func (m *machine) charge(n int64) error {
	if m.memory -= n; m.memory < 0 {
		return fmt.Errorf("what it makes takes more memory than %d MiB (hint: save the model in safetensors)", moreMemory>>20)
	}
	return nil
}

func (m *machine) take(n int) ([]byte, error) {
	if n > len(m.rest) {
		return nil, errEnds
	}
	b := m.rest[:n]
	m.rest = m.rest[n:]
	return b, nil
}

// number takes a little-endian one of n bytes.
func (m *machine) number(n int) (uint64, error) {
	b, err := m.take(n)
	if err != nil {
		return 0, err
	}
	var x [8]byte
	copy(x[:], b)
	return le.Uint64(x[:]), nil
}

// text takes a string whose length is a number of n bytes.
func (m *machine) text(n int) (string, error) {
	size, err := m.number(n)
	if err != nil {
		return "", err
	}
	if size > uint64(len(m.rest)) {
		return "", fmt.Errorf("a string of %d bytes, longer than the pickle", size)
	}
	if err := m.charge(int64(size) + 32); err != nil {
		return "", err
	}
	b, err := m.take(int(size))
	if err == nil && !utf8.Valid(b) {
		err = errors.New("a string of invalid UTF-8")
	}
	return string(b), err
}

// line takes what comes before the end of a line.
func (m *machine) line() (string, error) {
	b, rest, ok := bytes.Cut(m.rest, []byte("\n"))
	if !ok {
		return "", errEnds
	}
	if len(b) > 1<<10 {
		return "", errors.New("a line of more than 1024 bytes")
	}
	m.rest = rest
	return string(b), m.charge(int64(len(b)) + 32)
}

func (m *machine) push(v any) error {
	if len(m.stack) == maxStack {
		return fmt.Errorf("more than %d values wait at once", maxStack)
	}
	m.stack = append(m.stack, v)
	return nil
}

var errEmpty = errors.New("no value is there for it")

// floor is how many values are not above the last mark.
func (m *machine) floor() int {
	if n := len(m.marks); n > 0 {
		return m.marks[n-1]
	}
	return 0
}

func (m *machine) pop() (any, error) {
	n := len(m.stack) - 1
	if n < m.floor() {
		return nil, errEmpty
	}
	v := m.stack[n]
	m.stack[n] = nil
	m.stack = m.stack[:n]
	return v, nil
}

func (m *machine) top() (any, error) {
	n := len(m.stack) - 1
	if n < m.floor() {
		return nil, errEmpty
	}
	return m.stack[n], nil
}

// popMark gives what is above the last mark, good until something is pushed.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("no mark is there for it")
	}
	at := m.floor()
	items := m.stack[at:]
	m.stack = m.stack[:at]
	m.marks = m.marks[:len(m.marks)-1]
	return items, nil
}

// popN gives the last n values, good until something is pushed.
func (m *machine) popN(n int) ([]any, error) {
	at := len(m.stack) - n
	if at < m.floor() {
		return nil, errEmpty
	}
	items := m.stack[at:]
	m.stack = m.stack[:at]
	return items, nil
}

func (m *machine) pushTuple(items []any, err error) error {
	if err == nil {
		err = m.charge(int64(len(items))*16 + 48)
	}
	if err != nil {
		return err
	}
	return m.push(append(make(tuple, 0, len(items)), items...))
}

func (m *machine) put(key uint64, err error) error {
	if err != nil {
		return err
	}
	v, err := m.top()
	switch {
	case err != nil:
		return err
	case key > m.kept:
		return fmt.Errorf("a value is kept as %d, where %d is next", key, m.kept)
	case key == uint64(len(m.memo)*memoPiece):
		if err := m.charge(24 * memoPiece); err != nil {
			return err
		}
		m.memo = append(m.memo, make([]any, memoPiece))
	}
	m.memo[key/memoPiece][key%memoPiece] = v
	m.kept = max(m.kept, key+1)
	return nil
}

func (m *machine) get(key uint64, err error) error {
	if err != nil {
		return err
	}
	if key >= m.kept {
		return fmt.Errorf("nothing is kept as %d", key)
	}
	return m.push(m.memo[key/memoPiece][key%memoPiece])
}

func (m *machine) pushNumber(n int) error {
	x, err := m.number(n)
	if err != nil {
		return err
	}
	return m.push(int64(x))
}

func (m *machine) pushText(n int) error {
	s, err := m.text(n)
	if err != nil {
		return err
	}
	return m.push(s)
}

// into is the value that is filled: the last but those given.
func into[T any](m *machine, what string) (T, error) {
	v, err := m.top()
	if err != nil {
		return *new(T), err
	}
	x, ok := v.(T)
	if !ok {
		return x, fmt.Errorf("%s is not %s", kind(v), what)
	}
	return x, nil
}

func (m *machine) appendTo(items []any, err error) error {
	if err != nil {
		return err
	}
	l, err := into[*list](m, "a list")
	if err == nil {
		err = m.charge(int64(len(items)) * slotBytes)
	}
	if err != nil {
		return err
	}
	l.items = append(l.items, items...)
	return nil
}

func (m *machine) setItems(items []any, err error) error {
	if err != nil {
		return err
	}
	d, err := into[*dict](m, "a dict")
	if err == nil {
		err = m.charge(int64(len(items)) * slotBytes)
	}
	if err != nil {
		return err
	}
	if len(items)%2 != 0 {
		return errors.New("a key has no value")
	}
	for i := 0; i < len(items); i += 2 {
		d.keys, d.values = append(d.keys, items[i]), append(d.values, items[i+1])
	}
	return nil
}

func (m *machine) step(code opcode) error {
	switch code {
	case opProto:
		version, err := m.number(1)
		if err == nil && (version < 2 || version > 5) {
			err = fmt.Errorf("protocol %d is not read (known: 2 to 5)", version)
		}
		return err
	case opFrame:
		n, err := m.number(8)
		if err == nil && n > uint64(len(m.rest)) {
			err = errEnds
		}
		return err
	case opMark:
		if len(m.marks) == maxStack {
			return fmt.Errorf("more than %d marks", maxStack)
		}
		m.marks = append(m.marks, len(m.stack))
		return nil
	case opNone:
		return m.push(nil)
	case opNewTrue:
		return m.push(true)
	case opNewFalse:
		return m.push(false)
	case opBinInt1:
		return m.pushNumber(1)
	case opBinInt2:
		return m.pushNumber(2)
	case opBinInt:
		x, err := m.number(4)
		if err != nil {
			return err
		}
		return m.push(int64(int32(x)))
	case opLong1:
		return m.long()
	case opBinFloat:
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case opShortBinUnicode:
		return m.pushText(1)
	case opBinUnicode:
		return m.pushText(4)
	case opEmptyTuple:
		return m.push(tuple(nil))
	case opTuple1:
		return m.pushTuple(m.popN(1))
	case opTuple2:
		return m.pushTuple(m.popN(2))
	case opTuple3:
		return m.pushTuple(m.popN(3))
	case opTuple:
		return m.pushTuple(m.popMark())
	case opEmptyList:
		if err := m.charge(48); err != nil {
			return err
		}
		return m.push(&list{})
	case opAppend:
		return m.appendTo(m.popN(1))
	case opAppends:
		return m.appendTo(m.popMark())
	case opEmptyDict:
		return m.pushDict()
	case opSetItem:
		return m.setItems(m.popN(2))
	case opSetItems:
		return m.setItems(m.popMark())
	case opBinPut:
		return m.put(m.number(1))
	case opLongBinPut:
		return m.put(m.number(4))
	case opMemoize:
		return m.put(m.kept, nil)
	case opBinGet:
		return m.get(m.number(1))
	case opLongBinGet:
		return m.get(m.number(4))
	case opGlobal:
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.pushGlobal(module, name)
	case opStackGlobal:
		items, err := m.popN(2)
		if err != nil {
			return err
		}
		module, ok := items[0].(string)
		name, ok2 := items[1].(string)
		if !ok || !ok2 {
			return errors.New("a name that is no string")
		}
		return m.pushGlobal(module, name)
	case opBinPersID:
		v, err := m.pop()
		if err != nil {
			return err
		}
		id, ok := v.(tuple)
		if !ok {
			return fmt.Errorf("%s, where the name of a storage should be", kind(v))
		}
		s, err := m.load(id)
		if err == nil {
			err = m.charge(64)
		}
		if err != nil {
			return err
		}
		return m.push(s)
	case opReduce:
		return m.reduce()
	case opBuild:
		// A state_dict has an attribute _metadata, the versions of its modules.
		state, err := m.pop()
		if err != nil {
			return err
		}
		if _, ok := state.(*dict); !ok {
			return fmt.Errorf("%s for attributes", kind(state))
		}
		_, err = into[*dict](m, "an OrderedDict, the one object that has attributes here")
		return err
	}
	if _, known := opcodes[code]; known {
		return errors.New("an opcode that no file of weights has; it is not run")
	}
	return errors.New("no such opcode")
}

// long takes an integer of up to 8 bytes: no tensor has longer ones.
func (m *machine) long() error {
	n, err := m.number(1)
	if err != nil {
		return err
	}
	if n > 8 {
		return fmt.Errorf("an integer of %d bytes; at most 8 are read", n)
	}
	x, err := m.number(int(n))
	if err != nil {
		return err
	}
	if n > 0 { // the sign
		x = uint64(int64(x<<(64-8*n)) >> (64 - 8*n))
	}
	return m.push(int64(x))
}

func (m *machine) pushDict() error {
	if err := m.charge(64); err != nil {
		return err
	}
	return m.push(&dict{})
}

func (m *machine) pushGlobal(module, name string) error {
	c, ok := globals[module+"."+name]
	if !ok {
		return fmt.Errorf("%q is not run: it is none of what a file of weights is made of", module+"."+name)
	}
	return m.push(c)
}

// reduce calls a function.
func (m *machine) reduce() error {
	items, err := m.popN(2)
	if err != nil {
		return err
	}
	c, ok := items[0].(class)
	if !ok {
		return fmt.Errorf("%s is called", kind(items[0]))
	}
	args, ok := items[1].(tuple)
	if !ok {
		return fmt.Errorf("%v is called with %s", c, kind(items[1]))
	}
	var made any
	switch c {
	case orderedDict:
		if len(args) > 0 {
			return fmt.Errorf("%v of arguments", c)
		}
		return m.pushDict()
	case rebuildTensor:
		n := int64(160)
		for _, arg := range args {
			dims, _ := arg.(tuple)
			n += 8 * int64(len(dims))
		}
		if err := m.charge(n); err != nil {
			return err
		}
		made, err = newTensor(args)
	case rebuildParameter:
		made, err = parameterData(args)
	default:
		return fmt.Errorf("%v is called, which is no function", c)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", c, err)
	}
	return m.push(made)
}
