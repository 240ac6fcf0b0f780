/** A certificate for servers of TLS: an EC key, as most sites have. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { requireProgram } from "./programs.ts";
import type { Certificate } from "./server.ts";

export function makeCertificate(folder: string): Certificate {
  const openssl = requireProgram("openssl", "apt-get install openssl");
  const [certificate, key] = [join(folder, "site.pem"), join(folder, "site.key")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-days", "2", "-keyout", key, "-out", certificate];
  execFileSync(openssl, ["req", "-x509", ...curve, ...subject, ...files], { stdio: "ignore" });
  return { certificate, key };
}
