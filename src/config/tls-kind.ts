/** Kinds of settings of TLS, which accept gunicorn's values as well. */
import * as v from "valibot";
import { invalidMessage, type Kind, kind } from "./kind.ts";

const REQUESTS = ["none", "optional", "required"] as const;
export type CertificateRequests = (typeof REQUESTS)[number];

const NO_REQUESTS = invalidMessage("is not one of none, optional, required (or 0, 1, 2)");

/** Python's ssl.CERT_NONE, CERT_OPTIONAL and CERT_REQUIRED are 0, 1 and 2. */
export const certificateRequests: Kind<CertificateRequests, CertificateRequests | 0 | 1 | 2> = kind({
  placeholder: REQUESTS.join("|"),
  schema: v.pipe(
    v.union([v.picklist(REQUESTS), v.picklist([0, 1, 2])], NO_REQUESTS),
    v.transform((written) =>
      typeof written === "number" ? (REQUESTS[written] as CertificateRequests) : written,
    ),
  ),
  fromText: (text) => (/^[012]$/.test(text.trim()) ? Number(text) : text.trim().toLowerCase()),
});

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
export type TlsVersion = (typeof VERSIONS)[number];

/** Also `TLSv1_2`, as in Python. */
export const tlsVersion: Kind<TlsVersion> = kind({
  placeholder: VERSIONS.join("|"),
  schema: v.picklist(VERSIONS, invalidMessage("is not one of TLSv1.2, TLSv1.3")),
  fromText: (text) => {
    const written = text.trim().toLowerCase().replace("_", ".");
    return VERSIONS.find((version) => version.toLowerCase() === written) ?? text;
  },
});

/** A secret; no error repeats it. */
export const password: Kind<string> = kind({
  placeholder: "PASSWORD",
  schema: v.pipe(v.string("a password is text"), v.nonEmpty("a password is not empty")),
});
