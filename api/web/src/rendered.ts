// Makes every text that Preact renders fit to be shown, whoever wrote it. See `shown`.

import { options, type VNode } from "preact";
import { shown } from "./shown";

/** Attributes that a browser shows or reads out. */
const SHOWN_ATTRIBUTES = ["title", "aria-label", "placeholder"];

/** Let Preact show every text and attribute in this way. What fields hold stays as it is. */
export function showAll(): void {
  const before = options.vnode?.bind(options);
  options.vnode = (vnode: VNode) => {
    const made = vnode as { type: unknown; props: unknown };
    if (typeof made.props === "string") made.props = shown(made.props);
    else if (typeof made.type === "string") {
      const props = made.props as Record<string, unknown>;
      for (const name of SHOWN_ATTRIBUTES) {
        const value = props[name];
        if (typeof value === "string") props[name] = shown(value);
      }
    }
    before?.(vnode);
  };
}
