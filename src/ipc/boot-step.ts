/** What a worker, or a trial, is about to do on its way to serving: whoever waits in vain can say for what. */

export interface BootStep {
  readonly step: "hook" | "load" | "call" | "startup" | "warm-up";
  /** The hook, the app's module, what of it is called or awaited, the app, or the path that is asked for. */
  readonly of: string;
}

/** What has not come to its end, as a sentence. */
export function describeUnfinished({ step, of }: BootStep): string {
  switch (step) {
    case "hook":
      return `the hook ${of} has not settled`;
    case "load":
      return `${of} has not finished loading (an await at its top level, or in what it imports, that never settles?)`;
    case "call":
      return `${of} has not settled`;
    case "startup":
      return "the app's startup has not settled";
    case "warm-up":
      return `the warm-up request GET ${of} has had no answer`;
  }
}

/** When something happened, to end a sentence. */
export function describeDuring({ step, of }: BootStep): string {
  switch (step) {
    case "hook":
      return `in the hook ${of}`;
    case "load":
      return "while it was loaded";
    case "call":
      return `while ${of} was made`;
    case "startup":
      return "in its startup";
    case "warm-up":
      return `while it was asked for ${of} to warm up`;
  }
}
