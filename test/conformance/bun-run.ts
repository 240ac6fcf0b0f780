/** Run by Bun: the suite over the second server. Prints the counts as JSON. */
import { runConformance } from "../../src/conformance/index.ts";
import { EXAMPLE_LACKS, startExample } from "./example-subject.ts";

const { passed, skipped, failed } = await runConformance(startExample, EXAMPLE_LACKS);
const failures = failed.map(({ name, error }) => `${name}: ${error.message}`);
console.log(JSON.stringify({ passed, skipped: skipped.length, failures }));
