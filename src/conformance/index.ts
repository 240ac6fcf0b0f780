/**
 * `tsgun/conformance`: the cases that check a server against the gateway interface (docs/gateway.md section 15). They
 * know nothing of tsgun's own servers, and run on node:test or without any test runner.
 */
export {
  framedFields,
  type StartSubject,
  type Subject,
  type SuiteOptions,
  type SuiteRequest,
  type SuiteResponse,
  suiteResponse,
  values,
} from "./exchange.ts";
export { conformance } from "./register.ts";
export type { Case, Need } from "./stage.ts";
export {
  CASES,
  type CaseFailure,
  type ConformanceReport,
  type Lacks,
  type PlannedCase,
  planned,
  runConformance,
} from "./suite.ts";
export { exchangeOver, requestBytes, WireClient } from "./wire-client.ts";
