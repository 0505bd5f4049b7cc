// Makes elements. What comes from a trainer only ever becomes text: nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; properties that begin with "on" are listeners, children that are no nodes become text. */
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** An element of an SVG picture. */
export function svg(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Text of a trainer in its own direction, so that a name from right to left turns nothing else around. */
export function bdi(text, properties) {
  return h("bdi", { dir: "auto", ...properties }, text);
}

/** Sets a text only where it is another one: the browser lays nothing out again for what stays. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined) {
    node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}
