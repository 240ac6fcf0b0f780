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
    doc: "The configuration file: a path, file:PATH or module:NAME. Default: the first tsgun.config.{ts,mts,js,mjs,cjs,json} in the folder where the command is started.",
  }),
  checkConfig: setting({
    section: "Config file",
    kind: flag,
    default: false,
    outsideFile: true,
    reload: false,
    doc: "Check the configuration, load the application in a separate process, report the result and exit: with 0, or with the exit code that the server would have.",
  }),
  printConfig: setting({
    section: "Config file",
    kind: flag,
    default: false,
    outsideFile: true,
    reload: false,
    doc: "Print every setting with its value and where that comes from, and exit. Values that look like secrets are hidden.",
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
    kind: choice("auto", "gateway", "fetch", "node", "server"),
    default: "auto",
    reload: true,
    doc: "The kind of application: a gateway handler, a fetch app, a node listener, or a server that the application makes listen itself. auto detects it.",
  }),
  adopt: setting({
    section: "Application",
    kind: text("PORT|PATH"),
    default: undefined,
    reload: true,
    doc: "The server to serve if the application makes several listen: the port or path that it listens on. Default: the first one.",
  }),
  otherServers: setting({
    section: "Application",
    kind: choice("one-worker", "refuse"),
    default: "one-worker",
    reload: true,
    doc: "What to do with further servers that the application makes listen, such as one for metrics: open them in the first worker only, or refuse them.",
  }),
  preload: setting({
    section: "Application",
    kind: flag,
    default: false,
    reload: true,
    doc: "Load the application once in a separate process before workers start, at the start and on reload: a broken app then costs no worker, and Node's compile cache is warm. With --reload, which waits for a broken app to be fixed, only the cache is used.",
  }),
  chdir: setting({
    section: "Application",
    kind: text("DIR"),
    default: undefined,
    reload: false,
    doc: "Change to this folder before the application is loaded. If it is a symbolic link, a reload follows it again.",
  }),
  env: setting({
    section: "Application",
    kind: variables,
    default: undefined,
    flags: ["-e"],
    reload: true,
    doc: "An environment variable for the workers: NAME=VALUE. Can be given several times.",
  }),
} as const;
