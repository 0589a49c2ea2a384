// Keyboard is somebody without a mouse: Tab, Enter, Space and letters are all
// there is, and where the focus is must be seen at every step.
export class Keyboard {
  constructor(page) {
    this.page = page;
  }

  // tab presses Tab once and says what has the focus now.
  async tab() {
    await this.page.keyboard.press('Tab');
    const focus = await this.page.evaluate(() => {
      const element = document.activeElement;
      const { top, bottom, width, height } = element.getBoundingClientRect();
      const outlined = [null, '::after'].some((part) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(element, part);
        return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
      });
      return {
        name: (element.labels?.[0]?.textContent ?? element.textContent).trim(),
        body: element === document.body,
        inMain: Boolean(element.closest('main')),
        top, seen: width > 0 && height > 0 && bottom > 0 && top < innerHeight, outlined,
      };
    });
    if (!focus.body && !(focus.seen && focus.outlined)) {
      throw new Error(`the focus can't be seen on "${focus.name}" at ${this.page.url()}: ${JSON.stringify(focus)}`);
    }
    return focus;
  }

  // reach presses Tab until what has the focus carries the name.
  async reach(name) {
    for (let i = 0; i < 60; i++) {
      if ((await this.tab()).name === name) return;
    }
    throw new Error(`Tab does not reach "${name}" at ${this.page.url()}`);
  }

  async press(name, key) {
    await this.reach(name);
    await this.page.keyboard.press(key);
  }

  // submit presses a button and waits for the page that comes, which may be the
  // same once more.
  async submit(name, key) {
    await this.reach(name);
    await Promise.all([this.page.waitForEvent('load'), this.page.keyboard.press(key)]);
  }

  // follow presses Enter on a link and waits for where it leads.
  async follow(name, url) {
    await this.press(name, 'Enter');
    await this.page.waitForURL(url);
  }

  // signIn goes from a link to the embedded provider's form and through it.
  async signIn(link, name, password) {
    await this.press(link, 'Enter');
    await this.page.locator('input[type=password]').waitFor();
    await this.reach('Username');
    await this.page.keyboard.type(name);
    await this.reach('Password');
    await this.page.keyboard.type(password);
    await this.page.keyboard.press('Enter');
  }
}
