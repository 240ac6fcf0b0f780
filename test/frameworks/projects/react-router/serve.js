// react-router-serve is a program with an argument: the build.
process.argv[2] = "build/server/index.js";
await import("./node_modules/@react-router/serve/bin.cjs");
