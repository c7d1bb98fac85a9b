"""Texts that break careless programs. `REFUSED` must be refused by name, `INERT` must be kept and do nothing."""

from __future__ import annotations

INERT = {
    "script": "<script>alert('x')</script>",
    "markup": '"><img src=x onerror=alert(1)><svg/onload=alert(2)>',
    "link": "[click](javascript:alert(1)) <javascript:alert(2)> [data](data:text/html,<script>alert(3)</script>)",
    "jinja": "{{7*7}} {% for x in y %} {{ config }} ${7*7} #{7*7}",
    "format": "{0.__class__} {title} {operator} {until} %s %(title)s %n",
    "cdata": "]]> <![CDATA[ <!-- --> <?xml version='1.0'?> &lt; &amp; &#0; &bogus;",
    "emoji": "🔥👩‍👩‍👧‍👦🇷🇺 é ﷽ Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤",
    "formula": '=HYPERLINK("http://evil.example";"x") @SUM(1) +1 -1',
    "quotes": "' OR '1'='1 -- \" ; DROP TABLE incident; \\",
    "separators": "one\u2028two\u2029three\u00a0four\u200bfive",
    "breaks": "Outage\r\nBcc: victim@example.com\r\nSet-Cookie: a=b\r\n\r\n<p>body",
}

REFUSED = {
    "nul": "a\0b",
    "escape": "a\x1b[31mb",
    "vertical tab": "a\x0bb",
    "return": "a\rb",
    "override": "a\u202egnp.exe",
    "isolate": "a\u2066b",
    "noncharacter": "a\uffffb",
    "plane": "a\U0001fffeb",
    "half": "a\ud800b",
    "long": "x" * 100_000,
}

IN_TITLES_A_SPACE = ("vertical tab", "return")
"""A title is one line: any break in it becomes a space."""
