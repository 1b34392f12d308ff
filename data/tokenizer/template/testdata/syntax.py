# Renders small templates with the environment that transformers makes for chat
# templates, those written out below and random ones, and writes what came out to
# syntax.json.gz.
#
# Made with Python 3.11, transformers 5.23.0, jinja2 3.1.6:
#   python syntax.py [number of random templates, 1500] [seed] [file]
import datetime, gzip, json, os, random, re, signal, sys
from transformers.utils import chat_template_utils as ctu

class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime(2026, 11, 3, 14, 5, 9)
ctu.datetime = Clock

VARS = {"s": "Hello, World!", "e": "", "sp": "  two  words \n", "u": "Ünïcödé 한국 👩‍🚀", "q": "it's \"quoted\" \\ \n", "h": "<a href='x'>&</a>",
    "n": 7, "z": 0, "neg": -3, "f": 2.5, "g": 1e-7, "t": True, "no": False, "none_": None, "num": " 42 ", "fl": "3.99", "hex": "0x1f",
    "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "mixed": [1, "x", None, True, 2.0, [1], {"k": "v"}], "nil": [],
    "d": {"b": 1, "a": [1, 2], "items": "key named items", "C": None}, "dd": {}, "lines": "a\n\n  b\r\nc\n",
    "m": [{"role": "user", "content": "hi", "n": 2}, {"role": "assistant", "content": "yo", "n": 1, "x": {"y": 5}}, {"role": "user", "content": "", "n": 2}]}

CASES = r"""
{{ s }}|{{ e }}|{{ u }}|{{ q }}|{{ none_ }}|{{ t }}|{{ no }}|{{ undefined_ }}|{{ f }}|{{ g }}|{{ l }}|{{ d }}|{{ mixed }}|{{ w }}
{{ 1e16 }} {{ 1e15 }} {{ 1.0 }} {{ 123456789.123 }} {{ 1e-4 }} {{ 1e-5 }} {{ 5e-324 }} {{ 1e308 }} {{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1_0.5_0 }} {{ 1e5 }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 6 / 3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}
{{ 1 + 2 * 3 - 4 / 2 }} {{ (1 + 2) * 3 }} {{ 'a' ~ 1 ~ none ~ true ~ 2.5 }} {{ 'a' + 'b' * 3 }} {{ [1] + [2] }} {{ [0] * 3 }} {{ 3 * 'x' }} {{ true + 1 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 == 1.0 }} {{ true == 1 }} {{ none == false }} {{ 'a' == 'a' }} {{ [1] == [1.0] }} {{ {'a': 1} == {'a': 1} }}
{{ 'el' in s }} {{ 'zz' not in s }} {{ 1 in l }} {{ 'b' in d }} {{ 1 in d }} {{ 'x' in e }} {{ '' in s }} {{ not 1 in l }} {{ [1] in mixed }} {{ x in undefined_ }}
{{ 1 if true else 2 }} {{ 1 if false }} {{ 1 if false else 2 if false else 3 }} {{ (1 if false) is defined }} {{ 'a' or 'b' }} {{ '' or 'b' }} {{ 'a' and 'b' }} {{ none and 1 }} {{ not none }}
{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[::2] }} {{ s[-3:] }} {{ s[:-3] }} {{ s[100] }} {{ s[5:2] }} {{ u[8:] }} {{ u[::-1] }} {{ l[::-1] }} {{ l[1:] }} {{ l[-2:] }} {{ l[5:] }} {{ l[:1] }} {{ l[9] }} {{ s[10:2:-2] }} {{ s[:none] }}
{{ m[0].role }} {{ m[0]['role'] }} {{ m[1].x.y }} {{ m[0].x }} {{ m[0].x is defined }} {{ m[-1]['content'] == '' }} {{ m.0.role }} {{ d.b }} {{ d['items'] }} {{ d.a[1] }} {{ d.nope }}
{{ d.items() }} {{ d.keys() }} {{ d.values() }} {{ d.get('b') }} {{ d.get('zz') }} {{ d.get('zz', 5) }} {{ d.items()|list }} {{ d|items|list }} {{ d|length }} {{ d|list }}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for k, v in d|dictsort %}{{ k }}{% endfor %}{% for k, v in d|items %}{{ k }}{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.depth }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }};{% endfor %}
{% for x in l if x > 1 %}{{ x }}{{ loop.index }}{{ loop.last }}{{ loop.length }}{% else %}none{% endfor %}|{% for x in [] %}{{ x }}{% else %}none{% endfor %}|{% for x in l if x > 9 %}x{% else %}else{% endfor %}
{% for x in range(5) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in [1] %}{% continue %}{% else %}else after continue{% endfor %}|{% for x in [1] %}{% break %}{% else %}else after break{% endfor %}
{% for a in l %}{% for b in w %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}
{% for i in l %}{% if i == 3 %}{% set s = 'set' %}{% endif %}{{ s }}{% endfor %}{{ s }}
{% for i in l %}{{ late }}{% endfor %}{% set late = 5 %}{{ late }}
{% if no %}{% set s = 1 %}{% endif %}{{ s }}{% if t %}{% set s = 2 %}{% endif %}{{ s }}
{% if no %}{% set y = 1 %}{% elif t %}{% set y = 2 %}{% else %}{% set y = 3 %}{% endif %}{{ y }}
{% if no %}{% set s = 1 %}{% elif no %}{% set n = 2 %}{% else %}{% set f = 3 %}{% endif %}{{ s }}{{ n }}{{ f }}
{% set s = s %}{{ s }}{% set n = n + 1 %}{{ n }}{% set q = undefined_ %}{{ q is defined }}
{% for i in [1, 2] %}{% set q = i %}{% for j in [1] %}{{ q }}{% set q = 'inner' %}{{ q }}{% endfor %}{{ q }}{% endfor %}
{% for s in l %}{{ s }}{% endfor %}{{ s }}
{% for i in [1] %}{% set only = i %}{% endfor %}{{ only is defined }}
{% set ns = namespace(a=1, b='x') %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}{{ ns['a'] }}{{ ns }}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a + ns.b }}{% set ns.c, x = 1, 2 %}{{ ns.c }}{{ x }}
{% set x.y = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (a, b) = [3, 4] %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}{% set d = 1, %}{{ d }}
{% set a, b = 1 %}
{% set a, b = [1, 2, 3] %}
{% set x %}block {{ s }}{% endset %}{{ x }}{{ x is string }}{% set x | upper | replace('E', '3') %}text {{ s }}{% endset %}{{ x }}
{% macro greet(name, greeting='Hello') %}{{ greeting }}, {{ name }}!{% endmacro %}{{ greet('A') }}{{ greet('B', 'Hi') }}{{ greet(greeting='Yo', name='C') }}{{ greet() }}{{ greet }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=2, a=3) }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}{{ m() }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro m(a) %}[{{ a }}{{ caller(a) }}]{% endmacro %}{% call(x) m('q') %}body {{ x }} {{ s }}{% endcall %}
{% macro m() %}{% if caller %}yes{% else %}no{% endif %}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}
{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}
{% macro outer() %}{{ x }}{% endmacro %}{% set x = 5 %}{{ outer() }}{% set x = 6 %}{{ outer() }}
{% macro m() %}{{ s }}{% set s = 'inner' %}{{ s }}{% endmacro %}{{ m() }}{{ s }}
{% set x = 1 %}{% macro m() %}{{ x }}{% set x = 2 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}
{% for i in l %}{% macro m() %}{{ i }}{{ loop.index }}{% endmacro %}{{ m() }}{% endfor %}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% set a = 3 %}{{ a }}{% endwith %}{{ a is defined }}{% with s = s ~ '!' %}{{ s }}{% endwith %}{{ s }}{% with %}{% set z = 9 %}{% endwith %}{{ z }}
{% filter upper %}shout {{ s }}{% endfilter %}{% filter replace('a', 'b')|title %}a banana{% endfilter %}
{% raw %}{{ not }} {% if %}{% endraw %}|{%- raw -%}  x  {%- endraw -%}  y
{# comment #}a{#- c -#} b {# {{ x }} #}
a {{- ' b ' -}} c {{ 'd' }} e
  {% if t %}
  yes
  {% endif %}
  done
  {%+ if t %} x {%+ endif +%} 
 y
<div>
    {%- for x in l -%}
        {{ x }}
    {%- endfor %}
</div>
{{ '\n' }}|{{ "\t\x41\u00e9\U0001F600\101\q\'\"" }}|{{ 'a' 'b' "c" }}|{{ 'it''s' }}
{{ {'a': {'b': {}}} }}{{ {} }}{{ {1: 2, 'x': none,} }}{{ [1, 2,] }}{{ (1,) }}{{ () }}{{ (1, 2) }}{{ (1) }}{{ [] }}{{ {'a':{'b':1}}}}
{{ {'a': 1, 'a': 2} }}{{ {1: 'x', 1.0: 'y', true: 'z'} }}
{{ '  x '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ sp|trim }}|{{ 5|trim }}|{{ none|trim }}|{{ sp.strip() }}|{{ sp.lstrip() }}|{{ sp.rstrip() }}|{{ 'xyx'.strip('xy') }}|{{ '\n\na\n'.lstrip('\n') }}
{{ s|upper }}{{ s|lower }}{{ 'hello world-foo'|title }}{{ 'hELLO'|capitalize }}{{ s.upper() }}{{ s.lower() }}{{ "they're bill's"|title }}{{ "they're bill's".title() }}{{ 'abc'.capitalize() }}{{ 'aBc'.swapcase() }}
{{ s|replace('l', 'L') }}{{ s|replace('l', 'L', 1) }}{{ s.replace('o', '0') }}{{ s.replace('o', '0', 1) }}{{ 'aaa'.replace('', '-') }}{{ 5|replace('5', 6) }}
{{ s.split() }}{{ s.split(',') }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}{{ ' a  b '.split() }}{{ ' a  b '.split(' ') }}{{ ''.split() }}{{ ''.split(',') }}{{ 'a b c'.split(none, 1) }}{{ 'a b  c '.rsplit(none, 1) }}{{ 'a b  c '.split(maxsplit=1) }}{{ lines.splitlines() }}{{ lines.splitlines(true) }}
{{ s.startswith('He') }}{{ s.endswith('!') }}{{ s.startswith(('x', 'H')) }}{{ s.find('o') }}{{ s.rfind('o') }}{{ s.find('zz') }}{{ s.index('o') }}{{ s.count('l') }}{{ u.find('한') }}{{ s.startswith('lo', 3) }}{{ s.find('o', 5) }}{{ 'aXbX'.count('X', 2) }}
{{ ', '.join(w) }}{{ w|join }}{{ w|join(', ') }}{{ l|join('-') }}{{ m|join(',', attribute='role') }}{{ mixed|join('|') }}{{ 'abc'|join('.') }}{{ nil|join }}
{{ 'x'.zfill(3) }}{{ '-5'.zfill(4) }}{{ 'x'.ljust(3) }}|{{ 'x'.rjust(3, '.') }}|{{ 'x'.center(4, '*') }}|{{ 'xy'.center(5, '*') }}|{{ 'foo'|center(9) }}|{{ 'prefix'.removeprefix('pre') }}{{ 'suffix'.removesuffix('fix') }}{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}{{ 'a'.partition('=') }}
{{ 'abc'.isalpha() }}{{ '12'.isdigit() }}{{ 'a1'.isalnum() }}{{ ' '.isspace() }}{{ 'AB'.isupper() }}{{ 'ab'.islower() }}{{ ''.isalpha() }}{{ '²'.isdigit() }}{{ '½'.isnumeric() }}{{ 'é'.isascii() }}{{ '3'.isdecimal() }}
{{ l|length }}{{ s|count }}{{ u|length }}{{ d|length }}{{ undefined_|length }}{{ range(5)|length }}
{{ 5|length }}
{{ l|first }}{{ l|last }}{{ s|first }}{{ s|last }}{{ nil|first }}{{ nil|first is defined }}{{ nil|last is defined }}{{ d|first }}{{ d|last }}
{{ l|sort }}{{ l|sort(reverse=true) }}{{ w|sort }}{{ w|sort(case_sensitive=true) }}{{ m|sort(attribute='n')|map(attribute='content')|list }}{{ m|sort(attribute='n,content')|map(attribute='content')|list }}{{ m|sort(attribute='n', reverse=true)|map(attribute='content')|list }}{{ d|sort }}
{{ mixed|sort }}
{{ l|max }}{{ l|min }}{{ w|max }}{{ w|min }}{{ nil|max }}{{ l|sum }}{{ m|sum(attribute='n') }}{{ l|sum(start=10) }}{{ m|max(attribute='n') }}
{{ [1, 2, 1, 'a', 'A']|unique|list }}{{ w|unique(case_sensitive=true)|list }}{{ m|unique(attribute='role')|map(attribute='content')|list }}
{{ w|map('upper')|list }}{{ m|map(attribute='role')|list }}{{ m|map(attribute='x.y')|list }}{{ m|map(attribute='zz', default='-')|list }}{{ l|map('string')|join('+') }}{{ w|map('replace', 'a', 'z')|list }}{{ m|map('tojson')|join(',') }}{{ l|map('default', 3)|list }}
{{ l|select('odd')|list }}{{ l|reject('odd')|list }}{{ l|select|list }}{{ l|select('>', 1)|list }}{{ m|selectattr('role', 'equalto', 'user')|list|length }}{{ m|selectattr('x')|list|length }}{{ m|rejectattr('x')|list|length }}{{ m|selectattr('x', 'defined')|map(attribute='n')|list }}{{ m|selectattr('role', 'in', ['user'])|list|length }}{{ mixed|select('string')|list }}{{ mixed|reject('none')|list }}
{% set g = l|select('odd') %}{{ g|list }}{{ g|list }}{% if nil|select %}truthy{% endif %}{{ (l|map('string')) is iterable }}{{ (l|map('string')) is sequence }}
{{ l|select('odd')|length }}
{{ l|batch(2)|list }}{{ l|batch(2, 0)|list }}{{ w|slice(3)|list }}{{ w|slice(3, 'x')|list }}{{ l|reverse|list }}{{ s|reverse }}{{ d|reverse|list }}
{% for k, g in m|groupby('role') %}{{ k }}:{{ g|length }};{% endfor %}{% for g in m|groupby('role') %}{{ g.grouper }}{{ g.list|length }}{{ g[0] }}{% endfor %}{{ [{'a': 1}]|groupby('a') }}
{{ undefined_|default('x') }}{{ ''|default('x') }}{{ ''|default('x', true) }}{{ none|default('x') }}{{ none|d('x', boolean=true) }}{{ undefined_|default }}{{ false|default(true) }}
{{ num|int }}{{ fl|int }}{{ fl|float }}{{ 'x'|int }}{{ 'x'|int(5) }}{{ hex|int(base=16) }}{{ '11'|int(0, 2) }}{{ 3.7|int }}{{ -3.7|int }}{{ true|int }}{{ none|int }}{{ '1_000'|int }}{{ 'x'|float }}{{ 'x'|float(1.5) }}{{ 3|float }}{{ '1e3'|float }}{{ 'inf'|float }}{{ '1e3'|int }}{{ l|int }}
{{ 2.5|round }}{{ 3.5|round }}{{ 2.675|round(2) }}{{ 2.4|round(0, 'ceil') }}{{ 2.6|round(method='floor') }}{{ 1234.567|round(1) }}{{ 5|round }}{{ 1234|round(1) }}{{ -2.5|round }}{{ -5|abs }}{{ -5.5|abs }}
{{ 5|string }}{{ none|string }}{{ l|string }}{{ 1.0|string }}{{ (5|string) is string }}
{{ d|tojson }}|{{ mixed|tojson }}|{{ u|tojson }}|{{ q|tojson }}|{{ h|tojson }}|{{ g|tojson }}|{{ none|tojson }}|{{ true|tojson }}|{{ '\x00\x1f\x7f\u2028'|tojson }}|{{ (1, 2)|tojson }}|{{ {1: 2, none: 3, true: 4, 2.5: 5}|tojson }}
{{ d|tojson(indent=2) }}|{{ nil|tojson(indent=2) }}|{{ dd|tojson(indent=2) }}|{{ m|tojson(indent=4) }}|{{ d|tojson(sort_keys=true) }}|{{ d|tojson(separators=(',', ':')) }}|{{ u|tojson(ensure_ascii=true) }}|{{ l|tojson(indent=0) }}|{{ l|tojson(indent=none) }}|{{ l|tojson(indent='--') }}|{{ d|tojson(true) }}
{{ undefined_|tojson }}
{{ d.items()|tojson }}
{{ namespace()|tojson }}
{{ lines|indent }}|{{ lines|indent(2, true) }}|{{ lines|indent(first=true, blank=true) }}|{{ lines|indent('> ') }}|{{ ''|indent }}
{{ 'foo bar baz qux'|truncate(9) }}|{{ 'foo bar baz qux'|truncate(9, true) }}|{{ 'foo bar baz qux'|truncate(11) }}|{{ 'foo bar baz qux'|truncate(11, false, '...', 0) }}|{{ s|wordcount }}
{{ h|e }}|{{ h|escape }}|{{ h|safe }}|{{ (h|safe) ~ '<' }}|{{ (h|e) + '<' }}|{{ '<' + (h|safe) }}|{{ d|tojson|safe }}|{{ h|urlencode }}|{{ {'a b': 'c&d'}|urlencode }}|{{ (h|safe)|length }}|{{ (h|safe) is escaped }}|{{ (h|safe)|string }}
{{ '%s-%d-%5.2f-%x' % ('a', 5, 2.345, 255) }}{{ '%s' % s }}{{ '%5s|%-5s|%05d|%+d' % ('a', 'b', 42, 7) }}{{ '%%' % () }}{{ '%(a)s' % {'a': 1} }}{{ '%s %s'|format('x', 'y') }}{{ '%(n)s'|format(n=1) }}{{ '%r' % 'q' }}{{ '%.3s' % 'abcdef' }}{{ '%s' % none }}
{{ '%s' % (1, 2) }}
{{ '%d' % 'x' }}
{{ '{} {}'.format(1, 'a') }}{{ '{0}{1}{0}'.format('x', 'y') }}{{ '{a}'.format(a=5) }}{{ '{{}}'.format() }}
{{ x is defined }}{{ s is defined }}{{ x is undefined }}{{ none is none }}{{ s is none }}{{ s is not none }}{{ s is string }}{{ n is string }}{{ n is number }}{{ t is number }}{{ t is integer }}{{ f is float }}{{ n is integer }}{{ t is boolean }}{{ n is boolean }}{{ t is true }}{{ no is false }}{{ 1 is true }}
{{ d is mapping }}{{ l is mapping }}{{ l is iterable }}{{ n is iterable }}{{ s is iterable }}{{ l is sequence }}{{ s is sequence }}{{ d is sequence }}{{ n is sequence }}{{ d.items() is sequence }}{{ d.items() is iterable }}{{ x is iterable }}{{ x is sequence }}{{ range(3) is sequence }}
{{ 3 is odd }}{{ 3 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}{{ 3 is eq 3 }}{{ 3 is ne 4 }}{{ 3 is lt 4 }}{{ 3 is gt(4) }}{{ 3 is sameas 3 }}{{ none is sameas none }}{{ true is sameas true }}{{ 1 is sameas true }}{{ 1 is in [1] }}{{ 1 is not in [1] }}{{ 'ab' is lower }}{{ 'AB' is upper }}{{ raise_exception is callable }}{{ s is callable }}{{ 'upper' is filter }}{{ 'odd' is test }}
{{ 1 is number and 2 is number }}{{ not s is none }}{{ s is string or x.y }}{{ x is defined and x.y }}{{ 4 is divisibleby 2 and true }}
{{ x.y }}
{{ x.y.z }}
{{ x + 1 }}
{{ x() }}
{{ s.nope() }}
{{ d.nope.deeper }}
{{ 1 + 'a' }}
{{ 'a' + 1 }}
{{ none + 'a' }}
{{ none < 1 }}
{{ 'a' < 1 }}
{{ l.append(4) }}
{{ d.update({}) }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for x in undefined_ %}{{ x }}{% else %}empty{% endfor %}
{% for a, b in [[1, 2], (3, 4), 'xy'] %}{{ a }}{{ b }};{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for c in 'a한' %}{{ c }},{% endfor %}{% for i in range(1, 10, 3) %}{{ i }}{% endfor %}{% for i in range(3, 0, -1) %}{{ i }}{% endfor %}{{ range(3) }}{{ range(1, 5, 2) }}{{ range(5)[1] }}{{ range(5)[-1] }}{{ range(3)|list }}{{ range(5)|sum }}{{ 3 in range(5) }}
{{ raise_exception('stop') }}
{{ raise_exception }}
{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%Y-%m-%d %H:%M:%S') }}|{{ strftime_now('%A %a %B %b %d %j %I %p %y %%') }}|{{ strftime_now('%c %x %X %e %-d %U %W %V %w %u %F %T %D %R %f') }}|{{ strftime_now is defined }}
{{ dict(a=1, b=2) }}{{ dict({'x': 1}, y=2) }}{{ dict([('a', 1)]) }}{{ dict() }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}{{ c.reset() }}{{ c.next() }}
{% generation %}gen{{ s }}{% set s = 1 %}{{ s }}{% endgeneration %}{{ s }}{%- generation -%} trimmed {%- endgeneration -%} 
{% for x in l %}{% generation %}{{ loop.index }}{{ x }}{% endgeneration %}{% endfor %}
{% print s, n %}{% if s: %}colon{% endif %}{% for x in l: %}{{ x }}{% endfor %}
{{ l.index(1) }}{{ l.count(1) }}{{ (1, 2).index(2) }}{{ l.copy() }}
{{ l.index(99) }}
{{ d.copy() }}{{ d|attr('b') }}{{ d|attr('keys') is defined }}{{ s|attr('nope') is defined }}
{{ s | upper | lower | title }}{{ -1|abs }}{{ (-1)|abs }}{{ 1 + 2|string|length }}{{ not true|string }}{{ [1, 2][0] }}{{ {'a': 1}['a'] }}{{ {'a': 1}.a }}{{ 'abc'[1] }}{{ 'abc'.upper()[0] }}{{ ('a' ~ 'b')|upper }}
{{ n if n is defined and n > 5 else 'small' }}{{ 'a' if 1 == 1 and not 2 == 3 }}{{ (l if l else nil)|first }}
{{ m|selectattr('role', '==', 'user')|map(attribute='content')|join(' / ') }}{{ (m|selectattr('role', 'eq', 'assistant')|first).content }}{{ m|map(attribute='role')|unique|list|length }}
{{ m[1:]|length }}{{ m[::-1][0].n }}{{ m[:2]|map(attribute='content')|list }}{{ m|length - 1 }}{{ m[m|length - 1].role }}
{%- set x = [] %}{% for i in l %}{% set x = x + [i] %}{% endfor %}{{ x }}
{% set x = namespace(list=[]) %}{% for i in l %}{% set x.list = x.list + [i * 2] %}{% endfor %}{{ x.list }}
{% if 'a' in 'abc' and 1 not in [2] %}ok{% endif %}{% if not (1 and 0) %}ok{% endif %}{% if m[0].role == 'user' != true %}ok{% endif %}
{{ s.split(', ')[1][:-1].lower() }}{{ s.split(',')|last|trim }}{{ (s ~ ' x').split()[-1] }}
{{ '' is string }}{{ '' == e }}{{ none ~ '' }}{{ undefined_ ~ 'x' }}{{ [undefined_] }}{{ undefined_ == undefined2 }}{{ undefined_ == none }}{{ undefined_ in [1] }}
{{ 'a\
b' }}{{ "multi
line" }}
{{ loop }}{{ loop is defined }}{{ self is defined }}{{ caller is defined }}{{ varargs is defined }}
{{ true }}{{ True }}{{ none }}{{ None }}{{ false }}{{ False }}{{ 1if true else 2 }}
{{ 10 ** 15 }}{{ 10.0 ** 2 }}{{ 7.0 }}{{ 1e3 }}{{ 0.1 + 0.2 }}{{ 1 / 3 }}{{ 100 * 1.1 }}{{ 5 // 2.0 }}{{ -0.0 }}{{ 1e100 }}{{ 3.0 * 2 }}{{ +5 }}{{ --5 }}
{{ [1, [2, {'a': (3,)}]] }}{{ 'it\'s' }}{{ ['it\'s'] }}{{ ['"'] }}{{ ['\'"'] }}{{ ['\n\t\x00\u200b\xad'] }}{{ ['한', '👩', '\u2028'] }}
{% filter trim %}  {{ s }}  {% endfilter %}{% set v | trim %}  x  {% endset %}[{{ v }}]
{%- if t -%}  a  {%- else -%}  b  {%- endif -%}
{{ m|tojson }}{% for x in m %}{{ x|tojson }}{% if not loop.last %}, {% endif %}{% endfor %}
{% for message in m %}{% if loop.index0 % 2 == 0 and message['role'] != 'user' %}{{ raise_exception('x') }}{% endif %}{{ message.content|trim }}{% endfor %}
"""

def environment():
    return ctu._compile_jinja_template("").environment
ENV = environment()

class TimeOut(Exception): pass
def alarm(*_): raise TimeOut()
signal.signal(signal.SIGALRM, alarm)

def render(source, vars):
    case = {"source": source, "variables": vars}
    signal.alarm(2)
    try:
        text = ENV.from_string(source).render(**vars)
        if re.search(r"<(generator|function|bound|built-in|class|jinja2|list_rev|reversed|map|itertools|dict_rev|range_it)|object at 0x|of .* object", text) or re.search("<[a-z]+ .*0x", text):
            return None # prints an address
        case["text"] = text
    except TimeOut:
        return None
    except Exception as e:
        case["error"] = type(e).__name__
    finally:
        signal.alarm(0)
    return case

CALLS = ["find('a')", "count('l')", "partition(' ')", "zfill(5)", "splitlines()", "isdigit()", "isalpha()", "startswith(e)",
    "endswith(s)", "rsplit(' ', 1)", "title()", "removeprefix('H')"]
GETS = ["b", "a", "items()", "zz", "get('a')", "get('q', 1)"]

# Random templates: expressions of a wanted type most of the time.
class Gen:
    def __init__(self, rng): self.r = rng
    def pick(self, *fs): return self.r.choice(fs)
    def lit(self):
        return self.r.choice(["'abc'", "'a b c'", "''", "' x '", "'A,b'", "1", "0", "2", "-1", "3.5", "true", "false", "none", "[]", "[1, 2, 3]", "['b', 'a']", "{'k': 'v', 'j': 2}", "(1, 'x')", "10", "'7'", "'é한'", "range(3)"])
    def name(self): return self.r.choice(list(VARS) + ["x", "y", "i", "undefined_", "v"])
    def string(self, d):
        r = self.r
        if d <= 0: return r.choice(["s", "e", "sp", "u", "q", "'abc'", "'x'", "' '", "''", "num", "m[0].role", "lines", "h"])
        return r.choice([
            lambda: f"({self.string(d-1)} ~ {self.expr(d-1)})", lambda: f"({self.string(d-1)} + {self.string(d-1)})",
            lambda: f"{self.string(d-1)}|{r.choice(['upper','lower','trim','title','capitalize','string','indent','tojson','reverse'])}",
            lambda: f"({self.string(d-1)}).{r.choice(['strip','lstrip','rstrip','upper','lower','title','capitalize','swapcase'])}({r.choice(['', '', self.quoted()]) if r.random()<.3 else ''})",
            lambda: f"({self.string(d-1)}).replace({self.quoted()}, {self.quoted()})", lambda: f"{self.string(d-1)}|replace({self.quoted()}, {self.expr(0)})",
            lambda: f"({self.string(d-1)})[{self.slice()}]", lambda: f"{self.list(d-1)}|join({self.quoted()})", lambda: f"{self.expr(d-1)}|tojson",
            lambda: f"{self.expr(d-1)}|string", lambda: f"({self.string(d-1)} if {self.expr(d-1)} else {self.string(d-1)})",
            lambda: f"({self.string(d-1)}).split({r.choice(['', self.quoted()])})[{r.choice(['0', '-1', '1'])}]", lambda: f"{self.expr(d-1)}|default({self.expr(0)}{r.choice(['', ', true'])})",
            lambda: f"('%s' % {self.string(d-1)})", lambda: f"({self.string(d-1)} * {r.choice(['0', '1', '2', 'n', '-1'])})",
            lambda: f"{self.string(d-1)}|{r.choice(['center(11)', 'truncate(6)', 'trim(s)', 'wordcount', 'length', 'first', 'last', 'e', 'urlencode', 'int', 'float', 'list'])}",
            lambda: f"({self.string(d-1)}).{r.choice(CALLS)}",
        ])()
    def quoted(self): return self.r.choice(["'a'", "'l'", "' '", "','", "'ab'", "'\\n'", "'o, '"])
    def slice(self):
        n = lambda: self.r.choice(["", "", "1", "2", "-1", "-2", "0", "5", "n", "none"])
        return self.r.choice([lambda: self.r.choice(["0", "-1", "1", "n", "9"]), lambda: f"{n()}:{n()}", lambda: f"{n()}:{n()}:{self.r.choice(['1', '2', '-1', '-2', ''])}"])()
    def num(self, d):
        r = self.r
        if d <= 0: return r.choice(["1", "0", "2", "n", "z", "neg", "f", "3.5", "t", "10", "g"])
        return r.choice([lambda: f"({self.num(d-1)} {r.choice(['+', '-', '*', '/', '//', '%'])} {self.num(d-1)})", lambda: f"-{self.num(d-1)}", lambda: f"{self.expr(d-1)}|length",
            lambda: f"{self.expr(d-1)}|int", lambda: f"{self.expr(d-1)}|float", lambda: f"{self.num(d-1)}|round({r.choice(['', '1', '2'])})", lambda: f"{self.num(d-1)}|abs",
            lambda: f"{self.list(d-1)}|{r.choice(['sum', 'max', 'min', 'first', 'last', 'length', 'count'])}", lambda: f"({self.num(d-1)} ** {r.choice(['2', '0', '-1', '3'])})", lambda: f"{self.list(d-1)}[{self.slice()}]",
            lambda: "loop." + r.choice(["index", "index0", "length", "revindex", "first", "last"])])()
    def list(self, d):
        r = self.r
        if d <= 0: return r.choice(["l", "w", "mixed", "nil", "m", "[1, 2]", "d", "range(4)", "(1, 2)", "d.items()", "d.keys()", "d.values()", "s"])
        return r.choice([lambda: f"[{', '.join(self.expr(d-1) for _ in range(r.randrange(3)))}]", lambda: f"({self.list(d-1)} + {self.list(d-1)})", lambda: f"{self.list(d-1)}[{self.slice()}]",
            lambda: f"{self.list(d-1)}|{r.choice(['list', 'sort', 'reverse', 'unique', 'sort(reverse=true)', 'batch(2)', 'slice(2)', 'items', 'dictsort'])}|list",
            lambda: f"{self.list(d-1)}|map('{r.choice(['string', 'upper', 'length', 'tojson', 'int', 'trim', 'first', 'abs'])}')|list",
            lambda: f"m|map(attribute='{r.choice(['role', 'n', 'x', 'x.y', 'zz'])}')|list", lambda: f"{self.list(d-1)}|{r.choice(['select', 'reject'])}({self.test()})|list",
            lambda: f"m|{r.choice(['selectattr', 'rejectattr'])}('{r.choice(['role', 'n', 'x'])}'{r.choice(['', ', ' + self.test()])})|list", lambda: f"({self.string(d-1)}).split()", lambda: f"({self.list(d-1)} or {self.list(d-1)})"])()
    def test(self):
        return self.r.choice(["'odd'", "'string'", "'none'", "'defined'", "'number'", "'equalto', 'user'", "'in', [1, 2, 'user']", "'mapping'", "'gt', 1", "'true'", "'sequence'", "'lower'"])
    def cond(self, d):
        r = self.r
        if d <= 0: return r.choice(["t", "no", "s", "e", "x is defined", "n > 3", "'a' in s"])
        return r.choice([lambda: f"{self.expr(d-1)} {r.choice(['==', '!=', '<', '<=', '>', '>='])} {self.expr(d-1)}", lambda: f"({self.cond(d-1)} {r.choice(['and', 'or'])} {self.cond(d-1)})", lambda: f"not {self.cond(d-1)}",
            lambda: f"{self.expr(d-1)} is {r.choice(['', 'not '])}{r.choice(['defined', 'none', 'string', 'mapping', 'iterable', 'sequence', 'number', 'boolean', 'true', 'false', 'integer', 'float', 'undefined', 'odd', 'even', 'lower', 'upper', 'sameas none', 'divisibleby 2', 'eq 1', 'in l'])}",
            lambda: f"{self.expr(d-1)} {r.choice(['in', 'not in'])} {self.list(d-1)}", lambda: f"{self.string(d-1)} in {self.string(d-1)}"])()
    def expr(self, d):
        r = self.r
        if d <= 0: return r.choice([self.name, self.lit])()
        return r.choice([lambda: self.string(d), lambda: self.num(d), lambda: self.list(d), lambda: f"({self.cond(d)})", lambda: self.expr(0), lambda: f"d.{r.choice(GETS)}",
            lambda: f"{{'a': {self.expr(d-1)}, {self.quoted()}: {self.expr(d-1)}}}", lambda: f"({self.expr(d-1)} if {self.cond(d-1)}{r.choice(['', ' else ' + self.expr(d-1)])})", lambda: f"({self.expr(d-1)}, {self.expr(d-1)})", lambda: f"m[{r.choice(['0', '1', '-1', 'i', '5'])}].{r.choice(['role', 'n', 'x', 'x.y', 'content'])}",
            lambda: f"{self.name()}.{self.r.choice(['a', 'b', 'x', 'role'])}", lambda: f"mac({self.expr(d-1)})"])()
    def ws(self): return self.r.choice(["", "", "", " ", "\n", "  \n  ", "text ", "\n\n", "한\t", "\n    "])
    def sign(self): return self.r.choice(["", "", "-", "", "+"])
    def esign(self): return self.r.choice(["", "", "-", "+"])
    def tag(self, body): return "{%" + self.sign() + " " + body + " " + self.esign() + "%}"
    def stmts(self, d, loop=False):
        return self.ws() + "".join(self.stmt(d, loop) + self.ws() for _ in range(self.r.randrange(1, 4)))
    def stmt(self, d, loop):
        r = self.r
        k = r.random()
        if d <= 0 or k < 0.3: return "{{" + r.choice(["", "-", ""]) + " " + self.expr(r.randrange(3)) + " " + r.choice(["", "-"]) + "}}"
        var = r.choice(["x", "y", "v", "s", "n", "i"])
        if k < 0.45: return self.tag(f"set {var} = {self.expr(2)}")
        if k < 0.6:
            out = self.tag(f"if {self.cond(2)}") + self.stmts(d-1, loop)
            if r.random() < 0.3: out += self.tag(f"elif {self.cond(1)}") + self.stmts(d-1, loop)
            if r.random() < 0.4: out += self.tag("else") + self.stmts(d-1, loop)
            return out + self.tag("endif")
        if k < 0.75:
            target = r.choice(["x", "y", "i", "v", "k, v"])
            test = f" if {self.cond(1)}" if r.random() < 0.25 else ""
            out = self.tag(f"for {target} in {self.list(1) if target != 'k, v' else r.choice(['d.items()', 'd|items', 'd|dictsort', self.list(0)])}{test}") + self.stmts(d-1, True)
            if r.random() < 0.2: out += self.tag("else") + self.stmts(d-1, loop)
            return out + self.tag("endfor")
        if k < 0.8: return self.tag("set ns = namespace(c=0)") + self.tag(f"for q in {self.list(0)}") + self.tag(f"set ns.c = {r.choice(['ns.c + 1', 'q', 'ns.c ~ q'])}") + self.tag("endfor") + "{{ ns.c }}"
        if k < 0.84: return self.tag(f"set {var}") + self.stmts(d-1, loop) + self.tag("endset")
        if k < 0.88: return self.tag(f"macro mac(p, o={self.expr(1)})") + self.stmts(d-1) + r.choice(["{{ p }}{{ o }}", ""]) + self.tag("endmacro") + "{{ mac(" + self.expr(1) + ") }}"
        if k < 0.91: return self.tag(f"with {var} = {self.expr(1)}") + self.stmts(d-1, loop) + self.tag("endwith")
        if k < 0.93: return self.tag("filter " + r.choice(["upper", "trim", "replace('a', 'b')", "indent"])) + self.stmts(d-1, loop) + self.tag("endfilter")
        if k < 0.96 and loop: return self.tag(f"if {self.cond(1)}") + self.tag(r.choice(["break", "continue"])) + self.tag("endif")
        if k < 0.98: return r.choice(["{#", "{#-"]) + " c " + r.choice(["#}", "-#}"])
        return self.tag("raw") + "{{ x }}" + self.tag("endraw").replace("+%}", "%}") 

def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    here = os.path.dirname(os.path.abspath(__file__))
    out = sys.argv[3] if len(sys.argv) > 3 else here + "/syntax.json.gz"
    sources = CASES.strip("\n").split("\n")
    # A tag or a string that runs over lines belongs together.
    sources += ["  {% if t %}\n  yes\n  {% endif %}\n  done\n", "<div>\n    {%- for x in l -%}\n        {{ x }}\n    {%- endfor %}\n</div>\n\n",
        "a\n  {%+ if t %} x {%+ endif +%} \n y", "{{ \"multi\nline\" }}{{ 'a\\\nb' }}", "{{ s }}\r\n{% if t %}\r\nx{% endif %}\r\n", "x\n{# c #}\ny\n  {# d -#}\n z", "\n\n{%- set x = 1 -%}\n\n{{ x }}\n\n"]
    cases = []
    for source in sources:
        for i, part in enumerate(re.split(r"\|(?=\{\{)|(?<=\}\})(?=\{\{)", source) if "{%" not in source and "'|'" not in source else [source]):
            cases.append(render(part, VARS))
    gen = Gen(random.Random(seed))
    while count > 0:
        case = render(gen.stmts(3), VARS)
        if case is None or len(case.get("text", "")) > 2000 or "error" in case and gen.r.random() < 0.6: continue
        cases.append(case)
        count -= 1
    cases = [c for c in cases if c]
    for c in cases[1:]: c["variables"] = None # those of the first
    with open(out, "wb") as f:
        with gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
            z.write(json.dumps(cases).encode())
    print(len(cases), "cases,", sum("error" in c for c in cases), "of them errors")
main()
