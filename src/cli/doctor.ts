/** `tsgun doctor`: checks the configuration, the files around it, the machine and the server, and reports what will break. */
import { Command, CommanderError } from "commander";
import { diagnose } from "../deploy/doctor/finding.ts";
import { countOf, formatJson, formatReport } from "../deploy/doctor/report.ts";
import { RULES } from "../deploy/doctor/rules.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { type DoctorOptions, gatherFacts } from "./doctor-facts.ts";
import { usageError } from "./explained-words.ts";

/** Runs `tsgun doctor` with its arguments. @throws FatalError with one line */
export async function runDoctor(args: readonly string[]): Promise<ExitCode> {
  const program = doctorCommand();
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return ExitCode.ok;
    throw usageError(error, "tsgun doctor --help");
  }
  const { json = false, ...options } = program.opts<DoctorOptions & { readonly json?: boolean }>();
  const { facts, checked, unchecked } = await gatherFacts({ ...options, words: program.args }).catch(asUsage);
  const report = { findings: diagnose(RULES, facts), checked, unchecked };
  process.stdout.write(json ? formatJson(report) : formatReport(report));
  return countOf(report, "error") > 0 ? ExitCode.failure : ExitCode.ok;
}

/** Maps every failure to exit code 2: 1 means that errors were found. */
function asUsage(error: unknown): never {
  if (!(error instanceof FatalError)) throw error;
  throw new FatalError(error.message, ExitCode.usage, { cause: error });
}

export function doctorCommand(): Command {
  const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
  return new Command("tsgun doctor")
    .description(
      "Checks the configuration, the files around it and the running system, and reports what will break in production and how to fix it.",
    )
    .argument("[words...]", "After --: the app and the options that the server is started with.")
    .option("-c, --config <FILE>", "The configuration file, as for a start.")
    .option(
      "--nginx <FILE>",
      "nginx's configuration, or a site; can be given several times. Default: deploy/nginx/*.conf",
      collect,
    )
    .option(
      "--systemd <FILE>",
      "A service or socket unit; can be given several times. Default: deploy/systemd/*",
      collect,
    )
    .option(
      "--kubernetes <FILE>",
      "A manifest; can be given several times. Default: deploy/kubernetes/*.yaml",
      collect,
    )
    .option("--pid <PID>", "The running server, by its arbiter's process id.")
    .option(
      "--control-socket <PATH>",
      "The running server, by its control socket. Default: the one started in this folder.",
    )
    .option("--json", "Print the findings as JSON.")
    .helpOption("-h, --help", "Print this help.")
    .addHelpText(
      "after",
      "\nExit codes: 0 no errors, 1 errors, 2 something cannot be read.\nThe rules: docs/doctor.md",
    )
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
}
