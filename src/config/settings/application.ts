/** Settings of the configuration file and the application. */
import { choice, configSource, flag, text, variables } from "../kind.ts";
import { setting } from "./setting.ts";

export const applicationSettings = {
  config: setting({
    section: "Config file",
    kind: configSource,
    default: undefined,
    flags: ["-c"],
    negatable: "Read no configuration file.",
    outsideFile: true,
    reload: false,
    doc: "The configuration file: a path, file:PATH or module:NAME. Without it tsgun.config.{ts,mts,js,mjs,cjs,json}, if there is one in the folder where the command is started.",
  }),
  checkConfig: setting({
    section: "Config file",
    kind: flag,
    default: false,
    outsideFile: true,
    reload: false,
    doc: "Check the configuration, load the application in a process that is thrown away, say what was found, and end: with 0, or with the exit code that the server would end with.",
  }),
  printConfig: setting({
    section: "Config file",
    kind: flag,
    default: false,
    outsideFile: true,
    reload: false,
    doc: "Print every setting with its value and where that comes from, and end. What looks like a secret is hidden.",
  }),
  app: setting({
    section: "Application",
    kind: text("APP"),
    default: undefined,
    positional: true,
    reload: true,
    doc: 'The application: module:name, path/to/file.ts:name, or module:create("production").',
  }),
  interface: setting({
    section: "Application",
    kind: choice("auto", "gateway", "fetch", "node"),
    default: "auto",
    reload: true,
    doc: "What the application is: a gateway handler, a fetch app or a node listener. auto looks at it.",
  }),
  preload: setting({
    section: "Application",
    kind: flag,
    default: false,
    reload: true,
    doc: "Load the application in a process that is thrown away before any worker is started, at the start and on reload: one that is broken costs no worker, and Node's compile cache is warm. With --reload, which waits for a broken one to be mended, only the cache is used.",
  }),
  chdir: setting({
    section: "Application",
    kind: text("DIR"),
    default: undefined,
    reload: false,
    doc: "Go to this folder before the application is looked for. A symbolic link is followed anew on reload.",
  }),
  env: setting({
    section: "Application",
    kind: variables,
    default: undefined,
    flags: ["-e"],
    reload: true,
    doc: "A variable for the workers' environment: NAME=VALUE. May be given several times.",
  }),
} as const;
