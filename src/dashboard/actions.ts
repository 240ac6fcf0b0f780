/** The buttons: each asks first, and says what came of it. */
import type { Outcome } from "../control/api.ts";
import type { StatsReport, WorkerStats } from "../control/stats.ts";
import { byId, element } from "./dom.ts";
import { plural } from "./format.ts";
import { command, Refusal } from "./server.ts";

interface Action {
  readonly title: string;
  readonly question: string;
  /** The button that confirms. */
  readonly verb: string;
  /** While the outcome is pending. */
  readonly pending: string;
  readonly path: string;
  readonly body: unknown;
}

export class Actions {
  readonly #csrf: () => string;
  /** Called after each command: figures have changed. */
  readonly #done: () => void;
  #stats: StatsReport | undefined;
  #isScaleTouched = false;

  constructor(csrf: () => string, done: () => void) {
    this.#csrf = csrf;
    this.#done = done;
    byId("reload").addEventListener("click", () => this.#reload());
    byId("scale").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#scale();
    });
    const field = byId<HTMLInputElement>("scale-count");
    field.addEventListener("input", () => {
      this.#isScaleTouched = true;
    });
    for (const [id, step] of [
      ["scale-down", -1],
      ["scale-up", 1],
    ] as const) {
      byId(id).addEventListener("click", () => {
        this.#isScaleTouched = true;
        field.value = String(Math.max(0, Number(field.value) + step));
      });
    }
  }

  update(stats: StatsReport): void {
    this.#stats = stats;
    const field = byId<HTMLInputElement>("scale-count");
    if (!this.#isScaleTouched) field.value = String(stats.server.workers.target);
  }

  #reload(): void {
    this.#run({
      title: `Reload ${this.#name}?`,
      question: "Workers are replaced one after another by ones that load the app anew. No request is lost.",
      verb: "Reload",
      pending: "Reloading …",
      path: "api/reload",
      body: {},
    });
  }

  #scale(): void {
    const field = byId<HTMLInputElement>("scale-count");
    const workers = field.valueAsNumber;
    const before = this.#stats?.server.workers.target ?? 0;
    if (!Number.isInteger(workers) || workers < 0) {
      showOutcome({
        ok: false,
        error: `the number of workers is a whole number, not ${field.value || "empty"}`,
      });
      return;
    }
    const warning = workers === 0 ? " No request will be answered then." : "";
    this.#run({
      title: `Scale to ${plural(workers, "worker")}?`,
      question: `${this.#name} is to have ${plural(before, "worker")} now.${warning}`,
      verb: "Scale",
      pending: `Scaling to ${plural(workers, "worker")} …`,
      path: "api/scale",
      body: { workers },
    });
    this.#isScaleTouched = false;
  }

  restart({ pid, slot }: WorkerStats): void {
    this.#run({
      title: `Restart worker ${pid}?`,
      question: `A new worker takes over slot ${slot}; this one ends when its requests are answered.`,
      verb: "Restart",
      pending: `Restarting worker ${pid} …`,
      path: `api/workers/${pid}/restart`,
      body: {},
    });
  }

  get #name(): string {
    return this.#stats?.server.name ?? "the server";
  }

  #run(action: Action): void {
    confirm(action)
      .then(async (isConfirmed) => {
        if (!isConfirmed) return;
        showPending(action.pending);
        showOutcome(await command(action.path, action.body, this.#csrf()));
        this.#done();
      })
      .catch((error: unknown) => showOutcome({ ok: false, error: reasonOf(error) }));
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  return "the server did not answer: look whether it has done it";
}

/** Asks in a dialog; resolves with the answer. */
function confirm({ title, question, verb }: Action): Promise<boolean> {
  const dialog = byId<HTMLDialogElement>("confirm");
  byId("confirm-title").textContent = title;
  byId("confirm-question").textContent = question;
  byId("confirm-yes").textContent = verb;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function showPending(text: string): void {
  const place = byId("outcome");
  place.dataset.tone = "pending";
  place.replaceChildren(element("p", {}, text));
}

function showOutcome(outcome: Outcome): void {
  const place = byId("outcome");
  place.dataset.tone = outcome.ok ? "good" : "bad";
  const close = element(
    "button",
    { type: "button", class: "small", "aria-label": "Dismiss this message" },
    "×",
  );
  close.addEventListener("click", () => place.replaceChildren());
  const text = outcome.ok ? `Done: ${outcome.message}.` : `Failed: ${outcome.error}.`;
  const detail =
    outcome.ok || outcome.detail === undefined ? [] : [element("pre", { tabindex: "0" }, outcome.detail)];
  place.replaceChildren(element("p", {}, text), close, ...detail);
}
