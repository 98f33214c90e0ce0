"""A page of the front that is open in a browser, with everything that it complained of and asked for."""

from pathlib import Path
from typing import Any, Self

AXE = Path(__file__).parent / "axe" / "axe.min.js"


class PageVisit:
    """A context of its own in a browser: cookies and storage are its alone. Closes with the block."""

    def __init__(
        self, browser: Any, address: str, *, width: int = 1200, height: int = 800, scheme: str = "light", **context: Any
    ) -> None:
        size = {"width": width, "height": height}
        self.context = browser.new_context(viewport=size, color_scheme=scheme, **context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def text(self, selector: str) -> str:
        """Return the text that stands in an element."""
        return str(self.page.locator(selector).text_content())

    def wait_for(self, expression: str, argument: Any = None) -> None:
        """Return when a JavaScript expression, or function of an argument, is true."""
        self.page.wait_for_function(expression, arg=argument)

    def item(self) -> str:
        """Return the item on the screen, once there is one."""
        self.page.locator("#tools").wait_for(state="visible")
        return self.text("#item-name")

    def press(self, key: str) -> str:
        """Press a key that leads to another item, and return that item; empty when there is none."""
        before = self.text("#item-name") if self.page.locator("#tools").is_visible() else ""
        self.page.keyboard.press(key)
        self.wait_for(
            "(before) => document.querySelector('#tools').hidden"
            " || document.querySelector('#item-name').textContent !== before",
            before,
        )
        return self.text("#item-name") if self.page.locator("#tools").is_visible() else ""

    def violations(self) -> list[str]:
        """Return what axe finds wrong with the page as it is now: the rule and the element."""
        # Put in by the test's own world, which the page's policy does not bind.
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = self.page.evaluate("(tags) => axe.run({ runOnly: tags })", tags)
        assert len(found["passes"]) > 5  # it has looked
        return [f"{each['id']}: {node['html'][:160]}" for each in found["violations"] for node in each["nodes"]]
