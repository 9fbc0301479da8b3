// Makes the types of the API's bodies, into the file given, of the specification on standard input.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const text = readFileSync(0, "utf8");
const types = await openapiTS(text, { emptyObjectsUnknown: true });
// A test compares the hash without having to generate.
const hash = createHash("sha256").update(text).digest("hex");
const head = `// Made by \`make web\` of hack/specification.py; edit the API.\n// sha256 of the specification: ${hash}\n\n`;
writeFileSync(process.argv[2], head + astToString(types));
