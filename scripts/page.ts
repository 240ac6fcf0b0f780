/**
 * Bundles the dashboard's page: `dist/dashboard/` has one file each of HTML, JavaScript and CSS, with the charts of uPlot
 * in them. Nothing is loaded from elsewhere.
 */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";

const ROOT = join(import.meta.dirname, "..");
const SOURCE = join(ROOT, "src", "dashboard");
const TARGET = join(ROOT, "dist", "dashboard");
/** Its folder has the same code as ES module, three times as large. */
const CHARTS = join(dirname(fileURLToPath(import.meta.resolve("uplot"))), "uPlot.iife.min.js");

/** In this order: later ones refine earlier ones, the last has the rules for narrow windows. */
const STYLES = ["base", "head", "figures", "tables"];

/** Call after tsc has compiled the page's modules, and before these are removed. */
export async function bundlePage(): Promise<string> {
  const build = await rollup({
    input: join(TARGET, "main.js"),
    plugins: [
      {
        name: "charts",
        resolveId: (id) => (id === "uplot" ? CHARTS : null),
        load: (id) => (id === CHARTS ? `${readFileSync(CHARTS, "utf8")}\nexport default uPlot;` : null),
      },
    ],
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  const { output } = await build.generate({ format: "es" });
  await build.close();
  return output[0].code;
}

export function writePage(code: string): void {
  writeFileSync(join(TARGET, "dashboard.js"), code);
  writeFileSync(join(TARGET, "index.html"), readFileSync(join(SOURCE, "index.html")));
  copyFileSync(join(dirname(CHARTS), "..", "LICENSE"), join(TARGET, "uplot.LICENSE"));
  const own = STYLES.map((name) => join(SOURCE, "styles", `${name}.css`));
  const styles = [join(dirname(CHARTS), "uPlot.min.css"), ...own];
  writeFileSync(join(TARGET, "dashboard.css"), styles.map((file) => readFileSync(file, "utf8")).join("\n"));
}
