/** Dark or light: as the system says, until the reader chooses. */
import { byId } from "./dom.ts";

const KEY = "tsgun-theme";
const system: MediaQueryList = matchMedia("(prefers-color-scheme: dark)");

/** @param changed draws anew what the style sheet does not reach */
export function startTheme(changed: () => void): void {
  const button = byId("theme");
  const apply = (): void => {
    const theme = chosen() ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light theme" : "Dark theme";
    changed();
  };
  button.addEventListener("click", () => {
    keep(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

function chosen(): string | undefined {
  try {
    const value = localStorage.getItem(KEY);
    return value === "dark" || value === "light" ? value : undefined;
  } catch {
    return undefined;
  }
}

function keep(theme: string): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A browser that keeps nothing asks the system again.
    document.documentElement.dataset.theme = theme;
  }
}
