"""Writes ../classes.go: the class of every code point as the tokenizers library
splits it (checked to be Unicode 16.0 with tokenizers 0.23.3).

    python classes.py > ../classes.go
"""
from tokenizers import pre_tokenizers

OTHER, LETTER, NUMBER, SPACE = range(4)
level = pre_tokenizers.ByteLevel(add_prefix_space=False)


def whole(text):
    return len(level.pre_tokenize_str(text)) == 1


def kind(c):
    if 0xD800 <= c < 0xE000:  # surrogates: no characters
        return OTHER
    for k, neighbour in ((LETTER, "a"), (NUMBER, "1"), (OTHER, "!")):
        if whole(neighbour + chr(c)):
            return k
    return SPACE


runs, last = [], None
for c in range(0x110000):
    k = kind(c)
    if k != last:
        runs.append(c << 2 | k)
        last = k
assert runs[-1] & 3 == OTHER

print("""package tokenizer

// classRuns gives the classes of all code points in Unicode 16.0: each entry is
// the first code point of a run, shifted left by 2, and the run's class. Written
// by testdata/classes.py.
var classRuns = [...]uint32{""")
for i in range(0, len(runs), 12):
    print("\t" + ", ".join("0x%x" % r for r in runs[i : i + 12]) + ",")
print("}")
