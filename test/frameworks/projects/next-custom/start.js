// next start is a program with arguments.
process.argv.splice(2, Number.POSITIVE_INFINITY, "start");
require("./node_modules/next/dist/bin/next");
