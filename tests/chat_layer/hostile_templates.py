"""Chat templates that try to use up the machine or to escape, by name."""

from __future__ import annotations

_DAG = "{% set ns = namespace(x=['ab']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
_TWO_DAGS = (
    "{% set ns = namespace(x=['a'], y=['a']) %}{% for i in range(60) %}"
    "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}"
)
_TUPLE_DAG = (
    "{% set ns = namespace(x=('a',)) %}{% for i in range(60) %}"
    "{% set ns.x = (ns.x, ns.x) %}{% endfor %}"
)
_LATE_DAG = (
    "{% set ns = namespace(a=[]) %}{% set top = ns.a %}{% for i in range(60) %}{% set b = [] %}"
    "{% set _ = ns.a.append(b) %}{% set _ = ns.a.append(b) %}{% set ns.a = b %}{% endfor %}"
)
_MEGABYTE = "{% set s = 'abcdefgh' * 131072 %}"
_TEXT_200K = "A" * 200_000
_LOOP = "{% for a in range(100000) %}"

MEMORY = {
    "repeat": "{{ 'a' * 10**9 }}",
    "repeat-reversed": "{{ 10**9 * 'a' }}",
    "repeat-list": "{{ [0] * 10**9 }}",
    "repeat-constant": "{{ 'a' * 1000000000 }}",
    "repeat-step-by-step": "{% set s = 'a' * 4000000 %}{% set t = [s, s, s] * 1000 %}{{ t }}",
    "power": "{{ 10 ** (10 ** 9) }}",
    "power-of-power": "{{ 9 ** (9 ** (9 ** 9)) }}",
    "product": "{% set ns = namespace(x=7) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "range": "{{ range(10**9) | list }}",
    "range-in-range": "{{ range(100000) | map('string') | list | length }}" * 200,
    "doubling-plus": "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "doubling-tilde": "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "doubling-list": "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "doubling-join": "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] | join %}{% endfor %}",
    "doubling-replace": "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x | replace('a', 'aa') %}{% endfor %}",
    "doubling-replace-method": "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x.replace('a', 'aa') %}{% endfor %}",
    "doubling-format": "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = '{0}{0}'.format(ns.x) %}{% endfor %}",
    "doubling-format-filter": "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = '%s%s' | format(ns.x, ns.x) %}{% endfor %}",
    "doubling-set-block": "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}",
    "doubling-macro": "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = m(ns.x) %}{% endfor %}",
    "macro-of-text": "{% macro m() %}" + _LOOP + _TEXT_200K + "{% endfor %}{% endmacro %}{{ m() }}",
    "set-block-of-text": "{% set x %}" + _LOOP + _TEXT_200K + "{% endfor %}{% endset %}{{ x }}",
    "output": _LOOP + _TEXT_200K + "{% endfor %}",
    "join-with-separator": _MEGABYTE + "{{ range(100000) | join(s) }}",
    "join-method": _MEGABYTE + "{{ s.join(['a'] * 1000) }}",
    "join-method-of-text": _MEGABYTE + "{{ s.join(s) }}",
    "join-generator": _MEGABYTE + "{{ range(100000) | map('replace', 'x', 'y') | join(s) }}",
    "width-percent": "{{ '%1000000000d' | format(1) }}",
    "width-percent-star": "{{ '%*d' | format(1000000000, 1) }}",
    "width-percent-operator": "{{ '%1000000000d' % 1 }}",
    "width-format": "{{ '{:1000000000}'.format(1) }}",
    "width-format-nested": "{{ '{:{w}}'.format(1, w=1000000000) }}",
    "width-format-item": "{{ ''['format'] }}{{ '{:>1000000000}'['format'](1) }}",
    "width-format-function": "{{ ('x'.format).func('{:>1000000000}', 1) }}",
    "width-center": "{{ 'a'.center(10**9) }}",
    "width-center-filter": "{{ 'a' | center(10**9) }}",
    "width-ljust": "{{ 'a'.ljust(10**9) }}",
    "width-zfill": "{{ 'a'.zfill(10**9) }}",
    "width-expandtabs": "{{ '\t'.expandtabs(10**9) }}",
    "width-indent": "{{ 'a\nb' | indent(10**9) }}",
    "width-tojson": "{{ [1] | tojson(indent=10**9) }}",
    "width-time": "{{ strftime_now('%1000000000d') }}",
    "time-repeated": "{{ strftime_now('%A' * 100000) }}",
    "batch": "{{ [1] | batch(10**9, 0) | list }}",
    "slice": "{{ [1] | slice(10**9, 0) | list }}",
    "to-bytes": "{{ (1).to_bytes(10**9, 'big') }}",
    "split": _MEGABYTE + "{% set x = [] %}{% for i in range(100) %}{% set _ = x.append(s.split('a')) %}{% endfor %}",
    "kept-slices": _MEGABYTE + "{% set x = [] %}{% for i in range(9999) %}{% set _ = x.append(s[i:]) %}{% endfor %}",
    "kept-literals": "{% set x = [] %}" + _LOOP + "{% set _ = x.append([" + "0," * 9999 + "]) %}{% endfor %}",
    "kept-upper": _MEGABYTE + "{% set x = [] %}{% for i in range(9999) %}{% set _ = x.append(s | upper) %}{% endfor %}",
    "lipsum": "{{ lipsum(n=100000) }}",
    "shared-print": _DAG + "{{ ns.x }}",
    "shared-namespace": _DAG + "{{ ns }}",
    "shared-namespace-string": _DAG + "{{ ns | string | length }}",
    "shared-items": _DAG + "{% set d = {'a': ns.x} %}{{ d.items() }}",
    "shared-values-json": _DAG + "{% set d = {'a': ns.x} %}{{ d.values() | tojson }}",
    "shared-mapping": _DAG + "{% set d = {'a': ns.x} %}{{ d.keys().mapping }}",
    "shared-print-late": _LATE_DAG + "{{ top }}",
    "shared-tilde": _DAG + "{% set y = ns.x ~ '' %}",
    "shared-json": _DAG + "{{ ns.x | tojson }}",
    "shared-string": _DAG + "{{ ns.x | string | length }}",
    "shared-trim": _DAG + "{{ ns.x | trim | length }}",
    "huge-source": "a" * 300_000,
}  # fmt: skip

TIME = {
    "endless-nested-loops": _LOOP * 3 + "{% endfor %}" * 3,
    "endless-output": _LOOP * 2 + "x" + "{% endfor %}" * 2,
    "endless-macro": "{% macro m() %}{% for i in range(100000) %}{% endfor %}{% endmacro %}"
    "{% for i in range(100000) %}{{ m() }}{% endfor %}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "recursion-fork": "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(99) }}",
    "recursive-loop": "{% for i in range(99999) recursive %}{{ loop(range(99999)) }}{% endfor %}",
    "shared-equal": _TWO_DAGS + "{{ ns.x == ns.y }}",
    "shared-items-equal": _TWO_DAGS
    + "{% set d, e = {'a': ns.x}, {'a': ns.y} %}{{ d.items() == e.items() }}",
    "shared-test-equal": _TWO_DAGS + "{{ ns.x is eq(ns.y) }}",
    "shared-in": _TWO_DAGS + "{{ ns.x in [ns.y] }}",
    "shared-less": _TWO_DAGS + "{{ ns.x < ns.y }}",
    "shared-index": _TWO_DAGS + "{{ [ns.x].index(ns.y) }}",
    "shared-count": _TWO_DAGS + "{{ [ns.x].count(ns.y) }}",
    "shared-sort": _TWO_DAGS + "{{ [ns.x, ns.y] | sort | length }}",
    "shared-unique": _TUPLE_DAG + "{{ [ns.x] | unique | list | length }}",
    "shared-key": _TUPLE_DAG + "{{ {ns.x: 1} | length }}",
    "shared-key-read": _TUPLE_DAG + "{{ {}[ns.x] }}",
    "shared-key-get": _TUPLE_DAG + "{{ {}.get(ns.x) }}",
    "shared-select": _TWO_DAGS + "{{ [ns.x] | select('eq', ns.y) | list | length }}",
    "shared-min": _TWO_DAGS + "{{ [ns.x, ns.y] | min | length }}",
    "long-sort": "{% set s = 'a' * 4000000 %}{{ (range(1000) | map('string') | list) | sort | length }}"
    "{% set x = [] %}{% for i in range(2000) %}{% set _ = x.append(s) %}{% endfor %}{{ x | sort | length }}",
    "sum-of-lists": "{{ [[1] * 1000] * 1000 | sum(start=[]) | length }}",
    "many-tokens": "{{a}}" * 50_000,
    "many-blocks": "{% if a %}b{% endif %}" * 11_000,
    "many-blocks-allowed": "{% if a %}b{% endif %}" * 2_400 + "{{ 1 / 0 }}",
    "many-outputs-allowed": "{{a|trim}}" * 3_600 + "{{ 1 / 0 }}",
    "many-lists-allowed": "{% set x = [" + "[a]," * 4_300 + "1] %}{{ 1 / 0 }}",
    "many-sums-allowed": ("{{ a" + "~b" * 40 + " }}") * 230 + "{{ 1 / 0 }}",
    "deep-parentheses": "{{ " + "(" * 50_000 + "1" + ")" * 50_000 + " }}",
    "deep-attributes": "{{ a" + ".b" * 20_000 + " }}",
    "deep-lists": "{{ " + "[" * 5_000 + "]" * 5_000 + " }}",
    "deep-minus": "{{ " + "-" * 20_000 + "1 }}",
    "deep-ifs": "{% if 1 %}" * 500 + "{% endif %}" * 500,
    "deep-loops": "{% for i in [1] %}" * 50 + "{% endfor %}" * 50,
    "long-sum": "{{ 1" + "+1" * 20_000 + " }}",
    "changed": _TWO_DAGS + "{% for i in [1, 2] %}{{ loop.changed(ns.x if i == 1 else ns.y) }}{% endfor %}",
}  # fmt: skip

ESCAPES = {
    "class": "{{ ''.__class__ }}",
    "class-item": "{{ ''['__class__'] }}",
    "subclasses": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "format-class": "{{ '{0.__class__}'.format('') }}",
    "format-item": "{{ '{0[0]}'.format(['a']) }}",
    "format-map": "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "attr-filter": "{{ '' | attr('__class__') }}",
    "map-attribute": "{{ [''] | map(attribute='__class__') | list }}",
    "function-globals": "{{ raise_exception.__globals__ }}",
    "function-code": "{{ strftime_now.__code__ }}",
    "format-function": "{{ ('x'.format).func('{0.__code__}', raise_exception) }}",
    "environment": "{{ self.__init__.__globals__ }}",
    "cycler": "{{ cycler.__init__.__globals__ }}",
    "namespace": "{{ namespace.__init__.__globals__ }}",
    "undefined": "{{ nothing.__class__.__init__.__globals__ }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "extends": "{% extends 'x' %}",
    "list-clear": "{{ messages.clear() }}",
    "dict-update": "{{ messages[0].update({}) }}",
    "dict-pop": "{{ messages[0].pop('role') }}",
    "encode": "{{ 'a'.encode() }}",
    "translate": "{{ 'a'.translate({97: 'b' }) }}",
    "call-number": "{{ 1() }}",
}  # fmt: skip

MALFORMED = {
    "open-tag": "{% if x %}",
    "open-expression": "{{ a",
    "unknown-tag": "{% do x %}",
    "unknown-filter": "{{ a | nothing_like_it }}",
    "unknown-test": "{{ a is nothing_like_it }}",
    "zero-division": "{{ 1 / 0 }}",
    "wrong-types": "{{ 'a' - 1 }}",
    "undefined-call": "{{ nothing() }}",
    "undefined-sum": "{{ nothing + 1 }}",
    "raises": "{{ raise_exception('no such role') }}",
    "nul": "{{ \x00 }}",
}

HOSTILE = MEMORY | TIME | ESCAPES | MALFORMED
