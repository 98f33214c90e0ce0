// What pages on which people answer have in common: the keys of classes, and ids.

// A class of one letter or digit has itself as its key; otherwise the first ten have the digits.
export function assignKeys(classes) {
  if (classes.every((name) => /^[a-z0-9]$/i.test(name))) return new Map(classes.map((name) => [name, name]));
  return new Map([..."1234567890"].slice(0, classes.length).map((key, place) => [key, classes[place]]));
}

// A button for each class, with its key on it.
export function classButtons(classes, classKeys, chosen) {
  const keyOf = new Map([...classKeys].map(([key, name]) => [name, key]));
  return classes.map((name) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "class";
    button.disabled = true;
    button.dataset.name = name;
    if (keyOf.has(name)) {
      const key = document.createElement("kbd");
      key.textContent = keyOf.get(name);
      key.setAttribute("aria-hidden", "true");
      button.append(key);
      button.setAttribute("aria-keyshortcuts", keyOf.get(name));
    }
    const word = document.createElement("span");
    word.textContent = name;
    const mark = document.createElement("span");
    mark.className = "mark";
    button.append(word, mark);
    button.addEventListener("click", () => chosen(name));
    return button;
  });
}

export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
