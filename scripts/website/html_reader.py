"A page of the site as its readers' programs see it: anchors, links, what it loads, and what it shows without words."

import re
from html.parser import HTMLParser

SOURCES = ("img", "script", "iframe", "video", "audio", "source", "embed", "track", "input")
LOADED_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
UNREAD = ("script", "style", "pre", "code", "textarea")  # elements whose text is no prose


def is_named(attrs: dict[str, str]) -> bool:
    "Whether an element says in words what it shows, or says that it shows nothing."
    words = ("alt", "aria-label", "aria-labelledby", "title")
    return any(attrs.get(name, "").strip() for name in words) or attrs.get("aria-hidden") == "true"


def loaded_by(tag: str, attrs: dict[str, str]) -> list[str]:
    "What a browser fetches for an element."
    loads = []
    if tag in SOURCES:
        loads += [attrs[name] for name in ("src", "poster") if attrs.get(name)]
    if attrs.get("srcset"):
        loads += [part.split()[0] for part in re.split(r",\s+", attrs["srcset"]) if part.strip()]
    if tag == "object" and attrs.get("data"):
        loads.append(attrs["data"])
    if tag == "link" and set(attrs.get("rel", "").split()) & LOADED_RELATIONS:
        loads.append(attrs.get("href", ""))
    return loads


def label_of(attrs: dict[str, str]) -> str:
    "How an element is named in a complaint."
    return (attrs.get("src") or attrs.get("id") or "?")[:60]


def without_words(tag: str, attrs: dict[str, str]) -> list[str]:
    "An element that shows something to those alone who see, as a list of no or one label."
    is_picture = tag in ("img", "area") and not attrs.get("alt", "").strip()
    is_button = tag == "input" and attrs.get("type") == "image" and not is_named(attrs)
    is_frame = tag in ("iframe", "object", "embed", "canvas") and attrs.get("role") != "img" and not is_named(attrs)
    has_role = attrs.get("role") == "img" and not is_named(attrs)
    return [label_of(attrs)] * (is_picture or is_button) + [f"<{tag}> {label_of(attrs)}"] * (is_frame or has_role)


class Reader(HTMLParser):
    "Collects what a page points at, what it loads, and what it shows to those alone who see."

    def __init__(self, text: str):
        super().__init__()
        self.anchors, self.links, self.loads, self.unseen, self.scripts, self.visible = set(), [], [], [], [], []
        self.inside = []  # the open elements whose text is not read
        self.drawing = None  # a drawing that has not said its title yet
        self.feed(text)
        self._close_drawing()

    def _close_drawing(self):
        if self.drawing:
            self.unseen.append(self.drawing)
        self.drawing = None

    def handle_starttag(self, tag, attrs):
        attrs = {name: value or "" for name, value in attrs}
        if self.drawing and tag == "title":
            self.drawing = None
        self._close_drawing()
        self.anchors |= {attrs[name] for name in ("id", "name") if attrs.get(name)}
        if tag in ("a", "area") and "href" in attrs:
            self.links.append(attrs["href"])
        self.loads += loaded_by(tag, attrs)
        self.unseen += without_words(tag, attrs)
        if tag == "svg" and not is_named(attrs) and attrs.get("role") not in ("none", "presentation", "img"):
            self.drawing = f"<svg> {label_of(attrs)}"
        if tag in UNREAD:
            self.inside.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.visible.append(data)
        elif self.inside[-1] in ("script", "style"):
            self.scripts.append(data)
