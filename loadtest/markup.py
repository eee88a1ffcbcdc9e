"""Elements of a page or a picture, as a tree: what is text stays text, whatever it says. No I/O."""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring


def tag(name: str, /, *inside: Element | str, **attributes: str | float) -> Element:
    """An element; in the names of attributes `_` stands for `-`, or for nothing at the end. Numbers get one decimal."""
    made = Element(name, {key.rstrip("_").replace("_", "-"): _text(value) for key, value in attributes.items()})
    for each in inside:
        if isinstance(each, Element):
            made.append(each)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + each
        else:
            made.text = (made.text or "") + each
    return made


def as_html(page: Element) -> str:
    """A page of HTML 5."""
    return "<!doctype html>\n" + tostring(page, encoding="unicode", method="html") + "\n"


def as_xml(picture: Element) -> str:
    """A file of XML, such as SVG."""
    return tostring(picture, encoding="unicode") + "\n"


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
