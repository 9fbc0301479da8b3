// Dark and light: the system's, or what a person chose. Kept in this browser.

export type Theme = "auto" | "light" | "dark";
const KEY = "zerog-theme";
export const THEMES: Theme[] = ["auto", "light", "dark"];

export function readTheme(): Theme {
  const stored = localStorage.getItem(KEY) as Theme | null;
  return stored !== null && THEMES.includes(stored) ? stored : "auto";
}

export function applyTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
