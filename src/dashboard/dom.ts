/** Elements of the page. Text is always set as text: what the server reports may come from a hostile worker. */

type Attributes = Readonly<Record<string, string>>;

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** The element of `index.html` with this id. */
export function byId<Type extends HTMLElement = HTMLElement>(id: string): Type {
  return document.getElementById(id) as Type;
}

/** Sets the text of an element if it differs: a screen reader announces what changes in a live region. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Shows the elements for `keys`, in their order; those that stay are kept, with the focus inside them. */
export function keepChildren<Item>(
  parent: HTMLElement,
  items: readonly Item[],
  keyOf: (item: Item) => string,
  make: (item: Item) => HTMLElement,
  update: (child: HTMLElement, item: Item) => void,
): void {
  const children = [...parent.children] as HTMLElement[];
  const known = new Map(children.map((child) => [child.dataset.key, child]));
  const wanted = new Set(items.map(keyOf));
  // First: an element that has to move past one that is gone would lose the focus.
  for (const child of children) if (!wanted.has(child.dataset.key ?? "")) child.remove();
  let before: Element | null = null;
  for (const item of items) {
    const key = keyOf(item);
    const child = known.get(key) ?? make(item);
    child.dataset.key = key;
    update(child, item);
    const place: Element | null = before === null ? parent.firstElementChild : before.nextElementSibling;
    if (place !== child) parent.insertBefore(child, place);
    before = child;
  }
}
