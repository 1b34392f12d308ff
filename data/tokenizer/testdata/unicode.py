"""Writes ../unicode.go: properties of characters as the tokenizers library has them,
found by asking it about every code point; the breaks of grapheme clusters from the
package regex. Made with tokenizers 0.23.3, regex 2026.11.15 and Python 3.11.7.

    python unicode.py > ../unicode.go
"""
import base64
import json
import struct

import regex
from tokenizers import Tokenizer, normalizers as N, pre_tokenizers as P

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

bert = N.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
accents, lower, nfd, nfkd = N.StripAccents(), N.Lowercase(), N.NFD(), N.NFKD()
mn = N.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
punct, digit, white, word = P.Punctuation("isolated"), P.Digits(True), P.WhitespaceSplit(), P.Whitespace()


def pieces(p, c):
    return len(p.pre_tokenize_str("a" + c + "a"))


def name(kind):
    return "char" + kind


PROPERTIES = {
    "Space": lambda c: pieces(white, c) == 2,
    "Number": lambda c: pieces(digit, c) == 3,
    "Punct": lambda c: pieces(punct, c) == 3,
    "Word": lambda c: pieces(word, c) == 1,
    "Nonspacing": lambda c: nfd.normalize_str(c) == c and mn.normalize_str(c) == "",
    "Mark": lambda c: accents.normalize_str(c) == "",
    "Other": lambda c: c not in "\0\ufffd" and bert.normalize_str(c) == "",
    "Normal": lambda c: nfkd.normalize_str(c) != c or nfd.normalize_str("a\u0345" + c) == "a" + c + "\u0345" or c == "\u0345",
}
COMMENT = {
    "Space": "White_Space",
    "Number": "numeric: Nd, Nl, No",
    "Punct": "ASCII punctuation and P*",
    "Word": r"\w",
    "Nonspacing": "Mn",
    "Mark": "M*",
    "Other": "C*, but NUL",
    "Normal": "decomposes, or has a combining class, in Unicode 9: others are left alone by the normal forms",
}


def runs(values):
    out, last = [], 0
    for c, v in values:
        if v != last:
            out.append((c, v))
            last = v
    return out


def table(kind, doc, typ, items):
    print("\n// %s" % doc)
    print("var %s = [...]%s{" % (kind, typ))
    for i in range(0, len(items), 10):
        print("\t" + " ".join(x + "," for x in items[i : i + 10]))
    print("}")


print("package tokenizer\n\n// Written by testdata/unicode.py. Properties are given as runs: where they begin, and where they end.")
print("// They are those of the tokenizers library, which mixes several versions of Unicode,\n// whatever Go's own tables are.")
print("const (")
for i, k in enumerate(PROPERTIES):
    print("\t%s uint8 = 1 << %d // %s" % (name(k), i, COMMENT[k]))
print(")")
for k, f in PROPERTIES.items():
    r = runs((c, int(f(chr(c)))) for c in POINTS)
    table("runs" + k, "runs%s: %s." % (k, COMMENT[k]), "uint32", ["0x%x" % c for c, _ in r])

# Lower case: runs of equal distance, with a stride of 1 or 2.
pairs = []
for c in POINTS:
    l = lower.normalize_str(chr(c))
    if l != chr(c):
        if len(l) != 1:
            assert c == 0x130 and l == "i\u0307"
            continue
        pairs.append((c, ord(l) - c))
out = []
for c, d in pairs:
    if out and out[-1][3] == d:
        first, last, stride, _ = out[-1]
        if c - last == stride or (first == last and c - last <= 2):
            out[-1] = (first, c, c - last, d)
            continue
    out.append((c, c, 1, d))
table("runsLower", "runsLower: the first, the last, the stride and the distance to the lower case. U+0130 gives two characters and is not here.", "[4]int32", ["{0x%x, 0x%x, %d, %d}" % r for r in out])

BREAKS = ["Other", "CR", "LF", "Control", "Extend", "ZWJ", "SpacingMark", "Prepend", "L", "V", "T", "LV", "LVT", "Regional_Indicator", "Pictographic", "Consonant", "Linker"]


# A charsmap that has "a" for a cluster that begins so becomes "b": characters that
# extend clusters for regex, and not for the library's version of Unicode, show.
units = [0] * 0x400
units[0], units[0x161] = 0x100 << 10, 0x61 | 1 << 8 | 0x200 << 10
data = struct.pack("<1025I", 0x1000, *units) + b"b\0"
clusters = Tokenizer.from_str(json.dumps({"model": {"type": "WordLevel", "vocab": {"x": 0}, "unk_token": "x"}, "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}, "added_tokens": []})).normalizer


def grapheme(c):
    v = latest(c)
    if BREAKS[v] in ("Extend", "Linker", "SpacingMark", "ZWJ"):
        return v if clusters.normalize_str("a" + c) == "b" else 0
    return v


def latest(c):
    for i, b in enumerate(BREAKS):
        if i and i < 14 and regex.match(r"\p{GCB=%s}" % b, c):
            if b == "Extend" and regex.match(r"\p{InCB=Linker}", c):
                return 16
            return i
    if regex.match(r"\p{Extended_Pictographic}", c):
        return 14
    if regex.match(r"\p{InCB=Consonant}", c):
        return 15
    return 0


print("\nconst (")
for i, b in enumerate(BREAKS):
    print("\tbreak%s%s" % (b.replace("_", ""), " uint8 = iota" if i == 0 else ""))
print(")")
r = runs((c, grapheme(chr(c))) for c in POINTS)
table("runsBreak", "runsBreak: where runs begin, shifted left by 5, and their break property; LV and LVT syllables are computed.", "uint32",
      ["0x%x" % (c << 5 | v) for c, v in r if not 0xAC00 <= c < 0xD7A4])

# Scripts: numbered as they come. Two characters are of one script when they are not cut apart.
scripts = P.UnicodeScripts()


def cut(a, b):
    return len(scripts.pre_tokenize_str(a + b)) == 2


reps, values, last, lastc = [], [], 0, None
for c in POINTS:
    ch = chr(c)
    if not scripts.pre_tokenize_str(ch):
        v = 0  # any script
    elif lastc is not None and not cut(lastc, ch):
        v = last
    else:
        for i, rep in enumerate(reps):
            if not cut(rep, ch):
                v = i + 1
                break
        else:
            reps.append(ch)
            v = len(reps)
    if v:
        last, lastc = v, ch
    values.append((c, v))
table("runsScript", "runsScript: where runs begin, shifted left by 8, and a number for the script; 0 goes with any.", "uint32", ["0x%x" % (c << 8 | v) for c, v in runs(values)])
