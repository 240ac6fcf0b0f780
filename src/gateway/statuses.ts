/** The status codes that an app may send, and which responses have no content. */

/** Whether a response with this status has no content (RFC 9110 sections 6.4.1, 15.3.5, 15.3.6 and 15.4.5). */
export function forbidsContent(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

export function isFinalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}

/** Statuses from 102 to 199. The server itself sends 100 (RFC 9110 section 10.1.1), and 101 ends HTTP. */
export function isInformationalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 102 && status <= 199;
}
