package pickle

import "fmt"

// An opcode is an instruction of a pickle.
type opcode byte

// Those that torch.save writes for tensors.
const (
	opProto           opcode = 0x80
	opFrame           opcode = 0x95
	opStop            opcode = '.'
	opMark            opcode = '('
	opNone            opcode = 'N'
	opNewTrue         opcode = 0x88
	opNewFalse        opcode = 0x89
	opBinInt          opcode = 'J'
	opBinInt1         opcode = 'K'
	opBinInt2         opcode = 'M'
	opLong1           opcode = 0x8a
	opBinFloat        opcode = 'G'
	opBinUnicode      opcode = 'X'
	opShortBinUnicode opcode = 0x8c
	opEmptyTuple      opcode = ')'
	opTuple           opcode = 't'
	opTuple1          opcode = 0x85
	opTuple2          opcode = 0x86
	opTuple3          opcode = 0x87
	opEmptyList       opcode = ']'
	opAppend          opcode = 'a'
	opAppends         opcode = 'e'
	opEmptyDict       opcode = '}'
	opSetItem         opcode = 's'
	opSetItems        opcode = 'u'
	opBinPut          opcode = 'q'
	opLongBinPut      opcode = 'r'
	opMemoize         opcode = 0x94
	opBinGet          opcode = 'h'
	opLongBinGet      opcode = 'j'
	opGlobal          opcode = 'c'
	opStackGlobal     opcode = 0x93
	opBinPersID       opcode = 'Q'
	opReduce          opcode = 'R'
	opBuild           opcode = 'b'
)

// opcodes are the names of all, so that what is refused has one.
var opcodes = map[opcode]string{
	opProto: "PROTO", opFrame: "FRAME", opStop: "STOP", opMark: "MARK", opNone: "NONE", opNewTrue: "NEWTRUE", opNewFalse: "NEWFALSE",
	opBinInt: "BININT", opBinInt1: "BININT1", opBinInt2: "BININT2", opLong1: "LONG1", opBinFloat: "BINFLOAT",
	opBinUnicode: "BINUNICODE", opShortBinUnicode: "SHORT_BINUNICODE", opEmptyTuple: "EMPTY_TUPLE", opTuple: "TUPLE",
	opTuple1: "TUPLE1", opTuple2: "TUPLE2", opTuple3: "TUPLE3", opEmptyList: "EMPTY_LIST", opAppend: "APPEND", opAppends: "APPENDS",
	opEmptyDict: "EMPTY_DICT", opSetItem: "SETITEM", opSetItems: "SETITEMS", opBinPut: "BINPUT", opLongBinPut: "LONG_BINPUT",
	opMemoize: "MEMOIZE", opBinGet: "BINGET", opLongBinGet: "LONG_BINGET", opGlobal: "GLOBAL", opStackGlobal: "STACK_GLOBAL",
	opBinPersID: "BINPERSID", opReduce: "REDUCE", opBuild: "BUILD",

	'0': "POP", '1': "POP_MARK", '2': "DUP", 'F': "FLOAT", 'I': "INT", 'L': "LONG", 'P': "PERSID", 'S': "STRING", 'T': "BINSTRING",
	'U': "SHORT_BINSTRING", 'V': "UNICODE", 'd': "DICT", 'g': "GET", 'i': "INST", 'l': "LIST", 'o': "OBJ", 'p': "PUT",
	0x81: "NEWOBJ", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 0x8b: "LONG4", 'B': "BINBYTES", 'C': "SHORT_BINBYTES",
	0x8d: "BINUNICODE8", 0x8e: "BINBYTES8", 0x8f: "EMPTY_SET", 0x90: "ADDITEMS", 0x91: "FROZENSET", 0x92: "NEWOBJ_EX",
	0x96: "BYTEARRAY8", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}

func (o opcode) String() string {
	if name, ok := opcodes[o]; ok {
		return name
	}
	return fmt.Sprintf("opcode %#02x", byte(o))
}
