"""A page as a person without a mouse sees it: elements by id, links, and forms with what is filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_FIELDS = frozenset({"input", "select", "textarea", "button"})


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    @property
    def text(self) -> str:
        """The text inside, with white space collapsed."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> list[str]:
        if self.tag in ("script", "style", "template"):
            return []
        return [piece for child in self.children for piece in ([child] if isinstance(child, str) else child._texts())]

    def all(self, *tags: str) -> list["Element"]:
        """Elements inside, in document order; of any tag if none is named."""
        found: list[Element] = []
        for child in self.children:
            if isinstance(child, Element):
                if not tags or child.tag in tags:
                    found.append(child)
                found += child.all(*tags)
        return found

    def above(self, tag: str) -> "Element | None":
        element = self.parent
        while element is not None and element.tag != tag:
            element = element.parent
        return element

    @property
    def disabled(self) -> bool:
        fieldset = self.above("fieldset")
        return "disabled" in self.attributes or (fieldset is not None and fieldset.disabled)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self._open = Element("document", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes: dict[str, str] = {}
        for name, value in attrs:
            attributes.setdefault(name, value or "")
        element = Element(tag, attributes, self._open)
        self._open.children.append(element)
        if tag not in _VOID:
            self._open = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        opened = self._open
        self.handle_starttag(tag, attrs)
        self._open = opened

    def handle_endtag(self, tag: str) -> None:
        element: Element | None = self._open
        while element is not None and element.tag != tag:
            element = element.parent
        if element is not None and element.parent is not None:
            self._open = element.parent

    def handle_data(self, data: str) -> None:
        self._open.children.append(data)


def parse(text: str) -> Element:
    """The document element; unclosed and stray tags are tolerated."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    return builder.root


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]]


def fill_form(document: Element, button: Element, values: Mapping[str, str | bool | Sequence[str]]) -> Form:
    """What pressing `button` sends (HTML §4.10.22.4). `values` fill fields by name or id.

    True and False tick and untick a checkbox; a sequence chooses among checkboxes of one name or in a select.
    Raises AssertionError when there is no such field, or nobody could fill it in.
    """
    form = _form_of(document, button)
    assert form is not None, f"<{button.tag} id={button.id!r}> belongs to no form"
    assert not button.disabled, f"<{button.tag} id={button.id!r}> is disabled"
    fields = [element for element in document.all(*_FIELDS) if _form_of(document, element) is form]
    known = {name for element in fields if _fillable(element) for name in (element.attributes.get("name"), element.id)}
    unknown = values.keys() - known
    assert not unknown, f"nobody could fill in {sorted(unknown)}, only {sorted(filter(None, known))}"
    pairs: list[tuple[str, str]] = []
    for element in fields:
        name = element.attributes.get("name")
        if name and not element.disabled:
            given = values.get(name, values.get(element.id) if element.id else None)
            pairs += [(name, value) for value in _values(element, given, pressed=element is button)]
    action = button.attributes.get("formaction", form.attributes.get("action", ""))
    method = button.attributes.get("formmethod", form.attributes.get("method", "get"))
    return Form(action, method.upper(), pairs)


def _form_of(document: Element, element: Element) -> Element | None:
    owner = element.attributes.get("form")
    if owner is None:
        return element.above("form")
    return next((form for form in document.all("form") if form.id == owner), None)


def _fillable(element: Element) -> bool:
    return not element.disabled and _kind(element) not in ("hidden", "submit", "button", "reset", "image")


def _kind(element: Element) -> str:
    return element.attributes.get("type", {"button": "submit", "input": "text"}.get(element.tag, element.tag)).lower()


def _values(element: Element, given: str | bool | Sequence[str] | None, *, pressed: bool) -> list[str]:
    kind = _kind(element)
    if kind in ("submit", "button", "reset", "image"):
        return [element.attributes.get("value", "")] if pressed else []
    if kind in ("checkbox", "radio"):
        value = element.attributes.get("value", "on")
        return [value] if _ticked(element, value, given) else []
    if element.tag == "select":
        return _chosen(element, given)
    if given is not None:
        assert isinstance(given, str), f"the field {element.attributes['name']!r} takes text"
        return [given]
    if element.tag == "textarea":
        return ["".join(child for child in element.children if isinstance(child, str)).removeprefix("\n")]
    return [element.attributes.get("value", "")]


def _ticked(element: Element, value: str, given: str | bool | Sequence[str] | None) -> bool:
    if given is None:
        return "checked" in element.attributes
    if isinstance(given, bool):
        return given
    return value == given if isinstance(given, str) else value in given


def _chosen(element: Element, given: str | bool | Sequence[str] | None) -> list[str]:
    options = element.all("option")
    if given is not None:
        wanted = [given] if isinstance(given, str) else list(given) if not isinstance(given, bool) else []
        offered = [option.attributes.get("value", option.text) for option in options]
        assert wanted, f"{element.id!r} is a select"
        assert set(wanted) <= set(offered), f"{element.id!r} offers {offered}, not {wanted}"
        return wanted
    chosen = [option for option in options if "selected" in option.attributes] or options[:1]
    return [option.attributes.get("value", option.text) for option in chosen]
