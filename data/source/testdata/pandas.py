"""Writes pandas.json: texts of delimited values, and the rows that pandas reads from them.

Made with Python 3.11 and pandas 3.1.1:  python pandas.py
"""
import csv
import io
import json
import os
import sys

sys.path = [p for p in sys.path if os.path.abspath(p) != os.path.dirname(os.path.abspath(__file__))]  # this is not pandas
import pandas as pd

cases = []


def case(name, content, want=None, format="csv", delimiter="", quote="", **how):
    """want: the frame that was written, where pandas must be told how to read it back."""
    got = pd.read_csv(io.BytesIO(content.encode()), dtype=str, keep_default_na=False, **how)
    if want is not None:
        pd.testing.assert_frame_equal(got, want.astype(str), check_dtype=False)
    columns = ["" if c == "Unnamed: 0" else c for c in got.columns]
    cases.append({"name": name, "content": content, "format": format, "delimiter": delimiter, "quote": quote,
                  "columns": columns, "rows": got.values.tolist()})


case("bare quotes", 'text,label\nhe said "hi" to me,a\n5" nails,b\n')
case("after a closing quote", 'text,label\n"one" two,a\n"x"y"z,b\n""",c\nd",e\n')
case("quoted", 'text,label\n"a, b",x\n"say ""hi""",y\n"",z\n"two\nlines",w\n')
case("CRLF in a cell", 'text,label\r\n"two\r\nlines",x\r\n"CR\ralone",y\r\nplain,z\r\n')
case("CR", 'text,label\rone,x\r"two\rlines",y\r')
case("empty lines", '\n\ntext,label\n\none,x\n\r\n\ntwo,y\n\n')
case("blanks", 'text,label\n one , x\n" two ", "y"\n')
case("no last line end", "text,label\none,x\ntwo,")
case("byte order mark", "\ufefftext,label\none,x\n")
case("index", pd.DataFrame({"text": ["one", "two"], "label": ["x", "y"]}).to_csv())
case("semicolon", "text;score\none, two;1,5\nthree;2,5\n", sep=";")
case("bar", "text|label\none, two; three|x\nfour|y\n", sep="|")
case("tab in a CSV", "text\tlabel\none, two\tx\nthree\ty\n", sep="\t")
case("one column", "text\none; two\nthree | four\n", sep=",")
case("delimiter in the text", "text,label\na;b;c,x\nd;e;f,y\n")
case("named delimiter", "text~label\none, two~x\n", sep="~", delimiter="~")
case("no quotes", 'text,label\n"one,x\ntwo",y\n', quoting=csv.QUOTE_NONE, quote="none")

tricky = pd.DataFrame({"text": ['a\ttab', 'two\nlines', 'say "hi"', "plain", ""], "label": ["1", "0", "1", "0", "1"]})
for quoting in ("MINIMAL", "ALL", "NONNUMERIC"):
    case("TSV " + quoting, tricky.to_csv(sep="\t", index=False, quoting=getattr(csv, "QUOTE_" + quoting)), tricky, "tsv", sep="\t")
case("TSV with an index", tricky.to_csv(sep="\t"), None, "tsv", sep="\t")
doubled = pd.DataFrame({"text": ['say "hi"', "plain"], "label": ["1", "0"]})
case("TSV, doubled quotes alone", doubled.to_csv(sep="\t", index=False), doubled, "tsv", sep="\t")
bare = dict(format="tsv", sep="\t", quoting=csv.QUOTE_NONE)
case("TSV of GLUE", 'index\tsentence\n1\the said "hi" to me\n2\t"Yes," he said.\n3\t"\n4\t"so"\n5\tthe end"\n', **bare)
case("TSV, a quote at an end", 'index\tsentence\n1\t"to\n2\tbe"\n', **bare)
case("TSV, a few cells quoted", 'index\tsentence\n1\tplain\n2\t"quoted"\n', **bare)
case("TSV, quotes said", 'index\tsentence\n1\tplain\n2\t"quoted"\n', format="tsv", sep="\t", quote="csv")
case("TSV, none said", doubled.to_csv(sep="\t", index=False), format="tsv", sep="\t", quoting=csv.QUOTE_NONE, quote="none")

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pandas.json")
json.dump({"pandas": pd.__version__, "cases": cases}, open(out, "w"), indent=1, ensure_ascii=True)
