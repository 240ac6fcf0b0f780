import type { NextConfig } from "next";

const config: NextConfig = {
  // Ignore lockfiles in folders above.
  turbopack: { root: import.meta.dirname },
  redirects: async () => [{ source: "/old", destination: "/", statusCode: 301 }],
};

export default config;
