"""A person at the console, without a screen.

Keeps cookies, reads forms as they are served and sends them back filled in.
"""

from __future__ import annotations

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser


class StoryError(Exception):
    """Something in the story did not happen as it must; the message says what was seen."""


@dataclass
class Form:
    """A form of a page with the values a browser would send if nothing were touched."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select: tuple[str, list[str], list[str]] | None = None
        self._textarea: tuple[str, list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(got.get("action", ""), got.get("method", "get").lower())
            self.forms.append(self._open)
        elif self._open is not None and tag == "input":
            self._input(self._open, got)
        elif self._open is not None and tag == "button" and got.get("name"):
            self._open.buttons.append((got["name"], got.get("value", "")))
        elif tag == "select" and "name" in got:
            self._select = (got["name"], [], [])
        elif tag == "option" and self._select is not None:
            self._select[1].append(got.get("value", ""))
            if "selected" in got:
                self._select[2].append(got.get("value", ""))
        elif tag == "textarea" and "name" in got:
            self._textarea = (got["name"], [])

    def _input(self, form: Form, got: dict[str, str]) -> None:
        kind, name = got.get("type", "text"), got.get("name", "")
        if not name or "disabled" in got:
            return
        form.names.add(name)
        if kind == "submit":
            form.buttons.append((name, got.get("value", "")))
        elif kind not in {"checkbox", "radio", "file"} or "checked" in got:
            form.fields.append((name, got.get("value", "on" if kind == "checkbox" else "")))

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self._textarea[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select" and self._select is not None:
            name, options, selected = self._select
            self._select = None
            if self._open is not None:
                self._open.names.add(name)
                self._open.fields += [(name, value) for value in (selected or options[:1])]
        elif tag == "textarea" and self._textarea is not None:
            name, parts = self._textarea
            self._textarea = None
            if self._open is not None:
                self._open.names.add(name)
                self._open.fields.append((name, "".join(parts).removeprefix("\n")))


class Browser:
    """One logged-in person."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.url = base_url
        self.page = ""
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def open(self, path: str) -> str:
        """GET; the page's text. Raises StoryError for any answer but 200."""
        return self._fetch(urllib.request.Request(urllib.parse.urljoin(self.base_url, path)))

    def submit(self, action: str, button: tuple[str, str] | None = None, **values: str | list[str]) -> str:
        """Fill in the current page's form whose action matches `action` (an expression), send it, follow on."""
        form = self._form(action, set(values))
        fields = [(name, value) for name, value in form.fields if name not in values]
        for name, value in values.items():
            fields += [(name, one) for one in (value if isinstance(value, list) else [value])]
        if button is not None:
            fields.append(button)
        target = urllib.parse.urljoin(self.url, form.action or self.url)
        body = urllib.parse.urlencode(fields)
        if form.method == "get":
            return self._fetch(urllib.request.Request(f"{target}?{body}"))
        headers = {"Referer": self.url, "Origin": self.base_url}
        return self._fetch(urllib.request.Request(target, data=body.encode(), headers=headers))

    def _form(self, action: str, names: set[str]) -> Form:
        parser = _Forms()
        parser.feed(self.page)
        for form in parser.forms:
            if re.search(action, form.action) and names <= form.names:
                return form
        found = ", ".join(form.action or "(itself)" for form in parser.forms) or "none"
        raise StoryError(f"{self.url} has no form for {action} with {', '.join(sorted(names))}; it has: {found}")

    def _fetch(self, request: urllib.request.Request) -> str:
        try:
            with self._opener.open(request, timeout=30) as answer:
                self.url = answer.geturl()
                self.page = answer.read().decode()
                return self.page
        except urllib.error.HTTPError as refused:
            text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", refused.read().decode(errors="replace")))
            raise StoryError(
                f"{request.get_method()} {request.full_url} answered {refused.code}: {text[:400]}"
            ) from None
