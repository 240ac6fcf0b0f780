/** The step that a booting worker or preflight process has reached, so that a boot timeout can name what hangs. */

export interface BootStep {
  readonly step: "hook" | "load" | "call" | "listen" | "adopt" | "startup" | "warm-up";
  /**
   * The hook, the app's module, the export that is called or awaited, the port or path to adopt, the app, or the warm-up
   * path.
   */
  readonly of: string;
}

/** Says which step has not finished, as a sentence. */
export function describeUnfinished({ step, of }: BootStep): string {
  switch (step) {
    case "hook":
      return `the hook ${of} has not settled`;
    case "load":
      return `${of} has not finished loading (an await at its top level, or in what it imports, that never settles?)`;
    case "call":
      return `${of} has not settled`;
    case "listen":
      return `${of} exports no app, and has not made a server listen`;
    case "adopt":
      return `the app has not made a server listen on ${of} (--adopt)`;
    case "startup":
      return "the app's startup has not settled";
    case "warm-up":
      return `the warm-up request GET ${of} has had no answer`;
  }
}

/** Says during which step something happened, to end a sentence. */
export function describeDuring({ step, of }: BootStep): string {
  switch (step) {
    case "hook":
      return `in the hook ${of}`;
    case "load":
      return "while it was loaded";
    case "call":
      return `while ${of} was made`;
    case "listen":
    case "adopt":
      return "before it listened";
    case "startup":
      return "in its startup";
    case "warm-up":
      return `while it was asked for ${of} to warm up`;
  }
}
