/** Shows the panels, each with its charts, their legends and a summary in words. */
import type { Mark, Panel } from "./chart-model.ts";
import { byId, element, keepChildren, setText } from "./dom.ts";
import { Plot, type Span } from "./plot.ts";

export class Charts {
  readonly #plots = new Map<string, Plot>();

  update(panels: readonly Panel[], marks: readonly Mark[], span: Span): void {
    keepChildren(
      byId("panels"),
      panels,
      ({ id }) => id,
      (panel) => this.#make(panel),
      (child, panel) => this.#fill(child, panel, marks, span),
    );
  }

  redraw(): void {
    for (const plot of this.#plots.values()) plot.redraw();
  }

  #make({ id, title, charts }: Panel): HTMLElement {
    const hosts = charts.map((chart, index) => {
      const host = element("div", { class: "chart" });
      this.#plots.set(`${id}-${index}`, new Plot(host));
      return charts.length > 1 ? element("div", {}, element("h4", {}, chart.label), host) : host;
    });
    const section = element(
      "section",
      { class: "panel", id: `panel-${id}`, "aria-labelledby": `title-${id}` },
      element("h3", { id: `title-${id}` }, title),
      element("p", { class: "summary" }),
      element("p", { class: "empty" }),
      element("div", { class: "charts" }, ...hosts),
    );
    return section;
  }

  #fill(section: HTMLElement, panel: Panel, marks: readonly Mark[], span: Span): void {
    const [, summary, empty, charts] = section.children;
    if (summary !== undefined) setText(summary, panel.summary);
    if (empty !== undefined) setText(empty, panel.emptyText ?? "");
    (charts as HTMLElement).hidden = panel.emptyText !== undefined;
    if (panel.emptyText !== undefined) return;
    for (const [index, chart] of panel.charts.entries())
      this.#plots.get(`${panel.id}-${index}`)?.update(chart, marks, span);
  }
}
