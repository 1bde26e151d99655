// solc as forge and our tests expect it: standard JSON in, standard JSON out, and nothing else.
// The npm package's own command line writes a line of its own first.
"use strict";
const fs = require("fs");
const soljson = require("./soljson.js");

if (process.argv.includes("--version")) {
  const version = soljson.cwrap("solidity_version", "string", [])();
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else {
  const compile = soljson.cwrap("solidity_compile", "string", ["string", "number", "number"]);
  process.stdout.write(compile(fs.readFileSync(0, "utf8"), 0, 0));
}
