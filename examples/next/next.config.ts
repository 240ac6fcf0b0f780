import type { NextConfig } from "next";

const config: NextConfig = {
  // A lockfile further up belongs to somebody else.
  turbopack: { root: import.meta.dirname },
  redirects: async () => [{ source: "/old", destination: "/", statusCode: 301 }],
};

export default config;
