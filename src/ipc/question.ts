/**
 * Questions of the arbiter to a worker on behalf of the control interface. The worker says at once that it has received the
 * question, so that a blocked one is known as such, and answers when it can.
 */

export type Question =
  /** Its requests in flight: `InFlight[]`. */
  | { readonly about: "requests" }
  /** The metrics that its app keeps itself: `getMetricsAsJSON()` of prom-client. */
  | { readonly about: "app-metrics" }
  /** The response of its app to this request: `InjectedResponse`. */
  | { readonly about: "inject"; readonly request: InjectedRequest };

export interface InFlight {
  readonly method: string;
  readonly target: string;
  readonly id: string;
  /** The client's address; "" if it has none. */
  readonly remote: string;
  /** Milliseconds since its arrival. */
  readonly age: number;
  /** Content received so far; null if it is not counted. */
  readonly bytesReceived: number | null;
  /** Content of the response sent so far; null if it is not counted. */
  readonly bytesSent: number | null;
}

export interface InjectedRequest {
  readonly method: string;
  readonly target: string;
  /** Names and values. */
  readonly headers: readonly (readonly [string, string])[];
  /** Base64. */
  readonly body: string;
  /** Milliseconds for the whole response. */
  readonly timeout: number;
}

export interface InjectedResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Base64; the beginning of the content if it is large. */
  readonly body: string;
  /** The size of the whole content. */
  readonly bytes: number;
  /** Milliseconds until the response was complete. */
  readonly duration: number;
}

export type Answer =
  | { readonly kind: "received" }
  | { readonly kind: "value"; readonly value: unknown }
  /** One line. */
  | { readonly kind: "error"; readonly error: string };
