// Light or dark, as the page behind an element is.

const THEME_ATTRIBUTES = ["class", "style", "data-jp-theme-light", "data-theme", "data-bs-theme"];
const DARK_SCHEME = "(prefers-color-scheme: dark)";

// The first colour behind an element that is not transparent, "" if there is none.
function backgroundBehind(element) {
  for (let node = element; node?.nodeType === Node.ELEMENT_NODE; node = node.parentNode?.host || node.parentNode) {
    const colour = getComputedStyle(node).backgroundColor;
    if (colour && !/^(transparent|rgba\(.*, 0\))$/.test(colour)) return colour;
  }
  return "";
}

export function isDark(element) {
  const numbers = backgroundBehind(element).match(/[\d.]+/g);
  if (!numbers)
    return matchMedia(DARK_SCHEME).matches && getComputedStyle(document.documentElement).colorScheme.includes("dark");
  const [red, green, blue] = numbers.map(Number);
  return 0.3 * red + 0.59 * green + 0.11 * blue < 128;
}

// Calls `look` now and whenever the page may have another colour; ends with the signal.
export function watchTheme(look, signal) {
  const observer = new MutationObserver(look);
  for (const node of [document.documentElement, document.body])
    observer.observe(node, { attributes: true, attributeFilter: THEME_ATTRIBUTES });
  signal.addEventListener("abort", () => observer.disconnect());
  matchMedia(DARK_SCHEME).addEventListener("change", look, { signal });
  look();
}
