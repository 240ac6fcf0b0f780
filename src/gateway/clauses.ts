/**
 * The sections of docs/gateway.md that errors and lint cite. A test checks them against the document.
 */
export const clause = {
  returning: "section 3.1.3",
  body: "section 5.1",
  bodyOnce: "section 5.2",
  bodyLimit: "section 5.4",
  extend: "section 12.4",
  status: "section 6.2",
  fields: "section 6.3",
  content: "section 6.4",
  contentLength: "section 6.5",
  once: "section 6.6",
  waiting: "section 12.6",
  serverAnswer: "section 11.7",
  writer: "section 7",
  informational: "section 8",
  upgrade: "section 9",
} as const;
